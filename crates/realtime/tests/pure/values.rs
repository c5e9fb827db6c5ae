use proptest::prelude::*;
use realtime::model::{Draft, Leaf, Node, decode_value, encode_export, encode_keys, encode_plain};
use serde_json::{Map, Value, json};

use super::random::{self, canonical, node};

fn export(node: Option<&Node>) -> String {
    let mut out = String::new();
    encode_export(node, &mut out);
    out
}

fn plain(node: Option<&Node>) -> String {
    let mut out = String::new();
    encode_plain(node, &mut out);
    out
}

/// What REST shows of a canonical value.
fn plain_reference(json: &Value) -> Value {
    let Value::Object(object) = json else { return json.clone() };
    if let Some(leaf) = object.get(".value") {
        return leaf.clone();
    }
    let children = object.iter().filter(|(key, _)| !key.starts_with('.'));
    let children: Map<String, Value> =
        children.map(|(key, child)| (key.clone(), plain_reference(child))).collect();
    let index = |key: &String| key.parse::<usize>().ok().filter(|index| index.to_string() == *key);
    let indices: Option<Vec<usize>> = children.keys().map(index).collect();
    let Some(largest) = indices.and_then(|indices| indices.into_iter().max()) else { return children.into() };
    if largest >= 2 * children.len() {
        return children.into();
    }
    (0..=largest).map(|index| children.get(&index.to_string()).cloned().unwrap_or_default()).collect()
}

fn reversed(json: &Value) -> Value {
    match json {
        Value::Object(object) => object
            .iter()
            .rev()
            .map(|(key, child)| (key.clone(), reversed(child)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(reversed).collect(),
        leaf => leaf.clone(),
    }
}

fn keys_are_sorted(node: &Node) -> bool {
    node.children().is_sorted_by(|(left, _), (right, _)| left < right)
        && node.children().iter().all(|(_, child)| keys_are_sorted(child))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn values_come_back_from_both_forms(json in random::value()) {
        let read = node(&json);
        let read = read.as_deref();
        let wanted = canonical(&json);
        let exported: Value = serde_json::from_str(&export(read)).unwrap();
        prop_assert_eq!(canonical(&exported), wanted.clone());
        prop_assert!(exported == Value::Null || !exported.is_array());
        prop_assert!(node(&exported).as_deref() == read);
        let shown: Value = serde_json::from_str(&plain(read)).unwrap();
        let numbers = |json: &Value| canonical_numbers(json);
        prop_assert_eq!(numbers(&shown), numbers(&plain_reference(&wanted)));
        // The order of keys in the text does not matter.
        prop_assert!(node(&reversed(&json)).as_deref() == read);
        if let Some(read) = read {
            prop_assert!(keys_are_sorted(read));
            prop_assert_eq!(Some(read.depth()), Some(depth(&wanted)));
        }
    }

    #[test]
    fn leaves_come_back_from_rows(json in random::leaf(), rest in any::<[u8; 2]>()) {
        let leaf = node(&json).unwrap().value().unwrap().clone();
        let mut bytes = Vec::new();
        leaf.encode(&mut bytes);
        bytes.extend(rest);
        let mut left = bytes.as_slice();
        prop_assert_eq!(Leaf::decode(&mut left), Some(leaf));
        prop_assert_eq!(left, rest);
    }

    #[test]
    fn any_bytes_are_a_leaf_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
        let mut left = bytes.as_slice();
        if Leaf::decode(&mut left).is_none() {
            prop_assert_eq!(left.len(), bytes.len());
        }
    }

    #[test]
    fn any_text_is_a_value_or_refused(text in "[\\[\\]{}:,\"\\\\a-c0-3.ePpriorvalueust\\-+ \u{e000}😀]{0,40}") {
        let Ok(draft) = decode_value(&text, 3) else { return Ok(()) };
        let mut written = String::new();
        draft.encode(&mut written);
        prop_assert_eq!(decode_value(&written, 3), Ok(draft));
    }
}

fn canonical_numbers(json: &Value) -> Value {
    match json {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(canonical_numbers).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, child)| (key.clone(), canonical_numbers(child)))
            .collect::<Map<_, _>>()
            .into(),
        leaf => leaf.clone(),
    }
}

