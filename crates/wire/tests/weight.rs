//! The scale beside the decoder: what the one accepts the other accepts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use wire::v1::value::ValueType;
use wire::v1::{ArrayValue, CommitRequest, Document, MapValue, RunQueryRequest, Value, Write, write};
use wire::weight::{self, Limits, Weighed, WeightError, weigh};

const UNLIMITED: Limits = Limits { bytes: usize::MAX, items: usize::MAX, depth: weight::DEPTH_MAX };

fn value(kind: ValueType) -> Value {
    Value { value_type: Some(kind) }
}

fn map(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    value(ValueType::MapValue(MapValue { fields: fields.into_iter().collect() }))
}

fn array(values: Vec<Value>) -> Value {
    value(ValueType::ArrayValue(ArrayValue { values }))
}

fn integer(number: i64) -> Value {
    value(ValueType::IntegerValue(number))
}

/// A commit of one document.
fn commit(fields: impl IntoIterator<Item = (String, Value)>) -> CommitRequest {
    let document = Document {
        name: "projects/p/databases/(default)/documents/c/d".into(),
        fields: fields.into_iter().collect(),
        ..Default::default()
    };
    let write = Write { operation: Some(write::Operation::Update(document)), ..Default::default() };
    CommitRequest { writes: vec![write], ..Default::default() }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(integer(1), |inner, _| map([("a".to_owned(), inner)]))
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let weigh =
        |request: &CommitRequest, limits| weigh(CommitRequest::SHAPE, &request.encode_to_vec(), &limits);
    let limits = Limits::default();
    let of = |count| commit([("a".to_owned(), array(vec![map([("a".to_owned(), integer(1))]); count]))]);
    assert_eq!(weigh(&of(10), Limits { items: 20, ..limits }), Err(WeightError::Items { max: 20 }));
    assert_eq!(weigh(&of(10), Limits { bytes: 7_000, ..limits }), Err(WeightError::Bytes { max: 7_000 }));
    // An array of maps with a single field: thirteen bytes each.
    let one = map([("a".to_owned(), value(ValueType::NullValue(0)))]);
    let maps = length(1, &one.encode_to_vec()).repeat(1 << 20);
    let entry = [length(1, b"a"), length(2, &length(9, &maps))].concat();
    let bomb = length(2, &length(1, &length(2, &entry)));
    let weighed = wire::weight::weigh(CommitRequest::SHAPE, &bomb, &limits);
    assert_eq!(weighed, Err(WeightError::Bytes { max: limits.bytes }));
}

/// A field with a length.
fn length(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(value.len() as u64, &mut out);
    out.extend_from_slice(value);
    out
}

#[test]
fn what_the_documented_limits_allow_is_within_these() {
    let documents = |count: usize, fields: &dyn Fn() -> Vec<(String, Value)>| {
        let writes = (0..count).flat_map(|_| commit(fields()).writes).collect();
        CommitRequest { writes, ..Default::default() }
    };
    let entries = documents(10, &|| (0..20_000).map(|n| (format!("field{n}"), integer(n))).collect());
    let elements = documents(10, &|| vec![("a".to_owned(), array((0..130_000).map(integer).collect()))]);
    let maps = documents(10, &|| {
        vec![("a".to_owned(), array((0..30_000).map(|n| map([("a".to_owned(), integer(n))])).collect()))]
    });
    let deep = documents(10, &|| vec![("a".to_owned(), nested(20))]);
    let long =
        documents(10, &|| vec![("a".to_owned(), value(ValueType::StringValue("x".repeat(1_000_000))))]);
    for (what, request) in
        [("entries", entries), ("elements", elements), ("maps", maps), ("deep", deep), ("long", long)]
    {
        let bytes = request.encode_to_vec();
        let weight = weigh(CommitRequest::SHAPE, &bytes, &Limits::default());
        assert!(weight.is_ok(), "{what}, {} bytes: {weight:?}", bytes.len());
    }
    // A text of small fields that fills a commit.
    let full =
        documents(1, &|| (0..900_000).map(|n| (format!("{n:x}"), integer(1))).collect()).encode_to_vec();
    assert!(full.len() > 10 << 20 && weigh(CommitRequest::SHAPE, &full, &Limits::default()).is_ok());
}

#[test]
fn depth_is_what_the_decoder_takes() {
    for depth in 25..40 {
        let bytes = commit([("a".to_owned(), nested(depth))]).encode_to_vec();
        let weighed = weigh(CommitRequest::SHAPE, &bytes, &Limits::default());
        assert_eq!(weighed.is_ok(), CommitRequest::decode(&*bytes).is_ok(), "{depth}: {weighed:?}");
    }
}

fn arbitrary() -> impl Strategy<Value = CommitRequest> {
    let leaf = prop_oneof![
        Just(Value::default()),
        any::<bool>().prop_map(|truth| value(ValueType::BooleanValue(truth))),
        any::<i64>().prop_map(integer),
        any::<f64>().prop_map(|number| value(ValueType::DoubleValue(number))),
        "\\PC*".prop_map(|text| value(ValueType::StringValue(text))),
        vec(any::<u8>(), 0..40).prop_map(|bytes| value(ValueType::BytesValue(bytes.into()))),
    ];
    let tree = leaf.prop_recursive(5, 64, 6, |inner| {
        let fields = btree_map("[a-z]{0,3}", inner.clone(), 0..6);
        prop_oneof![vec(inner, 0..6).prop_map(array), fields.prop_map(|fields: BTreeMap<_, _>| map(fields))]
    });
    btree_map("[a-z]{0,3}", tree, 0..6).prop_map(commit)
}

/// The scale accepts what the decoder accepts.
fn agree<M: Message + Default + Weighed>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if M::decode(bytes).is_ok() {
        let weighed = weigh(M::SHAPE, bytes, &UNLIMITED);
        prop_assert!(weighed.is_ok(), "{weighed:?}: {bytes:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_the_decoder_accepts_is_accepted(
        request in arbitrary(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = request.encode_to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agree::<CommitRequest>(&bytes)?;
        agree::<Document>(&bytes)?;
        agree::<RunQueryRequest>(&bytes)?;
    }

    #[test]
    fn so_are_bytes_that_mean_nothing(bytes in vec(prop_oneof![0_u8..32, any::<u8>()], 0..40)) {
        agree::<CommitRequest>(&bytes)?;
        agree::<Document>(&bytes)?;
        agree::<RunQueryRequest>(&bytes)?;
        agree::<wire::v1::TargetChange>(&bytes)?;
        agree::<wire::v1::RunQueryResponse>(&bytes)?;
    }
}
