//! The theorem behind list queries: when a query is allowed, `get` is allowed by the same condition for every document
//! the query can return.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

use std::cell::Cell;

use base::{Fields, Timestamp, Value, order};
use policy::{
    Auth, Constraint, Document, Limits, Lookup, Method, Needed, Operator, Query, Request, Ruleset, Scope,
    Service, Setting, Source, Step,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

/// Documents that rules may look up: those with an `a` in their id exist.
struct Shelf(Fields);

impl policy::Documents for Shelf {
    fn document(&self, need: &Needed) -> Lookup<'_> {
        let id = need.path.segments.last().unwrap();
        if id.contains('a') { Lookup::Found(&self.0) } else { Lookup::Missing }
    }
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

/// Few values, so that rules, queries and documents meet.
fn scalars() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Integer(1),
        Value::Integer(2),
        Value::Double(1.0),
        Value::Double(1.5),
        Value::Double(f64::NAN),
        Value::Double(-0.0),
        Value::Integer(0),
        text("a"),
        text("b"),
        Value::Timestamp(Timestamp { seconds: 1, nanos: 0 }),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let scalar = select(scalars());
    prop_oneof![
        6 => scalar.clone(),
        2 => prop::collection::vec(scalar.clone(), 0..3).prop_map(Value::Array),
        1 => scalar.prop_map(|value| Value::Map(Fields::from([("x".to_owned(), value)]))),
    ]
}

fn documents() -> impl Strategy<Value = (String, Fields)> {
    let fields =
        prop::collection::btree_map(select(vec!["a", "b", "m"]).prop_map(str::to_owned), values(), 0..4);
    (select(vec!["ida", "idb"]).prop_map(str::to_owned), fields)
}

fn places() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["a", "b", "m", "m.x"])
}

fn constants() -> impl Strategy<Value = &'static str> {
    select(vec![
        "null",
        "true",
        "false",
        "1",
        "2",
        "1.0",
        "1.5",
        "0",
        "'a'",
        "'b'",
        "request.auth.uid",
        "[1]",
        "['a']",
        "{'x': 1}",
    ])
}

fn lists() -> impl Strategy<Value = &'static str> {
    select(vec!["['a']", "['a', 'b']", "[1, 2]", "[1, 1.0]", "[]", "[null, true]", "[1.5].toSet()"])
}

