//! Reading documents by name.

use std::collections::HashSet;

use access::{Caller, Session};
use base::{DatabaseName, DocumentPath, Fields, ResourcePath, Status};
use policy::Method;
use policy::rules::Action;
use wire::v1;
use wire::v1::batch_get_documents_response::Result as Found;
use wire::weight::{Hold, hold};

use super::decide::decide_read;
use super::reading::{Reading, Selector};
use super::{Firestore, operation};
use crate::model::value::fields_to_wire;
use crate::model::{Stored, key};
use crate::status;
use crate::write::{decode_mask, document_path, project};

/// Documents one request may name.
const DOCUMENTS_MAX: usize = 10_000;
/// Documents read in one go: few, until they turn out to be small.
const CHUNK_DOCUMENTS_MIN: usize = 8;
/// See [`CHUNK_DOCUMENTS_MIN`].
const CHUNK_DOCUMENTS_MAX: usize = 100;
/// Documents are small when those of a chunk have no more than this on the average.
const SMALL_DOCUMENT_BYTES: usize = 16 << 10;
/// A document is held as its row, as what the rules see, and as the response.
const FORMS: usize = 3;
/// Stored bytes one request may read by name.
const READ_BYTES_MAX: usize = 128 << 20;

/// A document that the caller may see. Fields are decoded only where the rules needed them.
pub struct Seen {
    stored: Stored,
    fields: Option<Fields>,
}

impl Seen {
    /// The document for the client.
    pub fn into_wire(
        self,
        database: &DatabaseName,
        path: &DocumentPath,
        mask: Option<&[base::FieldPath]>,
    ) -> Result<v1::Document, Status> {
        let fields = match self.fields {
            Some(fields) => fields_to_wire(fields),
            None => self.stored.wire_fields()?,
        };
        Ok(self.stored.to_wire(database, path, project(fields, mask)))
    }
}

/// Asks the rules whether the caller may get a document that has been read.
async fn see(
    session: &mut Session,
    database: &DatabaseName,
    path: &DocumentPath,
    row: Option<&kv::Row>,
    in_transaction: bool,
) -> Result<Option<Seen>, Status> {
    let stored = row.map(Stored::from_row).transpose()?;
    let fields = match &stored {
        Some(stored) if !session.caller().is_admin() => Some(stored.fields()?),
        _ => None,
    };
    let resource = fields.as_ref().map(|fields| policy::Document { fields });
    let action = Action::new(Method::Get, &database.database, path.segments());
    decide_read(session, database, &Action { resource, in_transaction, ..action }).await?;
    Ok(stored.map(|stored| Seen { stored, fields }))
}

/// Reads documents and asks the rules about each. What they take is charged to the request until it is on its way: many
/// requests for many large documents at once would otherwise hold all of them.
async fn find_all(
    reading: &mut Reading,
    database: &DatabaseName,
    paths: &[DocumentPath],
    mask: Option<&[base::FieldPath]>,
) -> Result<Vec<(Found, Hold)>, Status> {
    let in_transaction = reading.in_transaction();
    let mut found = Vec::with_capacity(paths.len());
    let mut bytes_left = READ_BYTES_MAX;
    let (mut rest, mut chunk_documents) = (paths, CHUNK_DOCUMENTS_MIN);
    while !rest.is_empty() {
        let (chunk, others) = rest.split_at(chunk_documents.min(rest.len()));
        rest = others;
        let before = bytes_left;
        let keys: Vec<_> = chunk.iter().map(|path| key::document(database, path)).collect();
        let rows = reading.session.get_many(&keys).await?;
        for (path, row) in chunk.iter().zip(rows) {
            let size = row.as_ref().map_or(0, |row| row.value.len());
            bytes_left =
                bytes_left.checked_sub(size).ok_or_else(|| status::result_too_large(READ_BYTES_MAX))?;
            let hold = hold(FORMS * size)?;
            let result = match see(&mut reading.session, database, path, row.as_ref(), in_transaction).await?
            {
                Some(seen) => Found::Found(seen.into_wire(database, path, mask)?),
                None => Found::Missing(path.name_in(database)),
            };
            found.push((result, hold));
        }
        let is_small = before - bytes_left <= SMALL_DOCUMENT_BYTES * chunk.len();
        chunk_documents = if is_small { CHUNK_DOCUMENTS_MAX } else { CHUNK_DOCUMENTS_MIN };
        tokio::task::yield_now().await;
    }
    Ok(found)
}

impl Firestore {
    /// `GetDocument`.
    pub async fn get_document(
        &self,
        caller: &Caller,
        request: v1::GetDocumentRequest,
    ) -> Result<v1::Document, Status> {
        let (database, path) = self.document(&request.name)?;
        let mask = decode_mask(request.mask)?;
        let selector = Selector::from(request.consistency_selector);
        let operation = operation("GetDocument", path.as_path());
        let key = key::document(&database, &path);
        let keys = std::slice::from_ref(&key);
        let mut reading = self.reading_documents(caller, operation, &database, selector, keys).await?;
        let in_transaction = reading.in_transaction();
        let seen = loop {
            let row = reading.session.get(&key).await?;
            let seen = see(&mut reading.session, &database, &path, row.as_ref(), in_transaction).await?;
            if !reading.look_back() {
                break seen;
            }
        };
        reading.finish();
        match seen {
            Some(seen) => seen.into_wire(&database, &path, mask.as_deref()),
            None => Err(status::not_found(&request.name)),
        }
    }

    /// `BatchGetDocuments`: every distinct name once, found or missing, from one moment.
    pub async fn batch_get_documents(
        &self,
        caller: &Caller,
        request: v1::BatchGetDocumentsRequest,
    ) -> Result<Vec<v1::BatchGetDocumentsResponse>, Status> {
        let database = self.database(&request.database)?;
        let mask = decode_mask(request.mask)?;
        if request.documents.len() > DOCUMENTS_MAX {
            return Err(status::too_many_documents(DOCUMENTS_MAX));
        }
        let mut names = HashSet::new();
        let mut paths = Vec::new();
        for name in &request.documents {
            let path = document_path(&database, name)?;
            if names.insert(name.as_str()) {
                paths.push(path);
            }
        }
        let selector = Selector::from(request.consistency_selector);
        let operation = operation("BatchGetDocuments", &ResourcePath::ROOT);
        let keys: Vec<_> = match &selector {
            Selector::Newest | Selector::ReadTime(_) => Vec::new(),
            _ => paths.iter().map(|path| key::document(&database, path)).collect(),
        };
        let mut reading = self.reading_documents(caller, operation, &database, selector, &keys).await?;
        let mut found = find_all(&mut reading, &database, &paths, mask.as_deref()).await?;
        if reading.look_back() {
            drop(found);
            found = find_all(&mut reading, &database, &paths, mask.as_deref()).await?;
        }
        let read_time = Some(reading.read_time());
        let response = |result| v1::BatchGetDocumentsResponse {
            result: Some(result),
            transaction: Default::default(),
            read_time,
        };
        // In any order by the protocol; clients have come to expect those that exist first.
        found.sort_by_key(|(result, _)| matches!(result, Found::Missing(_)));
        let mut responses: Vec<_> = found.into_iter().map(|(result, _)| response(result)).collect();
        if let Some(id) = &reading.begun {
            match responses.first_mut() {
                Some(first) => first.transaction = id.clone(),
                None => responses.push(v1::BatchGetDocumentsResponse {
                    transaction: id.clone(),
                    read_time,
                    result: None,
                }),
            }
        }
        reading.finish();
        Ok(responses)
    }
}
