//! Values as the emulator's reports spell them: `{"stringValue": "x"}`, each kind by its name.
//!
//! What is reported is bounded: long texts, long lists and deep values end with `…`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map as Object, Value as Json, json};

use super::{Child, Field, MapDiff, Operator, Step, Str, Val};

/// Items, at all levels together, of one reported value.
const ITEMS_REPORTED_MAX: usize = 500;
/// Characters of one reported text.
const TEXT_REPORTED_MAX: usize = 1000;
/// Levels of nesting of one reported value.
const LEVELS_REPORTED_MAX: usize = 10;

/// The value in the report's form; `shown` is what stands for values that only the language itself knows.
pub fn report(value: &Val<'_>, shown: &str) -> Json {
    Reporter { items_left: ITEMS_REPORTED_MAX, shown }.value(value, 0)
}

struct Reporter<'s> {
    items_left: usize,
    shown: &'s str,
}

impl Reporter<'_> {
    fn value(&mut self, value: &Val<'_>, level: usize) -> Json {
        match value {
            Val::Null => json!({ "nullValue": null }),
            Val::Bool(value) => json!({ "boolValue": value }),
            // As everywhere on the wire, 64 bits travel as text.
            Val::Int(value) => json!({ "intValue": value.to_string() }),
            Val::Float(value) if value.is_finite() => json!({ "floatValue": value }),
            Val::Float(value) => json!({ "floatValue": special(*value) }),
            Val::Str(text) => json!({ "stringValue": shortened(text.as_str()) }),
            Val::Bytes(bytes) => {
                let bytes = bytes.as_slice();
                let kept = bytes.get(..TEXT_REPORTED_MAX).unwrap_or(bytes);
                json!({ "bytesValue": STANDARD.encode(kept) })
            }
            Val::Timestamp(time) => json!({ "timestampValue": time.to_string() }),
            Val::Duration(length) => {
                let nanos = i128::from(length.seconds()) * 1_000_000_000 + i128::from(length.nanos());
                json!({ "durationValue": duration(nanos) })
            }
            Val::LatLng(point) => {
                // Zero is left out, as everywhere in proto3's JSON.
                let degrees = [("latitude", point.latitude), ("longitude", point.longitude)];
                let told = degrees.into_iter().filter(|(_, degrees)| degrees.to_bits() != 0);
                json!({ "latlngValue": told.map(|(name, degrees)| (name.to_owned(), json!(degrees))).collect::<Object<_, _>>() })
            }
            Val::Path(segments) => {
                let kept = segments.iter().take(self.items_left);
                path_value(kept.map(|segment| simple(segment)).collect())
            }
            Val::Template(steps) => {
                let kept = steps.iter().take(self.items_left).map(|step| match step {
                    Step::Text(text) => simple(text),
                    Step::Variable { name, glob } => {
                        let kind = if *glob { "globCapture" } else { "capture" };
                        json!({ kind: { "variableName": shortened(name.as_str()) } })
                    }
                });
                path_value(kept.collect())
            }
            Val::List(list) => self.items("listValue", list.iter(), level),
            Val::Set(items) => self.items("setValue", items.iter().cloned(), level),
            Val::Map(map) => {
                let keys = map.keys();
                let mut fields = Object::new();
                for key in &keys {
                    if !self.take(level) {
                        fields.insert("…".to_owned(), text("…"));
                        break;
                    }
                    let value = map.get(key.as_str()).unwrap_or(Val::Null);
                    fields.insert(shortened(key.as_str()), self.value(&value, level + 1));
                }
                map_value(fields)
            }
            Val::Field(field) if field.own().next().is_none() => self.constrained(field, level),
            Val::Field(field) => {
                let mut constraints = Vec::new();
                for fact in field.own() {
                    let value = Val::from_value(fact.value);
                    let value = if self.take(level) { self.value(&value, level + 1) } else { text("…") };
                    constraints.push(json!({ "comparator": comparator(fact.op), "value": value }));
                }
                json!({ "constraintValue": { "simpleConstraints": constraints } })
            }
            Val::Diff(diff) => self.diff(diff, level),
            Val::Handle(_) => text(self.shown),
        }
    }

    /// A document, or a part of one, of which the constraints on its members are known: those are its members.
    fn constrained(&mut self, field: &Field<'_>, level: usize) -> Json {
        let mut fields = Object::new();
        for name in field.child_names() {
            if !self.take(level) {
                break;
            }
            let member = match field.child(Str::Borrowed(name)) {
                Child::Known(value) => self.value(&Val::from_value(value), level + 1),
                Child::Field(member) => self.value(&Val::Field(member), level + 1),
                Child::Undetermined => continue,
            };
            fields.insert(shortened(name), member);
        }
        map_value(fields)
    }

    /// What became of each key.
    fn diff(&mut self, diff: &MapDiff<'_>, level: usize) -> Json {
        let mut statuses = Object::new();
        for (key, status) in diff.statuses() {
            if !self.take(level) {
                statuses.insert("…".to_owned(), json!("…"));
                break;
            }
            statuses.insert(shortened(key.as_str()), json!(status.name()));
        }
        match statuses.is_empty() {
            true => json!({ "mapDiffValue": {} }),
            false => json!({ "mapDiffValue": { "keyStatuses": statuses } }),
        }
    }

    fn items<'v>(&mut self, kind: &str, items: impl Iterator<Item = Val<'v>>, level: usize) -> Json {
        let mut values = Vec::new();
        for item in items {
            if !self.take(level) {
                values.push(text("…"));
                break;
            }
            values.push(self.value(&item, level + 1));
        }
        match values.is_empty() {
            true => json!({ kind: {} }),
            false => json!({ kind: { "values": values } }),
        }
    }

    /// Whether there is room for one more item at this level.
    fn take(&mut self, level: usize) -> bool {
        let room = self.items_left > 0 && level < LEVELS_REPORTED_MAX;
        self.items_left -= usize::from(room);
        room
    }
}

