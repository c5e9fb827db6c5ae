//! What a decision tells beside its verdict.

use std::collections::BTreeSet;

use policy::rtdb::{Observe, Operation, Request, Tree, compile, limits};
use policy::{Source, Trace};
use serde_json::json;

use crate::data::{NOW_MS, fields, tree};

const RULES: &str = r#"{"rules": {
  "rooms": {
    ".indexOn": ["title", ".value"],
    "$room": {
      ".read": "root.child('members').child($room).hasChild(auth.uid)
        && data.child(\"open\").val() === true"
    }
  }
}}"#;

#[test]
fn a_decision_tells_its_rule_its_reason_its_places_and_its_steps() {
    let ruleset = compile(Source::new("database.rules.json", RULES)).ruleset.unwrap();
    let memory =
        tree(&json!({"members": {"r": {"ann": true}}, "rooms": {"r": {"open": 3}, "s": {"open": true}}}));
    let tree = memory.as_ref().map(|tree| tree as &dyn Tree);
    let auth = fields(&json!({"uid": "ann"}));
    let operation = Operation::Read { path: &["rooms", "r", "title"], query: None };
    let request = Request { operation, auth: Some(&auth), now_ms: NOW_MS };
    let (mut trace, mut touched) = (Trace::default(), BTreeSet::new());
    let observe = Observe { trace: Some(&mut trace), touched: Some(&mut touched) };
    let decision = ruleset.decide(&request, tree, &limits(), observe);
    let cause = &decision.causes[0];
    assert_eq!(cause.text(), "`.read` at /rooms/r is false");
    assert_eq!((cause.allow_line, cause.error), (5, false));
    assert_eq!(cause.expression(), r#"data.child(\"open\").val() === true"#);
    assert_eq!(cause.observed(), r#"data.child(\"open\").val() is 3, true is true"#);
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), ["/members/r/ann", "/rooms/r/open"]);
    let told = trace.explain(ruleset.source());
    assert!(told.starts_with("database.rules.json:5:7: .read does not grant\n"), "{told}");
    assert!(told.contains("root.child('members').child($room)  →  /members/r\n"), "{told}");
}

#[test]
fn indexes_are_those_of_exactly_the_place() {
    let ruleset = compile(Source::new("database.rules.json", RULES)).ruleset.unwrap();
    assert!(ruleset.is_indexed(&["rooms"], "title") && ruleset.is_indexed(&["rooms"], ".value"));
    assert!(!ruleset.is_indexed(&["rooms", "r"], "title") && !ruleset.is_indexed(&["elsewhere"], "title"));
}
