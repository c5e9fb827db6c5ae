//! Decisions and traces of a Bolt file speak of the Bolt text.

use policy::bolt::{Compiled, compile};
use policy::rtdb::{Change, Memory, Observe, Operation, Request, Tree, limits};
use policy::trace::Trace;
use policy::{Decision, Source};
use serde_json::{Value, json};

const ROOMS: &str = "\
type Room {
  name: String,
  owner: String,
  open: Boolean | Null,
}

isMember(room) { auth != null && root.members[room][auth.uid] }

path /rooms/{room} is Room {
  read() { isMember(room) || this.open }
  create() { auth.uid == this.owner }
  update() { isMember(room) && prior(this.owner) == this.owner }
}
";

fn compiled(text: &str) -> (Source, Compiled) {
    let source = Source::new("rooms.bolt", text);
    let compiled = compile(source.clone());
    assert!(compiled.ruleset.is_some(), "{:#?}", compiled.diagnostics);
    (source, compiled)
}

/// JSON as a value of the store.
fn value(json: &Value) -> base::Value {
    match json {
        Value::Null => base::Value::Null,
        Value::Bool(value) => base::Value::Bool(*value),
        Value::Number(number) => base::Value::Double(number.as_f64().unwrap()),
        Value::String(text) => base::Value::String(text.clone()),
        Value::Array(items) => base::Value::Array(items.iter().map(value).collect()),
        Value::Object(object) => base::Value::Map(fields(object)),
    }
}

fn fields(object: &serde_json::Map<String, Value>) -> base::Fields {
    object.iter().map(|(key, json)| (key.clone(), value(json))).collect()
}

fn decide(compiled: &Compiled, uid: &str, operation: Operation<'_>, data: &Value) -> (Decision, Trace) {
    let auth = fields(json!({"uid": uid}).as_object().unwrap());
    let tree = Memory::new(&value(data));
    let mut trace = Trace::default();
    let request = Request { operation, auth: Some(&auth), now_ms: 1_700_000_000_000 };
    let observe = Observe { trace: Some(&mut trace), touched: None };
    let tree = tree.as_ref().map(|tree| tree as &dyn Tree);
    let decision = compiled.ruleset.as_ref().unwrap().decide(&request, tree, &limits(), observe);
    (decision, trace)
}

fn explained(
    compiled: &Compiled,
    source: &Source,
    uid: &str,
    operation: Operation<'_>,
    data: &Value,
) -> String {
    let (decision, trace) = decide(compiled, uid, operation, data);
    format!("{}\n{}", if decision.allowed { "allowed" } else { "denied" }, trace.explain(source))
}

fn data() -> Value {
    json!({"rooms": {"r1": {"name": "n", "owner": "ann"}}, "members": {"r1": {"ann": true}}})
}

#[test]
fn a_denied_read_is_explained_in_bolt() {
    let (source, compiled) = compiled(ROOMS);
    let read = Operation::Read { path: &["rooms", "r1"], query: None };
    let (decision, _) = decide(&compiled, "bob", read, &data());
    let cause = &decision.causes[0];
    assert_eq!((cause.line, cause.column, cause.allow_line), (10, 12, 10));
    assert_eq!(cause.expression(), "isMember(room) || this.open");
    assert_eq!(cause.observed(), "auth != null && root.members[room][auth.uid] is false, this.open is false");
    let expected = "\
denied
rooms.bolt:10:3: .read does not grant
  isMember(room) || this.open  →  false
    auth != null && root.members[room][auth.uid]  →  false
      auth != null  →  true
        auth  →  {uid: 'bob'}
        null  →  null
      root.members[room][auth.uid]  →  false, from /members/r1/bob = null
        root.members[room]  →  /members/r1
          root.members  →  /members
            root  →  /
          room  →  'r1'
        auth.uid  →  'bob'
    this.open  →  false, from /rooms/r1/open = null
      this  →  /rooms/r1
";
    assert_eq!(explained(&compiled, &source, "bob", read, &data()), expected);
}

#[test]
fn a_granted_read_names_its_method() {
    let (_, compiled) = compiled(ROOMS);
    let read = Operation::Read { path: &["rooms", "r1", "name"], query: None };
    let (decision, _) = decide(&compiled, "ann", read, &data());
    let by = decision.by.unwrap();
    assert_eq!((decision.allowed, by.line, by.column), (true, 10, 3));
}

#[test]
fn what_the_compiler_adds_belongs_to_the_method_or_the_type() {
    let (source, compiled) = compiled(ROOMS);
    let new = Memory::new(&value(&json!({"name": 5, "owner": "bob"})));
    let change =
        Change { path: &["rooms", "r1"], value: new.as_ref().map(|tree| tree as &(dyn Tree + Sync)) };
    let shown = explained(&compiled, &source, "bob", Operation::Write(change), &data());
    for line in [
        "rooms.bolt:9:1: .write does not grant",
        "    create() { auth.uid == this.owner }  →  false",
        "      create  →  false, from object, from /rooms/r1",
        "    update() { isMember(room) && prior(this.owner) == this.owner }  →  false",
        "      update  →  true, from object, from /rooms/r1",
        "rooms.bolt:9:1: .validate accepts",
        "  type Room  →  true, from /rooms/r1",
        "rooms.bolt:2:9: .validate rejects",
        "  String  →  false, from /rooms/r1/name = 5",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "`{line}` is not in\n{shown}");
    }
}

/// Whatever the file, every part of the JSON leads to the Bolt text, and inner parts into outer ones or functions.
#[test]
fn every_rule_of_every_case_comes_from_somewhere() {
    let mut rules = 0;
    for file in super::cases() {
        let source = super::source(&file);
        let compiled = compile(source.clone());
        let Some(json) = &compiled.json else { continue };
        for (start, _) in json.match_indices("\".") {
            let Some(end) = json[start..].find('\n').map(|end| start + end) else { continue };
            let line = json[start..end].trim_end_matches(',');
            let key = policy::Span::new(start, start + line.len());
            if line.ends_with('[') || line.ends_with('{') || !line.contains("\": \"") {
                continue;
            }
            let origin = source.slice(compiled.map.locate(key));
            assert!(!origin.is_empty(), "{}: `{line}` comes from nowhere", source.name);
            rules += 1;
        }
    }
    assert!(rules > 150, "only {rules} rules");
}
