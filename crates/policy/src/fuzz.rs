//! Entry points for fuzzers and property tests: any text goes in, nothing panics, nothing runs long.

use base::{Fields, Timestamp, Value};

use crate::decision::Step;
use crate::diagnostic::render;
use crate::document::Need;
use crate::meter::Limits;
use crate::request::{
    Auth, Document, Documents, Lookup, Method, NoDocuments, Query, Request, Scope, Setting,
};
use crate::rules::{Service, compile};
use crate::source::Source;
use crate::trace::Trace;
use crate::value::{Constraint, Operator};

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

/// Choices, made by the bits of a number.
struct Choices(u64);

impl Choices {
    /// One of so many, a few at most.
    fn of(&mut self, count: u64) -> usize {
        let choice = self.0 % count;
        self.0 /= count;
        usize::try_from(choice).unwrap_or_default()
    }

    fn from<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.of(all.len().max(1) as u64)).cloned()
    }
}

/// Documents that are there, missing, or not known yet, by their last segment.
struct SomeDocuments<'f>(&'f Fields, bool);

impl Documents for SomeDocuments<'_> {
    fn document(&self, need: &Need<'_>) -> Lookup<'_> {
        match need.path.segments().next_back() {
            Some("b" | "u") => Lookup::Found(self.0),
            Some("x") if self.1 => Lookup::Unknown,
            _ => Lookup::Missing,
        }
    }
}

/// Compiles a text as rules, or as a condition where it is no file, and decides a request made of `seed`, observed and
/// not. Panics when the two differ. Returns whether it was allowed.
pub fn rules_agree(seed: u64, text: &str) -> bool {
    let wrapped;
    let text = if text.contains("service") {
        text
    } else {
        wrapped = format!(
            "rules_version='2';service cloud.firestore{{match /databases/{{d}}/documents{{match /a/{{i}}{{\
             allow read,write:if {text};}}match /{{g=**}}/x/{{j}}{{allow read:if {text};}}}}}}"
        );
        &wrapped
    };
    let mut choices = Choices(seed);
    let service = if choices.of(4) == 0 { Service::Storage } else { Service::Firestore };
    let Some(ruleset) = compile(Source::new("fuzz.rules", text), service).ruleset else { return false };
    let (inner, fields) = some_fields();
    let method = choices.from(&Method::ALL).unwrap_or(Method::Get);
    let paths: [&[&str]; 5] = [&["a", "b"], &["a", "x"], &["a", "b", "x", "u"], &["b", "a"], &["x", "u"]];
    let mut path: Vec<String> =
        choices.from(&paths).unwrap_or_default().iter().map(|segment| (*segment).to_owned()).collect();
    let query = some_query(&mut choices);
    let is_list = method == Method::List;
    if is_list && choices.of(2) == 0 {
        path.pop();
    }
    let document = Document { fields: &fields };
    let changed = Document { fields: &inner };
    let request = Request {
        method,
        database: "(default)",
        path: &path,
        auth: (choices.of(3) > 0).then_some(Auth { uid: "u", token: &fields }),
        time: Timestamp::EPOCH,
        resource: (choices.of(3) > 0).then_some(document),
        new_resource: (method.is_write() && method != Method::Delete).then_some(changed),
        query: (is_list && service == Service::Firestore).then_some(&query),
        in_transaction: choices.of(2) == 0,
        setting: if choices.of(4) == 0 { Setting::TestApi(&[]) } else { Setting::Live },
    };
    let documents = SomeDocuments(&fields, choices.of(3) == 0);
    let limits = Limits::default();
    let mut trace = Trace::default();
    let plain = ruleset.decide(&request, &documents, &limits, None);
    let observed = ruleset.decide(&request, &documents, &limits, Some(&mut trace));
    agreed(plain, observed)
}

