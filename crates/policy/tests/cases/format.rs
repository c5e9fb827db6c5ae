//! Reads the markdown files of `cases/`; `cases/README.md` describes the format.

use std::collections::BTreeMap;

use base::{Fields, GeoPoint, Timestamp, Value};
use policy::{Constraint, Method, Operator, Query, Scope, Service};
use serde_json::Value as Json;

/// One ruleset with everything said about it.
pub struct Section {
    pub file: String,
    pub line: usize,
    pub service: Service,
    pub rules: String,
    /// Lines put before the rules to make them whole.
    pub lines_before: u32,
    pub users: BTreeMap<String, Fields>,
    pub documents: BTreeMap<String, Fields>,
    pub objects: BTreeMap<String, Fields>,
    pub time: Timestamp,
    pub cases: Vec<Case>,
    pub diagnostics: Option<Vec<String>>,
}

/// One line of a `cases` block.
pub struct Case {
    pub line: usize,
    pub text: String,
    pub user: Option<String>,
    pub method: Method,
    pub path: Vec<String>,
    pub data: Option<Fields>,
    pub query: Option<Query>,
    pub allow: bool,
    pub cause: Option<String>,
}

/// All sections of a file: each begins with its `rules` block.
pub fn read(file: &str, text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let first = number + 2;
        let block: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if let Some(service) = kind.strip_prefix("rules") {
            sections.push(section(file, number + 1, service.trim(), &block.join("\n")));
            continue;
        }
        let section = sections.last_mut().unwrap_or_else(|| panic!("{file}:{first}: no rules block before"));
        let json = || -> Json {
            serde_json::from_str(&block.join("\n")).unwrap_or_else(|error| panic!("{file}:{first}: {error}"))
        };
        match kind {
            "json users" => section.users = maps(&json()),
            "json documents" => section.documents = maps(&json()),
            "json objects" => section.objects = maps(&json()),
            "time" => section.time = Timestamp::parse(block[0]).unwrap(),
            "diagnostics" => {
                section.diagnostics = Some(block.iter().map(|line| (*line).to_owned()).collect())
            }
            "cases" => {
                for (offset, line) in block.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                    let parsed = case(line, first + offset);
                    section
                        .cases
                        .push(parsed.unwrap_or_else(|error| panic!("{file}:{}: {error}", first + offset)));
                }
            }
            "text" => {}
            other => panic!("{file}:{first}: unknown block `{other}`"),
        }
    }
    sections
}

fn section(file: &str, line: usize, service: &str, rules: &str) -> Section {
    let service = match service {
        "" => Service::Firestore,
        "storage" => Service::Storage,
        other => panic!("{file}:{line}: unknown service `{other}`"),
    };
    let whole = rules.contains("service cloud.")
        || rules.contains("service firebase.")
        || rules.contains("rules_version");
    let root = match service {
        Service::Firestore => "service cloud.firestore { match /databases/{database}/documents {",
        Service::Storage => "service firebase.storage { match /b/{bucket}/o {",
    };
    Section {
        file: file.to_owned(),
        line,
        service,
        rules: if whole { rules.to_owned() } else { format!("rules_version = '2'; {root}\n{rules}\n}}}}") },
        lines_before: u32::from(!whole),
        users: BTreeMap::new(),
        documents: BTreeMap::new(),
        objects: BTreeMap::new(),
        time: Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap(),
        cases: Vec::new(),
        diagnostics: None,
    }
}

fn maps(json: &Json) -> BTreeMap<String, Fields> {
    json.as_object().unwrap().iter().map(|(name, json)| (name.clone(), fields(json))).collect()
}

fn fields(json: &Json) -> Fields {
    json.as_object().unwrap().iter().map(|(name, json)| (name.clone(), value(json))).collect()
}

/// A value: JSON, with `{"$timestamp": …}`, `$reference`, `$bytes` (hex) and `$geo` for what JSON has not.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap()), Value::Integer)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value).collect()),
        Json::Object(map) => match map.iter().next() {
            Some((key, Json::String(text))) if key == "$timestamp" => {
                Value::Timestamp(Timestamp::parse(text).unwrap())
            }
            Some((key, Json::String(text))) if key == "$reference" => {
                Value::Reference(format!("projects/demo/databases/(default)/documents{text}"))
            }
            Some((key, Json::String(text))) if key == "$bytes" => Value::Bytes(hex::decode(text).unwrap()),
            Some((key, Json::Array(point))) if key == "$geo" => Value::GeoPoint(GeoPoint {
                latitude: point[0].as_f64().unwrap(),
                longitude: point[1].as_f64().unwrap(),
            }),
            _ => Value::Map(fields(json)),
        },
    }
}

