//! Rules, queries and documents made of few values, so that they meet.

use base::{Fields, Timestamp, Value};
use policy::{Constraint, Operator, Query, Scope};
use proptest::prelude::*;
use proptest::sample::select;

pub fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

pub fn scalars() -> Vec<Value> {
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
        Value::Timestamp(Timestamp { seconds: 9, nanos: 0 }),
        Value::Reference(NAMES[0].to_owned()),
    ]
}

pub fn values() -> impl Strategy<Value = Value> {
    let scalar = select(scalars());
    prop_oneof![
        6 => scalar.clone(),
        2 => prop::collection::vec(scalar.clone(), 0..3).prop_map(Value::Array),
        1 => scalar.prop_map(|value| Value::Map(Fields::from([("x".to_owned(), value)]))),
    ]
}

/// Where documents are: in a collection at the root, and in one of the same name below a document.
pub const PLACES: [&str; 3] = ["c/ida", "c/idb", "p/a/c/ida"];

/// Their full names.
pub const NAMES: [&str; 3] = [
    "projects/p/databases/(default)/documents/c/ida",
    "projects/p/databases/(default)/documents/c/idb",
    "projects/p/databases/(default)/documents/p/a/c/ida",
];

pub fn documents() -> impl Strategy<Value = (&'static str, Fields)> {
    let fields =
        prop::collection::btree_map(select(vec!["a", "b", "m"]).prop_map(str::to_owned), values(), 0..4);
    (select(PLACES.to_vec()), fields)
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
        "request.auth.token.level",
        "[1]",
        "['a']",
        "{'x': 1}",
        "/databases/(default)/documents/c/ida",
    ])
}

fn lists() -> impl Strategy<Value = &'static str> {
    select(vec!["['a']", "['a', 'b']", "['x']", "[1, 2]", "[1, 1.0]", "[]", "[null, true]", "[1.5].toSet()"])
}

/// What a condition can say of the query; it means nothing to a `get`.
pub fn query_conditions() -> impl Strategy<Value = &'static str> {
    select(vec![
        "request.query.limit <= 10",
        "request.query.limit == null",
        "request.query.offset == 0",
        "request.query.orderBy.a == 'ASC'",
        "'b' in request.query.orderBy",
        "request.query.orderBy['m.x'] == 'DESC'",
        "request.query.orderBy.size() == 0",
        "request.query.limit is int",
        "request.method == 'list'",
    ])
}

