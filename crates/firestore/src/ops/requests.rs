//! What the official console's Requests tab shows: each decision of the rules, as the official emulator describes it. Dev only.
//!
//! Administrators' requests are not among them: rules do not decide about them. What documents hold is shown while somebody
//! watches, and up to a bound.
//!
//! Source: what `ws://…/requests` of the official emulator sends, and the console's reader of it
//! (`rules_evaluation_result_model.ts`).

use access::{Denial, DevPermit, Evaluation, Evaluations, Grant, Reason, Refusal, Rules, Session};
use base::name::parse_document;
use base::{DatabaseName, Fields, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::Document;
use policy::rules::{Action, Ruleset};
use serde_json::{Map, Value as Json, json};

use super::Firestore;

/// Bytes of documents in one evaluation; what is larger is left out.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;

impl Firestore {
    /// What rules decided lately, and each decision from now on.
    pub fn evaluations(&self, _permit: DevPermit) -> Option<&Evaluations> {
        self.gate.evaluations()
    }
}

/// Describes a decision to those who watch.
pub fn describe(
    evaluations: &Evaluations,
    session: &Session,
    database: &DatabaseName,
    action: &Action<'_>,
    rules: &Rules<Ruleset>,
    decided: &Result<Grant, Refusal>,
) {
    let Rules::Enforced(enforced) = rules else { return };
    let Some((outcome, lines)) = outcome(decided) else { return };
    let lines: Vec<Json> =
        lines.iter().map(|(line, allowed)| json!({ "line": line, "outcome": allowed })).collect();
    let path = path_of(action);
    let (time, method) = (session.now().to_string(), action.method.name());
    let shows = evaluations.are_watched();
    let document = |document: Option<Document<'_>>| match document {
        Some(Document { fields }) if shows && base::value::fields_size(fields) <= DOCUMENT_BYTES_MAX => {
            resource(action, fields)
        }
        Some(_) => json!({ "undefined": {} }),
        None => json!({ "nullValue": null }),
    };
    let mut request = Map::new();
    request.insert("auth".to_owned(), auth(session));
    request.insert("method".to_owned(), json!({ "stringValue": method }));
    request.insert("path".to_owned(), path_value(path.split('/').skip(1)));
    request.insert("time".to_owned(), json!({ "timestampValue": time }));
    if action.new_resource.is_some() {
        request.insert("resource".to_owned(), document(action.new_resource));
    }
    let about = json!({
        "rulesReleaseName": format!("projects/{}/releases/cloud.firestore", database.project),
        "requestId": base::id::alphanumeric(20).unwrap_or_default(),
        "time": time,
        "rulesContext": {
            "path": path,
            "request": { "mapValue": { "fields": request } },
            "resource": document(action.resource),
            "method": method,
            "time": time,
        },
        "granularAllowOutcomes": lines,
        "outcome": outcome,
    });
    if let Json::Object(about) = about {
        evaluations.push(Evaluation { about, rules: enforced.policy.source().clone() });
    }
}

/// The verdict, and of each rule its line and whether it allowed.
fn outcome(decided: &Result<Grant, Refusal>) -> Option<(&'static str, Vec<(u32, bool)>)> {
    match decided {
        Ok(Grant { line: Some(line), .. }) => Some(("allow", vec![(*line, true)])),
        Err(Refusal::Denied(Denial { reason: Reason::Rules(causes), .. })) => {
            let is_error = causes.iter().any(|cause| cause.error);
            let lines = causes.iter().map(|cause| (cause.allow_line, false)).collect();
            Some((if is_error { "error" } else { "deny" }, lines))
        }
        // An administrator, or a fault.
        Ok(_) | Err(_) => None,
    }
}

fn path_of(action: &Action<'_>) -> String {
    format!("/databases/{}/documents/{}", action.database, action.path.join("/"))
}

fn path_value<'a>(segments: impl Iterator<Item = &'a str>) -> Json {
    let segments: Vec<Json> = segments.map(|segment| json!({ "simple": segment })).collect();
    json!({ "pathValue": { "segments": segments } })
}

fn auth(session: &Session) -> Json {
    match session.caller().auth() {
        None => json!({ "nullValue": null }),
        Some(auth) => {
            let token = json!({ "mapValue": { "fields": fields(auth.token) } });
            json!({ "mapValue": { "fields": { "uid": { "stringValue": auth.uid }, "token": token } } })
        }
    }
}

fn resource(action: &Action<'_>, data: &Fields) -> Json {
    json!({ "mapValue": { "fields": {
        "data": { "mapValue": { "fields": fields(data) } },
        "id": { "stringValue": action.path.last() },
        "__name__": path_value(path_of(action).split('/').skip(1)),
    } } })
}

fn fields(fields: &Fields) -> Map<String, Json> {
    fields.iter().map(|(name, value)| (name.clone(), expression_value(value))).collect()
}

/// A value as `firebase.rules.runtime.v1.ExpressionValue`.
fn expression_value(value: &Value) -> Json {
    match value {
        Value::Null => json!({ "nullValue": null }),
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Integer(integer) => json!({ "intValue": integer.to_string() }),
        Value::Double(double) if double.is_finite() => json!({ "floatValue": double }),
        Value::Double(double) => json!({ "floatValue": double.to_string() }),
        Value::Timestamp(at) => json!({ "timestampValue": at.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bytes(bytes) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        Value::Reference(name) => match parse_document(name) {
            Ok((database, path)) => {
                let before = ["databases", database.database.as_str(), "documents"];
                path_value(before.into_iter().chain(path.segments().iter().map(String::as_str)))
            }
            Err(_) => json!({ "stringValue": name }),
        },
        Value::GeoPoint(point) => {
            json!({ "latlngValue": { "latitude": point.latitude, "longitude": point.longitude } })
        }
        Value::Array(items) => {
            let items: Vec<Json> = items.iter().map(expression_value).collect();
            json!({ "listValue": { "values": items } })
        }
        Value::Map(map) => json!({ "mapValue": { "fields": fields(map) } }),
    }
}
