//! Any text as a value, an update, a query or a compound hash of the Realtime Database: refused, or it comes back from
//! what it is written as, from its rows, and with the same hash. Never a panic.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use realtime::model::{Key, Leaf, Node, Path, Write, decode_value, encode_export, encode_plain};
use realtime::query::{CompoundHash, Query, RestParameters};

fn exported(node: Option<&Arc<Node>>) -> String {
    let mut out = String::new();
    encode_export(node.map(|node| &**node), &mut out);
    out
}

fn value(text: &str) -> Option<Arc<Node>> {
    let draft = decode_value(text, 32).ok()?;
    let mut written = String::new();
    draft.encode(&mut written);
    assert_eq!(decode_value(&written, 32).as_ref(), Ok(&draft), "{written}");
    let node = draft.resolve(1, None).ok()?;
    let again = decode_value(&exported(node.as_ref()), 32).unwrap().resolve(0, None).unwrap();
    assert_eq!(again, node);
    assert_eq!(again.as_ref().map(|again| again.hash().len()), node.as_ref().map(|_| 28));
    let mut plain = String::new();
    encode_plain(node.as_deref(), &mut plain);
    serde_json::from_str::<serde_json::Value>(&plain).unwrap();
    if let Some(leaf) = node.as_ref().and_then(|node| node.value()) {
        let mut row = Vec::new();
        leaf.encode(&mut row);
        assert_eq!(Leaf::decode(&mut row.as_slice()).as_ref(), Some(leaf));
    }
    node
}

fn queries(text: &str, node: Option<&Arc<Node>>) {
    if let Ok(json) = serde_json::from_str(text) {
        if let Ok(query) = Query::from_wire(&json) {
            let selected = query.select(node);
            let inside = |(key, child): &(Key, Arc<Node>)| query.admits(&query.position(key, child));
            assert!(query.selects_all() || selected.iter().all(|selected| selected.children().iter().all(inside)));
        }
        if let Some(hash) = CompoundHash::from_wire(&json) {
            let _ = hash.differences(node);
        }
    }
    let mut parts = text.split('&').map(|part| Some(part.to_owned()).filter(|part| !part.is_empty()));
    let mut next = || parts.next().flatten();
    let parameters = RestParameters {
        order_by: next(),
        start_at: next(),
        start_after: next(),
        end_at: next(),
        end_before: next(),
        equal_to: next(),
        limit_to_first: next(),
        limit_to_last: next(),
    };
    if let Ok(query) = Query::from_rest(&parameters) {
        let _ = (query.select(node), query.rules(), query.index());
    }
}

// A first line and the rest.
fuzz_target!(|text: &str| {
    let (first, rest) = text.split_once('\n').unwrap_or((text, text));
    let node = value(first);
    queries(rest, node.as_ref());
    let _ = (Write::set(first, rest), Write::update(first, rest));
    if let Ok(path) = Path::parse(first) {
        let mut row = Vec::new();
        path.encode(&mut row);
        let mut left = row.as_slice();
        let keys: Vec<Key> = std::iter::from_fn(|| Key::decode(&mut left)).collect();
        assert_eq!((Path::from(keys), left), (path.clone(), [].as_slice()));
        assert_eq!(Node::find(Node::with(node.as_ref(), path.keys(), node.clone()).as_ref(), path.keys()), node.as_ref());
    }
});
