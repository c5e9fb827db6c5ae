//! Entry points for fuzzers and property tests: any text goes in, nothing panics, nothing runs long.

use base::{Fields, Timestamp, Value};

use crate::diagnostic::render;
use crate::meter::Limits;
use crate::request::{Auth, Document, Method, NoDocuments, Query, Request, Setting};
use crate::rules::{Service, compile};
use crate::source::Source;
use crate::trace::Trace;

/// Compiles a text as rules, renders what is told about it, and decides one request of each kind. Returns how many
/// were allowed.
pub fn rules(text: &str) -> usize {
    let mut allowed = 0;
    for service in [Service::Firestore, Service::Storage] {
        let source = Source::new("fuzz.rules", text);
        let compiled = compile(source.clone(), service);
        render(&source, &compiled.diagnostics, false);
        let Some(ruleset) = compiled.ruleset else { continue };
        let fields = Fields::from([
            ("a".to_owned(), Value::Integer(1)),
            ("b".to_owned(), Value::Array(vec![Value::String("x".to_owned()), Value::Double(f64::NAN)])),
            ("c".to_owned(), Value::Map(Fields::from([("d".to_owned(), Value::Null)]))),
        ]);
        let document = Document { fields: &fields };
        let query = Query { limit: Some(1), ..Query::default() };
        for method in Method::ALL {
            let path = if method == Method::List {
                vec!["a".to_owned()]
            } else {
                vec!["a".to_owned(), "b".to_owned()]
            };
            let request = Request {
                method,
                database: "(default)",
                path: &path,
                auth: Some(Auth { uid: "u", token: &fields }),
                time: Timestamp::EPOCH,
                resource: Some(document),
                new_resource: method.is_write().then_some(document),
                query: (method == Method::List).then_some(&query),
                in_transaction: false,
                setting: Setting::Live,
            };
            let mut trace = Trace::default();
            let step = ruleset.decide(&request, &NoDocuments, &Limits::default(), Some(&mut trace));
            trace.explain(ruleset.source());
            trace.observations();
            if let crate::decision::Step::Decided(decision) = step {
                allowed += usize::from(decision.allowed);
            }
        }
    }
    allowed
}

/// Compiles a text as Bolt, renders what is told about it, and decides with its rules, explained in the Bolt text. Returns
/// whether it compiles.
pub fn bolt(text: &str) -> bool {
    let source = Source::new("fuzz.bolt", text);
    let checked = crate::check::check(source.clone(), crate::check::Language::Bolt);
    render(&source, &checked.diagnostics, false);
    let compiled = crate::bolt::compile(source);
    if let Some(ruleset) = &compiled.ruleset {
        decide(ruleset);
    }
    compiled.json.is_some()
}

/// Compiles a text as Realtime Database rules, renders what is told about it, and decides a read, a write, a deletion
/// and an update. Returns how many were allowed.
pub fn rtdb(text: &str) -> usize {
    let source = Source::new("fuzz.json", text);
    let compiled = crate::rtdb::compile(source.clone());
    render(&source, &compiled.diagnostics, false);
    crate::rtdb::upload_error(&source, &compiled.diagnostics);
    compiled.ruleset.as_ref().map_or(0, decide)
}

fn decide(ruleset: &crate::rtdb::Ruleset) -> usize {
    use crate::rtdb::{Change, Memory, Observe, Operation, Request, Tree, limits};

    let inner = Fields::from([
        ("b".to_owned(), Value::Integer(1)),
        ("c".to_owned(), Value::String("x".to_owned())),
        ("uid".to_owned(), Value::String("u".to_owned())),
    ]);
    let fields = Fields::from([
        ("a".to_owned(), Value::Map(inner.clone())),
        ("uid".to_owned(), Value::String("u".to_owned())),
        ("token".to_owned(), Value::Map(inner)),
    ]);
    let memory = Memory::new(&Value::Map(fields.clone()));
    let tree = memory.as_ref().map(|tree| tree as &dyn Tree);
    let changes = [Change { path: &["a", "b"], value: tree }, Change { path: &["a", "d"], value: None }];
    let operations = [
        Operation::Read { path: &["a", "b"], query: None },
        Operation::Write(Change { path: &["x"], value: tree }),
        Operation::Write(Change { path: &["a"], value: None }),
        Operation::Update(&changes),
    ];
    let mut allowed = 0;
    for operation in operations {
        let request = Request { operation, auth: Some(&fields), now_ms: 0 };
        let (mut trace, mut touched) = (Trace::default(), std::collections::BTreeSet::new());
        let observe = Observe { trace: Some(&mut trace), touched: Some(&mut touched) };
        let decision = ruleset.decide(&request, tree, &limits(), observe);
        trace.explain(ruleset.source());
        allowed += usize::from(decision.allowed);
    }
    allowed
}

/// Runs the static checks of every language over a text and renders what they tell. Returns how much that is.
pub fn checks(text: &str) -> usize {
    use crate::check::{Language, check, together};
    let languages =
        [Language::Firestore, Language::Storage, Language::Realtime, Language::Bolt, Language::Cel];
    let mut project = languages.map(|language| check(Source::new("fuzz", text), language));
    together(&mut project);
    for checked in &project {
        render(&checked.source, &checked.diagnostics, false);
    }
    project.iter().map(|checked| checked.diagnostics.len()).sum()
}
