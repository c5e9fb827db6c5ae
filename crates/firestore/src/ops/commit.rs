//! One commit, read, decided, checked and staged in one session.
//!
//! The order in [`prepare`] matters: every write is applied in memory first, the rules decide about every outcome (they
//! see the whole commit through `getAfter`), only then preconditions and sizes may answer.
//!
//! The rules are asked once about each document, from before the commit to what the whole commit leaves: several
//! writes of one document are one change. That is what the official emulator does.

use std::collections::HashMap;

use access::{Pending, Permit, Session};
use base::{DatabaseName, DocumentPath, Fields, Status, Value};
use kv::{Key, Row, Version};
use policy::Method;
use policy::rules::Action;
use wire::v1;
use wire::weight::{self, DEPTH_MAX, Hold, Limits, Weighed, weigh};

use super::decide::decide;
use super::internal;
use crate::model::value::{to_wire, version_to_wire};
use crate::model::{Stored, document, key};
use crate::query::index;
use crate::write::{Access, Applied, Held, Operation, State, Write, apply, check, check_document};

/// Documents after which a long commit lets others in between.
const TURN_DOCUMENTS: usize = 64;
/// What is stored was admitted once; only what it takes is asked.
const STORED: Limits = Limits { bytes: usize::MAX, items: usize::MAX, depth: DEPTH_MAX };

/// What a commit came to.
pub struct Committed {
    /// Its version.
    pub version: Version,
    /// A result for each write.
    pub results: Vec<v1::WriteResult>,
    /// The documents it wrote, as they are now.
    pub documents: Vec<Document>,
}

impl Committed {
    /// A commit without writes.
    pub fn nothing(version: Version) -> Self {
        Self { version, results: Vec::new(), documents: Vec::new() }
    }
}

/// A document of a commit.
pub struct Document {
    /// Its path.
    pub path: DocumentPath,
    key: Key,
    stored: Option<Stored>,
    /// Its fields before the commit.
    before: Option<Fields>,
    /// As the steps so far leave it. Each step goes on with the value of the one before: a commit of many writes to one
    /// document holds two of it, not one for each.
    state: State,
    /// The first step that is about it.
    first: Option<usize>,
    permit: Option<Permit>,
    /// Its fields after the commit.
    pub after: Option<Fields>,
    /// The version that created it, after the commit; zero stands for the commit's own.
    pub created: Version,
    /// The version that changed it last; zero stands for the commit's own.
    pub updated: Version,
    /// The memory that it takes.
    _hold: Option<Hold>,
}

/// A write of a commit, applied.
struct Step {
    document: usize,
    held_before: Held,
    transform_results: Vec<Value>,
}

/// The view of `getAfter()`: the documents as the whole commit leaves them. Those of other databases are as they are.
struct After<'a> {
    database: &'a str,
    documents: HashMap<&'a [String], Option<&'a Fields>>,
}

impl Pending for After<'_> {
    fn after(&self, database: &str, path: &[String]) -> Option<Option<&Fields>> {
        self.documents.get(path).filter(|_| database == self.database).copied()
    }
}

/// A commit that is decided, checked and staged.
pub struct Prepared {
    documents: Vec<Document>,
    steps: Vec<Step>,
}

/// Prepares a commit in a session.
pub async fn prepare(
    mut session: Session,
    database: &DatabaseName,
    writes: &[Write],
    in_transaction: bool,
) -> Result<(Session, Prepared), Status> {
    let (mut documents, of_write) = read_documents(&mut session, database, writes).await?;
    let steps = apply_all(&session, writes, &mut documents, &of_write);
    authorize(&mut session, database, writes, &mut documents, in_transaction).await?;
    for (write, step) in writes.iter().zip(&steps) {
        check(database, write, step.held_before, session.now())?;
    }
    for document in &documents {
        check_document(database, &document.path, &document.state)?;
    }
    stage(&mut session, database, &mut documents).await?;
    Ok((session, Prepared { documents, steps }))
}

impl Prepared {
    /// What it came to, when it was committed at a version.
    pub fn committed(self, writes: &[Write], version: Version) -> Committed {
        let Prepared { mut documents, steps } = self;
        for document in &mut documents {
            for at in [&mut document.created, &mut document.updated] {
                if *at == Version::ZERO {
                    *at = version;
                }
            }
        }
        let result = |(write, step): (&Write, Step)| {
            let document = documents.get(step.document);
            let update_time = match &write.operation {
                Operation::Delete => None,
                Operation::Verify => {
                    document.and_then(|document| document.stored.as_ref()).map(|it| it.updated)
                }
                Operation::Update(_) => document.map(|document| document.updated),
            };
            v1::WriteResult {
                update_time: update_time.map(version_to_wire),
                transform_results: step.transform_results.into_iter().map(to_wire).collect(),
            }
        };
        let results = writes.iter().zip(steps).map(result).collect();
        Committed { version, results, documents }
    }
}

/// Reads the documents of a commit, each once.
async fn read_documents(
    session: &mut Session,
    database: &DatabaseName,
    writes: &[Write],
) -> Result<(Vec<Document>, Vec<usize>), Status> {
    let mut places: HashMap<&DocumentPath, usize> = HashMap::new();
    let mut paths = Vec::new();
    let mut of_write = Vec::with_capacity(writes.len());
    for write in writes {
        let place = *places.entry(&write.path).or_insert_with(|| {
            paths.push(&write.path);
            paths.len() - 1
        });
        of_write.push(place);
    }
    let mut documents = Vec::with_capacity(paths.len());
    for paths in paths.chunks(TURN_DOCUMENTS) {
        let keys: Vec<_> = paths.iter().map(|path| key::document(database, path)).collect();
        let rows = session.get_many(&keys).await?;
        for ((path, key), row) in paths.iter().zip(keys).zip(rows) {
            documents.push(Document::before((*path).clone(), key, row.as_ref())?);
        }
    }
    Ok((documents, of_write))
}

