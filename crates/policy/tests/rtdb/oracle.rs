//! Replays what the live service was recorded to do. What differs is listed in `cases/rtdb/oracle-exceptions.md` with a
//! reason; the list may only shrink.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base::Fields;
use policy::Source;
use policy::rtdb::{Change, Operation, Tree, compile};
use serde_json::{Value as Json, json};

use crate::data::{decide, fields, path, query, tree};

fn read(file: &str) -> Option<Json> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let folder = std::env::var_os("HEARTH_ORACLE").map_or(near, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no oracle data");
        return None;
    }
    Some(serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap())
}

/// Compares differences with the list of exceptions for a file.
fn conclude(file: &str, count: usize, differences: &[(String, String)]) {
    let text = include_str!("../../cases/rtdb/oracle-exceptions.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `"));
    let exceptions: BTreeSet<&str> =
        lines.map(|line| line.split("` ").next().unwrap()).filter(|name| name.starts_with(file)).collect();
    let differing: BTreeSet<&str> = differences.iter().map(|(label, _)| label.as_str()).collect();
    let new: Vec<String> = differences
        .iter()
        .filter(|(label, _)| !exceptions.contains(label.as_str()))
        .map(|(label, difference)| format!("{label}\n    {difference}"))
        .collect();
    assert!(new.is_empty(), "{} of {count} differ:\n{}", new.len(), new.join("\n"));
    let unused: Vec<_> = exceptions.difference(&differing).collect();
    assert!(unused.is_empty(), "no longer exceptions, remove them: {unused:#?}");
    assert!(count > 20, "the cases were not found");
    println!("{file}: {count} cases agree, {} listed exceptions", exceptions.len());
}

const UID: &str = "uid-of-the-probe";

/// JSON with the placeholder for the caller's id replaced.
fn fill(json: &Json) -> Json {
    serde_json::from_str(&json.to_string().replace("<UID>", UID)).unwrap()
}

/// Puts a value at a path.
fn put(root: &mut Json, at: &str, value: Json) {
    let mut place = root;
    for key in path(at) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = value;
}

#[test]
fn recorded_operations_are_decided_as_recorded() {
    let file = "rtdb-rules.json";
    let Some(suites) = read(file) else { return };
    let (mut count, mut differences) = (0, Vec::new());
    for suite in suites.as_array().unwrap() {
        let text = format!("{{\"rules\":{}}}", suite["rules"].as_str().unwrap());
        let compiled = compile(Source::new("database.rules.json", text));
        let ruleset =
            compiled.ruleset.unwrap_or_else(|| panic!("{}: {:?}", suite["id"], compiled.diagnostics));
        for case in suite["cases"].as_array().unwrap() {
            let Some(verdict) = case["observed"].as_str().or(case["expectation"].as_str()) else { continue };
            count += 1;
            let case = fill(case);
            let at = case["opPath"].as_str().unwrap();
            let mut before = Json::Null;
            for (at, value) in case["seed"].as_object().into_iter().flatten() {
                put(&mut before, at, value.clone());
            }
            if let Some(data) = case.get("mockData") {
                put(&mut before, at, data.clone());
            }
            let before = tree(&before);
            let new = tree(&case["newData"]);
            let auth: Fields = fields(&json!({"uid": UID, "provider": "custom", "token": {"sub": UID}}));
            let auth = (case["authPresent"] == true).then_some(&auth);
            let at = path(at);
            let operation = match case["operation"].as_str().unwrap() {
                "read" => Operation::Read { path: &at, query: None },
                _ => Operation::Write(Change {
                    path: &at,
                    value: new.as_ref().map(|tree| tree as &(dyn Tree + Sync)),
                }),
            };
            let decision = decide(&ruleset, operation, auth, before.as_ref());
            if decision.allowed != (verdict == "ALLOW") {
                let label = format!(
                    "{file} {}: {}",
                    suite["id"].as_str().unwrap(),
                    case["description"].as_str().unwrap()
                );
                differences.push((label, format!("{verdict}, but {decision:?}")));
            }
        }
    }
    conclude(file, count, &differences);
}

#[test]
fn recorded_expressions_give_what_they_gave() {
    let file = "rtdb-expressions.json";
    let Some(suite) = read(file) else { return };
    let (mut count, mut differences) = (0, Vec::new());
    for case in suite["tests"].as_array().unwrap() {
        count += 1;
        if let Err(difference) = expression(&suite["users"], case) {
            differences.push((format!("{file} {}", case["rule"].as_str().unwrap()), difference));
        }
    }
    conclude(file, count, &differences);
}

fn expression(users: &Json, case: &Json) -> Result<(), String> {
    let mut rules = json!({".read": case["rule"]});
    let mut keys = Vec::new();
    for (name, key) in case["wildchildren"].as_object().into_iter().flatten() {
        rules = json!({name: rules});
        keys.insert(0, key.as_str().unwrap());
    }
    let compiled = compile(Source::new("rule", json!({"rules": rules}).to_string()));
    let valid = case["isValid"] == true;
    let Some(ruleset) = compiled.ruleset else {
        return if valid { Err(format!("refused: {:?}", compiled.diagnostics)) } else { Ok(()) };
    };
    if !valid {
        return Err("accepted".to_owned());
    }
    let user = &users[case["user"].as_str().unwrap()];
    let auth = user.is_object().then(|| fields(user));
    let data = tree(&case["data"]);
    let query = query(&case["query"]);
    let query = case["query"].is_object().then_some(&query);
    let operation = Operation::Read { path: &keys, query };
    let decision = decide(&ruleset, operation, auth.as_ref(), data.as_ref());
    let failed = decision.causes.iter().any(|cause| cause.error);
    let expected = (case["failAtRuntime"] == true, case["evaluateTo"] == true);
    if (failed, decision.allowed) == expected {
        Ok(())
    } else {
        Err(format!("{expected:?}, but {decision:?}"))
    }
}
