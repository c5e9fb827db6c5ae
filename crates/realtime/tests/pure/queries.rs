use std::cmp::Ordering;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use realtime::model::{Node, encode_export};
use realtime::query::{Query, QueryError, RestParameters};
use serde_json::{Map, Value, json};

use super::random::{self, canonical, node};

pub fn rank(json: &Value) -> u8 {
    match json {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        _ => 4,
    }
}

/// The order of values that are leaves, null or have children.
pub fn compare_leaves(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
        (Value::String(a), Value::String(b)) => a.encode_utf16().cmp(b.encode_utf16()),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn without_priority(json: &Value) -> Value {
    json.get(".value").cloned().unwrap_or_else(|| json.clone())
}

/// What a query is ordered by, of a canonical child.
fn indexed(index: &str, child: &Value) -> Value {
    match index {
        "" => child.get(".priority").cloned().unwrap_or_default(),
        ".key" => Value::Null,
        ".value" => without_priority(child),
        path => {
            let below = path.split('/').try_fold(child, |child, key| child.get(key));
            below.map(without_priority).unwrap_or_default()
        }
    }
}

/// Where an end of a range is in the order of the query, compared with a child.
fn compare_bound(query: &Value, names: [&str; 2], missing: &str, child: (&Value, &str)) -> Option<Ordering> {
    let [value, key] = names.map(|name| query.get(name).cloned());
    value.as_ref().or(key.as_ref())?;
    let by_key = query.get("i") == Some(&json!(".key"));
    let name = if by_key { value.clone() } else { key };
    let name = name.as_ref().and_then(Value::as_str).unwrap_or(missing).to_owned();
    let by_value = if by_key { Ordering::Equal } else { compare_leaves(&value.unwrap_or_default(), child.0) };
    Some(by_value.then_with(|| match name.as_str() {
        "[MIN_NAME]" => Ordering::Less,
        "[MAX_NAME]" | "[MAX_KEY]" => Ordering::Greater,
        name => super::keys::reference(name, child.1),
    }))
}

/// The query of a wire's object, done slowly on JSON.
fn reference(query: &Value, tree: &Value) -> Value {
    let selects_all = !["sp", "sn", "ep", "en", "l"].iter().any(|name| query.get(name).is_some());
    if selects_all {
        return tree.clone();
    }
    let Value::Object(object) = tree else { return Value::Null };
    if object.contains_key(".value") {
        return Value::Null;
    }
    let index = query.get("i").and_then(Value::as_str).unwrap_or("");
    let children = object.iter().filter(|(key, _)| !key.starts_with('.'));
    let mut children: Vec<_> =
        children.map(|(key, child)| (indexed(index, child), key.as_str(), child)).collect();
    children.sort_by(|left, right| {
        compare_leaves(&left.0, &right.0).then_with(|| super::keys::reference(left.1, right.1))
    });
    children.retain(|(value, key, _)| {
        let start = compare_bound(query, ["sp", "sn"], "[MIN_NAME]", (value, key));
        let end = compare_bound(query, ["ep", "en"], "[MAX_NAME]", (value, key));
        let open = |name: &str| query.get(name) == Some(&json!(false));
        start.is_none_or(|start| start.is_lt() || (start.is_eq() && !open("sin")))
            && end.is_none_or(|end| end.is_gt() || (end.is_eq() && !open("ein")))
    });
    if let Some(limit) = query.get("l").and_then(Value::as_u64) {
        let limit = usize::try_from(limit).unwrap();
        let has_start = query.get("sp").is_some() || query.get("sn").is_some();
        let is_left = query.get("vf").map_or(has_start, |side| side == "l");
        if is_left {
            children.truncate(limit);
        } else {
            children.drain(..children.len().saturating_sub(limit));
        }
    }
    let selected: Map<String, Value> =
        children.into_iter().map(|(_, key, child)| (key.to_owned(), child.clone())).collect();
    if selected.is_empty() { Value::Null } else { selected.into() }
}

fn exported(node: Option<&Arc<Node>>) -> Value {
    let mut out = String::new();
    encode_export(node.map(|node| &**node), &mut out);
    canonical(&serde_json::from_str(&out).unwrap())
}

/// A wire's object.
fn query() -> impl Strategy<Value = Value> {
    let end = || {
        let name = prop_oneof![
            3 => random::key(),
            1 => select(vec!["[MIN_NAME]", "[MAX_NAME]", "[MAX_KEY]", ""]).prop_map(str::to_owned),
        ];
        let value = prop_oneof![1 => Just(Value::Null), 4 => random::leaf()];
        proptest::option::of((
            value,
            random::key(),
            proptest::option::of(name),
            proptest::option::of(any::<bool>()),
        ))
    };
    let index = select(vec!["", ".key", ".value", "a", "b/a", "1"]);
    let limit = proptest::option::of((1_u64..5, select(vec!["", "l", "r"])));
    (index, end(), end(), limit).prop_map(|(index, start, end, limit)| {
        let mut query = Map::new();
        if !index.is_empty() {
            query.insert("i".to_owned(), json!(index));
        }
        for ([value, key, inclusive], bound) in [(["sp", "sn", "sin"], start), (["ep", "en", "ein"], end)] {
            let Some((of_value, of_key, name, is_inclusive)) = bound else { continue };
            query.insert(value.to_owned(), if index == ".key" { json!(of_key) } else { of_value });
            query.extend(name.map(|name| (key.to_owned(), json!(name))));
            query.extend(is_inclusive.map(|is_inclusive| (inclusive.to_owned(), json!(is_inclusive))));
        }
        if let Some((count, side)) = limit {
            query.insert("l".to_owned(), json!(count));
            query.extend((!side.is_empty()).then(|| ("vf".to_owned(), json!(side))));
        }
        Value::Object(query)
    })
}

/// The same query in REST's parameters, where they can say it.
fn rest(query: &Value) -> Option<RestParameters> {
    let index = match query.get("i").map_or("", |index| index.as_str().unwrap()) {
        "" => "$priority",
        ".key" => "$key",
        ".value" => "$value",
        path => path,
    };
    let mut parameters =
        RestParameters { order_by: Some(json!(index).to_string()), ..RestParameters::default() };
    let bound = |value: &str, key: &str| {
        let value = query.get(value)?.to_string();
        Some(query.get(key).map_or(value.clone(), |key| format!("{value},{key}")))
    };
    let is_open = |name: &str| query.get(name) == Some(&json!(false));
    match is_open("sin") {
        false => parameters.start_at = bound("sp", "sn"),
        // REST has its own key for what is after all.
        true => parameters.start_after = query.get("sn").and_then(|_| bound("sp", "sn")),
    }
    match is_open("ein") {
        false => parameters.end_at = bound("ep", "en"),
        true => parameters.end_before = query.get("en").and_then(|_| bound("ep", "en")),
    }
    let misses =
        (is_open("sin") && query.get("sn").is_none()) || (is_open("ein") && query.get("en").is_none());
    let limit = query.get("l").map(Value::to_string);
    let is_left = query.get("vf").map_or(query.get("sp").is_some(), |side| side == "l");
    *if is_left { &mut parameters.limit_to_first } else { &mut parameters.limit_to_last } = limit;
    (!misses).then_some(parameters)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    #[test]
    fn queries_select_what_a_naive_one_selects(tree in random::value(), wire in query()) {
        let parsed = Query::from_wire(&wire).unwrap();
        let before = node(&tree);
        let selected = parsed.select(before.as_ref());
        prop_assert_eq!(exported(selected.as_ref()), reference(&wire, &canonical(&tree)));
        if let Some(parameters) = rest(&wire) {
            prop_assert_eq!(Query::from_rest(&parameters), Ok(parsed.clone()), "{:?}", parameters);
        }
        // Positions are in the order, and those selected are in the range.
        if let Some(selected) = selected.filter(|_| !parsed.selects_all()) {
            let inside = |(key, child): &(_, Arc<Node>)| parsed.admits(&parsed.position(key, child));
            prop_assert!(selected.children().iter().all(inside));
        }
        let _ = parsed.rules();
    }

    #[test]
    fn any_object_is_a_query_or_refused(wire in random::value(), parts in proptest::collection::vec((select(vec!["i", "sp", "sn", "sin", "ep", "en", "ein", "l", "vf"]), random::value()), 0..5)) {
        let object: Map<String, Value> = parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for wire in [wire, object.into()] {
            if let Err(error) = Query::from_wire(&wire) {
                prop_assert!(error.to_string().len() < 600);
            }
        }
    }

    #[test]
    fn any_parameters_are_a_query_or_refused(texts in proptest::collection::vec(proptest::option::of("[\"\\\\$a-c0-9,.\\-{}\\[\\]é]{0,8}|\"[$a-z/.]{0,6}\""), 8)) {
        let [order_by, start_at, start_after, end_at, end_before, equal_to, limit_to_first, limit_to_last] =
            <[_; 8]>::try_from(texts).unwrap();
        let parameters = RestParameters {
            order_by, start_at, start_after, end_at, end_before, equal_to, limit_to_first, limit_to_last,
        };
        let _ = Query::from_rest(&parameters);
    }
}

#[test]
fn equal_questions_are_equal_and_say_what_they_need() {
    let wire = |query: Value| Query::from_wire(&query).unwrap();
    assert!(wire(json!({})).is_default());
    assert!(!wire(json!({"i": ".key"})).is_default() && wire(json!({"i": ".key"})).selects_all());
    assert_eq!(wire(json!({"sp": 1, "ep": 1, "sin": true})), wire(json!({"ep": 1.0, "sp": 1})));
    assert_eq!(wire(json!({"l": 2})), wire(json!({"l": 2.0, "vf": "r", "sin": null})));
    assert_eq!(wire(json!({"i": "a//b/", "l": 1})).index(), Some("a/b".to_owned()));
    assert_eq!(wire(json!({"i": ".value"})).index(), Some(".value".to_owned()));
    assert_eq!((wire(json!({"i": ".key"})).index(), wire(json!({})).index()), (None, None));
    let by_key = wire(json!({"i": ".key", "sp": "a", "ep": "a"}));
    assert_eq!(by_key.rules().equal_to, Some(policy::rtdb::Leaf::Text("a")));
    let open = wire(json!({"i": "x", "sp": 1, "sn": "[MAX_NAME]", "sin": false, "ep": 1}));
    assert_eq!((open.rules().equal_to, open.rules().start_at), (None, Some(policy::rtdb::Leaf::Number(1.0))));
    let equal = wire(json!({"i": "x", "sp": null, "ep": null, "l": 3, "vf": "l"}));
    assert_eq!((equal.rules().equal_to, equal.rules().limit_to_first), (None, Some(3)));
}

#[test]
fn queries_that_are_none_are_refused_with_what_was_seen() {
    for (wire, text) in [
        (json!([]), "Invalid query: `q` is [], it may be an object"),
        (json!({"l": 0}), "Invalid query: `l` is 0, it may be a whole number from 1"),
        (json!({"l": 1.5}), "Invalid query: `l` is 1.5, it may be a whole number from 1"),
        (json!({"l": 1, "vf": "x"}), "Invalid query: `vf` is \"x\", it may be \"l\" or \"r\""),
        (json!({"i": ".foo"}), "Invalid query: `i` is \".foo\", it may be .key, .value, .priority or a path"),
        (json!({"i": ""}), "Invalid query: `i` is \"\", it may be .key, .value, .priority or a path"),
        (json!({"sn": 1}), "Invalid query: `sn` is 1, it may be a text"),
        (
            json!({"sp": {"a": 1}}),
            "Invalid query: `sp` is {\"a\":1}, it may be a text, and otherwise than by key a number, boolean or null",
        ),
        (
            json!({"i": ".key", "sp": 1}),
            "Invalid query: `sp` is 1, it may be a text, and otherwise than by key a number, boolean or null",
        ),
    ] {
        assert_eq!(Query::from_wire(&wire).unwrap_err().to_string(), text);
    }
    let some = |text: &str| Some(text.to_owned());
    let order_by = some("\"a\"");
    let refused = |parameters: RestParameters| Query::from_rest(&parameters).unwrap_err();
    let none = RestParameters::default();
    assert_eq!(
        refused(RestParameters { limit_to_first: some("1"), ..none.clone() }).to_string(),
        "orderBy must be defined when other query parameters are defined"
    );
    for text in ["a", "1", "\"$foo\"", "\"\"", "\"a.b\""] {
        assert_eq!(
            refused(RestParameters { order_by: some(text), ..none.clone() }),
            QueryError::Order,
            "{text}"
        );
    }
    let ordered = RestParameters { order_by, ..none };
    for text in ["a", "{}", "[1]", "1 2", "", "1,,"] {
        let error = refused(RestParameters { start_at: some(text), ..ordered.clone() });
        assert!(matches!(error, QueryError::Constraint | QueryError::ConstraintKey), "{text}: {error}");
    }
    let both = RestParameters { limit_to_first: some("1"), limit_to_last: some("1"), ..ordered.clone() };
    assert_eq!(refused(both), QueryError::Together("limitToFirst", "limitToLast"));
    let both = RestParameters { equal_to: some("1"), end_before: some("1"), ..ordered.clone() };
    assert_eq!(refused(both), QueryError::Together("equalTo", "endBefore"));
    let none = RestParameters { limit_to_last: some("-1"), ..ordered };
    assert_eq!(refused(none).to_string(), "limitToLast must be a positive integer, it is `-1`");
}