impl Document {
    /// A document as it stands before a commit. What is held of it while the commit lasts is charged to the request: the row,
    /// its fields before and after, and both of them as bytes.
    fn before(path: DocumentPath, key: Key, row: Option<&Row>) -> Result<Self, Status> {
        let stored = row.map(Stored::from_row).transpose()?;
        let (mut before, mut held, mut hold) = (None, Held::Absent, None);
        if let Some(stored) = &stored {
            // What cannot be weighed cannot be decoded either, which is reported there.
            let weight = weigh(v1::Document::SHAPE, stored.body(), &STORED).unwrap_or_default();
            hold = Some(weight::hold(2 * weight.bytes + 3 * stored.body().len())?);
            (before, held) = (Some(stored.fields()?), Held::Since(stored.updated));
        }
        let state = State { fields: None, held };
        let (created, updated) = (Version::ZERO, Version::ZERO);
        let (first, permit, after) = (None, None, None);
        Ok(Self { path, key, stored, before, state, first, permit, after, created, updated, _hold: hold })
    }
}

/// Applies the writes in order, each to what the ones before it left.
fn apply_all(
    session: &Session,
    writes: &[Write],
    documents: &mut [Document],
    of_write: &[usize],
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(writes.len());
    for (write, &place) in writes.iter().zip(of_write) {
        let Some(document) = documents.get_mut(place) else { continue };
        if document.first.is_none() {
            document.first = Some(steps.len());
            document.state.fields.clone_from(&document.before);
        }
        let before = std::mem::take(&mut document.state);
        let held_before = before.held;
        let Applied { after, transform_results } = apply(before, write, session.now());
        document.state = after;
        steps.push(Step { document: place, held_before, transform_results });
    }
    steps
}

/// Asks the rules about every document.
async fn authorize(
    session: &mut Session,
    database: &DatabaseName,
    writes: &[Write],
    documents: &mut [Document],
    in_transaction: bool,
) -> Result<(), Status> {
    let is_admin = session.caller().is_admin();
    let mut permits = Vec::with_capacity(documents.len());
    let mut after = After { database: &database.database, documents: HashMap::new() };
    if !is_admin {
        for document in &*documents {
            after.documents.insert(document.path.segments(), document.state.fields.as_ref());
        }
    }
    for (at, document) in documents.iter().enumerate() {
        if at % TURN_DOCUMENTS == TURN_DOCUMENTS - 1 {
            tokio::task::yield_now().await;
        }
        let first = document.first.and_then(|first| writes.get(first));
        let first = first.ok_or_else(|| internal("a document without write"))?;
        let access = first.access(document.stored.is_some(), document.state.fields.is_some());
        let method = match access {
            Access::Get => Method::Get,
            Access::Create => Method::Create,
            Access::Update => Method::Update,
            Access::Delete => Method::Delete,
        };
        let mut action = Action::new(method, &database.database, document.path.segments());
        action.in_transaction = in_transaction;
        if !is_admin {
            action.resource = document.before.as_ref().map(|fields| policy::Document { fields });
            if matches!(access, Access::Create | Access::Update) {
                action.new_resource =
                    document.state.fields.as_ref().map(|fields| policy::Document { fields });
            }
        }
        permits.push(decide(session, database, &action, &after).await?.permit);
    }
    for (document, permit) in documents.iter_mut().zip(permits) {
        document.permit = Some(permit);
    }
    Ok(())
}

/// Stages the row and the index entries of every document that really changes.
async fn stage(
    session: &mut Session,
    database: &DatabaseName,
    documents: &mut [Document],
) -> Result<(), Status> {
    let mut definitions: HashMap<String, Vec<index::Definition>> = HashMap::new();
    for (at, document) in documents.iter_mut().enumerate() {
        if at % TURN_DOCUMENTS == TURN_DOCUMENTS - 1 {
            tokio::task::yield_now().await;
        }
        let after = document.state.fields.take();
        if let Some(stored) = &document.stored {
            document.created = stored.created;
            document.updated = stored.updated;
        }
        let body = after.as_ref().map(document::encode_fields);
        document.after = after;
        let is_same = match (&document.stored, &body) {
            (None, None) => true,
            (Some(stored), Some(body)) => stored.body() == body,
            _ => false,
        };
        if is_same {
            continue;
        }
        document.updated = Version::ZERO;
        if document.after.is_none() {
            document.created = Version::ZERO;
        }
        let permit = document.permit.as_ref().ok_or_else(|| internal("a write without permit"))?;
        let group = document.path.collection_id();
        if !definitions.contains_key(group) {
            let found = index::definitions(session, database, group).await?;
            definitions.insert(group.to_owned(), found);
        }
        let definitions = definitions.get(group).map(Vec::as_slice).unwrap_or_default();
        let (before, after) = (document.before.as_ref(), document.after.as_ref());
        for (key, value) in index::changes(database, definitions, &document.path, before, after)? {
            session.write(permit, key, value);
        }
        let created = document.stored.as_ref().map(|stored| stored.created);
        let row = body.map(|body| document::encode(created, &body));
        session.write(permit, document.key.clone(), row);
    }
    Ok(())
}
