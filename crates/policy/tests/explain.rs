//! What a decision says about itself: position, causes, observed values, documents, cost, the emulator's text, the
//! explanation and the observations behind coverage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::collections::HashMap;

use base::{Fields, Timestamp, Value};
use policy::{
    Auth, Decision, Document, DocumentPath, Limits, Method, Needed, NoDocuments, Query, Request, Ruleset,
    Service, Setting, Source, Step, Trace,
};

const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function isOwner(data) {
      return request.auth.uid == data.owner;
    }
    match /notes/{id} {
      allow get: if false;
      allow read: if request.auth != null
        && isOwner(resource.data);
      allow update: if exists(/databases/$(database)/documents/admins/$(request.auth.uid))
        && getAfter(/databases/$(database)/documents/locks/one).data.open == true;
    }
  }
}
";

fn ruleset() -> Ruleset {
    policy::compile(Source::new("firestore.rules", RULES), Service::Firestore).ruleset.unwrap()
}

fn request<'a>(method: Method, path: &'a [String], uid: Option<&'a str>, token: &'a Fields) -> Request<'a> {
    Request {
        method,
        database: "(default)",
        path,
        auth: uid.map(|uid| Auth { uid, token }),
        time: Timestamp::EPOCH,
        resource: None,
        new_resource: None,
        query: None,
        in_transaction: false,
        setting: Setting::Live,
    }
}

fn decided(step: Step) -> Decision {
    match step {
        Step::Decided(decision) => decision,
        Step::Needs(needs) => panic!("needs {needs:?}"),
    }
}

fn path(text: &str) -> Vec<String> {
    text.split('/').map(str::to_owned).collect()
}

fn owned_by(uid: &str) -> Fields {
    Fields::from([("owner".to_owned(), Value::String(uid.to_owned()))])
}

#[test]
fn a_denial_names_the_failing_part_and_what_was_seen() {
    let (token, note, path) = (Fields::new(), owned_by("bob"), path("notes/1"));
    let mut asked = request(Method::Get, &path, Some("alice"), &token);
    asked.resource = Some(Document { fields: &note });
    let decision = decided(ruleset().decide(&asked, &NoDocuments, &Limits::default(), None));
    assert!(!decision.allowed && decision.by.is_none());
    assert_eq!(decision.emulator_text(Method::Get), "\nfalse for 'get' @ L8, false for 'get' @ L9");
    let cause = &decision.causes[1];
    assert_eq!((cause.allow_line, cause.line, cause.error), (9, 9, false));
    assert_eq!(cause.expression(), "request.auth.uid == data.owner");
    assert_eq!(cause.observed(), "request.auth.uid is 'alice', data.owner is 'bob'");
    assert_eq!(cause.observed_type(), "request.auth.uid is string, data.owner is string");

    let asked = request(Method::Get, &path, Some("alice"), &token);
    let decision = decided(ruleset().decide(&asked, &NoDocuments, &Limits::default(), None));
    let text = "\nfalse for 'get' @ L8, Null value error. for 'get' @ L9";
    assert_eq!(decision.emulator_text(Method::Get), text);
    let cause = &decision.causes[1];
    assert_eq!((cause.line, cause.column, cause.error), (10, 20, true));
    assert_eq!((cause.expression(), cause.observed()), ("resource.data", "resource is null"));
}

#[test]
fn a_grant_names_its_rule_and_its_cost() {
    let (token, note, path) = (Fields::new(), owned_by("alice"), path("notes/1"));
    let mut asked = request(Method::Get, &path, Some("alice"), &token);
    asked.resource = Some(Document { fields: &note });
    let decision = decided(ruleset().decide(&asked, &NoDocuments, &Limits::default(), None));
    let by = decision.by.unwrap();
    assert_eq!((by.line, by.column), (9, 7));
    assert_eq!(decision.emulator_text(Method::Get), "");
    assert!(decision.cost.expressions > 5 && decision.cost.reads == 0 && decision.causes.is_empty());
}

#[test]
fn nothing_that_matches_is_said_so() {
    let (token, path) = (Fields::new(), path("elsewhere/1"));
    let asked = request(Method::Get, &path, None, &token);
    let decision = decided(ruleset().decide(&asked, &NoDocuments, &Limits::default(), None));
    assert_eq!(decision.emulator_text(Method::Get), "\nNo matching allow statements");
}

