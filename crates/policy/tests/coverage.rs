//! Coverage: every expression is there, evaluated or not; counts, values, pages and tracefiles say what happened.
//!
//! The expected JSON is what the official emulator answers for the same rules and requests (`:ruleCoverage`), apart from
//! closing brackets, which it leaves out of an expression's place.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use base::{Fields, Timestamp, Value};
use policy::{
    Auth, Coverage, Document, Limits, Method, NoDocuments, Request, Ruleset, Service, Setting, Source, Step,
    Trace, rtdb,
};
use serde_json::{Value as Json, json};

const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    function isOwner(data) {
      let uid = request.auth.uid;
      return uid == data.owner;
    }
    match /notes/{id} {
      allow get: if false;
      allow read: if request.auth != null && isOwner(resource.data);
      allow create: if 'ü😀'.size() == 2 && id != null;
    }
    match /open/{id} { allow read; }
  }
}
";

fn ruleset() -> Ruleset {
    policy::compile(Source::new("firestore.rules", RULES), Service::Firestore).ruleset.unwrap()
}

/// Who gets a note of whom, and the note.
fn get(ruleset: &Ruleset, coverage: &mut Coverage, path: &str, uid: Option<&str>, note: &Fields) -> bool {
    let (token, path) = (Fields::new(), path.split('/').map(str::to_owned).collect::<Vec<_>>());
    let request = Request {
        method: Method::Get,
        database: "(default)",
        path: &path,
        auth: uid.map(|uid| Auth { uid, token: &token }),
        time: Timestamp::EPOCH,
        resource: Some(Document { fields: note }),
        new_resource: None,
        query: None,
        in_transaction: false,
        setting: Setting::Live,
    };
    let mut trace = Trace::reporting();
    match ruleset.decide(&request, &NoDocuments, &Limits::default(), Some(&mut trace)) {
        Step::Decided(decision) => {
            coverage.add(&trace);
            decision.allowed
        }
        Step::Needs(needs) => panic!("needs {needs:?}"),
    }
}

fn owned_by(uid: &str) -> Fields {
    Fields::from([("owner".to_owned(), Value::String(uid.to_owned()))])
}

/// The coverage of four requests.
fn covered() -> Coverage {
    let ruleset = ruleset();
    let mut coverage = Coverage::new(ruleset.sites());
    let (bobs, nobodys) = (owned_by("bob"), Fields::new());
    assert!(get(&ruleset, &mut coverage, "notes/1", Some("bob"), &bobs));
    assert!(!get(&ruleset, &mut coverage, "notes/1", Some("eve"), &bobs));
    assert!(!get(&ruleset, &mut coverage, "notes/1", Some("bob"), &nobodys));
    assert!(!get(&ruleset, &mut coverage, "notes/1", None, &bobs));
    coverage
}

/// The node of an expression in the report, by its text.
fn node<'j>(report: &'j Json, text: &str) -> &'j Json {
    fn find<'j>(nodes: &'j Json, text: &str) -> Option<&'j Json> {
        nodes.as_array()?.iter().find_map(|node| {
            let place = &node["sourcePosition"];
            let offset = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
            let (from, to) = (offset("currentOffset"), offset("endOffset"));
            let own: String = RULES.chars().skip(from).take(to + 1 - from).collect();
            if own == text { Some(node) } else { find(&node["children"], text) }
        })
    }
    find(&report["report"], text).unwrap_or_else(|| panic!("no `{text}` in {report:#}"))
}

#[test]
fn before_anything_is_asked_every_expression_is_listed_without_values() {
    let coverage = Coverage::new(ruleset().sites());
    let report = coverage.json();
    assert_eq!(report["rules"]["files"], json!([{ "content": RULES, "name": "firestore.rules" }]));
    for text in [
        "request.auth.uid",
        "uid == data.owner",
        "data.owner",
        "data",
        "request.auth != null && isOwner(resource.data)",
        "isOwner(resource.data)",
        "resource.data",
        "resource",
        "'ü😀'.size() == 2",
        "id != null",
        "id",
    ] {
        assert_eq!(node(&report, text).get("values"), None, "{text}");
    }
    let place = &node(&report, "id != null")["sourcePosition"];
    let offset = RULES.chars().collect::<String>().find("id != null").unwrap() - "ü😀".len() + 2;
    let expected = json!({ "line": 11, "column": 44, "currentOffset": offset, "endOffset": offset + 9 });
    assert_eq!(place, &expected, "characters are counted");
    let totals = coverage.totals();
    assert_eq!((totals.rules, totals.rules_asked, totals.expressions_evaluated), (4, 0, 0));
    assert!(totals.expressions >= 15, "{totals:?}");
    assert!(!coverage.html().contains("class=\"hit\" id"));
}

