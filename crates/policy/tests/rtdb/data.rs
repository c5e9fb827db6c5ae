//! What the tests share: JSON as data, and deciding.

use std::collections::BTreeSet;

use base::{Fields, Value};
use policy::rtdb::{Leaf, Memory, Observe, Operation, Order, Query, Request, Ruleset, Tree, limits};
use policy::{Decision, Trace};
use serde_json::Value as Json;

pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap()), Value::Integer)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect()),
        Json::Object(_) => Value::Map(fields(json)),
    }
}

pub fn fields(json: &Json) -> Fields {
    json.as_object().unwrap().iter().map(|(name, json)| (name.clone(), value(json))).collect()
}

pub fn tree(json: &Json) -> Option<Memory> {
    Memory::new(&value(json))
}

pub fn path(text: &str) -> Vec<&str> {
    text.split('/').filter(|key| !key.is_empty()).collect()
}

pub fn leaf(json: &Json) -> Option<Leaf<'_>> {
    match json {
        Json::Bool(value) => Some(Leaf::Bool(*value)),
        Json::Number(number) => number.as_f64().map(Leaf::Number),
        Json::String(text) => Some(Leaf::Text(text)),
        _ => None,
    }
}

pub fn query(json: &Json) -> Query<'_> {
    let flag = |name: &str| json[name] == Json::Bool(true);
    let limit = |name: &str| json[name].as_u64().map(|limit| u32::try_from(limit).unwrap());
    let order = match json["orderByChild"].as_str() {
        Some(child) => Order::Child(child),
        None if flag("orderByValue") => Order::Value,
        None if flag("orderByPriority") => Order::Priority,
        None => Order::Key,
    };
    Query {
        order,
        start_at: leaf(&json["startAt"]),
        end_at: leaf(&json["endAt"]),
        equal_to: leaf(&json["equalTo"]),
        limit_to_first: limit("limitToFirst"),
        limit_to_last: limit("limitToLast"),
    }
}

pub const NOW_MS: i64 = 1_700_000_000_000;

/// Decides with and without a trace, which must not differ.
pub fn decide(
    ruleset: &Ruleset,
    operation: Operation<'_>,
    auth: Option<&Fields>,
    tree: Option<&Memory>,
) -> Decision {
    let request = Request { operation, auth, now_ms: NOW_MS };
    let tree = tree.map(|tree| tree as &dyn Tree);
    let (mut trace, mut touched) = (Trace::default(), BTreeSet::new());
    let plain = ruleset.decide(&request, tree, &limits(), Observe::default());
    let observe = Observe { trace: Some(&mut trace), touched: Some(&mut touched) };
    let observed = ruleset.decide(&request, tree, &limits(), observe);
    assert_eq!(plain.allowed, observed.allowed, "observing changes the verdict");
    assert_eq!(plain.by, observed.by, "observing changes what granted");
    trace.explain(ruleset.source());
    plain
}
