//! Documents as events: what Cloud Functions are told of a change.
//!
//! Source: the functions reference, A5; `google/events/cloud/firestore/v1/data.proto`.

use std::collections::BTreeMap;

use access::events::{Cause, Record, Source, Told};
use access::keyspace::DOCUMENTS;
use base::{Code, DatabaseName, DocumentPath, FieldPath, Fields, Status, Value};
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};
use prost::Message;
use serde_json::{Value as Json, json};
use wire::json::JsonOptions;
use wire::v1;

use crate::model::document::Stored;
use crate::model::key;

/// Where documents are, as events say it.
const LOCATION: &str = "us-central1";
const WITH_AUTH: &str = ".withAuthContext";

const CREATED: [&str; 6] = [
    "google.cloud.firestore.document.v1.created",
    "google.cloud.firestore.document.v1.written",
    "google.cloud.firestore.document.v1.created.withAuthContext",
    "google.cloud.firestore.document.v1.written.withAuthContext",
    "providers/cloud.firestore/eventTypes/document.create",
    "providers/cloud.firestore/eventTypes/document.write",
];
const UPDATED: [&str; 6] = [
    "google.cloud.firestore.document.v1.updated",
    "google.cloud.firestore.document.v1.written",
    "google.cloud.firestore.document.v1.updated.withAuthContext",
    "google.cloud.firestore.document.v1.written.withAuthContext",
    "providers/cloud.firestore/eventTypes/document.update",
    "providers/cloud.firestore/eventTypes/document.write",
];
const DELETED: [&str; 6] = [
    "google.cloud.firestore.document.v1.deleted",
    "google.cloud.firestore.document.v1.written",
    "google.cloud.firestore.document.v1.deleted.withAuthContext",
    "google.cloud.firestore.document.v1.written.withAuthContext",
    "providers/cloud.firestore/eventTypes/document.delete",
    "providers/cloud.firestore/eventTypes/document.write",
];

/// The documents of a project as a source of events.
pub struct Events {
    /// The project's id; documents of others are nobody's events.
    pub project: String,
}

/// `google.events.cloud.firestore.v1.DocumentEventData`: its documents have the protocol's own form.
#[derive(Clone, PartialEq, Message)]
struct DocumentEventData {
    #[prost(message, optional, tag = "1")]
    value: Option<v1::Document>,
    #[prost(message, optional, tag = "2")]
    old_value: Option<v1::Document>,
    #[prost(message, optional, tag = "3")]
    update_mask: Option<v1::DocumentMask>,
}

impl Source for Events {
    fn name(&self) -> &'static str {
        "firestore"
    }

    fn serves(&self, event: &str) -> bool {
        [CREATED, UPDATED, DELETED].iter().any(|types| types.contains(&event))
    }

    fn keyspace(&self) -> Option<Keyspace> {
        Some(DOCUMENTS)
    }

    fn attributes(&self, key: &Key) -> Option<Vec<(&'static str, String)>> {
        let (database, path) = key::decode(key)?;
        (database.project == self.project).then(|| {
            vec![
                ("resource", path.name_in(&database)),
                ("document", path.to_string()),
                ("database", database.database),
                ("namespace", "(default)".to_owned()),
            ]
        })
    }

    fn events(&self, before: Option<&Row>, after: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        Ok(match (before, after) {
            (None, Some(_)) => CREATED.to_vec(),
            (Some(_), Some(_)) => UPDATED.to_vec(),
            (Some(_), None) => DELETED.to_vec(),
            (None, None) => Vec::new(),
        })
    }

    fn told(&self, record: &Record, version: Version) -> Result<Told, Status> {
        let key = Key::from_stored(record.key.clone()).ok_or_else(unreadable)?;
        let (database, path) = key::decode(&key).ok_or_else(unreadable)?;
        let read = |value: &Option<Bytes>, version: Version| {
            let row = value.clone().map(|value| Row { key: key.clone(), value, version });
            row.map(|row| document(&row, &database, &path)).transpose()
        };
        let before = read(&record.before, record.before_version.unwrap_or(version))?;
        let after = read(&record.after, version)?;
        let mask = match (&before, &after) {
            (Some((_, before)), Some((_, after))) => Some(changed(before, after)),
            _ => None,
        };
        let (value, old_value) = (after.map(|(document, _)| document), before.map(|(document, _)| document));
        let shown = |document: &Option<v1::Document>| document.as_ref().map_or_else(|| json!({}), json_of);
        let data = json!({
            "value": shown(&value),
            "oldValue": shown(&old_value),
            "updateMask": { "fieldPaths": mask.clone().unwrap_or_default() },
        });
        let update_mask = mask.map(|field_paths| v1::DocumentMask { field_paths });
        let message = DocumentEventData { value, old_value, update_mask };
        Ok(Told {
            source: format!("//firestore.googleapis.com/{database}"),
            subject: format!("documents/{path}"),
            attributes: attributes(record, &database, &path),
            message: Some(message.encode_to_vec().into()),
            resource: json!({ "service": "firestore.googleapis.com", "name": path.name_in(&database) }),
            data,
            ..Told::default()
        })
    }
}

