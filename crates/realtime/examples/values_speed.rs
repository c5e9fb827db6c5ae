//! How long values take to read, write and hash: `cargo run --release -p realtime --example values_speed`.

#![expect(clippy::print_stdout, reason = "what it measures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use realtime::model::{Key, Leaf, Node, Path, Write, decode_value, encode_export, encode_plain};
use realtime::query::Query;
use serde_json::json;

/// The median of some runs.
fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    const RUNS: usize = 41;
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(work());
        times.push(start.elapsed());
    }
    times.sort();
    println!("{name:<44} {:>10.1} µs", times.get(RUNS / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6));
}

fn main() {
    let leaves: Vec<String> = (0..10_000).map(|n| format!("\"-NieYb9-{n:012}\":\"value {n}\"")).collect();
    let users: Vec<String> = (0..2_000)
        .map(|n| format!("\"user{n:024}\":{{\"name\":\"Ann {n}\",\"age\":{n},\"admin\":false,\"score\":{n}.5,\"at\":1700000000000}}"))
        .collect();
    for (name, entries) in [("10,000 texts", leaves), ("2,000 users × 5", users)] {
        let json = format!("{{{}}}", entries.join(","));
        println!("{name}: {} bytes of JSON", json.len());
        let Ok(draft) = decode_value(&json, 32) else { continue };
        let Ok(Some(node)) = draft.resolve(0, None) else { continue };
        measure("  decode", || decode_value(&json, 32));
        measure("  (serde_json::Value, for comparison)", || serde_json::from_str::<serde_json::Value>(&json));
        let mut out = String::with_capacity(json.len());
        measure("  encode (wire)", || {
            out.clear();
            encode_export(Some(&node), &mut out);
        });
        measure("  encode (REST)", || {
            out.clear();
            encode_plain(Some(&node), &mut out);
        });
        measure("  hash, of a new node", || {
            Node::inner(node.children().to_vec(), None).map(|node| node.hash().len())
        });
        let keys = node.children().get(5_000 % node.children().len()).map(|(key, _)| vec![key.clone()]);
        let keys = keys.unwrap_or_default();
        let leaf = Node::leaf(Leaf::Bool(true), None);
        measure("  with one child set", || Node::with(Some(&node), &keys, Some(leaf.clone())));
        for wire in [
            json!({"l": 10, "vf": "r"}),
            json!({"i": "score", "sp": 100, "l": 10}),
            json!({"i": ".key", "l": 10, "vf": "r"}),
        ] {
            let Ok(query) = Query::from_wire(&wire) else { continue };
            measure(&format!("  select {wire}"), || query.select(Some(&node)));
        }
    }
    measure("1,000 small sets parsed", || {
        for _ in 0..1_000 {
            black_box(
                Write::set(
                    "/rooms/general/messages/-NieYb9-000000000000",
                    r#"{"text":"hello","at":{".sv":"timestamp"}}"#,
                )
                .is_ok(),
            );
        }
    });
    let key = Key::new("-NieYb9-000000000000");
    let path = Path::parse("/rooms/general/messages/-NieYb9-000000000000");
    let mut bytes = Vec::new();
    measure("1,000 paths encoded", || {
        for _ in 0..1_000 {
            bytes.clear();
            if let (Ok(path), Ok(_)) = (&path, &key) {
                path.encode(&mut bytes);
            }
            black_box(&bytes);
        }
    });
}
