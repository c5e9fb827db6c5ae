//! The theorem behind list queries: when a query is allowed, `get` is allowed by the same condition for every document
//! the query can return.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod depends;
mod engine;
mod generate;
mod related;

use std::cell::Cell;

use base::{Fields, Timestamp, Value};
use engine::{fitted, returns};
use generate::{conditions, documents, queries, query_conditions, text};
use policy::{
    Auth, Decision, Document, Limits, Lookup, Method, Query, Request, Ruleset, Service, Setting, Source, Step,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What there is: one document that the query may be about, and some that rules look up: those with an `a` in their id.
struct Shelf<'d> {
    document: Option<(&'d str, &'d Fields)>,
    others: Fields,
}

impl policy::Documents for Shelf<'_> {
    fn document(&self, need: &policy::Need<'_>) -> Lookup<'_> {
        match (need.path.path(), self.document) {
            (path, _) if path.strip_prefix("d/").is_some_and(|id| id.contains('a') && !id.contains('/')) => {
                Lookup::Found(&self.others)
            }
            (path, Some((place, fields))) if path == place => Lookup::Found(fields),
            _ => Lookup::Missing,
        }
    }
}

fn compile(condition: &str) -> Ruleset {
    let text = format!(
        "rules_version = '2'; service cloud.firestore {{ match /databases/{{db}}/documents {{\n\
         function f(data) {{ let v = data.a; return v == 1 || v == 'a'; }}\n\
         function g(v) {{ return v != null && v >= 1; }}\n\
         function h() {{ let d = resource.data; let m = d.m; return m.x == 1 || d.b == request.auth.uid; }}\n\
         match /{{path=**}}/c/{{id}} {{ allow read: if {condition}; }} }} }}"
    );
    let compiled = policy::compile(Source::new("r", text), Service::Firestore);
    compiled.ruleset.unwrap_or_else(|| panic!("{condition}: {:?}", compiled.diagnostics))
}

/// A decision about one request of a user, or of nobody, at a second.
fn decide_as(
    ruleset: &Ruleset,
    path: &str,
    query: Option<&Query>,
    resource: Option<&Fields>,
    documents: &dyn policy::Documents,
    signed_in: bool,
    seconds: i64,
) -> Decision {
    let token = Fields::from([("level".to_owned(), Value::Integer(1)), ("role".to_owned(), text("editor"))]);
    let path: Vec<String> = path.split('/').map(str::to_owned).collect();
    let request = Request {
        method: if query.is_some() { Method::List } else { Method::Get },
        database: "(default)",
        path: &path,
        auth: signed_in.then_some(Auth { uid: "a", token: &token }),
        time: Timestamp { seconds, nanos: 0 },
        resource: resource.map(|fields| Document { fields }),
        new_resource: None,
        query,
        in_transaction: false,
        setting: Setting::Live,
    };
    match ruleset.decide(&request, documents, &Limits::default(), None) {
        Step::Decided(decision) => decision,
        Step::Needs(needs) => panic!("asks for {needs:?}, which is known"),
    }
}

fn decide(
    ruleset: &Ruleset,
    path: &str,
    query: Option<&Query>,
    document: Option<(&str, &Fields)>,
) -> Decision {
    let shelf = Shelf { document, others: Fields::from([("n".to_owned(), Value::Integer(1))]) };
    let resource = document.filter(|_| query.is_none()).map(|(_, fields)| fields);
    decide_as(ruleset, path, query, resource, &shelf, true, 5)
}

/// What a condition about the query alone is worth: to a `get` it is put as this constant.
fn worth(condition: &str, query: &Query, path: &str) -> &'static str {
    let holds = |condition: &str| decide(&compile(condition), path, Some(query), None).allowed;
    match (holds(condition), holds(&format!("!({condition})"))) {
        (true, _) => "true",
        (_, true) => "false",
        _ => "(1 / 0 == 1)",
    }
}

#[test]
fn a_proven_query_returns_nothing_that_get_would_refuse() {
    let (proven, named, returned) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = Config { cases: 12_000, failure_persistence: None, ..Config::default() };
    let pairs = prop_oneof![1 => (conditions(), queries()), 3 => related::pairs()];
    let inputs = (pairs, query_conditions(), prop::collection::vec(documents(), 12));
    let outcome =
        TestRunner::new(config).run(&inputs, |((condition, (query, path)), of_query, documents)| {
            let lists = compile(&condition.replace("QUERY", of_query));
            let mut gets: Option<Ruleset> = None;
            let mut proves = false;
            let mut once: Option<Decision> = None;
            for (place, fields) in [fitted(&query, &documents), documents].concat() {
                // A query that names documents is decided by them, any other once, whatever there is.
                let decision = match &once {
                    Some(decision) => decision,
                    None => &decide(&lists, path, Some(&query), Some((place, &fields))),
                };
                let looks = decision.documents.iter().any(|document| document.segments().next() != Some("d"));
                if !decision.allowed && !looks {
                    break;
                }
                let is_found =
                    decision.allowed && returns(&query, path, place, &fields, decision.exact_match_only);
                if !looks && once.is_none() {
                    once = Some(decision.clone());
                }
                if !is_found {
                    continue;
                }
                proves = true;
                named.set(named.get() + usize::from(looks));
                returned.set(returned.get() + 1);
                let gets = gets.get_or_insert_with(|| {
                    compile(&condition.replace("QUERY", worth(of_query, &query, path)))
                });
                prop_assert!(
                    decide(gets, place, None, Some((place, &fields))).allowed,
                    "{condition} ({of_query})\n{path} {query:?}\nreturns {place} {fields:?}"
                );
            }
            proven.set(proven.get() + usize::from(proves));
            Ok(())
        });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (proven, named, returned) = (proven.get(), named.get(), returned.get());
    println!("{proven} queries proven, {returned} documents checked, {named} of them by their name");
    assert!(
        proven > 900 && named > 50 && returned > 5000,
        "{proven} {named} {returned}: the test proves nothing"
    );
}
