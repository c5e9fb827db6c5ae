//! Conditions with constraints that have to do with them: the same fields, values of the same kind, so that a query is
//! often proven and as often nearly so.

use base::{Timestamp, Value};
use policy::{Constraint, Operator, Query, Scope};
use proptest::prelude::*;
use proptest::sample::select;

use crate::generate::text;

type Related = (String, Vec<Constraint>);

fn numbers() -> Vec<(&'static str, Value)> {
    vec![
        ("1", Value::Integer(1)),
        ("2", Value::Integer(2)),
        ("0", Value::Integer(0)),
        ("1.0", Value::Double(1.0)),
        ("1.5", Value::Double(1.5)),
        ("request.auth.token.level", Value::Integer(1)),
    ]
}

fn texts() -> Vec<(&'static str, Value)> {
    vec![("'a'", text("a")), ("'b'", text("b")), ("'ab'", text("ab")), ("request.auth.uid", text("a"))]
}

fn times() -> Vec<(&'static str, Value)> {
    let at = |seconds| Value::Timestamp(Timestamp { seconds, nanos: 0 });
    vec![("timestamp.value(1000)", at(1)), ("request.time", at(5)), ("timestamp.value(9000)", at(9))]
}

fn others() -> Vec<(&'static str, Value)> {
    vec![
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        ("false", Value::Bool(false)),
        ("1", Value::Integer(1)),
    ]
}

/// Two constants of one kind: of the rule, and of the query.
fn two() -> impl Strategy<Value = ((&'static str, Value), (&'static str, Value))> {
    let of = |kind: Vec<(&'static str, Value)>| (select(kind.clone()), select(kind));
    prop_oneof![4 => of(numbers()), 3 => of(texts()), 1 => of(times()), 1 => of(others())]
}

fn places() -> impl Strategy<Value = &'static str> + Clone {
    select(vec!["a", "b", "m.x"])
}

fn constraint(place: &str, op: Operator, value: Value) -> Vec<Constraint> {
    vec![Constraint { field: place.split('.').map(str::to_owned).collect(), op, value }]
}

fn asks() -> impl Strategy<Value = Operator> {
    use Operator::{Eq, Gt, Gte, Lt, Lte, Neq};
    select(vec![Eq, Eq, Neq, Lt, Lte, Gt, Gte])
}

fn leaf() -> impl Strategy<Value = Related> {
    use Operator::{Contains, ContainsAny, Eq, In, NotIn};
    let ops = select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let compared =
        (places(), ops, two(), asks(), any::<bool>()).prop_map(|(f, op, (rule, query), ask, first)| {
            let rule = rule.0;
            let text = if first {
                format!("resource.data.{f} {op} {rule}")
            } else {
                format!("{rule} {op} resource.data.{f}")
            };
            (text, constraint(f, ask, query.1))
        });
    let listed = (places(), two(), two(), select(vec![Eq, In, NotIn]), any::<bool>()).prop_map(
        |(f, (a, b), (_, d), ask, both)| {
            let list = if both { format!("[{}, {}]", a.0, b.0) } else { format!("[{}]", a.0) };
            let value = match ask {
                Eq => a.1,
                _ => Value::Array(vec![a.1, if both { b.1 } else { d.1 }]),
            };
            (format!("resource.data.{f} in {list}"), constraint(f, ask, value))
        },
    );
    let contained = (
        places(),
        two(),
        select(vec![Contains, ContainsAny, Eq]),
        select(vec!["in", "hasAny", "hasAll", "hasOnly"]),
    )
        .prop_map(|(f, (a, b), ask, test)| {
            let text = match test {
                "in" => format!("{} in resource.data.{f}", a.0),
                method => format!("resource.data.{f}.{method}([{}, {}])", a.0, b.0),
            };
            let value = match ask {
                Contains => b.1,
                _ => Value::Array(vec![a.1, b.1]),
            };
            (text, constraint(f, ask, value))
        });
    let shaped = (
        places(),
        two(),
        asks(),
        select(vec![
            "'NAME' in resource.data",
            "resource.data.keys().hasAll(['NAME'])",
            "resource.data.keys().hasOnly(['NAME'])",
            "resource.data.PLACE is string",
            "resource.data.PLACE is number",
            "resource.data.PLACE is int",
            "resource.data.PLACE != null",
            "resource.data.PLACE == null",
            "resource.data.PLACE.size() == 1",
            "resource.data.PLACE + 1 == 2",
            "string(resource.data.PLACE) == '1'",
            "resource.data.m == {'x': 1}",
            "resource.data.m != {'x': 1}",
            "resource.data.m is map",
            "resource.data.m.keys().hasAny(['x'])",
            "resource.data.get(['m', 'x'], 1) == 1",
            "resource.data.get('NAME', 1) == 1",
            "exists(/databases/(default)/documents/d/$(resource.data.PLACE))",
            "get(/databases/(default)/documents/d/$(resource.data.PLACE)).data.n == 1",
            "resource.data.PLACE <= get(/databases/(default)/documents/d/a).data.n",
            "[resource.data.PLACE] == [1]",
            "f(resource.data)",
            "g(resource.data.PLACE)",
            "h()",
        ]),
    )
        .prop_map(|(f, (_, query), ask, shape)| {
            let name = f.split('.').next().unwrap_or_default();
            (shape.replace("NAME", name).replace("PLACE", f), constraint(f, ask, query.1))
        });
    let equal_maps = (select(numbers()), select(vec!["==", "!="])).prop_map(|((_, value), op)| {
        let map = Value::Map([("x".to_owned(), value)].into());
        (format!("resource.data.m {op} {{'x': 1}}"), constraint("m", Eq, map))
    });
    prop_oneof![6 => compared, 2 => listed, 2 => contained, 4 => shaped, 1 => equal_maps]
}

fn conditions() -> impl Strategy<Value = Related> {
    leaf().prop_recursive(3, 6, 2, |inner| {
        let join = |(a, b): (Related, Related)| (a.0, b.0, [a.1, b.1].concat());
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(join)
                .prop_map(|(a, b, all)| (format!("({a} && {b})"), all)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| (format!("({} || {})", a.0, b.0), b.1)),
            inner.clone().prop_map(|(a, all)| (format!("!({a})"), all)),
            (inner.clone(), inner.clone())
                .prop_map(join)
                .prop_map(|(a, b, all)| (format!("({a} ? {b} : QUERY)"), all)),
            (inner, any::<bool>()).prop_map(|((a, all), holds)| (format!("({a}) == {holds}"), all)),
        ]
    })
}

/// A condition and a query about it.
pub fn pairs() -> impl Strategy<Value = (String, (Query, &'static str))> {
    let look =
        select(vec![("c", Scope::Collection), ("p/a/c", Scope::Collection), ("c", Scope::CollectionGroup)]);
    let branches = prop_oneof![
        4 => conditions().prop_map(|(condition, all)| (condition, vec![all])),
        1 => (conditions(), leaf()).prop_map(|((condition, all), (_, more))| {
            let wide = vec![all.clone(), [all, more].concat()];
            (condition, wide)
        }),
        1 => (conditions(), leaf()).prop_map(|((condition, all), (_, more))| (condition, vec![[more, all].concat()])),
    ];
    (branches, look, select(vec![None, Some(5)])).prop_map(
        |((condition, alternatives), (path, scope), limit)| {
            (condition, (Query { limit, offset: 0, order_by: Vec::new(), alternatives, scope }, path))
        },
    )
}