#[test]
fn values_are_counted_in_the_emulators_form() {
    let report = covered().json();
    let data = &node(&report, "data")["sourcePosition"];
    let undefined = json!({ "undefined": {
        "sourcePosition": node(&report, "data.owner")["sourcePosition"],
        "causeMessage": "Property owner is undefined on object.",
    } });
    assert_eq!(data["line"], 6);
    assert_eq!(
        node(&report, "request.auth != null && isOwner(resource.data)")["values"],
        json!([
            { "value": { "boolValue": true }, "count": 1 },
            { "value": { "boolValue": false }, "count": 2 },
            { "value": undefined, "count": 1 },
        ])
    );
    // Signed out: the right side was passed over, and all that is in it.
    assert_eq!(
        node(&report, "isOwner(resource.data)")["values"],
        json!([
            { "value": { "boolValue": true }, "count": 1 },
            { "value": { "boolValue": false }, "count": 1 },
            { "value": undefined, "count": 1 },
            { "value": {}, "count": 1 },
        ])
    );
    assert_eq!(
        node(&report, "resource.data")["values"],
        json!([
            { "value": { "mapValue": { "fields": { "owner": { "stringValue": "bob" } } } }, "count": 2 },
            { "value": { "mapValue": {} }, "count": 1 },
            { "value": {}, "count": 1 },
        ])
    );
    assert_eq!(
        node(&report, "request.auth.uid")["values"],
        json!([
            { "value": { "stringValue": "bob" }, "count": 2 },
            { "value": { "stringValue": "eve" }, "count": 1 },
        ])
    );
    assert_eq!(node(&report, "id != null").get("values"), None);
}

#[test]
fn the_page_stands_alone_and_marks_what_was_never_evaluated() {
    let page = covered().html();
    for part in [
        "<title>Coverage of firestore.rules</title>",
        "1 of 4 rules granted, 2 were asked",
        "title=\"never evaluated\">id</span> != null</span>",
        "1 × true\n2 × false\n1 × error at 6:21: Property owner is undefined on object.",
        "title=\"granted 0 of 4 times\"",
        "1 × passed over",
    ] {
        assert!(page.contains(part), "no {part:?} in\n{page}");
    }
    assert!(!page.contains("http") && !page.contains("src="), "it loads nothing");
    let hostile = "service cloud.firestore { match /<b>/{x} { allow read: if x == '</pre><script>\"&'; } }";
    let compiled = policy::compile(Source::new("</title><script>", hostile), Service::Firestore);
    if let Some(ruleset) = compiled.ruleset {
        assert!(!Coverage::new(ruleset.sites()).html().contains("<script>"));
    }
    let safe = hostile.replace("<b>", "b");
    let ruleset = policy::compile(Source::new("</title><script>", safe), Service::Firestore).ruleset.unwrap();
    assert!(!Coverage::new(ruleset.sites()).html().contains("<script>"));
}

#[test]
fn what_is_kept_is_bounded_and_counts_are_not_lost() {
    let ruleset = ruleset();
    let mut coverage = Coverage::new(ruleset.sites());
    for n in 0..1000 {
        get(&ruleset, &mut coverage, "notes/1", Some(&format!("user{n}")), &owned_by("bob"));
    }
    let report = coverage.json();
    let values = node(&report, "request.auth.uid")["values"].as_array().unwrap();
    assert_eq!(values.len(), 51);
    assert_eq!(values[50], json!({ "value": { "stringValue": "… other values" }, "count": 950 }));
    let huge = Fields::from([("owner".to_owned(), Value::Array(vec![Value::String("x".repeat(2000)); 600]))]);
    for n in 0..30 {
        let mut note = huge.clone();
        note.insert("n".to_owned(), Value::Integer(n));
        get(&ruleset, &mut coverage, "notes/1", Some("bob"), &note);
    }
    assert!(coverage.json().to_string().len() < 10 << 20);
    assert_eq!(coverage.seen(coverage.sites().rules[1].span).map(|seen| seen.count), None);
    assert_eq!(coverage.rule_seen(coverage.sites().rules[1].span).count, 1030);
}

#[test]
fn coverages_of_one_ruleset_add_up() {
    let (mut first, second) = (covered(), covered());
    first.absorb(&second);
    let report = first.json();
    assert_eq!(
        node(&report, "isOwner(resource.data)")["values"][0],
        json!({ "value": { "boolValue": true }, "count": 2 })
    );
    assert_eq!(first.rule_seen(first.sites().rules[1].span).count, 8);
    assert_eq!(first.totals(), second.totals());
}

#[test]
fn realtime_database_rules_are_covered_too() {
    let text = r#"{ "rules": { "notes": { "$uid": {
        ".read": "auth != null && auth.uid == $uid",
        ".write": false
    } } } }"#;
    let ruleset = rtdb::compile(Source::new("database.rules.json", text)).ruleset.unwrap();
    let mut coverage = Coverage::new(ruleset.sites());
    let auth = Fields::from([("uid".to_owned(), Value::String("bob".to_owned()))]);
    let request = rtdb::Request {
        operation: rtdb::Operation::Read { path: &["notes", "bob"], query: None },
        auth: Some(&auth),
        now_ms: 0,
    };
    let mut trace = Trace::reporting();
    let observe = rtdb::Observe { trace: Some(&mut trace), touched: None };
    assert!(ruleset.decide(&request, None, &rtdb::limits(), observe).allowed);
    coverage.add(&trace);
    let report = coverage.json();
    let condition = &report["report"][0];
    assert_eq!(condition["values"], json!([{ "value": { "boolValue": true }, "count": 1 }]));
    assert_eq!(condition["sourcePosition"]["line"], 2);
    assert_eq!(coverage.totals().rules_granted, 1);
}
