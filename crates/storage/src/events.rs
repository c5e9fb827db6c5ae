//! Objects as events: what Cloud Functions are told of them.
//!
//! Bytes that take the place of others are two events, as in production: the new object is finalized, the old one deleted.
//!
//! Source: the functions reference, A5.

use access::events::{Record, Source, Told};
use access::keyspace::OBJECTS;
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};
use serde_json::json;

use crate::api::shown_object;
use crate::model::{Object, decode, object_of};

const FINALIZED: [&str; 2] = ["google.cloud.storage.object.v1.finalized", "google.storage.object.finalize"];
const DELETED: [&str; 2] = ["google.cloud.storage.object.v1.deleted", "google.storage.object.delete"];
const METADATA_UPDATED: [&str; 2] =
    ["google.cloud.storage.object.v1.metadataUpdated", "google.storage.object.metadataUpdate"];
/// Of buckets that keep generations: there are none here.
const ARCHIVED: [&str; 2] = ["google.cloud.storage.object.v1.archived", "google.storage.object.archive"];
/// Where links of objects lead.
const ORIGIN: &str = "https://www.googleapis.com";

/// Objects as a source of events.
#[derive(Clone, Copy, Debug)]
pub struct Events;

impl Source for Events {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn serves(&self, event: &str) -> bool {
        [FINALIZED, DELETED, METADATA_UPDATED, ARCHIVED].iter().any(|types| types.contains(&event))
    }

    fn keyspace(&self) -> Option<Keyspace> {
        Some(OBJECTS)
    }

    fn attributes(&self, key: &Key) -> Option<Vec<(&'static str, String)>> {
        let object = object_of(key)?;
        let bytes = key.as_bytes().get(..key.as_bytes().len() - object.len() - 1)?;
        let bucket = std::str::from_utf8(bytes).ok()?;
        Some(vec![
            ("resource", format!("projects/_/buckets/{bucket}")),
            ("bucket", bucket.to_owned()),
            ("object", object.to_owned()),
        ])
    }

    fn events(&self, before: Option<&Row>, after: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        let read = |row: Row| decode::<Object>(&row);
        let old = before.cloned().map(read).transpose()?;
        let row =
            |value: &Bytes| Row { key: Key::new(OBJECTS, b""), value: value.clone(), version: Version::ZERO };
        let new = after.map(row).map(read).transpose()?;
        Ok(match (old, new) {
            (None, Some(_)) => FINALIZED.to_vec(),
            (Some(_), None) => DELETED.to_vec(),
            (Some(old), Some(new)) if old.generation != new.generation => [FINALIZED, DELETED].concat(),
            (Some(old), Some(new)) if old.metageneration != new.metageneration => METADATA_UPDATED.to_vec(),
            _ => Vec::new(),
        })
    }

    fn told(&self, record: &Record, version: Version) -> Result<Told, Status> {
        let unreadable = || Status::new(Code::DataLoss, "an event of an object cannot be read");
        let is_gone = DELETED.contains(&record.event.as_str());
        let value = if is_gone { record.before.clone() } else { record.after.clone() };
        let key = Key::from_stored(record.key.clone()).ok_or_else(unreadable)?;
        let object: Object = decode(&Row { key, value: value.ok_or_else(unreadable)?, version })?;
        let (bucket, name) = (&object.bucket, &object.name);
        Ok(Told {
            source: format!("//storage.googleapis.com/projects/_/buckets/{bucket}/objects/{name}"),
            subject: format!("objects/{name}"),
            attributes: [("bucket".to_owned(), bucket.clone())].into(),
            data: shown_object(ORIGIN, &object),
            resource: json!({
                "service": "storage.googleapis.com",
                "name": format!("projects/_/buckets/{bucket}/objects/{name}"),
                "type": "storage#object",
            }),
            ..Told::default()
        })
    }
}
