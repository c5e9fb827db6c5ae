//! Random keys and values, with what is awkward about them.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use realtime::model::{Node, decode_value};
use serde_json::{Map, Value, json};

/// Numbers with signs and zeros, near the ends of 32 bits, texts around them, and texts that UTF-8 orders differently
/// from UTF-16.
pub fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?0{0,2}[0-9]{1,2}",
        select(vec![
            "2147483647",
            "2147483648",
            "-2147483648",
            "-2147483649",
            "00000000000",
            "99999999999",
            "-",
            "-0",
            "--1",
            "1a",
            "+1",
            "!",
            "~",
            "é",
            "z\u{301}",
            "\u{d7ff}",
            "\u{e000}",
            "\u{fffd}",
            "\u{ffff}",
            "\u{10000}",
            "😀",
            "a\u{10ffff}",
            "a\u{ee00}",
            "-NieYb9-zzzzzzzzzzzz",
        ])
        .prop_map(str::to_owned),
        "[a-c]{1,2}",
        "[a-c]",
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..12).prop_map(Value::from),
        // Larger ones are not what they are as doubles.
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()).prop_map(Value::from),
        select(vec![0.5, -0.0, 1.0, 1e-7, 1e21, 1e300, 5e-324, 9_007_199_254_740_993.0, 1e19])
            .prop_map(Value::from),
    ]
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        key(),
        "\\PC{0,6}",
        select(vec!["", "\"\\", "\n\u{1}\u{7f}", "true", "1"]).prop_map(str::to_owned)
    ]
    .prop_map(Value::from)
}

pub fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![any::<bool>().prop_map(Value::from), number(), text()]
}

pub fn priority() -> impl Strategy<Value = Option<Value>> {
    proptest::option::weighted(0.3, prop_oneof![(0_i64..3).prop_map(Value::from), number(), text()])
}

/// A value in the export form.
pub fn value() -> impl Strategy<Value = Value> {
    let leaf = (leaf(), priority()).prop_map(|(leaf, priority)| match priority {
        None => leaf,
        Some(priority) => json!({".value": leaf, ".priority": priority}),
    });
    let leaf = prop_oneof![8 => leaf, 1 => Just(Value::Null), 1 => Just(json!({}))];
    leaf.prop_recursive(4, 48, 6, |below| {
        let map = proptest::collection::vec((key(), below.clone()), 0..6);
        let object = (map, priority()).prop_map(|(entries, priority)| {
            let mut object: Map<String, Value> = entries.into_iter().collect();
            object.extend(priority.map(|priority| (".priority".to_owned(), priority)));
            Value::Object(object)
        });
        prop_oneof![4 => object, 1 => proptest::collection::vec(below, 0..4).prop_map(Value::Array)]
    })
}

/// A value without priorities and nulls.
pub fn path() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(key(), 0..4)
}

pub fn node(json: &Value) -> Option<Arc<Node>> {
    decode_value(&json.to_string(), 32).unwrap().resolve(0, None).unwrap()
}

/// Any value as the plain reference has it: objects without nulls, `.value` only beside a priority, numbers as doubles.
pub fn canonical(json: &Value) -> Value {
    let object = match json {
        Value::Number(number) => return json!(number.as_f64().unwrap() + 0.0),
        Value::Array(items) => {
            let entries = items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone()));
            entries.collect::<Map<_, _>>()
        }
        Value::Object(object) => object.clone(),
        leaf => return leaf.clone(),
    };
    let priority = object.get(".priority").filter(|priority| !priority.is_null()).map(canonical);
    if let Some(leaf) = object.get(".value") {
        return match priority {
            Some(priority) if !leaf.is_null() => json!({".value": canonical(leaf), ".priority": priority}),
            _ => canonical(leaf),
        };
    }
    let children = object.iter().filter(|(key, _)| !key.starts_with('.'));
    let children = children.map(|(key, child)| (key.clone(), canonical(child)));
    let mut children: Map<String, Value> = children.filter(|(_, child)| !child.is_null()).collect();
    if children.is_empty() {
        return Value::Null;
    }
    children.extend(priority.map(|priority| (".priority".to_owned(), priority)));
    Value::Object(children)
}
