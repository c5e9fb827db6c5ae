//! Replays the conformance cases of the CEL specification.
//!
//! Values, errors and deduced types must agree, except for what `cases/cel/oracle-exceptions.md` lists with a reason.
//! An exception that is no longer needed fails the test: the list may only shrink. Cases that need protobuf messages
//! are out of scope.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::Source;
use policy::cel::{Environment, Inputs, Key, Type, Value, compile, equal, limits, show};
use policy::meter::Meter;
use policy::value::Bytes;
use serde_json::Value as Json;

fn oracle() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let folder = std::env::var_os("HEARTH_ORACLE").map_or(near, PathBuf::from);
    Some(folder.join("cel-spec.json")).filter(|file| file.is_file())
}

fn value(json: &Json) -> Value<'static> {
    let v = &json["v"];
    match json["t"].as_str().unwrap() {
        "null" => Value::Null,
        "bool" => Value::Bool(v.as_bool().unwrap()),
        "int" => Value::Int(v.as_str().unwrap().parse().unwrap()),
        "uint" => Value::Uint(v.as_str().unwrap().parse().unwrap()),
        "double" => Value::Double(v.as_str().unwrap().parse().unwrap()),
        "string" => Value::text(v.as_str().unwrap()),
        "bytes" => Value::Bytes(Bytes::Shared(STANDARD.decode(v.as_str().unwrap()).unwrap().into())),
        "type" => Value::Type(v.as_str().unwrap().to_owned().into()),
        "list" => Value::list(v.as_array().unwrap().iter().map(value).collect()),
        "map" => {
            let entries = v.as_array().unwrap().iter();
            let map: BTreeMap<Key<'_>, Value<'_>> =
                entries.map(|pair| (Key::of(&value(&pair[0])).unwrap(), value(&pair[1]))).collect();
            Value::map(map)
        }
        other => panic!("a value of type {other}"),
    }
}

/// The same value of the same type, NaN included.
fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    let nan = |value: &Value<'_>| matches!(value, Value::Double(value) if value.is_nan());
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(&a, &b))
        }
        _ => {
            a.type_name() == b.type_name()
                && (equal(a, b, &mut Meter::new(&limits())).unwrap() || nan(a) && nan(b))
        }
    }
}

/// A type as the record spells it.
fn spelled(of: &Type) -> String {
    match of {
        Type::Dyn => "dyn { }".to_owned(),
        Type::Null => "null: NULL_VALUE".to_owned(),
        Type::Bool => "primitive: BOOL".to_owned(),
        Type::Int => "primitive: INT64".to_owned(),
        Type::Uint => "primitive: UINT64".to_owned(),
        Type::Double => "primitive: DOUBLE".to_owned(),
        Type::String => "primitive: STRING".to_owned(),
        Type::Bytes => "primitive: BYTES".to_owned(),
        Type::List(item) => format!("list_type {{ elem_type {{ {} }} }}", spelled(item)),
        Type::Map(key, value) => {
            format!("map_type {{ key_type {{ {} }} value_type {{ {} }} }}", spelled(key), spelled(value))
        }
        Type::Optional(inner) => {
            format!("abstract_type {{ name: \"optional_type\" parameter_types {{ {} }} }}", spelled(inner))
        }
        other => other.to_string(),
    }
}

fn replay(case: &Json) -> Result<(), String> {
    let mut environment = Environment::new().container(case["container"].as_str().unwrap());
    let mut variables = Vec::new();
    for (name, json) in case["bindings"].as_object().unwrap() {
        environment = environment.variable(name, Type::Dyn);
        variables.push(Some(value(json)));
    }
    if case["disable_check"].as_bool().unwrap() {
        environment = environment.unchecked();
    }
    let expect = &case["expect"];
    let wants_error = expect["k"] == "error";
    let compiled = compile(Source::new("<input>", case["expr"].as_str().unwrap()), &environment);
    let Some(program) = compiled.program else {
        return if wants_error { Ok(()) } else { Err(format!("{:?}", compiled.diagnostics[0].message)) };
    };
    if let Some(wanted) = expect["ty"].as_str()
        && spelled(program.result()) != wanted
    {
        return Err(format!("is of type {}, was {wanted}", spelled(program.result())));
    }
    if case["check_only"].as_bool().unwrap() {
        return Ok(());
    }
    let inputs = Inputs { variables: &variables, supplied: None };
    let outcome = program.evaluate(&inputs, &limits(), None).outcome;
    let mut trace = None;
    let traced = program.evaluate(&inputs, &limits(), Some(&mut trace)).outcome;
    assert!(trace.is_some());
    match (&outcome, &traced) {
        (Ok(a), Ok(b)) => assert!(same(a, b)),
        (a, b) => assert_eq!(a.is_err(), b.is_err()),
    }
    match (outcome, wants_error) {
        (Err(_), true) => Ok(()),
        (Ok(found), true) => Err(format!("is {}, was an error: {}", show(&found), expect["msgs"])),
        (Err(fault), false) => Err(format!("fails: {fault}")),
        (Ok(found), false) => {
            let wanted = value(&expect["v"]);
            let told = || format!("is {}, was {}", show(&found), show(&wanted));
            same(&found, &wanted).then_some(()).ok_or_else(told)
        }
    }
}

#[test]
fn conformance_cases_agree() {
    let Some(file) = oracle() else {
        println!("skipped: no oracle data");
        return;
    };
    let text = include_str!("../cases/cel/oracle-exceptions.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `"));
    let exceptions: BTreeSet<String> = lines.map(|line| line.split('`').next().unwrap().to_owned()).collect();
    let mut unused: BTreeSet<&String> = exceptions.iter().collect();
    let cases: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let cases: Vec<&Json> = cases.iter().filter(|case| case["proto"] != Json::Bool(true)).collect();
    let mut failures = Vec::new();
    for case in &cases {
        let part = |key: &str| case[key].as_str().unwrap();
        let label = format!("{}/{}/{}", part("file"), part("section"), part("name"));
        if let Err(difference) = replay(case) {
            if exceptions.contains(&label) {
                unused.remove(&label);
            } else {
                failures.push(format!("{label}\n    {}\n    {difference}", part("expr")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), cases.len(), failures.join("\n"));
    assert!(unused.is_empty(), "no longer exceptions, remove them: {unused:#?}");
    assert!(exceptions.len() * 50 <= cases.len(), "more than 2 % are exceptions");
    println!("{} cases, {} listed exceptions", cases.len(), exceptions.len());
}