#[test]
fn both_documents_are_asked_for_at_once_and_reported() {
    let (token, note, path) = (Fields::new(), owned_by("bob"), path("notes/1"));
    let mut asked = request(Method::Update, &path, Some("alice"), &token);
    (asked.resource, asked.new_resource) =
        (Some(Document { fields: &note }), Some(Document { fields: &note }));
    let needed = |segments: &[&str], after| Needed { path: DocumentPath::new("(default)", segments), after };
    let (admin, lock) = (needed(&["admins", "alice"], false), needed(&["locks", "one"], true));
    let mut known: HashMap<Needed, Option<Fields>> = HashMap::new();
    match ruleset().decide(&asked, &known, &Limits::default(), None) {
        Step::Needs(needs) => assert_eq!(needs, [admin.clone(), lock.clone()]),
        Step::Decided(decision) => panic!("{decision:?}"),
    }
    known.insert(admin.clone(), Some(Fields::new()));
    known.insert(lock.clone(), Some(Fields::from([("open".to_owned(), Value::Bool(true))])));
    let decision = decided(ruleset().decide(&asked, &known, &Limits::default(), None));
    assert!(decision.allowed);
    assert_eq!(decision.documents.as_slice(), [admin.path.clone(), lock.path]);
    assert_eq!(decision.cost.reads, 2);
    // The first is enough to deny: what would have been read after it is not reported.
    known.insert(admin.clone(), None);
    let decision = decided(ruleset().decide(&asked, &known, &Limits::default(), None));
    assert!(!decision.allowed);
    assert_eq!(decision.documents.as_slice(), [admin.path]);
}

#[test]
fn a_query_is_told_the_constraint_it_lacks() {
    let (token, path, query) = (Fields::new(), path("notes"), Query::default());
    let mut asked = request(Method::List, &path, Some("alice"), &token);
    asked.query = Some(&query);
    let decision = decided(ruleset().decide(&asked, &NoDocuments, &Limits::default(), None));
    let text = "\nProperty owner is undefined on object. for 'list' @ L9";
    assert_eq!(decision.emulator_text(Method::List), text);
    let help = "rules are not filters: add `.where('owner', '==', request.auth.uid)` to the query";
    assert_eq!(decision.causes[0].help.as_deref(), Some(help));
}

#[test]
fn a_trace_explains_every_expression_and_counts_for_coverage() {
    let (token, note, path) = (Fields::new(), owned_by("bob"), path("notes/1"));
    let mut asked = request(Method::Get, &path, Some("alice"), &token);
    asked.resource = Some(Document { fields: &note });
    let ruleset = ruleset();
    let mut trace = Trace::default();
    decided(ruleset.decide(&asked, &NoDocuments, &Limits::default(), Some(&mut trace)));
    let expected = "\
firestore.rules:8:7: allow does not grant
  false  →  false
firestore.rules:9:7: allow does not grant
  request.auth != null && isOwner(resource.data)  →  false
    request.auth != null  →  true
      request.auth  →  {token: {}, uid: 'alice'}
      null  →  null
    isOwner(resource.data)  →  false
      resource.data  →  {owner: 'bob'}
      request.auth.uid == data.owner  →  false
        request.auth.uid  →  'alice'
        data.owner  →  'bob'
";
    assert_eq!(trace.explain(ruleset.source()), expected);
    let observations = trace.observations();
    let owner = observations.iter().find(|seen| ruleset.source().slice(seen.span) == "data.owner").unwrap();
    assert_eq!((owner.value.as_str(), owner.count), ("'bob'", 1));
    assert!(serde_json::to_value(&trace).unwrap()["candidates"][1]["condition"]["ending"] == "false");
}

#[test]
fn a_ruleset_knows_its_text() {
    let ruleset = ruleset();
    assert_eq!(&*ruleset.source().text, RULES);
    assert_eq!(ruleset.fingerprint().len(), 64);
    assert_eq!((ruleset.service(), ruleset.version()), (Service::Firestore, policy::rules::Version::Two));
}