fn depth(json: &Value) -> usize {
    let Value::Object(object) = json else { return 0 };
    let children = object.iter().filter(|(key, _)| !key.starts_with('.'));
    children.map(|(_, child)| depth(child) + 1).max().unwrap_or(0)
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    for (read, written) in [
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e3", "1000"),
        ("1E+2", "100"),
        ("0.5", "0.5"),
        ("1e-6", "0.000001"),
        ("1e-7", "1e-7"),
        ("123e-9", "1.23e-7"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("-1.5e300", "-1.5e+300"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854776000"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e-400", "0"),
        ("5e-324", "5e-324"),
    ] {
        let value = decode_value(read, 0).unwrap().resolve(0, None).unwrap();
        assert_eq!(export(value.as_deref()), written, "{read}");
    }
}

#[test]
fn arrays_are_those_that_are_at_least_half_full() {
    for (read, written) in [
        (json!({"1": 5}), "[null,5]"),
        (json!({"0": 1, "1": 2}), "[1,2]"),
        (json!({"2": 5}), r#"{"2":5}"#),
        (json!({"0": 1, "3": 2}), "[1,null,null,2]"),
        (json!({"0": 1, "4": 2}), r#"{"0":1,"4":2}"#),
        (json!({"00": 1, "0": 1}), r#"{"0":1,"00":1}"#),
        (json!({"-1": 1, "0": 1}), r#"{"-1":1,"0":1}"#),
        (json!({"0": 1, "a": 1}), r#"{"0":1,"a":1}"#),
        (json!([[1], null, {"0": {"x": true}}]), r#"[[1],null,[{"x":true}]]"#),
        (json!({"4294967296": 1}), r#"{"4294967296":1}"#),
    ] {
        assert_eq!(plain(node(&read).as_deref()), written);
    }
    assert_eq!(export(node(&json!([1, null, 2])).as_deref()), r#"{"0":1,"2":2}"#);
    let mut keys = String::new();
    encode_keys(node(&json!({"b": 1, "a\"": 2})).unwrap().children().iter().map(|(key, _)| key), &mut keys);
    assert_eq!(keys, r#"{"a\"":true,"b":true}"#);
}

#[test]
fn halves_of_surrogate_pairs_become_replacement_characters() {
    for (read, written) in [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00\ud800""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\ude00""#, "😀"),
        (r#""\uD83Dx\uDE00""#, "\u{fffd}x\u{fffd}"),
        (r#""\\ud800""#, r"\ud800"),
        (r#""\\\ud800\n""#, "\\\u{fffd}\n"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
    ] {
        let value = decode_value(read, 0).unwrap().resolve(0, None).unwrap().unwrap();
        assert_eq!(value.value(), Some(&Leaf::from(written)), "{read}");
    }
    assert!(decode_value(r#"{"\ud800": 1}"#, 1).is_ok());
    assert!(decode_value(r#""\ud8"#, 1).is_err());
    assert!(decode_value(r#""\ud8é00""#, 1).is_err());
}

#[test]
fn server_values_are_resolved_together_and_by_what_was_there() {
    let resolve = |draft: &str, before: Value| {
        let draft = decode_value(draft, 32).unwrap();
        export(draft.resolve(1_700, node(&before).as_deref()).unwrap().as_deref())
    };
    let time =
        r#"{"a":{".sv":"timestamp"},"b":{".value":{".sv":"timestamp"},".priority":{".sv":"timestamp"}}}"#;
    assert_eq!(resolve(time, json!(null)), r#"{"a":1700,"b":{".value":1700,".priority":1700}}"#);
    let increment = |by: &str, before: Value| resolve(&format!(r#"{{".sv":{{"increment":{by}}}}}"#), before);
    assert_eq!(increment("2", json!(null)), "2");
    assert_eq!(increment("2", json!("7")), "2");
    assert_eq!(increment("2", json!({"x": 1})), "2");
    assert_eq!(increment("2", json!(40)), "42");
    assert_eq!(increment("-0.5", json!(1)), "0.5");
    assert_eq!(increment("0.5", json!(1.5)), "2");
    assert_eq!(increment("1", json!(i64::MAX)), "9223372036854776000");
    assert_eq!(increment("1", json!(i64::MAX - 1)), "9223372036854775807");
    assert_eq!(increment("-1", json!(i64::MIN)), "-9223372036854775808");
    assert_eq!(increment("3", json!({".value": 4, ".priority": 1})), "7");
    let priority = r#"{".value":true,".priority":{".sv":{"increment":1}}}"#;
    assert_eq!(resolve(priority, json!({".value": 4, ".priority": 1})), r#"{".value":true,".priority":2}"#);
    let deep = decode_value(r#"{"a":{"b":{".sv":{"increment":1e308}}}}"#, 32).unwrap();
    let error = deep.resolve(0, node(&json!({"a": {"b": 1.7e308}})).as_deref()).unwrap_err();
    assert!(error.to_string().contains(" At /a/b: "), "{error}");
    assert!(deep.needs_before() && !deep.is_plain());
    assert!(!decode_value(time, 32).unwrap().needs_before());
    assert_eq!(Draft::null().resolve(0, None), Ok(None));
}