/// Conditions over `resource`.
fn conditions() -> impl Strategy<Value = String> {
    let op = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let types = select(vec!["string", "int", "float", "number", "list", "map", "bool", "timestamp"]);
    let leaf = prop_oneof![
        8 => (places(), op(), constants()).prop_map(|(f, op, c)| format!("resource.data.{f} {op} {c}")),
        2 => (places(), op(), constants()).prop_map(|(f, op, c)| format!("{c} {op} resource.data.{f}")),
        2 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f} in {list}")),
        2 => (constants(), places()).prop_map(|(c, f)| format!("{c} in resource.data.{f}")),
        2 => (places(), types).prop_map(|(f, t)| format!("resource.data.{f} is {t}")),
        1 => select(vec!["a", "b", "m"]).prop_map(|f| format!("'{f}' in resource.data")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasAny({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasAll({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasOnly({list})")),
        1 => (select(vec!["a", "b", "m"]), constants(), constants())
            .prop_map(|(f, d, c)| format!("resource.data.get('{f}', {d}) == {c}")),
        1 => (places(), constants()).prop_map(|(f, c)| format!("[resource.data.{f}] == [{c}]")),
        1 => (places(), places()).prop_map(|(a, b)| format!("resource.data.{a} == resource.data.{b}")),
        1 => places().prop_map(|f| format!("resource.data.{f} + 1 > 1")),
        1 => places().prop_map(|f| format!("exists(/databases/(default)/documents/d/$(resource.data.{f}))")),
        1 => lists().prop_map(|list| format!("resource.data.keys().hasAll({list})")),
        1 => lists().prop_map(|list| format!("resource.data.keys().hasOnly({list})")),
        1 => Just("resource.data.size() < 2".to_owned()),
        1 => Just("resource.data.values().size() < 2".to_owned()),
        1 => Just("resource.values().size() == 3".to_owned()),
        1 => Just("resource != null".to_owned()),
        1 => Just("resource == resource".to_owned()),
        1 => Just("resource in [resource]".to_owned()),
        1 => Just("resource.id == 'ida'".to_owned()),
        1 => Just("id == 'ida'".to_owned()),
        1 => Just("resource.__name__ == /databases/(default)/documents/c/ida".to_owned()),
        1 => Just("f(resource.data)".to_owned()),
        1 => Just("resource.data.diff({}).addedKeys().size() == 0".to_owned()),
        1 => Just("resource.data == {'a': 1}".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("1 / 0 == 1".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) == ({b})")),
        ]
    })
}

fn constraints() -> impl Strategy<Value = Constraint> {
    use Operator::{Contains, ContainsAny, Eq, Gt, Gte, In, Lt, Lte, Neq, NotIn};
    let field = places().prop_map(|place| place.split('.').map(str::to_owned).collect::<Vec<_>>());
    let ops = select(vec![Eq, Eq, Eq, Eq, Neq, Lt, Lte, Gt, Gte, Contains]);
    let one = (field.clone(), ops, prop_oneof![3 => select(scalars()), 1 => values()]);
    let many = (
        field,
        select(vec![In, NotIn, ContainsAny]),
        prop::collection::vec(values(), 1..3).prop_map(Value::Array),
    );
    let name = select(vec!["ida", "idb"]).prop_map(|id| Constraint {
        field: vec!["__name__".to_owned()],
        op: Eq,
        value: Value::Reference(format!("projects/p/databases/(default)/documents/c/{id}")),
    });
    prop_oneof![
        6 => one.prop_map(|(field, op, value)| Constraint { field, op, value }),
        2 => many.prop_map(|(field, op, value)| Constraint { field, op, value }),
        1 => name,
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let alternatives = prop::collection::vec(prop::collection::vec(constraints(), 1..4), 1..=1);
    let order = prop::collection::vec(
        places().prop_map(|p| p.split('.').map(str::to_owned).collect::<Vec<_>>()),
        0..2,
    );
    let more = prop::collection::vec(prop::collection::vec(constraints(), 1..4), 2..=2);
    (prop_oneof![4 => alternatives, 1 => more], order).prop_map(|(alternatives, order)| Query {
        limit: None,
        offset: 0,
        order_by: order.into_iter().map(|field| (field, true)).collect(),
        alternatives,
        scope: Scope::Collection,
    })
}

fn find<'d>(fields: &'d Fields, path: &[String]) -> Option<&'d Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(fields, |fields, name| match fields.get(name) {
        Some(Value::Map(inner)) => Some(inner),
        _ => None,
    });
    parent?.get(last)
}

/// Firestore's documented filters.
fn meets(constraint: &Constraint, id: &str, fields: &Fields) -> bool {
    if constraint.field == ["__name__"] {
        return matches!(&constraint.value, Value::Reference(name) if name.ends_with(&format!("/{id}")));
    }
    let Some(value) = find(fields, &constraint.field) else { return false };
    let operand = &constraint.value;
    let ranged = || (order::class(value) == order::class(operand)).then(|| order::compare(value, operand));
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        _ => Vec::new(),
    };
    let has = |operand: &Value| list(value).iter().any(|item| order::equal(item, operand));
    let null = |value: &Value| matches!(value, Value::Null);
    match constraint.op {
        Operator::Eq => order::equal(value, operand),
        Operator::Neq => !null(value) && !order::equal(value, operand),
        Operator::Lt => ranged().is_some_and(|order| order.is_lt()),
        Operator::Lte => ranged().is_some_and(|order| order.is_le()),
        Operator::Gt => ranged().is_some_and(|order| order.is_gt()),
        Operator::Gte => ranged().is_some_and(|order| order.is_ge()),
        Operator::In => list(operand).iter().any(|operand| order::equal(value, operand)),
        Operator::NotIn => !null(value) && !list(operand).iter().any(|o| null(o) || order::equal(value, o)),
        Operator::Contains => has(operand),
        Operator::ContainsAny => list(operand).iter().any(has),
    }
}

