//! What functions are told that no service writes: messages, custom events, times and tasks.
//!
//! Source: the functions reference, A5; `eventarcEmulator.ts` of firebase-tools for the form of custom events.

use std::collections::BTreeMap;

use access::events::{Record, Source, Told};
use base::{Code, Status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};
use serde_json::{Map, Value as Json, json};

use super::request::time;

/// The types of a message's event.
pub const PUBLISHED: [&str; 2] =
    ["google.cloud.pubsub.topic.v1.messagePublished", "google.pubsub.topic.publish"];

/// One kind of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Messages of Pub/Sub's topics.
    Message,
    /// Custom events of Eventarc's channels.
    Custom,
    /// Times of schedules.
    Time,
    /// Tasks of queues.
    Task,
}

impl Own {
    /// All of them.
    pub const ALL: [Own; 4] = [Own::Message, Own::Custom, Own::Time, Own::Task];
}

impl Source for Own {
    fn name(&self) -> &'static str {
        match self {
            Own::Message => "pubsub",
            Own::Custom => "eventarc",
            Own::Time => "schedule",
            Own::Task => "tasks",
        }
    }

    fn serves(&self, event: &str) -> bool {
        match self {
            Own::Message => PUBLISHED.contains(&event),
            // Whatever is not Google's is the project's own.
            Own::Custom => {
                !event.is_empty() && !event.starts_with("google.") && !event.starts_with("providers/")
            }
            Own::Time | Own::Task => false,
        }
    }

    fn keyspace(&self) -> Option<Keyspace> {
        None
    }

    fn attributes(&self, _: &Key) -> Option<Vec<(&'static str, String)>> {
        None
    }

    fn events(&self, _: Option<&Row>, _: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        Ok(Vec::new())
    }

    fn told(&self, record: &Record, version: Version) -> Result<Told, Status> {
        let after = record.after.as_deref().unwrap_or_default();
        let said: Json = serde_json::from_slice(after)
            .map_err(|_| Status::new(Code::DataLoss, "an event that was published cannot be read"))?;
        Ok(match self {
            Own::Message => message(&said, record, version),
            Own::Custom => custom(said),
            Own::Time => due(&said),
            Own::Task => task(&said),
        })
    }
}

fn text<'a>(said: &'a Json, name: &str) -> &'a str {
    said.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// `{topic, messageId, data, attributes, orderingKey}`.
fn message(said: &Json, record: &Record, version: Version) -> Told {
    let of = |name: &str| record.attributes.get(name).cloned().unwrap_or_default();
    let (topic, resource) = (of("topic"), of("resource"));
    let (id, data, at) = (text(said, "messageId"), text(said, "data"), time(version));
    let attributes = said.get("attributes").cloned().unwrap_or_else(|| json!({}));
    let mut message = json!({
        "messageId": id, "message_id": id, "publishTime": at, "publish_time": at, "attributes": attributes, "data": data,
    });
    let key = text(said, "orderingKey");
    if let (false, Some(message)) = (key.is_empty(), message.as_object_mut()) {
        message.insert("orderingKey".to_owned(), key.into());
    }
    let project = resource.split('/').nth(1).unwrap_or_default();
    Told {
        source: format!("//pubsub.googleapis.com/{resource}"),
        data: json!({
            "message": message,
            "subscription": format!("projects/{project}/subscriptions/hearth-{topic}"),
        }),
        first_generation_data: Some(json!({
            "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
            "data": data,
            "attributes": attributes,
        })),
        resource: json!({ "service": "pubsub.googleapis.com", "name": resource }),
        ..Told::default()
    }
}

/// A CloudEvent in its protocol's JSON: `{id, source, type, specVersion, attributes: {name: {ceString}}, textData}`.
fn custom(said: Json) -> Told {
    let mut attributes = BTreeMap::new();
    for name in ["id", "type"] {
        attributes.insert(name.to_owned(), text(&said, name).to_owned());
    }
    for (name, value) in custom_attributes(&said) {
        attributes.insert(name, value);
    }
    let is_json = attributes.get("datacontenttype").is_some_and(|kind| kind.contains("json"));
    let data = match said.get("textData").and_then(Json::as_str) {
        Some(data) if is_json => serde_json::from_str(data).unwrap_or_else(|_| data.into()),
        Some(data) => data.into(),
        None => said.get("binaryData").or_else(|| said.get("protoData")).cloned().unwrap_or_default(),
    };
    Told { source: text(&said, "source").to_owned(), attributes, data, ..Told::default() }
}

/// The attributes of a custom event, as texts.
pub fn custom_attributes(event: &Json) -> Vec<(String, String)> {
    let members = event.get("attributes").and_then(Json::as_object);
    let value = |value: &Json| {
        let (_, value) = value.as_object()?.iter().next()?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    members
        .map(|members| members.iter().filter_map(|(name, of)| Some((name.clone(), value(of)?))).collect())
        .unwrap_or_default()
}

/// `{job, time, topic}`: a request to the second generation, a message to the first.
fn due(said: &Json) -> Told {
    let headers = [("X-CloudScheduler-JobName", "job"), ("X-CloudScheduler-ScheduleTime", "time")];
    let headers = headers.map(|(header, name)| (header.to_owned(), text(said, name).to_owned()));
    let mut context = Map::new();
    context.insert("timestamp".to_owned(), text(said, "time").into());
    Told {
        headers: Some(headers.into()),
        resource: json!({ "service": "pubsub.googleapis.com", "name": text(said, "topic") }),
        first_generation_data: Some(json!({
            "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
            "attributes": { "scheduled": "true" },
        })),
        context,
        ..Told::default()
    }
}

/// `{queue, id, due, body, headers}`; the body is base64.
fn task(said: &Json) -> Told {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    let own = said.get("headers").and_then(Json::as_object);
    for (name, value) in own.into_iter().flatten() {
        if let Some(value) = value.as_str() {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
    }
    headers.insert("content-type".to_owned(), "application/json".to_owned());
    for (header, name) in [
        ("x-cloudtasks-queuename", "queue"),
        ("x-cloudtasks-taskname", "id"),
        ("x-cloudtasks-tasketa", "eta"),
    ] {
        headers.insert(header.to_owned(), text(said, name).to_owned());
    }
    let body = STANDARD.decode(text(said, "body")).unwrap_or_default();
    Told { headers: Some(headers), message: Some(body.into()), ..Told::default() }
}
