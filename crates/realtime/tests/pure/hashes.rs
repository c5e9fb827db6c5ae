use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use realtime::model::{Expected, Node};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::queries::{compare_leaves, rank};
use super::random::{self, canonical, node};

fn sha1(text: &str) -> String {
    STANDARD.encode(Sha1::digest(text))
}

fn leaf_text(leaf: &Value) -> String {
    match leaf {
        Value::Bool(value) => format!("boolean:{value}"),
        Value::String(text) => format!("string:{text}"),
        number => format!("number:{:016x}", number.as_f64().unwrap().to_bits()),
    }
}

/// The hash of a canonical value.
fn reference(json: &Value) -> String {
    let Value::Object(object) = json else {
        return if json.is_null() { String::new() } else { sha1(&leaf_text(json)) };
    };
    let mut text = match object.get(".priority") {
        Some(priority) => format!("priority:{}:", leaf_text(priority)),
        None => String::new(),
    };
    if let Some(leaf) = object.get(".value") {
        return sha1(&(text + &leaf_text(leaf)));
    }
    let mut children: Vec<_> = object.iter().filter(|(key, _)| !key.starts_with('.')).collect();
    let priority = |child: &Value| child.get(".priority").cloned().unwrap_or_default();
    children.sort_by(|(left_key, left), (right_key, right)| {
        compare_leaves(&priority(left), &priority(right))
            .then_with(|| super::keys::reference(left_key, right_key))
    });
    for (key, child) in children {
        text.push_str(&format!(":{key}:{}", reference(child)));
    }
    sha1(&text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hashes_are_those_of_the_text(json in random::value()) {
        let node = node(&json);
        let wanted = reference(&canonical(&json));
        prop_assert_eq!(node.as_ref().map_or("", |node| node.hash()), &wanted);
        prop_assert!(Expected(wanted.into()).is(node.as_deref()));
        // Hashes of children that are known already are the same.
        if let Some(node) = &node {
            let fresh = Node::inner(node.children().to_vec(), node.priority().cloned());
            node.children().iter().for_each(|(_, child)| drop(child.hash().to_owned()));
            prop_assert_eq!(fresh.as_ref().map_or(node.hash(), |fresh| fresh.hash()), node.hash());
        }
    }
}

/// Of reference/realtime-database.md §4, as the SDK has them.
#[test]
fn hashes_of_the_sdk() {
    for (json, hash) in [
        (json!("x"), "OJSeRnP1mf0vTrhq7izmWGPiNx4="),
        (json!(1), "YPVfR2bXt/lcDjiQZ8pOkAd3qkQ="),
        (json!(0.5), "u83SjUmpQucleXhADEt2TUBMwAE="),
        (json!(true), "E5z61QM0lN/U2WsOnusszCTkR8M="),
        (json!({"a": 1, "b": "x"}), "jRI9dwRS9sb4SWm8uuoN7+xBk4g="),
        (json!({"1": "a", "2": "b", "10": "c"}), "cCv/3IvX1lXIi4hHZfDbJH/FJMs="),
        (json!({".value": "x", ".priority": 5}), "r7F6VPxCzGOC+y8S8XLO1QeQxfY="),
        (json!({"a": 1, ".priority": "p"}), "XmDTv07owVSgIxu8wWYeRPkdpXU="),
        (
            json!({"b": {".value": 1, ".priority": 1}, "a": {".value": 2, ".priority": 2}}),
            "ZddvpjQ0OCJrAdeTNKl3klZVZ4M=",
        ),
        (json!("žluť 😀"), "PPvyh7I3QGVKG7Fi8gsWYT89NNU="),
    ] {
        assert_eq!(node(&json).unwrap().hash(), hash, "{json}");
    }
    assert!(Expected("".into()).is(None));
    assert!(!Expected("".into()).is(node(&json!(1)).as_deref()));
    assert_eq!(node(&json!(-0.0)).unwrap().hash(), node(&json!(0)).unwrap().hash());
    assert_eq!(rank(&json!(null)), 0);
}