fn attributes(record: &Record, database: &DatabaseName, path: &DocumentPath) -> BTreeMap<String, String> {
    let mut attributes = vec![
        ("location", LOCATION.to_owned()),
        ("project", database.project.clone()),
        ("database", database.database.clone()),
        ("namespace", "(default)".to_owned()),
        ("document", path.to_string()),
    ];
    if record.event.ends_with(WITH_AUTH) {
        let (kind, id) = match &record.cause {
            Cause::Admin { account } => ("service_account", account.as_str()),
            // Production's word for an end user.
            Cause::User { uid, .. } => ("unknown", uid.as_str()),
            Cause::Unauthenticated => ("unauthenticated", ""),
        };
        attributes.extend([("authtype", kind.to_owned()), ("authid", id.to_owned())]);
    }
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn unreadable() -> Status {
    Status::new(Code::DataLoss, "an event of a document cannot be read")
}

fn document(
    row: &Row,
    database: &DatabaseName,
    path: &DocumentPath,
) -> Result<(v1::Document, Fields), Status> {
    let stored = Stored::from_row(row)?;
    Ok((stored.to_wire(database, path, stored.wire_fields()?), stored.fields()?))
}

fn json_of(document: &v1::Document) -> Json {
    serde_json::from_str(&wire::json::to_string(document, JsonOptions::default())).unwrap_or_default()
}

/// The paths of the fields that differ; a map that stays a map is looked into.
fn changed(before: &Fields, after: &Fields) -> Vec<String> {
    let (mut paths, mut above) = (Vec::new(), Vec::new());
    differ(before, after, &mut above, &mut paths);
    paths
}

fn differ(before: &Fields, after: &Fields, above: &mut Vec<String>, paths: &mut Vec<String>) {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    // Maps are nested as deep as a document may be.
    for name in after.keys().chain(gone) {
        above.push(name.clone());
        match (before.get(name), after.get(name)) {
            (Some(Value::Map(before)), Some(Value::Map(after))) => differ(before, after, above, paths),
            (before, after) if before != after => {
                paths.extend(FieldPath::from_segments(above.clone()).map(|path| path.to_string()));
            }
            _ => {}
        }
        above.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document;

    fn row(fields: &[(&str, Value)]) -> Bytes {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        document::encode(None, &document::encode_fields(&fields))
    }

    fn record(event: &str, before: Option<Bytes>, after: Option<Bytes>) -> Record {
        let path = DocumentPath::new(base::ResourcePath::parse("demo/abc").unwrap()).unwrap();
        Record {
            id: "1".to_owned(),
            source: "firestore".to_owned(),
            target: "default/f".to_owned(),
            event: event.to_owned(),
            attributes: BTreeMap::new(),
            cause: Cause::User { uid: "alice".to_owned(), claims: json!({}) },
            request: 1,
            key: Bytes::copy_from_slice(key::document(&DatabaseName::default_of("p"), &path).stored()),
            before,
            before_version: Some(Version(1_000_000)),
            after,
        }
    }

    #[test]
    fn an_update_has_the_captured_form_in_both_generations() {
        let inner = |x: i64| Value::Map([("x".to_owned(), Value::Integer(x))].into());
        let before =
            row(&[("a", Value::Integer(1)), ("gone", Value::Null), ("m", inner(1)), ("s", Value::Null)]);
        let after = row(&[("a", Value::Integer(2)), ("m", inner(2)), ("s", Value::Null)]);
        let event = "google.cloud.firestore.document.v1.written.withAuthContext";
        let source = Events { project: "p".to_owned() };
        assert!(source.serves(event) && source.serves("providers/cloud.firestore/eventTypes/document.write"));
        let told = source.told(&record(event, Some(before), Some(after)), Version(2_000_000)).unwrap();
        assert_eq!(told.source, "//firestore.googleapis.com/projects/p/databases/(default)");
        assert_eq!(told.subject, "documents/demo/abc");
        assert_eq!(
            (told.attributes["authtype"].as_str(), told.attributes["authid"].as_str()),
            ("unknown", "alice")
        );
        let document = |fields: Json, updated: &str| {
            json!({ "name": "projects/p/databases/(default)/documents/demo/abc", "fields": fields,
                    "createTime": updated, "updateTime": updated })
        };
        let of = |x: &str| json!({ "mapValue": { "fields": { "x": { "integerValue": x } } } });
        let null = json!({ "nullValue": null });
        let (first, second) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z");
        let old = json!({ "a": { "integerValue": "1" }, "gone": null, "m": of("1"), "s": null });
        let mut old = document(old, first);
        old["fields"]["gone"] = null.clone();
        old["fields"]["s"] = null.clone();
        let new = document(json!({ "a": { "integerValue": "2" }, "m": of("2"), "s": null }), second);
        let mut new = new;
        new["fields"]["s"] = null;
        let mask = json!({ "fieldPaths": ["a", "m.x", "gone"] });
        assert_eq!(told.data, json!({ "value": new, "oldValue": old, "updateMask": mask }));
        let message = DocumentEventData::decode(told.message.unwrap()).unwrap();
        assert_eq!(message.update_mask.unwrap().field_paths, ["a", "m.x", "gone"]);
        assert_eq!(message.value.unwrap().fields.len(), 3);
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let source = Events { project: "p".to_owned() };
        let told = source.told(&record("x", None, Some(row(&[]))), Version(2)).unwrap();
        assert_eq!(told.data["oldValue"], json!({}));
        assert_eq!(told.attributes.get("authtype"), None);
        assert_eq!(source.events(None, None).unwrap(), Vec::<&str>::new());
    }
}
