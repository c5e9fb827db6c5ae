//! Runs every markdown file below `cases/rtdb/`; `cases/rtdb/README.md` says how they are written.

use std::collections::BTreeMap;
use std::path::Path;

use base::Fields;
use policy::Source;
use policy::check::{Language, check};
use policy::rtdb::{Change, Compiled, Memory, Operation, Tree, compile, upload_error};
use serde_json::{Value as Json, json};

use crate::data::{decide, fields, path, query, tree};

/// Rules with what goes with them.
struct Section {
    place: String,
    source: Source,
    compiled: Compiled,
    data: Option<Memory>,
    users: BTreeMap<String, Fields>,
}

#[test]
fn every_case_is_decided_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/rtdb");
    let (mut count, mut failures) = (0, Vec::new());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if !["README.md", "oracle-exceptions.md"].contains(&name) {
            count += run(name, &std::fs::read_to_string(&file).unwrap(), &mut failures);
        }
    }
    println!("{count} checks");
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 50, "the cases were not found");
}

fn run(file: &str, text: &str, failures: &mut Vec<String>) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let (mut section, mut count, mut at): (Option<Section>, usize, usize) = (None, 0, 0);
    while at < lines.len() {
        let Some(kind) = lines[at].strip_prefix("```") else {
            at += 1;
            continue;
        };
        let first = at + 1;
        let end = first + lines[first..].iter().position(|line| *line == "```").unwrap();
        let block = &lines[first..end];
        at = end + 1;
        if kind == "json rules" || kind == "json inner" {
            let rules = block.join("\n");
            let rules = if kind == "json rules" { rules } else { format!("{{\"rules\": {{\n{rules}\n}}}}") };
            let source = Source::new("rules", rules);
            let place = format!("{file}:{first}");
            let compiled = compile(source.clone());
            section = Some(Section { place, source, compiled, data: None, users: BTreeMap::new() });
            continue;
        }
        let section = section.as_mut().unwrap_or_else(|| panic!("{file}:{first}: a block before any rules"));
        let json = || {
            serde_json::from_str::<Json>(&block.join("\n"))
                .unwrap_or_else(|error| panic!("{file}:{first}: {error}"))
        };
        match kind {
            "json data" => section.data = tree(&json()),
            "json users" => {
                let users = json();
                let users = users.as_object().unwrap().iter();
                section.users = users.map(|(name, auth)| (name.clone(), fields(auth))).collect();
            }
            "diagnostics" => {
                count += 1;
                let found = diagnostics(section);
                if found != block {
                    failures.push(format!("{}: diagnostics are\n{}", section.place, found.join("\n")));
                }
            }
            "upload" => {
                count += 1;
                let found = upload_error(&section.source, &section.compiled.diagnostics).unwrap_or_default();
                if found.lines().ne(block.iter().copied()) {
                    failures.push(format!("{}: the upload answers\n{found}", section.place));
                }
            }
            "cases" => {
                for (offset, line) in block.iter().enumerate() {
                    count += 1;
                    if let Err(difference) = case(section, line) {
                        failures.push(format!("{file}:{}: {line}\n    {difference}", first + offset + 1));
                    }
                }
            }
            other => panic!("{file}:{first}: unknown block `{other}`"),
        }
    }
    count
}

fn diagnostics(section: &Section) -> Vec<String> {
    let checked = check(section.source.clone(), Language::Realtime);
    let shown = checked.diagnostics.iter().map(|diagnostic| {
        let report = diagnostic.report(&section.source);
        let severity = report.severity.name();
        format!("{severity}[{}] {}:{} {}", report.code, report.line, report.column, report.message)
    });
    shown.collect()
}

/// `user verb path [JSON] -> allow`, `-> deny` or `-> deny: part of a reason`
fn case(section: &Section, line: &str) -> Result<(), String> {
    let Some(ruleset) = &section.compiled.ruleset else {
        return Err(format!("does not compile: {:?}", section.compiled.diagnostics));
    };
    let (asked, expected) = line.rsplit_once(" -> ").ok_or("no ` -> `")?;
    let mut words = asked.splitn(4, ' ');
    let (user, verb, at) =
        (words.next().ok_or("no user")?, words.next().ok_or("no verb")?, words.next().ok_or("no path")?);
    let details: Json =
        words.next().map_or(Ok(Json::Null), serde_json::from_str).map_err(|error| error.to_string())?;
    let own = fields(&json!({"uid": user, "provider": "password", "token": {}}));
    let auth = (user != "nobody").then(|| section.users.get(user).unwrap_or(&own));
    let at = path(at);
    let asked_query = query(&details);
    let written = tree(&details);
    // An update's keys are paths from the place.
    let paths: Vec<(Vec<&str>, Option<Memory>)> = match (verb, &details) {
        ("update", Json::Object(values)) => {
            let whole = |key| at.iter().copied().chain(path(key)).collect();
            values.iter().map(|(key, value)| (whole(key.as_str()), tree(value))).collect()
        }
        _ => Vec::new(),
    };
    let changes: Vec<Change> = paths
        .iter()
        .map(|(path, value)| Change { path, value: value.as_ref().map(|tree| tree as &dyn Tree) })
        .collect();
    let operation = match verb {
        "read" => Operation::Read { path: &at, query: details.is_object().then_some(&asked_query) },
        "write" => {
            Operation::Write(Change { path: &at, value: written.as_ref().map(|tree| tree as &dyn Tree) })
        }
        "update" => Operation::Update(&changes),
        other => return Err(format!("unknown verb `{other}`")),
    };
    let decision = decide(ruleset, operation, auth, section.data.as_ref());
    let reasons: Vec<String> = decision
        .causes
        .iter()
        .map(|cause| {
            format!("{} (line {}: {}; {})", cause.text, cause.line, cause.expression, cause.observed)
        })
        .collect();
    let (allow, reason) = match expected.split_once(": ") {
        Some((verdict, reason)) => (verdict == "allow", Some(reason)),
        None => (expected == "allow", None),
    };
    if decision.allowed != allow {
        return Err(format!("allowed: {}, because {reasons:#?}", decision.allowed));
    }
    match reason {
        Some(reason) if !reasons.iter().any(|text| text.contains(reason)) => {
            Err(format!("the reasons are {reasons:#?}"))
        }
        _ => Ok(()),
    }
}
