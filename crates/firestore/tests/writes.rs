//! The cases of `cases/writes`: a document before, a write, the document after or the refusal. `true` for a name
//! stands for the case's document.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

use std::path::Path;

use base::{DatabaseName, Fields, Status, Timestamp, Value};
use firestore::model::value::{fields_from_wire, fields_to_wire, to_wire};
use firestore::write::{Held, State, apply, check, check_document, decode};
use kv::Version;
use wire::json::{self, JsonOptions};
use wire::v1;

const NAME: &str = "projects/p/databases/(default)/documents/c/d";

fn fields(case: &serde_json::Value) -> Option<Fields> {
    if case.is_null() {
        return None;
    }
    let text = serde_json::json!({ "fields": case }).to_string();
    let document: v1::Document = json::read(text.as_bytes()).unwrap();
    Some(fields_from_wire(document.fields).unwrap())
}

/// Fields as text: NaN equals NaN there.
fn show(fields: Option<Fields>) -> String {
    match fields {
        None => "none".into(),
        Some(fields) => {
            let document = v1::Document { fields: fields_to_wire(fields), ..Default::default() };
            json::to_string(&document, JsonOptions::default())
        }
    }
}

/// The write, the case's document named in it.
fn write(case: &serde_json::Value) -> Result<v1::Write, Status> {
    let mut case = case.clone();
    let object = case.as_object_mut().unwrap();
    if let Some(update) = object.get_mut("update") {
        update["name"] = NAME.into();
    }
    if let Some(transform) = object.get_mut("transform") {
        transform["document"] = NAME.into();
    }
    for operation in ["delete", "verify"] {
        if let Some(name) = object.get_mut(operation) {
            *name = NAME.into();
        }
    }
    Ok(json::read(case.to_string().as_bytes())?)
}

fn run(case: &serde_json::Value) -> Result<(Option<Fields>, Vec<Value>), Status> {
    let database = DatabaseName::default_of("p");
    let now = Timestamp::parse("2026-01-01T00:00:00.123Z").unwrap();
    let write = decode(&database, write(&case["write"])?)?;
    let before = match fields(&case["before"]) {
        Some(fields) => State { fields: Some(fields), held: Held::Since(Version(1_700_000_000_000_000)) },
        None => State::default(),
    };
    let held = before.held;
    let applied = apply(before, &write, now);
    assert_eq!(applied.transform_results.len(), write.transforms());
    check(&database, &write, held, now)?;
    check_document(&database, &write.path, &applied.after)?;
    Ok((applied.after.fields, applied.transform_results))
}

#[test]
fn writes_do_what_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/writes");
    let mut count = 0;
    for file in ["updates.json", "transforms.json", "refusals.json"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        for case in &cases {
            count += 1;
            let name = format!("{file}: {}", case["name"]);
            match (run(case), case.get("error")) {
                (Err(status), Some(error)) => {
                    assert_eq!(
                        (status.code.name(), status.message.as_str()),
                        (error[0].as_str().unwrap(), error[1].as_str().unwrap()),
                        "{name}"
                    );
                }
                (Ok((after, results)), None) => {
                    assert_eq!(show(after), show(fields(&case["after"])), "{name}");
                    let results: Vec<_> = results
                        .into_iter()
                        .map(|value| json::to_string(&to_wire(value), JsonOptions::default()))
                        .collect();
                    let expected: Vec<_> = case
                        .get("results")
                        .and_then(|results| results.as_array())
                        .into_iter()
                        .flatten()
                        .map(|value| {
                            json::to_string(
                                &json::read::<v1::Value>(value.to_string().as_bytes()).unwrap(),
                                JsonOptions::default(),
                            )
                        })
                        .collect();
                    assert_eq!(results, expected, "{name}");
                }
                (outcome, expected) => panic!("{name}: {outcome:?}, expected {expected:?}"),
            }
        }
    }
    assert!(count >= 60, "only {count} cases were found");
}

/// What is too large to be written down as data.
#[test]
fn sizes_and_depths_have_their_limits() {
    let nested = |levels: usize| {
        (0..levels).fold(Value::Null, |value, _| Value::Map([("a".to_owned(), value)].into()))
    };
    let attempt = |fields: Fields| {
        let document =
            v1::Document { name: NAME.into(), fields: fields_to_wire(fields), ..Default::default() };
        let write =
            v1::Write { operation: Some(v1::write::Operation::Update(document)), ..Default::default() };
        let database = DatabaseName::default_of("p");
        let write = decode(&database, write)?;
        let now = Timestamp::EPOCH;
        let applied = apply(State::default(), &write, now);
        check_document(&database, &write.path, &applied.after)
    };
    let one = |value: Value| attempt([("x".to_owned(), value)].into()).map_err(|status| status.message);
    assert_eq!(one(nested(20)), Ok(()));
    assert_eq!(one(nested(21)), Err("Property x contains an invalid nested entity.".into()));
    assert_eq!(one(nested(90)), Err("Property x contains an invalid nested entity.".into()));
    assert_eq!(one(nested(200)), Err("A value is nested too deeply.".into()));
    let long = Value::String("a".repeat(1_048_488));
    assert_eq!(one(long), Err("The value of property \"x\" is longer than 1048487 bytes.".into()));
    // Name: "c" and "d" with a byte each, 16; the document 32; the field's name 2 and the text's end 1.
    let overhead = 4 + 16 + 32 + 3;
    let fits = 1_048_576 - overhead;
    let two = |bytes: usize| {
        let half = bytes / 2;
        let fields = [
            ("x".to_owned(), Value::String("a".repeat(half))),
            ("y".to_owned(), Value::String("b".repeat(bytes - half - 3))),
        ];
        attempt(fields.into()).map_err(|status| status.message)
    };
    assert_eq!(two(fits), Ok(()));
    assert_eq!(
        two(fits + 1),
        Err(format!(
            "Document \"{NAME}\" cannot be written because its size (1,048,577 bytes) exceeds the maximum allowed size of 1,048,576 bytes."
        ))
    );
    let name =
        |length: usize| attempt([("f".repeat(length), Value::Null)].into()).map_err(|status| status.message);
    assert_eq!(name(1500), Ok(()));
    assert_eq!(name(1501), Err("The property.name is longer than 1500 bytes.".into()));
}

/// A mask may build deeper than a value may be.
#[test]
fn a_deep_mask_is_refused_after_the_fact() {
    let path = vec!["a"; 40].join(".");
    let database = DatabaseName::default_of("p");
    let transform = v1::document_transform::FieldTransform {
        field_path: path,
        transform_type: Some(v1::document_transform::field_transform::TransformType::Increment(to_wire(
            Value::Integer(1),
        ))),
    };
    let write = v1::Write {
        operation: Some(v1::write::Operation::Update(v1::Document {
            name: NAME.into(),
            ..Default::default()
        })),
        update_transforms: vec![transform],
        ..Default::default()
    };
    let write = decode(&database, write).unwrap();
    let applied = apply(State::default(), &write, Timestamp::EPOCH);
    let refused = check_document(&database, &write.path, &applied.after);
    assert_eq!(refused.unwrap_err().message, "Property a contains an invalid nested entity.");
}
