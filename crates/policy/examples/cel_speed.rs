//! Nanoseconds per evaluation of typical Data Connect policies: `cargo run --release -p policy --example cel_speed`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not a product")]

use std::hint::black_box;
use std::time::Instant;

use base::{Fields, Value as Stored};
use policy::Source;
use policy::cel::{Environment, Inputs, Place, Type, Value, compile, limits};

const EXPRESSIONS: [(&str, &str); 4] = [
    ("signed in", "auth.uid != null && auth.token.firebase.sign_in_provider != 'anonymous'"),
    (
        "claims and variables",
        "auth.token.plan == 'pro' && has(vars.status) && vars.status in ['draft', 'published'] && vars.owner == auth.uid",
    ),
    ("exists over 5 items", "this.exists(x, x.role == 'admin' && x.uid == auth.uid)"),
    ("with a pattern", "auth.token.email.matches('^[a-z.]+@example[.]com$')"),
];
const EVALUATIONS: u32 = 200_000;
const COMPILATIONS: u32 = 5_000;

fn map<const N: usize>(entries: [(&str, Stored); N]) -> Stored {
    Stored::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Fields>())
}

fn text(text: &str) -> Stored {
    Stored::String(text.to_owned())
}

fn main() {
    let token = map([
        ("plan", text("pro")),
        ("email", text("ann.smith@example.com")),
        ("firebase", map([("sign_in_provider", text("password"))])),
    ]);
    let auth = map([("uid", text("u5")), ("token", token)]);
    let vars = map([("status", text("published")), ("owner", text("u5"))]);
    let member = |uid: &str, role: &str| map([("uid", text(uid)), ("role", text(role))]);
    let this = Stored::Array(vec![
        member("u1", "guest"),
        member("u2", "guest"),
        member("u3", "editor"),
        member("u4", "admin"),
        member("u5", "admin"),
    ]);
    let declared =
        vec![("status".to_owned(), Type::nullable(Type::String)), ("owner".to_owned(), Type::String)];
    let environment = Environment::data_connect(Place::Check, declared);
    let (auth, vars, this) =
        (Value::from_stored(&auth), Value::from_stored(&vars), Value::from_stored(&this));
    let variables = [Some(auth), Some(vars), None, Some(this), None];
    let limits = limits();
    for (name, expression) in EXPRESSIONS {
        let source = Source::new(name, expression);
        let begun = Instant::now();
        for _ in 0..COMPILATIONS {
            black_box(compile(source.clone(), &environment));
        }
        let compiling = begun.elapsed() / COMPILATIONS;
        let program = compile(source, &environment).program.unwrap();
        let inputs = Inputs { variables: &variables, supplied: None };
        assert!(program.allows(&inputs, &limits));
        let begun = Instant::now();
        for _ in 0..EVALUATIONS {
            black_box(program.allows(black_box(&inputs), &limits));
        }
        let evaluating = begun.elapsed().as_nanos() / u128::from(EVALUATIONS);
        println!("{name:22} {evaluating:5} ns   compile {:5.1} µs", compiling.as_secs_f64() * 1e6);
    }
}