/// A document, and a smaller one.
fn some_fields() -> (Fields, Fields) {
    let inner = Fields::from([
        ("a".to_owned(), Value::Integer(1)),
        ("role".to_owned(), Value::String("x".to_owned())),
        ("b".to_owned(), Value::Array(vec![Value::String("x".to_owned()), Value::Double(f64::NAN)])),
        ("r".to_owned(), Value::Reference("projects/p/databases/(default)/documents/a/b".to_owned())),
        ("t".to_owned(), Value::Timestamp(Timestamp::EPOCH)),
    ]);
    let mut fields = inner.clone();
    fields.insert("c".to_owned(), Value::Map(inner.clone()));
    fields.insert("uid".to_owned(), Value::String("u".to_owned()));
    (inner, fields)
}

fn some_query(choices: &mut Choices) -> Query {
    let operators = [
        Operator::Eq,
        Operator::Neq,
        Operator::Lt,
        Operator::Gte,
        Operator::In,
        Operator::NotIn,
        Operator::Contains,
        Operator::ContainsAny,
    ];
    let op = choices.from(&operators).unwrap_or(Operator::Eq);
    let one = Value::String("x".to_owned());
    let many = matches!(op, Operator::In | Operator::NotIn | Operator::ContainsAny);
    let value = if many { Value::Array(vec![one, Value::Integer(1)]) } else { one };
    let field = choices.from(&["a", "role", "uid", "b"]).unwrap_or("a");
    let constraint = Constraint { field: vec![field.to_owned()], op, value };
    let constrained = choices.of(2) == 0;
    Query {
        limit: (choices.of(2) == 0).then_some(1),
        alternatives: if constrained { vec![vec![constraint]] } else { Vec::new() },
        scope: choices
            .from(&[Scope::Collection, Scope::CollectionGroup, Scope::Children, Scope::Descendants])
            .unwrap_or_default(),
        ..Query::default()
    }
}

/// Whether a request was allowed, observed and not.
fn agreed(plain: Step, observed: Step) -> bool {
    match (plain, observed) {
        (Step::Decided(plain), Step::Decided(observed)) => {
            assert_eq!(plain.allowed, observed.allowed, "observing changes the answer");
            assert_eq!(plain.by, observed.by, "observing changes who grants");
            assert_eq!(plain.causes, observed.causes, "observing changes the reasons");
            plain.allowed
        }
        (Step::Needs(plain), Step::Needs(observed)) => {
            assert_eq!(plain, observed, "observing changes what is needed");
            false
        }
        (plain, observed) => {
            assert_eq!(format!("{plain:?}"), format!("{observed:?}"), "observing changes the step");
            false
        }
    }
}

/// Compiles a text as Bolt, renders what is told about it, and decides with its rules, explained in the Bolt text. Returns
/// whether it compiles.
pub fn bolt(text: &str) -> bool {
    let source = Source::new("fuzz.bolt", text);
    let compiled = crate::bolt::compile(source.clone());
    render(&source, &compiled.diagnostics, false);
    if let Some(ruleset) = &compiled.ruleset {
        decide(ruleset);
    }
    if let Some(json) = &compiled.json {
        let rules = crate::rtdb::compile(Source::new("fuzz.json", json.as_str()));
        let told = rules.ruleset.is_some() || !rules.diagnostics.is_empty();
        assert!(told, "the rules are refused without saying why");
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
    let value = memory.as_ref().map(|tree| tree as &(dyn Tree + Sync));
    let changes = [Change { path: &["a", "b"], value }, Change { path: &["a", "d"], value: None }];
    let operations = [
        Operation::Read { path: &["a", "b"], query: None },
        Operation::Write(Change { path: &["x"], value }),
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
        let plain = ruleset.decide(&request, tree, &limits(), Observe::default());
        assert_eq!(plain.allowed, decision.allowed, "observing changes the answer");
        assert_eq!(plain.by, decision.by, "observing changes who grants");
        allowed += usize::from(decision.allowed);
    }
    allowed
}
