//! The scale beside the heap: what it says is what the decoded form holds. Nothing else may run meanwhile.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and what they measure")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use peak_alloc::PeakAlloc;
use prost::Message;
use wire::json::{self, JsonOptions};
use wire::v1::value::ValueType;
use wire::v1::{ArrayValue, CommitRequest, Document, MapValue, Value, Write, write};
use wire::weight::{self, Account, Limits, Weighed, weigh};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const UNLIMITED: Limits = Limits { bytes: usize::MAX, items: usize::MAX, depth: weight::DEPTH_MAX };

#[test]
fn estimates_are_what_the_heap_holds() {
    the_estimate_is_what_the_heap_holds();
    a_text_that_is_read_is_charged_like_the_message();
    the_tree_of_a_text_is_weighed_like_the_tree();
}

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

fn shapes() -> Vec<(&'static str, CommitRequest)> {
    let name = |number: i64| format!("f{number}");
    let many = |count: i64, value: &dyn Fn(i64) -> Value| {
        (0..count).map(|n| (name(n), value(n))).collect::<Vec<_>>()
    };
    let items =
        |count: i64, value: &dyn Fn(i64) -> Value| [("a".to_owned(), array((0..count).map(value).collect()))];
    let writes = |count: usize| {
        let write = commit([("n".to_owned(), integer(1))]).writes.remove(0);
        CommitRequest { writes: vec![write; count], ..Default::default() }
    };
    vec![
        ("a small document", commit(many(10, &|n| value(ValueType::StringValue(format!("value {n}")))))),
        ("short fields", commit(many(100_000, &integer))),
        ("numbers in an array", commit(items(100_000, &integer))),
        ("nothing in an array", commit(items(100_001, &|_| Value::default()))),
        ("empty maps in an array", commit(items(100_000, &|_| map([])))),
        ("maps of one field in an array", commit(items(100_000, &|n| map([("a".to_owned(), integer(n))])))),
        ("a nested array of one", commit(items(100_000, &|_| array(vec![Value::default()])))),
        ("texts", commit(many(1_000, &|n| value(ValueType::StringValue("x".repeat(1_000 + n as usize)))))),
        (
            "short texts in an array",
            commit(items(100_000, &|n| value(ValueType::StringValue(n.to_string())))),
        ),
        ("deep maps", commit(many(2_000, &|_| nested(20)))),
        ("many writes", writes(20_000)),
    ]
}

fn the_estimate_is_what_the_heap_holds() {
    for (what, request) in shapes() {
        let bytes = request.encode_to_vec();
        drop(request);
        let weight = weigh(CommitRequest::SHAPE, &bytes, &UNLIMITED).unwrap();
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let decoded = black_box(CommitRequest::decode(&*bytes).unwrap());
        let (held, peak) = (HEAP.current_usage() - before, HEAP.peak_usage() - before);
        drop(decoded);
        println!(
            "{what}: {} on the wire, {} estimated, {held} held, {peak} at most",
            bytes.len(),
            weight.bytes
        );
        assert!(weight.bytes >= held, "{what}: {} estimated, {held} held", weight.bytes);
        assert!(weight.bytes <= 3 * held + 4_096, "{what}: {} estimated, {held} held", weight.bytes);
        assert!(weight.bytes >= peak, "{what}: {} estimated, {peak} at most", weight.bytes);
    }
}

/// An account that only adds up.
#[derive(Default)]
struct Added(AtomicUsize);

impl Account for Added {
    fn charge(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn release(&self, _: usize) {}

    fn message_bytes_max(&self) -> usize {
        usize::MAX
    }
}

/// A text that is read as a message is charged like the message, twice: as such, and as what is made of it.
fn a_text_that_is_read_is_charged_like_the_message() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (what, request) in shapes() {
        let text = json::to_string(&request, JsonOptions::default());
        drop(request);
        let account = Arc::new(Added::default());
        let before = HEAP.current_usage();
        let read = async { json::read::<CommitRequest>(text.as_bytes()).unwrap() };
        let message = black_box(runtime.block_on(weight::charged(account.clone(), read)));
        let (held, charged) = (HEAP.current_usage() - before, account.0.load(Ordering::Relaxed) / 2);
        drop(message);
        assert!(charged + 1_024 >= held, "{what}: {charged} charged, {held} held");
        assert!(charged <= 3 * held + 20_000, "{what}: {charged} charged, {held} held");
    }
}

fn the_tree_of_a_text_is_weighed_like_the_tree() {
    for (what, request) in shapes() {
        if what == "nothing in an array" || what == "a nested array of one" {
            continue; // A value without a kind reads as `{}`: the same, but slow here.
        }
        let text = json::to_string(&request, JsonOptions::default());
        drop(request);
        let weight = weight::json::weigh(text.as_bytes(), &UNLIMITED).unwrap();
        let before = HEAP.current_usage();
        let tree: serde_json::Value = black_box(serde_json::from_str(&text).unwrap());
        let held = HEAP.current_usage() - before;
        drop(tree);
        assert!(weight.bytes >= held, "{what}: {} estimated, {held} held", weight.bytes);
        assert!(weight.bytes <= 4 * held + 4_096, "{what}: {} estimated, {held} held", weight.bytes);
    }
    for (text, least) in [("[[],[],[]]", 3 * 32), ("[{},{},{}]", 3 * 32), (r#"[{"":0},{"":0}]"#, 2 * 300)] {
        assert!(weight::json::weigh(text.as_bytes(), &UNLIMITED).unwrap().bytes >= least, "{text}");
    }
}