/// Documents made to measure: with the query's own values, also as the other number type, and inside arrays.
fn fitted(query: &Query, documents: &[(String, Fields)]) -> Vec<(String, Fields)> {
    let twin = |value: &Value| match value {
        Value::Integer(1) => Value::Double(1.0),
        Value::Integer(0) => Value::Double(-0.0),
        Value::Double(number) if *number == 1.0 => Value::Integer(1),
        other => other.clone(),
    };
    let mut fitted = Vec::new();
    for alternative in &query.alternatives {
        for (round, (id, fields)) in documents.iter().enumerate() {
            let mut fields = fields.clone();
            for constraint in alternative {
                let value = match (&constraint.value, constraint.op) {
                    (value, Operator::Eq | Operator::Lte | Operator::Gte) => value.clone(),
                    (value, Operator::Contains) => Value::Array(vec![value.clone(), Value::Null]),
                    (Value::Array(items), Operator::In) => items[round % items.len()].clone(),
                    (Value::Array(items), Operator::ContainsAny) => {
                        Value::Array(vec![items[round % items.len()].clone()])
                    }
                    _ => continue,
                };
                let value = if round % 2 == 0 { value } else { twin(&value) };
                match constraint.field.as_slice() {
                    [name] if name != "__name__" => {
                        fields.insert(name.clone(), value);
                    }
                    [parent, name] => {
                        let inner = fields.entry(parent.clone()).or_insert_with(|| Value::Map(Fields::new()));
                        if let Value::Map(inner) = inner {
                            inner.insert(name.clone(), value);
                        }
                    }
                    _ => {}
                }
            }
            fitted.push((id.clone(), fields));
        }
    }
    fitted
}

fn returns(query: &Query, id: &str, fields: &Fields) -> bool {
    let ordered = query.order_by.iter().all(|(field, _)| find(fields, field).is_some());
    let meets_all = |all: &Vec<Constraint>| all.iter().all(|constraint| meets(constraint, id, fields));
    ordered && query.alternatives.iter().any(meets_all)
}

fn allowed(ruleset: &Ruleset, path: &[String], query: Option<&Query>, document: Option<&Fields>) -> bool {
    let token = Fields::new();
    let request = Request {
        method: if query.is_some() { Method::List } else { Method::Get },
        database: "(default)",
        path,
        auth: Some(Auth { uid: "a", token: &token }),
        time: Timestamp::EPOCH,
        resource: document.map(|fields| Document { fields }),
        new_resource: None,
        query,
        in_transaction: false,
        setting: Setting::Live,
    };
    let shelf = Shelf(Fields::new());
    match ruleset.decide(&request, &shelf, &Limits::default(), None) {
        Step::Decided(decision) => decision.allowed,
        Step::Needs(needs) => panic!("asks for {needs:?}, which is known"),
    }
}

#[test]
fn a_proven_query_returns_nothing_that_get_would_refuse() {
    let (proven, returned) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
    let inputs = (conditions(), queries(), prop::collection::vec(documents(), 12));
    let outcome = TestRunner::new(config).run(&inputs, |(condition, query, documents)| {
        let text = format!(
            "rules_version = '2'; service cloud.firestore {{ match /databases/{{db}}/documents {{\n\
             function f(data) {{ let v = data.a; return v == 1 || v == 'a'; }}\n\
             match /c/{{id}} {{ allow read: if {condition}; }} }} }}"
        );
        let compiled = policy::compile(Source::new("r", text), Service::Firestore);
        let ruleset = compiled.ruleset.unwrap_or_else(|| panic!("{condition}: {:?}", compiled.diagnostics));
        if !allowed(&ruleset, &["c".to_owned()], Some(&query), None) {
            return Ok(());
        }
        proven.set(proven.get() + 1);
        let documents = [fitted(&query, &documents), documents].concat();
        for (id, fields) in documents.iter().filter(|(id, fields)| returns(&query, id, fields)) {
            returned.set(returned.get() + 1);
            let path = ["c".to_owned(), id.clone()];
            prop_assert!(
                allowed(&ruleset, &path, None, Some(fields)),
                "{condition}\n{query:?}\nreturns {id} {fields:?}"
            );
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    println!("{} queries proven, {} documents checked", proven.get(), returned.get());
    assert!(proven.get() > 300 && returned.get() > 1000, "{proven:?} {returned:?}: the test proves nothing");
}
