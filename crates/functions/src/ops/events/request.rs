//! An event as the worker gets it: binary CloudEvents where the data is a protocol message, structured ones else, and the first
//! generation's `data` and `context`.
//!
//! Source: the functions reference, A5.

use access::events::{Record, Source, Told};
use axum::body::Body;
use base::{Code, Status, Timestamp};
use http::header::{CONTENT_TYPE, HOST};
use http::request::Builder;
use http::{HeaderName, HeaderValue, Request};
use kv::Version;
use serde_json::{Map, Value as Json, json};

use super::sources::Own;
use crate::model::Endpoint;

/// A time with three digits behind the point.
pub fn time(version: Version) -> String {
    let text = Timestamp::from_micros(version.0).to_string();
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

fn unsendable(error: &dyn std::fmt::Display) -> Status {
    tracing::error!(%error, "an event cannot be sent");
    Status::new(Code::Internal, "an event cannot be sent")
}

/// The beginning of every request to a worker that is no client's.
pub fn to_worker(endpoint: &Endpoint, kind: &'static str, trace: &str) -> Builder {
    Request::post("/")
        .header(HOST, "localhost")
        .header("x-hearth-target", endpoint.entry_point.as_str())
        .header("x-hearth-kind", kind)
        .header("traceparent", trace)
}

/// The request that tells a function of an event.
pub fn request(
    endpoint: &Endpoint,
    record: &Record,
    version: Version,
    (told, attempts): (Told, u32),
    trace: &str,
) -> Result<Request<Body>, Status> {
    let is_message = endpoint.is_first_generation && record.source != Own::Task.name();
    let request = if let Some(headers) = told.headers.as_ref().filter(|_| !is_message) {
        let mut request = to_worker(endpoint, "http", trace);
        for (name, value) in headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| unsendable(&error))?;
            request = request.header(name, text(value)?);
        }
        if record.source == Own::Task.name() {
            for name in ["x-cloudtasks-taskretrycount", "x-cloudtasks-taskexecutioncount"] {
                request = request.header(name, attempts);
            }
        }
        request.body(told.message.map(Body::from).unwrap_or_default())
    } else if endpoint.is_first_generation {
        let request = to_worker(endpoint, "event", trace).header(CONTENT_TYPE, "application/json");
        request.body(Body::from(first_generation(record, version, told).to_string()))
    } else if let Some(message) = told.message.clone() {
        let mut request =
            to_worker(endpoint, "cloudevent", trace).header(CONTENT_TYPE, "application/protobuf");
        for (name, value) in attributes(record, version, &told) {
            let name = HeaderName::try_from(format!("ce-{name}")).map_err(|error| unsendable(&error))?;
            request = request.header(name, text(&value)?);
        }
        request.body(Body::from(message))
    } else {
        let mut event: Map<String, Json> = attributes(record, version, &told)
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect();
        event.insert("data".to_owned(), told.data);
        let json = "application/cloudevents+json; charset=UTF-8";
        let request = to_worker(endpoint, "cloudevent", trace).header(CONTENT_TYPE, json);
        request.body(Body::from(Json::Object(event).to_string()))
    };
    request.map_err(|error| unsendable(&error))
}

/// A header's value: what is no visible ASCII is percent-encoded, as CloudEvents over HTTP demands.
fn text(value: &str) -> Result<HeaderValue, Status> {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' && byte != b'"' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::from_str(&out).map_err(|error| unsendable(&error))
}

fn attributes(record: &Record, version: Version, told: &Told) -> Vec<(String, String)> {
    let own = [
        ("specversion", "1.0".to_owned()),
        ("id", record.id.clone()),
        ("type", record.event.clone()),
        ("source", told.source.clone()),
        ("subject", told.subject.clone()),
        ("time", time(version)),
    ];
    let own = own.into_iter().filter(|(_, value)| !value.is_empty());
    let own = own.map(|(name, value)| (name.to_owned(), value));
    own.chain(told.attributes.clone()).collect()
}

fn first_generation(record: &Record, version: Version, told: Told) -> Json {
    let mut context = told.context;
    for (name, value) in [
        ("eventId", Json::from(record.id.clone())),
        ("eventType", record.event.clone().into()),
        ("timestamp", context.get("timestamp").cloned().unwrap_or_else(|| time(version).into())),
        ("resource", told.resource),
    ] {
        context.insert(name.to_owned(), value);
    }
    json!({ "context": context, "data": told.first_generation_data.unwrap_or(told.data) })
}

/// The id in a `traceparent`.
pub fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}
