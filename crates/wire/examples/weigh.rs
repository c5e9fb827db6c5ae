//! What weighing costs beside decoding: `cargo run --release -p wire --example weigh`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use prost::Message;
use wire::json::{self, JsonOptions};
use wire::v1::value::ValueType;
use wire::v1::{ArrayValue, CommitRequest, Document, MapValue, Value, Write, write};
use wire::weight::{Limits, Weighed, weigh};

/// How long each is measured.
const MEASURED: Duration = Duration::from_millis(400);

fn value(kind: ValueType) -> Value {
    Value { value_type: Some(kind) }
}

fn commit(documents: usize, fields: impl Fn(usize) -> Value, count: usize) -> CommitRequest {
    let write = || {
        let name = "projects/p/databases/(default)/documents/c/d".into();
        let fields = (0..count).map(|n| (format!("field{n}"), fields(n))).collect();
        let document = Document { name, fields, ..Default::default() };
        Write { operation: Some(write::Operation::Update(document)), ..Default::default() }
    };
    CommitRequest { writes: (0..documents).map(|_| write()).collect(), ..Default::default() }
}

/// Nanoseconds for one call.
fn nanos(mut call: impl FnMut()) -> f64 {
    let (since, mut calls) = (Instant::now(), 0_u32);
    while since.elapsed() < MEASURED {
        call();
        calls += 1;
    }
    since.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn main() {
    let number = |n: usize| value(ValueType::IntegerValue(i64::try_from(n).unwrap()));
    let text = |n: usize| value(ValueType::StringValue(format!("some text of a field, number {n}")));
    let numbers = |_| value(ValueType::ArrayValue(ArrayValue { values: (0..100_000).map(number).collect() }));
    let map =
        |n: usize| value(ValueType::MapValue(MapValue { fields: [("a".to_owned(), number(n))].into() }));
    let maps = |_| value(ValueType::ArrayValue(ArrayValue { values: (0..30_000).map(map).collect() }));
    let requests = [
        ("1 KB, 20 texts", commit(1, text, 20)),
        ("1 MB of texts", commit(50, text, 400)),
        ("short fields", commit(10, number, 10_000)),
        ("numbers in arrays", commit(10, numbers, 1)),
        ("maps of one field", commit(10, maps, 1)),
        ("long texts", commit(10, |_| value(ValueType::StringValue("x".repeat(100_000))), 10)),
    ];
    println!(
        "{:<20} {:>10} {:>12} {:>8} {:>12} {:>12}",
        "", "bytes", "weigh ns", "ns/byte", "decode ns", "tree ns/byte"
    );
    for (name, request) in requests {
        let bytes = request.encode_to_vec();
        let weighed = nanos(|| {
            black_box(weigh(CommitRequest::SHAPE, black_box(&bytes), &Limits::default()).unwrap());
        });
        let decoded = nanos(|| {
            black_box(CommitRequest::decode(black_box(&*bytes)).unwrap());
        });
        let text = json::to_string(&request, JsonOptions::default());
        let tree = nanos(|| {
            black_box(wire::weight::json::weigh(black_box(text.as_bytes()), &Limits::default()).ok());
        });
        #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
        let (length, text) = (bytes.len() as f64, text.len() as f64);
        println!(
            "{name:<20} {length:>10} {weighed:>12.0} {:>8.2} {decoded:>12.0} {:>12.2}",
            weighed / length,
            tree / text
        );
    }
}
