//! What a decision says it depended on: enough for a listener to know when to decide again.

use std::cell::Cell;

use base::{Fields, Timestamp, Value};
use policy::{
    Auth, Constraint, Decision, Document, DocumentPath, Lookup, Method, Needed, Operator, Query, Request,
    Ruleset, Service, Setting, Source, Step,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::generate::{conditions, documents, queries, query_conditions, text};
use crate::{Shelf, compile, decide_as};

/// The same documents where the decision looked, others everywhere else.
struct Changed<'d> {
    shelf: &'d Shelf<'d>,
    looked_at: &'d [DocumentPath],
    other: Fields,
}

impl policy::Documents for Changed<'_> {
    fn document(&self, need: &policy::Need<'_>) -> Lookup<'_> {
        let found = self.shelf.document(need);
        if self.looked_at.contains(&need.path) {
            return found;
        }
        match found {
            Lookup::Found(_) => Lookup::Missing,
            _ => Lookup::Found(&self.other),
        }
    }
}

#[test]
fn what_a_decision_did_not_depend_on_does_not_change_it() {
    let (kept, denied) = (Cell::new(0), Cell::new(0));
    let config = Config { cases: 6_000, failure_persistence: None, ..Config::default() };
    let inputs = (conditions(), query_conditions(), queries(), documents(), any::<bool>());
    let outcome = TestRunner::new(config).run(
        &inputs,
        |(condition, of_query, (query, path), (place, fields), lists)| {
            let ruleset = compile(&condition.replace("QUERY", of_query));
            let others = Fields::from([("n".to_owned(), Value::Integer(1))]);
            let shelf = Shelf { document: Some((place, &fields)), others };
            let (path, query) = if lists { (path, Some(&query)) } else { (place, None) };
            let resource = Some(&fields).filter(|_| !lists);
            let first = decide_as(&ruleset, path, query, resource, &shelf, true, 5);
            let changed = Changed {
                shelf: &shelf,
                looked_at: &first.documents,
                other: Fields::from([("n".to_owned(), text("b"))]),
            };
            let (signed_in, time) = (first.depends.auth, if first.depends.time { 5 } else { 50 });
            let second = decide_as(&ruleset, path, query, resource, &changed, signed_in, time);
            prop_assert_eq!(
                (first.allowed, &first.documents, first.depends),
                (second.allowed, &second.documents, second.depends),
                "{} ({})\n{} {:?}\n{} {:?}",
                condition,
                of_query,
                path,
                query,
                place,
                fields
            );
            if first.documents.is_empty() || first.depends.auth || first.depends.time {
                kept.set(kept.get() + 1);
            }
            denied.set(denied.get() + usize::from(!first.allowed && !first.documents.is_empty()));
            Ok(())
        },
    );
    if let Err(error) = outcome {
        panic!("{error}");
    }
    println!("{} decisions, {} denials that read documents", kept.get(), denied.get());
    assert!(denied.get() > 100, "{denied:?}: the test proves nothing");
}

fn decided(condition: &str, alternatives: Vec<Vec<Constraint>>, known: &[(&str, i64)]) -> Decision {
    let text = format!(
        "rules_version = '2'; service cloud.firestore {{ match /databases/{{db}}/documents {{\n\
         match /c/{{id}} {{ allow list: if {condition}; }} }} }}"
    );
    let ruleset: Ruleset = policy::compile(Source::new("r", text), Service::Firestore).ruleset.unwrap();
    let known = known.iter().map(|(path, rank)| {
        let path = DocumentPath::new("(default)", path.split('/'));
        (Needed { path, after: false }, Some(Fields::from([("rank".to_owned(), Value::Integer(*rank))])))
    });
    let mut known: std::collections::HashMap<Needed, Option<Fields>> = known.collect();
    let query = Query { alternatives, ..Query::default() };
    let path = ["c".to_owned()];
    let token = Fields::new();
    loop {
        let request = Request {
            method: Method::List,
            database: "(default)",
            path: &path,
            auth: Some(Auth { uid: "alice", token: &token }),
            time: Timestamp::EPOCH,
            resource: None::<Document<'_>>,
            new_resource: None,
            query: Some(&query),
            in_transaction: false,
            setting: Setting::Live,
        };
        match ruleset.decide(&request, &known, &policy::Limits::default(), None) {
            Step::Decided(decision) => return decision,
            Step::Needs(needs) => known.extend(needs.into_iter().map(|need| (need, None))),
        }
    }
}

fn team(values: &[&str]) -> Vec<Vec<Constraint>> {
    let values = Value::Array(values.iter().map(|value| text(value)).collect());
    vec![vec![Constraint { field: vec!["team".to_owned()], op: Operator::In, value: values }]]
}

fn paths(decision: &Decision) -> Vec<String> {
    decision.documents.iter().map(|path| path.path().to_owned()).collect()
}

const BY_TEAM: &str = "get(/databases/$(db)/documents/teams/$(resource.data.team)).data.rank == 1";

#[test]
fn a_granted_query_names_the_document_of_every_alternative() {
    let decision = decided(BY_TEAM, team(&["a", "b"]), &[("teams/a", 1), ("teams/b", 1)]);
    assert!(decision.allowed);
    assert_eq!(paths(&decision), ["teams/a", "teams/b"]);
    assert!(!decision.depends.auth && !decision.depends.time);
}

#[test]
fn a_denied_query_names_what_denied_it_missing_documents_too() {
    let decision = decided(BY_TEAM, team(&["a", "b"]), &[("teams/a", 2), ("teams/b", 1)]);
    assert!(!decision.allowed);
    assert!(paths(&decision).contains(&"teams/a".to_owned()));
    let decision = decided(BY_TEAM, team(&["a", "b"]), &[("teams/a", 1)]);
    assert!(!decision.allowed);
    assert_eq!(paths(&decision), ["teams/a", "teams/b"]);
}

#[test]
fn a_query_that_names_its_documents_depends_on_them() {
    let name = |id: &str| Value::Reference(format!("projects/p/databases/(default)/documents/c/{id}"));
    let names = Constraint {
        field: vec!["__name__".to_owned()],
        op: Operator::In,
        value: Value::Array(vec![name("x"), name("y")]),
    };
    let decision = decided("resource.data.rank == 1", vec![vec![names.clone()]], &[("c/x", 1), ("c/y", 1)]);
    assert!(decision.allowed);
    assert_eq!(paths(&decision), ["c/x", "c/y"]);
    assert_eq!(decision.cost.reads, 0, "they are the result, not reads of the rules");
    let decision = decided("resource.data.rank == 1", vec![vec![names]], &[("c/x", 1)]);
    assert!(!decision.allowed);
    assert_eq!(paths(&decision), ["c/x", "c/y"]);
}

#[test]
fn the_caller_and_the_time_are_told_apart() {
    for (condition, auth, time) in [
        ("true", false, false),
        ("request.method == 'list'", false, false),
        ("request.auth != null", true, false),
        ("request.auth.uid == 'bob'", true, false),
        ("request.time > timestamp.date(2000, 1, 1)", false, true),
        ("true || request.auth != null", false, false),
        ("false && request.time != null", false, false),
        ("request.auth != null && request.time != null", true, true),
        ("request.keys().size() > 0", true, true),
        ("request.get('time', 0) == 0", false, true),
    ] {
        let decision = decided(condition, Vec::new(), &[]);
        assert_eq!((decision.depends.auth, decision.depends.time), (auth, time), "{condition}");
    }
}