fn case(line: &str, number: usize) -> Result<Case, String> {
    let (request, expected) = line.rsplit_once(" -> ").ok_or("no ` -> `")?;
    let mut words = request.trim().splitn(4, ' ');
    let user = words.next().ok_or("no user")?;
    let verb = words.next().ok_or("no verb")?;
    let method = Method::ALL.into_iter().find(|method| method.name() == verb).ok_or("unknown verb")?;
    let path = words.next().ok_or("no path")?;
    let path: Vec<String> =
        path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let rest = words.next().unwrap_or("").trim();
    let (mut data, mut query) = (None, None);
    if method == Method::List {
        query = Some(self::query(rest)?);
    } else if !rest.is_empty() {
        data = Some(fields(&serde_json::from_str(rest).map_err(|error| format!("data: {error}"))?));
    }
    let (allow, cause) = match expected.trim().split_once(": ") {
        None if expected.trim() == "allow" => (true, None),
        None if expected.trim() == "deny" => (false, None),
        Some(("deny", cause)) => (false, Some(cause.to_owned())),
        _ => return Err(format!("expected allow or deny, not `{expected}`")),
    };
    let user = (user != "nobody").then(|| user.to_owned());
    Ok(Case { line: number, text: line.to_owned(), user, method, path, data, query, allow, cause })
}

/// `group where a == 1 and b > 2 or c in [1] order by a desc limit 5 offset 2`
pub fn query(text: &str) -> Result<Query, String> {
    let mut query = Query::default();
    let mut rest = text.trim();
    let mut alternatives: Vec<Vec<Constraint>> = Vec::new();
    while !rest.is_empty() {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim();
        match word {
            "group" => query.scope = Scope::CollectionGroup,
            "descendants" => query.scope = Scope::Descendants,
            "children" => query.scope = Scope::Children,
            "where" | "or" => {
                alternatives.push(Vec::new());
                rest = constraint(rest, alternatives.last_mut().unwrap())?;
            }
            "and" => rest = constraint(rest, alternatives.last_mut().ok_or("and without where")?)?,
            "order" => {
                rest = rest.strip_prefix("by ").ok_or("order without by")?;
                let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
                let descending = after.strip_prefix("desc");
                rest = descending.unwrap_or(after).trim();
                query.order_by.push((segments(field), descending.is_none()));
            }
            "limit" | "offset" => {
                let (number, after) = rest.split_once(' ').unwrap_or((rest, ""));
                let number = number.parse().map_err(|_| "not a number")?;
                if word == "limit" {
                    query.limit = Some(number);
                } else {
                    query.offset = number;
                }
                rest = after.trim();
            }
            other => return Err(format!("unknown word `{other}` in a query")),
        }
    }
    query.alternatives = alternatives;
    Ok(query)
}

fn segments(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

/// Reads `field op json`; the rest is what follows the JSON.
fn constraint<'t>(text: &'t str, into: &mut Vec<Constraint>) -> Result<&'t str, String> {
    let mut words = text.splitn(3, ' ');
    let (field, op, rest) = match (words.next(), words.next(), words.next()) {
        (Some(field), Some(op), Some(rest)) => (field, op, rest),
        _ => return Err("a condition is `field op value`".to_owned()),
    };
    let op = match op {
        "==" => Operator::Eq,
        "!=" => Operator::Neq,
        "<" => Operator::Lt,
        "<=" => Operator::Lte,
        ">" => Operator::Gt,
        ">=" => Operator::Gte,
        "in" => Operator::In,
        "not-in" => Operator::NotIn,
        "array-contains" => Operator::Contains,
        "array-contains-any" => Operator::ContainsAny,
        other => return Err(format!("unknown operator `{other}`")),
    };
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
    let json = values.next().ok_or("no value")?.map_err(|error| format!("value: {error}"))?;
    into.push(Constraint { field: segments(field), op, value: value(&json) });
    Ok(rest[values.byte_offset()..].trim())
}
