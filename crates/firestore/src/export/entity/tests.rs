//! Records beside those that the official emulator wrote, and whatever else a file may hold.

use base::{DatabaseName, DocumentPath, Fields, GeoPoint, ResourcePath, Timestamp, Value};
use proptest::prelude::*;

use super::{Imported, decode, encode};

fn path(text: &str) -> DocumentPath {
    DocumentPath::new(ResourcePath::parse(text).unwrap()).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Both directions of one record.
fn check(database: &str, document: &str, fields: Fields, record: &str) {
    let database = DatabaseName { project: "demo-x".into(), database: database.into() };
    let record = bytes(record);
    let decoded = decode(&record).unwrap();
    assert_eq!(decoded, Imported { path: path(document), fields: fields.clone(), record_len: record.len() });
    assert_eq!(encode(&database, &path(document), &fields).unwrap(), record);
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn records_of_the_official_emulator() {
    check(
        "other",
        "o/1",
        map([("a", Value::Integer(1))]),
        "6a1e 6a0a6465767e64656d6f2d78 7208 0b12016f2201310c ba01056f74686572 7a09 1a01612000 2a020801 8201 08 0b12016f2201310c",
    );
    check(
        "(default)",
        "all/__id7__",
        Fields::new(),
        "6a17 6a0a6465767e64656d6f2d78 7209 0b1203616c6c18070c 8201 09 0b1203616c6c18070c",
    );
    let deep = map([
        ("e", Value::Map(Fields::new())),
        ("ea", Value::Array(vec![])),
        ("z", Value::Array(vec![Value::String("deep".into())])),
    ]);
    check(
        "(default)",
        "all/types/sub/x",
        map([
            ("earr", Value::Array(vec![])),
            ("geo", Value::GeoPoint(GeoPoint { latitude: 1.5, longitude: -2.5 })),
            ("map", Value::Map(deep)),
            ("null", Value::Null),
            ("ref", Value::Reference("projects/demo-x/databases/other/documents/a/b".into())),
            ("ts", Value::Timestamp(Timestamp::parse("2026-01-02T03:04:05.123456Z").unwrap())),
        ]),
        "6a26 6a0a6465767e64656d6f2d78 7218 0b1203616c6c220574797065730c 0b12037375622201780c
         720c 0818 1a0465617272 2000 2a00
         7a1f 0809 1a0367656f 2000 2a14 2b31000000000000f83f3900000000000004c02c
         7a47 0813 1a036d6170 2000 2a3c 1a3a 6a046a007200 720a 0818 1a026561 2000 2a00
           7a14 0813 1a0165 2000 2a0b 1a096a046a007200820100 7a0d 1a017a 2001 2a06 1a0464656570 820100
         7a0a 1a046e756c6c 2000 2a00
         7a28 1a03726566 2000 2a1f 636a0a6465767e64656d6f2d78737a01618a01016274ba01056f7468657264
         7a13 0807 1a027473 2000 2a09 0880abbbb2efeb9103
         8201 0e 0b1203616c6c220574797065730c",
    );
}

#[test]
fn a_vector_is_an_array_that_says_so() {
    let vector = map([
        ("__type__", Value::String("__vector__".into())),
        ("value", Value::Array(vec![Value::Double(1.0), Value::Double(2.0)])),
    ]);
    check(
        "(default)",
        "a/b",
        map([("vec", Value::Map(vector))]),
        "6a16 6a0a6465767e64656d6f2d78 7208 0b1201612201620c
         7a14 081f 1a03766563 2001 2a09 21000000000000f03f 7a14 081f 1a03766563 2001 2a09 210000000000000040
         8201 08 0b1201612201620c",
    );
}

#[test]
fn what_is_no_document_says_why() {
    let key = "6a16 6a0a6465767e64656d6f2d78 7208 0b1201612201620c";
    let nested = (0..120).fold(bytes("6a046a007200820100"), |inner, _| {
        let sized = |tag: u8, inner: &[u8]| {
            let mut out = vec![tag];
            prost::encoding::encode_varint(inner.len() as u64, &mut out);
            [&out[..], inner].concat()
        };
        let value = sized(0x2a, &sized(0x1a, &inner));
        [bytes("6a046a007200"), sized(0x7a, &[bytes("0813 1a0165 2000"), value].concat())].concat()
    });
    let mut deep = bytes(key);
    deep.extend(nested);
    let many = [bytes(key), bytes("7a07 1a0161 2001 2a00").repeat(2_200_000)].concat();
    for (record, says) in [
        (bytes(""), "no path"),
        (bytes("6a04 6a00 7200"), "incomplete"),
        (bytes("6a16 6a0a6465767e64656d6f2d78 7208 0b12016122055f5f785f5f0c"), "longer than its message"),
        (bytes("ff"), "number"),
        (bytes("0b"), "group"),
        ([bytes(key), bytes("7a07 1a0161 2000 2a00").repeat(2)].concat(), "two values"),
        ([bytes(key), bytes("7a07 1a0161 2000 2a00 7a07 1a0161 2001 2a00")].concat(), "array and a value"),
        ([bytes(key), bytes("7a0b 1a0161 2000 2a04 1a02fffe")].concat(), "UTF-8"),
        ([bytes(key), bytes("7a08 1a0161 2000 2a01 2b")].concat(), "no end"),
        ([bytes(key), bytes("7a0e 1a06 5f5f615f5f5f 2000 2a02 0801")].concat(), ""),
        (deep, "deep"),
        (many, "too much"),
    ] {
        let error = decode(&record).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<i64>().prop_map(|bits| Value::Double(f64::from_bits(bits.cast_unsigned()))),
        "\\PC{0,12}".prop_map(Value::String),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
        (-60_000_000_000_i64..250_000_000_000)
            .prop_map(|seconds| Value::Timestamp(Timestamp { seconds, nanos: 5000 })),
        Just(Value::Reference("projects/p-1/databases/d/documents/a/__id-5__/é/x".into())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone().prop_filter("no array in an array", is_no_array), 0..4)
                .prop_map(Value::Array),
            proptest::collection::btree_map("[a-z.` é]{1,4}", inner, 0..4).prop_map(Value::Map),
        ]
    })
}

fn is_no_array(value: &Value) -> bool {
    !matches!(value, Value::Array(_))
}

proptest! {
    #[test]
    fn documents_come_back(fields in proptest::collection::btree_map("[a-z.` é]{1,4}", value(), 0..6)) {
        let database = DatabaseName::default_of("p");
        let record = encode(&database, &path("a/b/c/__id-7__"), &fields).unwrap();
        let decoded = decode(&record).unwrap();
        // NaN is not itself.
        prop_assert_eq!(format!("{:?}", decoded.fields), format!("{fields:?}"));
        prop_assert_eq!(decoded.path, path("a/b/c/__id-7__"));
    }

    #[test]
    fn garbage_is_refused_or_read_but_never_panics(record in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&record);
    }

    #[test]
    fn damage_is_refused_or_read_but_never_panics(
        fields in proptest::collection::btree_map("[a-z]{1,4}", value(), 0..6), at in any::<u16>(), with in any::<u8>(),
    ) {
        let mut record = encode(&DatabaseName::default_of("p"), &path("a/b"), &fields).unwrap();
        let at = usize::from(at) % record.len();
        record[at] = with;
        let _ = decode(&record);
    }
}