fn simple(segment: &Str<'_>) -> Json {
    json!({ "simple": shortened(segment.as_str()) })
}

fn path_value(segments: Vec<Json>) -> Json {
    match segments.is_empty() {
        true => json!({ "pathValue": {} }),
        false => json!({ "pathValue": { "segments": segments } }),
    }
}

fn map_value(fields: Object<String, Json>) -> Json {
    match fields.is_empty() {
        true => json!({ "mapValue": {} }),
        false => json!({ "mapValue": { "fields": fields } }),
    }
}

fn text(text: &str) -> Json {
    json!({ "stringValue": shortened(text) })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_REPORTED_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn special(value: f64) -> &'static str {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
}

fn duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.abs() / 1_000_000_000, nanos.abs() % 1_000_000_000);
    // Three, six or nine digits.
    match rest {
        0 => format!("{sign}{seconds}s"),
        rest if rest % 1_000_000 == 0 => format!("{sign}{seconds}.{:03}s", rest / 1_000_000),
        rest if rest % 1_000 == 0 => format!("{sign}{seconds}.{:06}s", rest / 1_000),
        rest => format!("{sign}{seconds}.{rest:09}s"),
    }
}

fn comparator(op: Operator) -> &'static str {
    match op {
        Operator::Eq => "EQ",
        Operator::Neq | Operator::NotIn => "NEQ",
        Operator::Lt => "LT",
        Operator::Lte => "LTE",
        Operator::Gt => "GT",
        Operator::Gte => "GTE",
        Operator::In | Operator::Contains | Operator::ContainsAny => "LIST_CONTAINS",
    }
}

/// A reported value as plain JSON, the kinds' names left out: how the Rules Test API tells values.
pub fn plain(reported: &Json) -> Json {
    let Some((kind, value)) = reported.as_object().and_then(|object| object.iter().next()) else {
        return Json::Null;
    };
    match kind.as_str() {
        "intValue" => {
            let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
            number.map_or(Json::Null, Json::from)
        }
        "listValue" | "setValue" => {
            let values = value.get("values").and_then(Json::as_array);
            values.into_iter().flatten().map(plain).collect()
        }
        "mapValue" => {
            let fields = value.get("fields").and_then(Json::as_object);
            Json::Object(
                fields.into_iter().flatten().map(|(key, value)| (key.clone(), plain(value))).collect(),
            )
        }
        "pathValue" => {
            let segments = value.get("segments").and_then(Json::as_array);
            let names = segments.into_iter().flatten().filter_map(|segment| segment.get("simple")?.as_str());
            Json::String(names.map(|name| format!("/{name}")).collect())
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::value::{Fact, Facts};

    #[test]
    fn each_kind_has_its_name_and_a_plain_form() {
        let path = Val::Path(Rc::from([Str::Borrowed("databases"), Str::Borrowed("(default)")]));
        let list =
            Val::list(vec![Val::Int(1), Val::Str(Str::Borrowed("a")), Val::Null, path, Val::Float(1.5)]);
        let reported = report(&list, "");
        let expected = json!({ "listValue": { "values": [
            { "intValue": "1" }, { "stringValue": "a" }, { "nullValue": null },
            { "pathValue": { "segments": [{ "simple": "databases" }, { "simple": "(default)" }] } },
            { "floatValue": 1.5 },
        ] } });
        assert_eq!(reported, expected);
        assert_eq!(plain(&reported), json!([1, "a", null, "/databases/(default)", 1.5]));
    }

    #[test]
    fn what_a_query_proves_is_reported_as_the_emulator_does() {
        let (owner, age) = (["owner".to_owned()], ["age".to_owned()]);
        let (bob, adult) = (base::Value::String("bob".to_owned()), base::Value::Integer(18));
        let fact = |field, op, value| Fact { field, op, value, exact: op == Operator::Eq };
        let facts = Facts {
            facts: vec![fact(&owner[..], Operator::Eq, &bob), fact(&age[..], Operator::Gte, &adult)],
        };
        let age = json!({ "constraintValue": { "simpleConstraints": [
            { "comparator": "GTE", "value": { "intValue": "18" } },
        ] } });
        let document = json!({ "mapValue": { "fields": { "owner": { "stringValue": "bob" }, "age": age } } });
        assert_eq!(report(&Val::Field(Field::root(&facts)), ""), document);
        let nothing = Facts::default();
        assert_eq!(report(&Val::Field(Field::root(&nothing)), ""), json!({ "mapValue": {} }));
    }

    #[test]
    fn what_is_reported_is_bounded() {
        let long = Val::list(vec![Val::Int(7); ITEMS_REPORTED_MAX * 2]);
        let reported = plain(&report(&long, ""));
        let items = reported.as_array().map_or(0, Vec::len);
        assert_eq!(items, ITEMS_REPORTED_MAX + 1);
        let mut deep = Val::Null;
        for _ in 0..100 {
            deep = Val::list(vec![deep]);
        }
        assert!(report(&deep, "").to_string().len() < 500);
        let text = "é".repeat(TEXT_REPORTED_MAX * 3);
        let told = plain(&report(&Val::Str(Str::Borrowed(&text)), ""));
        assert_eq!(told.as_str().map(|text| text.chars().count()), Some(TEXT_REPORTED_MAX + 1));
    }
}
