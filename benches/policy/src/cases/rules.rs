//! Firestore rules: what most rules are made of.

use std::collections::HashMap;

use base::{Fields, Timestamp};
use policy::{
    Auth, Constraint, Document, DocumentPath, Limits, Method, Needed, Operator, Query, Request, Ruleset,
    Service, Setting, Source, Step,
};

use super::data::{fields, text};
use crate::{Case, Subject, keep};

pub const RULES: &str = r"
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function signedIn() { return request.auth != null; }
    match /claims/{id} { allow read: if request.auth.token.role == 'moderator'; }
    match /users/{uid} { allow read: if request.auth.uid == uid; }
    match /notes/{id} { allow read: if signedIn() && resource.data.owner == request.auth.uid; }
    match /projects/{project}/tasks/{task} {
      allow read: if request.auth != null &&
        get(/databases/$(database)/documents/projects/$(project)).data.owner == request.auth.uid;
    }
    match /posts/{id} {
      allow update: if request.resource.data.diff(resource.data).affectedKeys().hasOnly(['title', 'text']) &&
        request.resource.data.title.matches('[A-Za-z ]{1,40}');
    }
  }
}
";

pub fn ruleset(text: &str) -> Ruleset {
    let compiled = policy::compile(Source::new("bench.rules", text), Service::Firestore);
    compiled.ruleset.unwrap_or_else(|| panic!("the rules do not compile: {:?}", compiled.diagnostics))
}

/// A request and the documents read for it.
#[derive(Clone, Copy)]
pub struct Asked {
    pub request: &'static Request<'static>,
    pub documents: &'static HashMap<Needed, Option<Fields>>,
    pub limits: &'static Limits,
}

impl Asked {
    pub fn allowed(self, ruleset: &Ruleset) -> bool {
        let request = std::hint::black_box(self.request);
        match ruleset.decide(request, self.documents, self.limits, None) {
            Step::Decided(decision) => decision.allowed,
            Step::Needs(_) => panic!("a document is missing"),
        }
    }
}

/// Alice, a moderator who owns a project, asks.
pub fn asked(method: Method, path: &'static [&'static str]) -> Asked {
    let token = keep(fields([
        ("role", text("moderator")),
        ("email", text("alice@example.com")),
        ("email_verified", base::Value::Bool(true)),
        ("name", text("Alice")),
        ("sub", text("alice")),
    ]));
    let now = keep(fields([
        ("owner", text("alice")),
        ("title", text("a title")),
        ("text", text("words")),
        ("tags", base::Value::Array(vec![text("a"), text("b")])),
    ]));
    let mut changed = now.clone();
    changed.insert("title".to_owned(), text("another"));
    let query = keep(Query {
        alternatives: vec![vec![Constraint {
            field: vec!["owner".to_owned()],
            op: Operator::Eq,
            value: text("alice"),
        }]],
        ..Query::default()
    });
    let project = DocumentPath::new("(default)", ["projects", "apollo"]);
    let owner = fields([("owner", text("alice")), ("name", text("Apollo"))]);
    let path: Vec<String> = path.iter().map(|segment| (*segment).to_owned()).collect();
    let request = Request {
        method,
        database: "(default)",
        path: keep(path),
        auth: Some(Auth { uid: "alice", token }),
        time: Timestamp::EPOCH,
        resource: Some(Document { fields: now }),
        new_resource: method.is_write().then_some(Document { fields: keep(changed) }),
        query: (method == Method::List).then_some(query),
        in_transaction: false,
        setting: Setting::Live,
    };
    Asked {
        request: keep(request),
        documents: keep(HashMap::from([(Needed { path: project, after: false }, Some(owner))])),
        limits: keep(Limits::default()),
    }
}

pub fn hearth(includes: &'static str, allowed: bool, asked: Asked) -> Subject {
    let ruleset = keep(ruleset(RULES));
    Subject::new("hearth", includes, allowed, move || asked.allowed(ruleset))
}

pub fn cases() -> Vec<Case> {
    let includes = "match, decision, its position";
    let own = |name, method, path, allowed| {
        Case::new("Firestore rules", name, vec![hearth(includes, allowed, asked(method, path))])
    };
    vec![
        Case {
            aim_allocations: Some(0),
            aim_ns: Some(1000),
            ..own("the path's uid", Method::Get, &["users", "alice"], true)
        },
        Case {
            aim_allocations: Some(0),
            aim_ns: Some(1000),
            ..own("the owner field, by a function", Method::Get, &["notes", "n"], true)
        },
        own("the same as a list query", Method::List, &["notes"], true),
        own("diff and a pattern", Method::Update, &["posts", "p"], true),
        Case::new(
            "Firestore rules",
            "a denial, with its reasons",
            vec![hearth(
                "match, decision, its reasons as text",
                false,
                asked(Method::Get, &["users", "bob"]),
            )],
        ),
    ]
}
