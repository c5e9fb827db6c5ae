//! Whatever is asked: a document that a view shows is found, and the index is empty when nobody listens any more.

use std::collections::BTreeMap;

use base::{DatabaseName, DocumentPath, Fields, ResourcePath, Value};
use wire::v1::StructuredQuery;

use super::interest::{Interest, Places};
use super::view::position_in;
use crate::query::{Query, parse, position};

/// Small numbers from a seed: a linear congruence, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }
}

/// Values in the protocol's JSON and as they are. Two long strings differ where an index has cut them off.
fn values() -> Vec<(String, Value)> {
    let long = |end: &str| "x".repeat(1_600) + end;
    let text = |text: String| (format!(r#"{{"stringValue": "{text}"}}"#), Value::String(text));
    vec![
        (r#"{"nullValue": null}"#.into(), Value::Null),
        (r#"{"booleanValue": true}"#.into(), Value::Bool(true)),
        (r#"{"doubleValue": "NaN"}"#.into(), Value::Double(f64::NAN)),
        (r#"{"integerValue": "-1"}"#.into(), Value::Integer(-1)),
        (r#"{"integerValue": "1"}"#.into(), Value::Integer(1)),
        (r#"{"doubleValue": 1.0}"#.into(), Value::Double(1.0)),
        (r#"{"doubleValue": 2.5}"#.into(), Value::Double(2.5)),
        text("".into()),
        text("b".into()),
        text(long("1")),
        text(long("2")),
        (
            r#"{"arrayValue": {"values": [{"integerValue": "1"}]}}"#.into(),
            Value::Array(vec![Value::Integer(1)]),
        ),
        (
            r#"{"mapValue": {"fields": {"x": {"integerValue": "1"}}}}"#.into(),
            Value::Map(Fields::from([("x".to_owned(), Value::Integer(1))])),
        ),
    ]
}

const NAMES: [&str; 4] = ["d1", "d2", "e", "f"];
const OPERATORS: [&str; 10] = [
    "EQUAL",
    "NOT_EQUAL",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "ARRAY_CONTAINS",
    "IN",
    "ARRAY_CONTAINS_ANY",
    "NOT_IN",
];

fn reference(dice: &mut Dice) -> String {
    format!(r#"{{"referenceValue": "projects/p/databases/(default)/documents/c/{}"}}"#, dice.pick(&NAMES))
}

fn condition(dice: &mut Dice) -> String {
    let field = dice.pick(&["a", "b", "m.x", "__name__"]);
    let value = |dice: &mut Dice| if field == "__name__" { reference(dice) } else { dice.pick(&values()).0 };
    if field != "__name__" && dice.roll(8) == 0 {
        let operator = dice.pick(&["IS_NULL", "IS_NAN", "IS_NOT_NULL", "IS_NOT_NAN"]);
        return format!(r#"{{"unaryFilter": {{"field": {{"fieldPath": "{field}"}}, "op": "{operator}"}}}}"#);
    }
    let operator = dice.pick(&OPERATORS);
    let operand = if operator.contains("IN") && operator != "CONTAINS" || operator.ends_with("ANY") {
        format!(r#"{{"arrayValue": {{"values": [{}, {}]}}}}"#, value(dice), value(dice))
    } else {
        value(dice)
    };
    format!(
        r#"{{"fieldFilter": {{"field": {{"fieldPath": "{field}"}}, "op": "{operator}", "value": {operand}}}}}"#
    )
}

fn query(dice: &mut Dice) -> Option<Query> {
    let group = dice.roll(4) == 0;
    let mut parts = vec![format!(r#""from": [{{"collectionId": "c", "allDescendants": {group}}}]"#)];
    let conditions: Vec<_> = (0..dice.roll(4)).map(|_| condition(dice)).collect();
    match conditions.as_slice() {
        [] => {}
        [one] => parts.push(format!(r#""where": {one}"#)),
        many => {
            let operator = dice.pick(&["AND", "OR"]);
            let filters = many.join(", ");
            parts.push(format!(
                r#""where": {{"compositeFilter": {{"op": "{operator}", "filters": [{filters}]}}}}"#
            ));
        }
    }
    if dice.roll(2) == 0 {
        let (field, direction) =
            (dice.pick(&["a", "b", "__name__"]), dice.pick(&["ASCENDING", "DESCENDING"]));
        parts.push(format!(
            r#""orderBy": [{{"field": {{"fieldPath": "{field}"}}, "direction": "{direction}"}}]"#
        ));
        for cursor in ["startAt", "endAt"] {
            if dice.roll(2) == 0 {
                let value = if field == "__name__" { reference(dice) } else { dice.pick(&values()).0 };
                let before = dice.roll(2) == 0;
                parts.push(format!(r#""{cursor}": {{"values": [{value}], "before": {before}}}"#));
            }
        }
    }
    let asked: StructuredQuery = wire::json::read(format!("{{{}}}", parts.join(", ")).as_bytes()).unwrap();
    parse(&DatabaseName::default_of("p"), &ResourcePath::ROOT, asked).ok()
}

fn document(dice: &mut Dice) -> (DocumentPath, Fields) {
    let collection = dice.pick(&["c", "p/1/c", "z"]);
    let path =
        DocumentPath::new(ResourcePath::parse(&format!("{collection}/{}", dice.pick(&NAMES))).unwrap());
    let mut fields = Fields::new();
    for name in ["a", "b"] {
        if dice.roll(4) > 0 {
            fields.insert(name.to_owned(), dice.pick(&values()).1);
        }
    }
    if dice.roll(2) == 0 {
        fields.insert("m".to_owned(), Value::Map([("x".to_owned(), dice.pick(&values()).1)].into()));
    }
    (path.unwrap(), fields)
}

#[test]
fn whoever_shows_a_document_is_found_until_they_leave() {
    let database = DatabaseName::default_of("p");
    let (mut queries, mut shown, mut spared) = (0, 0, 0);
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let mut interest = Interest::default();
        let mut views: BTreeMap<u64, (Query, Places)> = BTreeMap::new();
        for id in 0..80 {
            if let Some(query) = query(&mut dice) {
                let places = interest.add(&database, &query, id);
                views.insert(id, (query, places));
            }
        }
        queries += views.len();
        while !views.is_empty() {
            for _ in 0..4 {
                let (path, fields) = document(&mut dice);
                let found = interest.of(&database, &path, [None, Some(&fields)]);
                for (id, (query, _)) in &views {
                    let between = position::window(query);
                    let shows = position_in(&database, query, &between, &path, &fields).is_some();
                    assert!(!shows || found.contains(id), "seed {seed}: {path:?} {fields:?} {query:?}");
                    shown += usize::from(shows);
                    spared += usize::from(!found.contains(id));
                }
            }
            let leaving = *views.keys().nth(dice.roll(views.len())).unwrap();
            let (query, places) = views.remove(&leaving).unwrap();
            interest.remove(&database, &query, &places, leaving);
            let (path, fields) = document(&mut dice);
            assert!(!interest.of(&database, &path, [Some(&fields), None]).contains(&leaving));
        }
        for collection in ["c", "p/1/c"] {
            let path = DocumentPath::new(ResourcePath::parse(&format!("{collection}/d1")).unwrap()).unwrap();
            assert!(!interest.is_near(&database, &path), "seed {seed}: nobody is left");
        }
    }
    assert!(queries > 1_000 && shown > 8_000 && spared > shown, "{queries} {shown} {spared}");
}

/// Queries of one kind, each about another document: a document finds its own.
#[test]
fn a_document_finds_few_of_many() {
    let database = DatabaseName::default_of("p");
    let kinds: [&dyn Fn(usize) -> String; 5] = [
        &|n| {
            format!(
                r#""where": {{"fieldFilter": {{"field": {{"fieldPath": "a"}}, "op": "EQUAL", "value": {{"integerValue": "{n}"}}}}}}"#
            )
        },
        // The first condition is the same for all.
        &|n| {
            format!(
                r#""where": {{"compositeFilter": {{"op": "AND", "filters": [
            {{"fieldFilter": {{"field": {{"fieldPath": "b"}}, "op": "EQUAL", "value": {{"booleanValue": true}}}}}},
            {{"fieldFilter": {{"field": {{"fieldPath": "a"}}, "op": "EQUAL", "value": {{"integerValue": "{n}"}}}}}}]}}}}"#
            )
        },
        &|n| {
            format!(
                r#""where": {{"compositeFilter": {{"op": "AND", "filters": [
            {{"fieldFilter": {{"field": {{"fieldPath": "b"}}, "op": "EQUAL", "value": {{"booleanValue": true}}}}}},
            {{"fieldFilter": {{"field": {{"fieldPath": "a"}}, "op": "GREATER_THAN", "value": {{"integerValue": "{}"}}}}}},
            {{"fieldFilter": {{"field": {{"fieldPath": "a"}}, "op": "LESS_THAN", "value": {{"integerValue": "{}"}}}}}}]}}}}"#,
                n as i64 - 1,
                n + 1
            )
        },
        &|n| {
            format!(
                r#""orderBy": [{{"field": {{"fieldPath": "a"}}, "direction": "DESCENDING"}}],
            "startAt": {{"values": [{{"integerValue": "{n}"}}], "before": true}},
            "endAt": {{"values": [{{"integerValue": "{n}"}}]}}"#
            )
        },
        &|n| {
            format!(
                r#""where": {{"fieldFilter": {{"field": {{"fieldPath": "__name__"}}, "op": "EQUAL",
            "value": {{"referenceValue": "projects/p/databases/(default)/documents/c/d{n}"}}}}}}"#
            )
        },
    ];
    for (kind, more) in kinds.iter().enumerate() {
        let mut interest = Interest::default();
        for n in 0..2_000 {
            let text = format!(r#"{{"from": [{{"collectionId": "c"}}], {}}}"#, more(n));
            let query = parse(&database, &ResourcePath::ROOT, wire::json::read(text.as_bytes()).unwrap());
            interest.add(&database, &query.unwrap(), n as u64);
        }
        let path = DocumentPath::new(ResourcePath::parse("c/d1000").unwrap()).unwrap();
        let fields =
            Fields::from([("a".to_owned(), Value::Integer(1_000)), ("b".to_owned(), Value::Bool(true))]);
        let found = interest.of(&database, &path, [None, Some(&fields)]);
        assert!(found.contains(&1_000) && found.len() <= 20, "kind {kind}: {}", found.len());
    }
}
