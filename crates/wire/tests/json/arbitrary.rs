//! Arbitrary values and documents come back from JSON as they were.

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use wire::google::r#type::LatLng;
use wire::json::{self, JsonOptions};
use wire::prost_types::Timestamp;
use wire::v1::value::ValueType;
use wire::v1::{ArrayValue, Document, MapValue, Value};

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let nanos = prop_oneof![Just(0), (0..1000).prop_map(|n| n * 1_000_000), 0..1_000_000_000];
    (-62_135_596_800_i64..=253_402_300_799, nanos).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn double() -> impl Strategy<Value = f64> {
    // JSON has one NaN; binary tells many apart.
    let bits = any::<u64>().prop_map(f64::from_bits);
    let bits = bits.prop_map(|number| if number.is_nan() { f64::NAN } else { number });
    prop_oneof![bits, Just(f64::NAN), (-1000..1000).prop_map(f64::from)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC*", "(.|\\s|[\\x00-\\x1f\"\\\\/])*"]
}

pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(ValueType::NullValue(0)),
        any::<bool>().prop_map(ValueType::BooleanValue),
        any::<i64>().prop_map(ValueType::IntegerValue),
        double().prop_map(ValueType::DoubleValue),
        timestamp().prop_map(ValueType::TimestampValue),
        text().prop_map(ValueType::StringValue),
        vec(any::<u8>(), 0..40).prop_map(|bytes| ValueType::BytesValue(Bytes::from(bytes))),
        text().prop_map(ValueType::ReferenceValue),
        // Minus zero is lost on the binary way, as zero is a default there.
        (-90.0..90.0, -180.0..180.0)
            .prop_map(|(latitude, longitude)| ValueType::GeoPointValue(LatLng { latitude, longitude })),
    ];
    let kind = leaf.prop_recursive(5, 64, 6, |inner| {
        let value = inner.prop_map(|kind| Value { value_type: Some(kind) });
        prop_oneof![
            vec(value.clone(), 0..6).prop_map(|values| ValueType::ArrayValue(ArrayValue { values })),
            btree_map(text(), value, 0..6).prop_map(|fields| ValueType::MapValue(MapValue { fields })),
        ]
    });
    kind.prop_map(|kind| Value { value_type: Some(kind) })
}

pub fn document() -> impl Strategy<Value = Document> {
    let times = (proptest::option::of(timestamp()), proptest::option::of(timestamp()));
    (text(), btree_map(text(), value(), 0..6), times).prop_map(
        |(name, fields, (create_time, update_time))| Document { name, fields, create_time, update_time },
    )
}

proptest! {
    #[test]
    fn documents_come_back(document in document(), ascii: bool, enum_numbers: bool) {
        let text = json::to_string(&document, JsonOptions { enum_numbers, ascii });
        prop_assert!(!ascii || text.is_ascii());
        let back: Document = json::read(text.as_bytes()).unwrap();
        // Compared as bytes, since NaN is not equal to itself.
        prop_assert_eq!(back.encode_to_vec(), document.encode_to_vec(), "{}", text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\":,0-9a-z\\\\ ]*") {
        let _outcome = json::read::<Document>(text.as_bytes());
    }

    #[test]
    fn no_change_to_a_good_text_makes_the_reader_panic(
        document in document(), at: prop::sample::Index, byte: u8,
    ) {
        let mut text = json::to_string(&document, JsonOptions::default()).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let _outcome = json::read::<Document>(&text);
        let _outcome = json::read::<Document>(&text[..at]);
    }
}