/// Conditions over `resource`. `QUERY` stands for one of [`query_conditions`].
pub fn conditions() -> impl Strategy<Value = String> {
    let leaf =
        prop_oneof![18 => of_fields(), 6 => of_lists(), 7 => of_keys(), 5 => of_places(), 4 => fixed()];
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

fn of_fields() -> impl Strategy<Value = String> {
    let op = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let types = select(vec!["string", "int", "float", "number", "list", "map", "bool", "timestamp", "path"]);
    prop_oneof![
        8 => (places(), op(), constants()).prop_map(|(f, op, c)| format!("resource.data.{f} {op} {c}")),
        2 => (places(), op(), constants()).prop_map(|(f, op, c)| format!("{c} {op} resource.data.{f}")),
        2 => (places(), types).prop_map(|(f, t)| format!("resource.data.{f} is {t}")),
        1 => (places(), op()).prop_map(|(f, op)| format!("resource.data.{f} {op} request.time")),
        1 => (places(), places()).prop_map(|(a, b)| format!("resource.data.{a} == resource.data.{b}")),
        1 => (places(), constants()).prop_map(|(f, c)| format!("[resource.data.{f}] == [{c}]")),
        1 => (places(), constants()).prop_map(|(f, c)| format!("{{'k': resource.data.{f}}} != {{'k': {c}}}")),
        1 => places().prop_map(|f| format!("resource.data.{f} + 1 > 1")),
        1 => places().prop_map(|f| format!("string(resource.data.{f}) == '1'")),
        1 => places().prop_map(|f| format!("resource.data.{f}.size() == 1")),
        1 => places().prop_map(|f| format!("resource.data.{f}")),
        1 => Just("f(resource.data)".to_owned()),
        1 => Just("g(resource.data.a)".to_owned()),
        1 => Just("h()".to_owned()),
    ]
}

fn of_lists() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f} in {list}")),
        2 => (constants(), places()).prop_map(|(c, f)| format!("{c} in resource.data.{f}")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasAny({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasAll({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.hasOnly({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("resource.data.{f}.toSet().hasAny({list})")),
        1 => (places(), lists()).prop_map(|(f, list)| format!("{list}.hasAny([resource.data.{f}])")),
        1 => (places(), constants()).prop_map(|(f, c)| format!("resource.data.{f}[0] == {c}")),
    ]
}

fn of_keys() -> impl Strategy<Value = String> {
    let names = || select(vec!["a", "b", "m"]);
    let maps = || select(vec!["resource.data", "resource.data.m"]);
    prop_oneof![
        2 => names().prop_map(|f| format!("'{f}' in resource.data")),
        1 => Just("'x' in resource.data.m".to_owned()),
        1 => (names(), constants(), constants())
            .prop_map(|(f, d, c)| format!("resource.data.get('{f}', {d}) == {c}")),
        1 => (constants(), constants())
            .prop_map(|(d, c)| format!("resource.data.get(['m', 'x'], {d}) == {c}")),
        1 => (maps(), lists()).prop_map(|(map, list)| format!("{map}.keys().hasAll({list})")),
        1 => (maps(), lists()).prop_map(|(map, list)| format!("{map}.keys().hasAny({list})")),
        1 => (maps(), lists()).prop_map(|(map, list)| format!("{map}.keys().hasOnly({list})")),
        1 => (maps(), lists()).prop_map(|(map, list)| format!("{map}.keys().toSet().hasAll({list})")),
        1 => (names(), maps()).prop_map(|(f, map)| format!("'{f}' in {map}.keys()")),
        1 => maps().prop_map(|map| format!("{map}.size() < 2")),
        1 => maps().prop_map(|map| format!("{map}.keys().size() > 0")),
        1 => maps().prop_map(|map| format!("{map}.values().size() < 2")),
        1 => maps().prop_map(|map| format!("{map}.diff({{}}).addedKeys().size() == 0")),
        1 => (maps(), select(vec!["{'x': 1}", "{'a': 1}", "{}"])).prop_map(|(map, c)| format!("{map} != {c}")),
    ]
}

/// Where the document is, and documents read by it.
fn of_places() -> impl Strategy<Value = String> {
    let shelf = "/databases/(default)/documents/d";
    prop_oneof![
        2 => places().prop_map(move |f| format!("exists({shelf}/$(resource.data.{f}))")),
        1 => places().prop_map(move |f| format!("get({shelf}/a).data.n == resource.data.{f}")),
        1 => places().prop_map(move |f| format!("get({shelf}/$(resource.data.{f})).data.n == 1")),
        1 => Just(format!("exists({shelf}/$(id))")),
        1 => Just(format!("exists({shelf}/$(request.auth.uid))")),
        1 => Just("exists(/databases/(default)/documents/c/$(id))".to_owned()),
        1 => Just("resource.id == 'ida'".to_owned()),
        1 => Just("id == 'ida'".to_owned()),
        1 => Just("id in ['ida', 'idb']".to_owned()),
        1 => Just("resource.__name__ == /databases/(default)/documents/c/ida".to_owned()),
        1 => Just("!('id' in resource)".to_owned()),
        1 => Just("'id' in resource".to_owned()),
    ]
}

fn fixed() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("QUERY".to_owned()),
        1 => Just("resource != null".to_owned()),
        1 => Just("resource == null".to_owned()),
        1 => Just("resource == resource".to_owned()),
        1 => Just("resource in [resource]".to_owned()),
        1 => Just("resource.values().size() == 3".to_owned()),
        1 => Just("request.auth.token.level > 0".to_owned()),
        1 => Just("request.auth.token.get('role', '') == 'editor'".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("1 / 0 == 1".to_owned()),
    ]
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
    let names = || select(NAMES.to_vec()).prop_map(|name| Value::Reference(name.to_owned()));
    let named = |op, value| Constraint { field: vec!["__name__".to_owned()], op, value };
    let name = prop_oneof![
        3 => names().prop_map(move |value| named(Eq, value)),
        1 => names().prop_map(move |value| named(Gte, value)),
        1 => prop::collection::vec(names(), 1..3).prop_map(move |names| named(In, Value::Array(names))),
    ];
    prop_oneof![
        6 => one.prop_map(|(field, op, value)| Constraint { field, op, value }),
        2 => many.prop_map(|(field, op, value)| Constraint { field, op, value }),
        1 => name,
    ]
}

/// A query and the path that it looks below.
pub fn queries() -> impl Strategy<Value = (Query, &'static str)> {
    let branch = || prop::collection::vec(constraints(), 1..4);
    let alternatives = prop_oneof![
        4 => prop::collection::vec(branch(), 1..=1),
        1 => prop::collection::vec(branch(), 2..=2),
    ];
    let order = prop::collection::vec(
        (places().prop_map(|p| p.split('.').map(str::to_owned).collect::<Vec<_>>()), any::<bool>()),
        0..2,
    );
    let look = select(vec![
        ("c", Scope::Collection),
        ("c", Scope::Collection),
        ("p/a/c", Scope::Collection),
        ("c", Scope::CollectionGroup),
        ("p/a/c", Scope::CollectionGroup),
    ]);
    let limit = select(vec![None, None, Some(5), Some(20)]);
    (alternatives, order, look, limit, select(vec![0, 0, 3])).prop_map(
        |(alternatives, order_by, (path, scope), limit, offset)| {
            (Query { limit, offset, order_by, alternatives, scope }, path)
        },
    )
}
