//! Data Connect's `@auth` and `@check` expressions beside the two CEL crates.
//!
//! Two forms: `ready` evaluates against variables bound beforehand; `bound` binds them in every round, as a server
//! must. Values are in each crate's own types in both. The crates have no `nil`: they get `null`.

use std::sync::Arc;

use base::Value as Stored;
use cel::Context;
use cel_core::{CelType, MapActivation};
use policy::Source;
use policy::cel::{Environment, Inputs, Place, Type, Value, compile, limits};
use serde_json::{Value as Json, json};

use super::data::stored;
use crate::{Case, Subject, keep};

const EXPRESSIONS: [(&str, &str); 8] = [
    ("verified email", "auth.uid != nil && auth.token.email_verified == true"),
    ("a plan", "auth.token.plan == 'pro'"),
    ("an administrator", "auth.token.admin == true"),
    ("not anonymous", "auth.uid != nil && auth.token.firebase.sign_in_provider != 'anonymous'"),
    (
        "claims and variables",
        "auth.token.plan == 'pro' && has(vars.status) && vars.status in ['draft', 'published'] && vars.owner == auth.uid",
    ),
    ("@check on a field", "this != null && this == 'editor'"),
    ("@check on five rows", "this.exists(x, x.role == 'admin' && x.uid == auth.uid)"),
    ("a pattern", "auth.token.email.matches('^[a-z.]+@example[.]com$')"),
];

fn variables(expression: &str) -> Vec<(&'static str, Json)> {
    let member = |uid: &str, role: &str| json!({"uid": uid, "role": role});
    vec![
        (
            "auth",
            json!({"uid": "u5", "token": {"plan": "pro", "admin": true, "email": "ann.smith@example.com",
                "email_verified": true, "sub": "u5", "name": "Ann Smith",
                "firebase": {"sign_in_provider": "password"}}}),
        ),
        ("vars", json!({"status": "published", "owner": "u5"})),
        (
            "this",
            if expression.contains("this ==") {
                json!("editor")
            } else {
                json!([
                    member("u1", "guest"),
                    member("u2", "guest"),
                    member("u3", "editor"),
                    member("u4", "admin"),
                    member("u5", "admin")
                ])
            },
        ),
    ]
}

fn hearth(expression: &'static str) -> [Subject; 2] {
    let declared =
        vec![("status".to_owned(), Type::nullable(Type::String)), ("owner".to_owned(), Type::String)];
    let environment = Environment::data_connect(Place::Check, declared);
    let compiled = compile(Source::new("expr", expression), &environment);
    let program =
        keep(compiled.program.unwrap_or_else(|| panic!("{expression}: {:?}", compiled.diagnostics)));
    let data: Vec<(usize, &'static Stored)> = variables(expression)
        .iter()
        .map(|(name, value)| (environment.position(name).expect("a variable"), &*keep(stored(value))))
        .collect();
    let bind = move || {
        let mut bound: [Option<Value<'static>>; 5] = [const { None }; 5];
        for (position, value) in &data {
            bound[*position] = Some(Value::from_stored(value));
        }
        bound
    };
    let ready = keep(bind());
    let limits = keep(limits());
    [
        Subject::new("hearth", "ready", true, move || {
            program.allows(std::hint::black_box(&Inputs { variables: &ready[..], supplied: None }), limits)
        }),
        Subject::new("hearth", "bound", true, move || {
            let bound = bind();
            program.allows(std::hint::black_box(&Inputs { variables: &bound, supplied: None }), limits)
        }),
    ]
}

fn cel_value(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(value) => cel::Value::Bool(*value),
        Json::Number(number) => cel::Value::Int(number.as_i64().expect("a whole number")),
        Json::String(text) => cel::Value::from(text.as_str()),
        Json::Array(items) => cel::Value::from(items.iter().map(cel_value).collect::<Vec<_>>()),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), cel_value(value)));
            cel::Value::from(members.collect::<std::collections::HashMap<String, cel::Value>>())
        }
    }
}

/// `cel`, by its quicker entry, which makes no [`cel::Value`] of the result.
fn cel(expression: &str) -> [Subject; 2] {
    let environment = Arc::new(cel::Env::stdlib());
    let program = keep(environment.compile(expression).expect("cel compiles"));
    let values: Vec<_> =
        variables(expression).into_iter().map(|(name, value)| (name, cel_value(&value))).collect();
    let allowed = |context: &Context<'_, '_>| {
        let value = cel::Value::resolve_val(program.expression(), std::hint::black_box(context));
        value.is_ok_and(|value| {
            value.as_ref().downcast_ref::<cel::common::types::CelBool>().is_some_and(|value| *value.inner())
        })
    };
    let bind = move || {
        let mut context = Context::with_env(environment.clone());
        for (name, value) in &values {
            context.add_variable_from_value(*name, value.clone());
        }
        context
    };
    let ready = bind();
    [
        Subject::new("cel 0.15", "ready", true, move || allowed(&ready)),
        Subject::new("cel 0.15", "bound", true, move || allowed(&bind())),
    ]
}

fn core_value(json: &Json) -> cel_core::Value {
    match json {
        Json::Null => cel_core::Value::Null,
        Json::Bool(value) => cel_core::Value::from(*value),
        Json::Number(number) => cel_core::Value::from(number.as_i64().expect("a whole number")),
        Json::String(text) => cel_core::Value::from(text.as_str()),
        Json::Array(items) => cel_core::Value::list(items.iter().map(core_value)),
        Json::Object(members) => {
            cel_core::Value::map(members.iter().map(|(name, value)| (name.as_str(), core_value(value))))
        }
    }
}

fn core(expression: &str) -> [Subject; 2] {
    let mut environment = cel_core::Env::with_standard_library();
    for (name, _) in variables(expression) {
        environment.add_variable(name, CelType::Dyn);
    }
    let ast = environment.compile(expression).expect("cel-core compiles");
    let program = keep(environment.program(&ast).expect("cel-core makes a program"));
    let values: Vec<_> =
        variables(expression).into_iter().map(|(name, value)| (name, core_value(&value))).collect();
    let bind = move || {
        let mut activation = MapActivation::new();
        for (name, value) in &values {
            activation.insert(*name, value.clone());
        }
        activation
    };
    let ready = bind();
    let allowed = |activation: &MapActivation| {
        matches!(program.eval(std::hint::black_box(activation)), cel_core::Value::Bool(true))
    };
    [
        Subject::new("cel-core 0.5", "ready", true, move || allowed(&ready)),
        Subject::new("cel-core 0.5", "bound", true, move || allowed(&bind())),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut ready = Vec::new();
    let mut bound = Vec::new();
    for (name, expression) in EXPRESSIONS {
        let theirs = keep(expression.replace("nil", "null"));
        let [ours_ready, ours_bound] = hearth(expression);
        let [cel_ready, cel_bound] = cel(theirs);
        let [core_ready, core_bound] = core(theirs);
        let case = |group, subjects| Case {
            aim_ratio: Some(3.0),
            aim_allocations: Some(0),
            ..Case::new(group, name, subjects)
        };
        ready.push(case("CEL, variables ready", vec![ours_ready, cel_ready, core_ready]));
        bound.push(case("CEL, variables bound each time", vec![ours_bound, cel_bound, core_bound]));
    }
    ready.append(&mut bound);
    ready
}
