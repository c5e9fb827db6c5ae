//! Runs every markdown file below `cases/` through the evaluator and the query proof.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod format;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base::Fields;
use format::{Case, Section};
use policy::{
    Auth, Decision, Document, DocumentPath, Limits, Method, Needed, Request, Ruleset, Service, Setting,
    Source, Step, Trace,
};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

fn document_path(path: &[String]) -> DocumentPath {
    DocumentPath { database: "(default)".to_owned(), segments: path.to_vec() }
}

/// What the commit of this one write leaves.
fn after(case: &Case, existing: Option<&Fields>) -> Option<Fields> {
    match case.method {
        Method::Create | Method::Update => Some(case.data.clone().unwrap_or_default()),
        Method::Delete => None,
        Method::Get | Method::List => existing.cloned(),
    }
}

fn decide(section: &Section, ruleset: &Ruleset, case: &Case) -> Decision {
    let empty = Fields::new();
    let auth =
        case.user.as_ref().map(|user| Auth { uid: user, token: section.users.get(user).unwrap_or(&empty) });
    let key = format!("/{}", case.path.join("/"));
    let own = match section.service {
        Service::Firestore => section.documents.get(&key),
        Service::Storage => section.objects.get(&key),
    };
    let new = case.method.is_write().then(|| after(case, own)).flatten();
    let query = (section.service == Service::Firestore).then_some(case.query.as_ref()).flatten();
    let request = Request {
        method: case.method,
        database: if section.service == Service::Firestore { "(default)" } else { "demo.appspot.com" },
        path: &case.path,
        auth,
        time: section.time,
        resource: own.filter(|_| query.is_none()).map(|fields| Document { fields }),
        new_resource: new.as_ref().map(|fields| Document { fields }),
        query,
        in_transaction: false,
        setting: Setting::Live,
    };
    // Nothing is known at first: the rules must ask for each document.
    let mut known: HashMap<Needed, Option<Fields>> = HashMap::new();
    let limits = Limits::default();
    for _ in 0..50 {
        let step = ruleset.decide(&request, &known, &limits, None);
        let mut trace = Trace::default();
        let traced = ruleset.decide(&request, &known, &limits, Some(&mut trace));
        match (step, traced) {
            (Step::Decided(decision), Step::Decided(traced)) => {
                assert_eq!(decision.allowed, traced.allowed, "{}: observing changes the verdict", case.text);
                assert_eq!(decision.causes, traced.causes, "{}: observing changes the causes", case.text);
                return decision;
            }
            // The first grant ends it without a trace; with one, everything is evaluated.
            (Step::Decided(decision), Step::Needs(_)) if decision.allowed => return decision,
            (Step::Needs(needs), Step::Needs(_)) => {
                assert!(!needs.is_empty(), "{}: needs nothing", case.text);
                for need in needs {
                    let key = format!("/{}", need.path.segments.join("/"));
                    let now = section.documents.get(&key).cloned();
                    let is_own =
                        section.service == Service::Firestore && need.path == document_path(&case.path);
                    let state = if need.after && is_own { after(case, now.as_ref()) } else { now };
                    assert!(known.insert(need, state).is_none(), "{}: asks twice", case.text);
                }
            }
            (step, traced) => panic!("{}: observing changes the step: {step:?} {traced:?}", case.text),
        }
    }
    panic!("{}: never decides", case.text)
}

fn check_case(section: &Section, ruleset: &Ruleset, case: &Case) -> Result<(), String> {
    let decision = decide(section, ruleset, case);
    let causes: Vec<&str> = decision.causes.iter().map(|cause| cause.text.as_str()).collect();
    if decision.allowed != case.allow {
        let verdict = if decision.allowed { "allowed" } else { "denied" };
        return Err(format!("is {verdict}: {causes:?}"));
    }
    match &case.cause {
        Some(cause) if !causes.iter().any(|text| text.to_lowercase().contains(&cause.to_lowercase())) => {
            Err(format!("is denied because of {causes:?}"))
        }
        _ => Ok(()),
    }
}

#[test]
fn every_case_is_decided_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut paths = Vec::new();
    files(&root.join("rules"), &mut paths);
    paths.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for section in format::read(&name, &fs::read_to_string(&path).unwrap()) {
            count += check_section(&section, &mut failures);
        }
    }
    println!("{count} checks");
    assert!(failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 300, "the cases were not found");
}

fn check_section(section: &Section, failures: &mut Vec<String>) -> usize {
    let place = format!("{}:{}", section.file, section.line);
    let compiled = policy::compile(Source::new(place.as_str(), section.rules.as_str()), section.service);
    let mut count = 0;
    if let Some(expected) = &section.diagnostics {
        count += 1;
        let found: Vec<String> = compiled
            .diagnostics
            .iter()
            .map(|diagnostic| {
                let report = diagnostic.report(&Source::new("", section.rules.as_str()));
                let severity = if report.severity == policy::Severity::Error { "error" } else { "warning" };
                let line = report.line.saturating_sub(section.lines_before);
                format!("{severity}[{}] {line}:{} {}", report.code, report.column, report.message)
            })
            .collect();
        if &found != expected {
            failures.push(format!("{place}: diagnostics are\n{}", found.join("\n")));
        }
    }
    let Some(ruleset) = compiled.ruleset else {
        if !section.cases.is_empty() || section.diagnostics.is_none() {
            failures.push(format!("{place}: does not compile: {:?}", compiled.diagnostics));
        }
        return count;
    };
    for case in &section.cases {
        count += 1;
        if let Err(difference) = check_case(section, &ruleset, case) {
            failures.push(format!("{}:{}: {}\n    {difference}", section.file, case.line, case.text));
        }
    }
    count
}
