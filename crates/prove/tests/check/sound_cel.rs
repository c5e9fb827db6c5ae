//! What the checks claim of CEL expressions is so: claims about random expressions are held against their values.

use std::cell::Cell;

use base::{Fields, Value};
use policy::cel::{Environment, Inputs, Place, Program, Type, Value as Cel, compile, limits};
use policy::{Diagnostic, Source};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use prove::check::check_expression;

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn environment() -> Environment {
    let variables = ["a", "b"].map(|name| (name.to_owned(), Type::Dyn));
    Environment::data_connect(Place::Auth, variables.to_vec())
}

fn scalars() -> impl Strategy<Value = Value> {
    select(vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Integer(1),
        Value::Integer(2),
        Value::Double(1.0),
        Value::Double(f64::NAN),
        text("a"),
        text("a b"),
        text("u"),
        Value::Array(vec![text("a"), Value::Integer(1)]),
        Value::Map(Fields::from([("x".to_owned(), Value::Integer(1))])),
    ])
}

/// The claims of who asks, and the variables.
fn requests() -> impl Strategy<Value = (Option<Fields>, Fields)> {
    let some = |names: Vec<&'static str>| {
        prop::collection::btree_map(select(names).prop_map(str::to_owned), scalars(), 0..3)
    };
    (prop::option::weighted(0.7, some(vec!["role", "admin"])), some(vec!["a", "b"]))
}

fn conditions() -> impl Strategy<Value = String> {
    let values =
        || select(vec!["auth.uid", "auth.token.role", "vars.a", "vars.b", "request.auth.token.admin"]);
    let constants = || select(vec!["1", "1.0", "2", "'a'", "'u'", "'a b'", "'ab'", "true", "null", "nil"]);
    let equality = || select(vec!["==", "!="]);
    let order = || select(vec!["<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        5 => (values(), equality(), constants()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (values(), equality(), values()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => (values(), order(), select(vec!["1", "1.5", "2", "'a'"])).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (values(), order(), constants(), order(), constants())
            .prop_map(|(a, one, b, two, c)| format!("!({a} {one} {b}) && !({a} {two} {c})")),
        2 => equality().prop_map(|op| format!("auth {op} null")),
        2 => (values(), select(vec!["['a', 'u']", "[1, 2]", "[true]", "['a b']"]))
            .prop_map(|(a, list)| format!("{a} in {list}")),
        1 => values().prop_map(|a| format!("has({a})")),
        1 => (values(), constants()).prop_map(|(a, b)| format!("{a}.startsWith({b})")),
        1 => (values(), equality(), constants()).prop_map(|(a, op, b)| format!("string({a}) {op} {b}")),
        1 => values().prop_map(|a| format!("size({a}) > 1")),
        1 => select(vec!["true", "false"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" && "))),
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" || "))),
            1 => inner.clone().prop_map(|one| format!("!({one})")),
            1 => (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
        ]
    })
}

fn compiled(expression: &str) -> Option<Program> {
    compile(Source::new("expression", expression), &environment()).program
}

fn allowed(program: &Program, (claims, vars): &(Option<Fields>, Fields)) -> bool {
    let auth = claims.as_ref().map_or(Value::Null, |claims| {
        Value::Map(Fields::from([
            ("uid".to_owned(), text("u")),
            ("token".to_owned(), Value::Map(claims.clone())),
        ]))
    });
    let vars = Value::Map(vars.clone());
    let request = Value::Map(Fields::from([("auth".to_owned(), auth.clone())]));
    let environment = environment();
    let mut variables = vec![None; 16];
    for (name, value) in [("auth", &auth), ("vars", &vars), ("request", &request)] {
        if let Some(place) = environment.position(name) {
            variables[place] = Some(Cel::from_stored(value));
        }
    }
    program.allows(&Inputs { variables: &variables, supplied: None }, &limits())
}

fn holds(expression: &str, found: &Diagnostic, requests: &[(Option<Fields>, Fields)]) -> bool {
    let program = compiled(expression).unwrap();
    let mut granted = requests.iter().map(|request| (request.0.is_some(), allowed(&program, request)));
    match found.code {
        "never-holds" => {
            let span = found.span.range();
            let without = format!("{}false{}", &expression[..span.start], &expression[span.end..]);
            let Some(without) = compiled(&without) else { return true };
            requests.iter().all(|request| allowed(&program, request) == allowed(&without, request))
        }
        "open-access" => granted.all(|(_, granted)| granted),
        "only-when-signed-out" => !granted.any(|(signed_in, granted)| signed_in && granted),
        "true-when-signed-out" => granted.all(|(signed_in, granted)| signed_in || granted),
        _ => true,
    }
}

#[test]
fn claims_about_expressions_hold() {
    let claims = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 5000, failure_persistence: None, ..Config::default() });
    let outcome =
        runner.run(&(conditions(), prop::collection::vec(requests(), 60)), |(expression, requests)| {
            if compiled(&expression).is_none() {
                return Ok(());
            }
            for found in
                check_expression(Source::new("expression", expression.as_str()), &environment()).diagnostics
            {
                claims.set(claims.get() + 1);
                prop_assert!(
                    holds(&expression, &found, &requests),
                    "{}: {}\n{expression}",
                    found.code,
                    found.message
                );
            }
            Ok(())
        });
    println!("{} claims", claims.get());
    outcome.unwrap();
    assert!(claims.get() > 500, "{} claims", claims.get());
}
