//! A document as a commit has left it, shared by all who must hear of it. Its bytes for clients are made once.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base::{DatabaseName, DocumentPath, Fields, Status};
use bytes::{Bytes, BytesMut};
use kv::Version;
use prost::Message;
use wire::v1;

use crate::model::Stored;
use crate::model::value::{fields_to_wire, version_to_wire};
use crate::query::{Found, Query};

/// What an image counts beside its document's bytes.
const OVERHEAD_BYTES: usize = 256;

/// A document as it is since some version.
#[derive(Debug)]
pub struct Image {
    /// Where.
    pub database: DatabaseName,
    /// Which.
    pub path: DocumentPath,
    /// What it is; `None` when it is not there.
    pub stored: Option<Stored>,
    /// Since when.
    pub version: Version,
    encoded: OnceLock<Bytes>,
}

impl Image {
    /// A document, or its absence.
    pub fn new(database: DatabaseName, path: DocumentPath, stored: Option<Stored>, version: Version) -> Self {
        Self { database, path, stored, version, encoded: OnceLock::new() }
    }

    /// A document that was found.
    pub fn of(database: &DatabaseName, found: Found) -> Self {
        let version = found.stored.updated;
        Self::new(database.clone(), found.path, Some(found.stored), version)
    }

    /// The full name.
    pub fn name(&self) -> String {
        self.path.name_in(&self.database)
    }

    /// Its fields.
    pub fn fields(&self) -> Result<Option<Fields>, Status> {
        self.stored.as_ref().map(Stored::fields).transpose()
    }

    /// The `Document` message, encoded; `None` when it is not there. A query's projection leaves out what it does not ask for.
    pub fn document(&self, query: Option<&Query>) -> Result<Option<Bytes>, Status> {
        let Some(stored) = &self.stored else { return Ok(None) };
        if let Some(query) = query.filter(|query| query.projection.is_some()) {
            let fields = fields_to_wire(query.project(stored.fields()?));
            let document = stored.to_wire(&self.database, &self.path, fields);
            return Ok(Some(document.encode_to_vec().into()));
        }
        Ok(Some(self.encoded.get_or_init(|| encode(&self.database, &self.path, stored)).clone()))
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.stored.as_ref().map_or(0, |stored| stored.body().len()) + OVERHEAD_BYTES
    }
}

/// The message without a detour: its fields lie in the store as the message has them.
fn encode(database: &DatabaseName, path: &DocumentPath, stored: &Stored) -> Bytes {
    let head = v1::Document { name: path.name_in(database), ..Default::default() };
    let tail = v1::Document {
        create_time: Some(version_to_wire(stored.created)),
        update_time: Some(version_to_wire(stored.updated)),
        fields: BTreeMap::new(),
        name: String::new(),
    };
    let mut bytes = BytesMut::with_capacity(head.encoded_len() + stored.body().len() + tail.encoded_len());
    head.encode_raw(&mut bytes);
    bytes.extend_from_slice(stored.body());
    tail.encode_raw(&mut bytes);
    bytes.freeze()
}
