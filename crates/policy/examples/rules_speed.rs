//! Prints what deciding costs: nanoseconds per decision. Run with
//! `cargo run --release -p policy --example rules_speed`.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use base::{Fields, Timestamp, Value};
use policy::{
    Auth, Constraint, Document, DocumentPath, Limits, Method, Needed, Operator, Query, Request, Service,
    Setting, Source, Step,
};

const RULES: &str = r"
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function signedIn() { return request.auth != null; }
    function member(room) {
      return exists(/databases/$(database)/documents/rooms/$(room)/members/$(request.auth.uid));
    }
    match /partner/{id} { allow read: if request.auth != null && request.auth.token.role == 'partner'; }
    match /notes/{id} { allow read: if signedIn() && resource.data.owner == request.auth.uid; }
    match /users/{uid} { allow read: if request.auth.uid == uid; }
    match /rooms/{room} { allow read: if member(room); }
    match /posts/{id} {
      allow update: if request.resource.data.diff(resource.data).affectedKeys().hasOnly(['title', 'text']) &&
        request.resource.data.title.matches('[A-Za-z ]{1,40}');
    }
  }
}
";

const ROUNDS: u32 = 5_000;
const BATCHES: usize = 100;

fn main() {
    let begun = Instant::now();
    let compiled = policy::compile(Source::new("speed.rules", RULES), Service::Firestore);
    let Some(ruleset) = compiled.ruleset else { return };
    println!("compile {:>6} µs", begun.elapsed().as_micros());

    let text = |value: &str| Value::String(value.to_owned());
    let token = Fields::from([("role".to_owned(), text("partner")), ("email".to_owned(), text("a@b.c"))]);
    let fields = Fields::from([
        ("owner".to_owned(), text("alice")),
        ("title".to_owned(), text("a title")),
        ("text".to_owned(), text("words")),
    ]);
    let mut changed = fields.clone();
    changed.insert("title".to_owned(), text("another"));
    let query = Query {
        alternatives: vec![vec![Constraint {
            field: vec!["owner".to_owned()],
            op: Operator::Eq,
            value: text("alice"),
        }]],
        ..Query::default()
    };
    let path = DocumentPath::new("(default)", ["rooms", "r", "members", "alice"]);
    let known = HashMap::from([(Needed { path, after: false }, Some(Fields::new()))]);
    let limits = Limits::default();

    let cases: [(&str, Method, &[&str]); 6] = [
        ("a claim", Method::Get, &["partner", "x"]),
        ("the owner field", Method::Get, &["notes", "x"]),
        ("the path's uid", Method::Get, &["users", "alice"]),
        ("a cached exists()", Method::Get, &["rooms", "r"]),
        ("diff and a pattern", Method::Update, &["posts", "x"]),
        ("a list query", Method::List, &["notes"]),
    ];
    for (name, method, path) in cases {
        let path: Vec<String> = path.iter().map(|segment| (*segment).to_owned()).collect();
        let request = Request {
            method,
            database: "(default)",
            path: &path,
            auth: Some(Auth { uid: "alice", token: &token }),
            time: Timestamp::EPOCH,
            resource: Some(Document { fields: &fields }),
            new_resource: method.is_write().then_some(Document { fields: &changed }),
            query: (method == Method::List).then_some(&query),
            in_transaction: false,
            setting: Setting::Live,
        };
        let decide = || match ruleset.decide(black_box(&request), &known, &limits, None) {
            Step::Decided(decision) => decision.allowed,
            Step::Needs(_) => false,
        };
        assert!(decide(), "{name} is denied");
        // The best of several batches: other work on the machine only ever adds.
        let batch = || {
            let begun = Instant::now();
            for _ in 0..ROUNDS {
                black_box(decide());
            }
            begun.elapsed().as_nanos() / u128::from(ROUNDS)
        };
        let best = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
        println!("{name:<20} {best:>6} ns");
    }
}
