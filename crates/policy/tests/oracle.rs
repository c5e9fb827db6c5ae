//! Replays rulesets and verdicts recorded from the hosted Rules Test API.
//!
//! Verdicts, error texts and positions must agree, except for what `cases/oracle-exceptions.md` lists with a reason. An
//! exception that is no longer needed fails the test: the list may only shrink.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use base::{Fields, Timestamp, Value};
use policy::{
    Auth, Document, DocumentPath, Limits, Method, Mock, MockResult, NoDocuments, Request, Service, Setting,
    Source, Step,
};
use serde_json::Value as Json;

fn oracle() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let folder = std::env::var_os("HEARTH_ORACLE").map_or(near, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Numbers without a fraction are integers, as on the wire. Storage's times are timestamps.
fn value(name: &str, json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap()), Value::Integer)
        }
        Json::String(text) if ["timeCreated", "updated"].contains(&name) => {
            Value::Timestamp(Timestamp::parse(text).unwrap())
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(|item| value("", item)).collect()),
        Json::Object(_) => Value::Map(fields(json)),
    }
}

fn fields(json: &Json) -> Fields {
    json.as_object().unwrap().iter().map(|(name, json)| (name.clone(), value(name, json))).collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

fn exceptions() -> BTreeSet<String> {
    let text = include_str!("../cases/oracle-exceptions.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `"));
    lines.map(|line| line.split('`').next().unwrap().to_owned()).collect()
}

fn replay(file: &str, service: Service, bucket: &str) {
    let Some(folder) = oracle() else {
        println!("skipped: no oracle data");
        return;
    };
    let suites: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
    let exceptions = exceptions();
    let mut unused: BTreeSet<&String> = exceptions.iter().filter(|name| name.starts_with(file)).collect();
    let mut failures = Vec::new();
    let mut count = 0;
    for suite in &suites {
        let id = suite["id"].as_str().unwrap();
        let name = if service == Service::Firestore { "firestore.rules" } else { "storage.rules" };
        let compiled = policy::compile(Source::new(name, suite["rules"].as_str().unwrap()), service);
        let Some(ruleset) = compiled.ruleset else {
            failures.push(format!("{file} {id}: does not compile: {:?}", compiled.diagnostics));
            continue;
        };
        for case in suite["cases"].as_array().unwrap() {
            count += 1;
            let label = format!("{file} {id}: {}", case["description"].as_str().unwrap());
            if let Err(difference) = replay_case(&ruleset, case, service, bucket) {
                if exceptions.contains(&label) {
                    unused.remove(&label);
                } else {
                    failures.push(format!("{label}\n    {difference}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(unused.is_empty(), "no longer exceptions, remove them: {unused:#?}");
    println!("{file}: {count} cases agree, {} listed exceptions", exceptions.len());
}

fn replay_case(ruleset: &policy::Ruleset, case: &Json, service: Service, bucket: &str) -> Result<(), String> {
    let method = case["method"].as_str().unwrap();
    let method = Method::ALL.into_iter().find(|known| known.name() == method).unwrap();
    let path = segments(case["path"].as_str().unwrap());
    let token = case["auth"].get("token").map(fields).unwrap_or_default();
    let auth = case["auth"].get("uid").map(|uid| Auth { uid: uid.as_str().unwrap(), token: &token });
    let present = |key: &str| case.get(key).filter(|json| json.is_object()).map(fields);
    let (existing, new) = match service {
        Service::Firestore => (present("resource"), present("data")),
        Service::Storage => (present("existingResource"), present("resource")),
    };
    let mocks: Vec<Mock> = case["functionMocks"].as_array().into_iter().flatten().map(mock).collect();
    let time = case["requestTime"].as_str().unwrap_or("2026-07-21T00:00:00Z");
    let request = Request {
        method,
        database: bucket,
        path: &path,
        auth,
        time: Timestamp::parse(time).unwrap(),
        resource: existing.as_ref().map(|fields| Document { fields }),
        new_resource: new.as_ref().map(|fields| Document { fields }),
        query: None,
        in_transaction: false,
        setting: Setting::TestApi(&mocks),
    };
    let limits = Limits::default();
    let Step::Decided(decision) = ruleset.decide(&request, &NoDocuments, &limits, None) else {
        return Err("asks for documents".to_owned());
    };
    let observed = case["observed"].as_str().unwrap() == "ALLOW";
    if decision.allowed != observed {
        return Err(format!("is {}, was {observed}: {:?}", decision.allowed, decision.causes));
    }
    let Some(note) = case["notes"].as_array().and_then(|notes| notes.first()) else { return Ok(()) };
    let note = note.as_str().unwrap();
    let errors: Vec<_> = decision.causes.iter().filter(|cause| cause.error).collect();
    let told: Vec<String> = errors
        .iter()
        .map(|cause| {
            let file = &ruleset.source().name;
            format!("Error: {file} line [{}], column [{}]. {}", cause.line, cause.column, cause.text())
        })
        .collect();
    if !told.iter().any(|told| told == note) {
        return Err(format!("says {told:?}\n    was  {note}"));
    }
    if let Some(end) = case["api"]["errorPosition"]["endOffset"].as_u64() {
        // The recorded end is inclusive.
        let ends: Vec<u64> = errors.iter().map(|cause| u64::from(cause.span.end) - 1).collect();
        let text = &ruleset.source().text;
        if text.is_ascii() && !ends.contains(&end) {
            return Err(format!("ends at {ends:?}, was {end}"));
        }
    }
    Ok(())
}

fn mock(json: &Json) -> Mock {
    let function = json["function"].as_str().unwrap().to_owned();
    let result = match &json["result"] {
        Json::Bool(exists) => MockResult::Exists(*exists),
        document => MockResult::Document(fields(document)),
    };
    let path = DocumentPath::new("(default)", segments(json["path"].as_str().unwrap()));
    Mock { function, path: Some(path), result }
}

#[test]
fn firestore_verdicts_texts_and_positions_agree() {
    replay("firestore-rules.json", Service::Firestore, "(default)");
}

#[test]
fn storage_verdicts_texts_and_positions_agree() {
    replay("storage-rules.json", Service::Storage, "demo-pyric.appspot.com");
}
