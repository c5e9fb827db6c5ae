//! Writing: one commit is read, judged, checked and applied in one session.
//!
//! The order in [`Firestore::attempt`] matters: every write is applied in memory first, the rules judge every outcome
//! (they see the whole commit through `getAfter`), only then preconditions and sizes may answer.
//!
//! `resource` is always the document before the commit, also for a second write to it; `request.resource` is what
//! the commit has made of it up to that write. That is what the official emulator does.

use std::collections::{BTreeSet, HashMap};

use access::{Caller, CommitFailure, Pending, Permit, Session};
use base::{DatabaseName, DocumentPath, Fields, ResourcePath, Status, Value, id};
use futures_util::{FutureExt, StreamExt, stream};
use kv::{Key, Version};
use policy::Method;
use wire::v1;

use super::{Firestore, Source, internal, invalid, operation, question};
use crate::model::value::{fields_to_wire, to_wire, version_to_wire};
use crate::model::{Stored, document, key};
use crate::query::index;
use crate::status;
use crate::write::{
    Access, Applied, Held, Operation, State, Write, apply, check, decode_all, decode_mask, project,
};

/// How often a commit is tried when others keep changing what it relies on.
const ATTEMPTS_MAX: usize = 10;
/// Writes of one `BatchWrite` that are under way at once.
const BATCH_CONCURRENT_MAX: usize = 32;

/// What a commit came to.
struct Committed {
    version: Version,
    results: Vec<v1::WriteResult>,
    /// The documents it wrote, as they are now.
    documents: Vec<Document>,
}

/// Why an attempt came to nothing.
enum Failure {
    /// Something it relied on has changed.
    Conflict,
    /// For good.
    Final(Status),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Final(status)
    }
}

/// A document of a commit.
struct Document {
    path: DocumentPath,
    key: Key,
    stored: Option<Stored>,
    before: State,
    /// The last step that wrote it.
    last: Option<usize>,
    permit: Option<Permit>,
    /// Its fields after the commit.
    after: Option<Fields>,
    /// Who created and last changed it, after the commit; zero stands for the commit's own version.
    created: Version,
    updated: Version,
}

/// A write of a commit, applied.
struct Step {
    document: usize,
    held_before: Held,
    after: State,
    transform_results: Vec<Value>,
}

/// The view of `getAfter()`: the documents as the whole commit leaves them.
struct After<'a> {
    documents: HashMap<&'a [String], Option<&'a Fields>>,
}

impl Pending for After<'_> {
    fn after(&self, path: &[String]) -> Option<Option<&Fields>> {
        self.documents.get(path).copied()
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
    let keys: Vec<_> = paths.iter().map(|path| key::document(database, path)).collect();
    let rows = session.get_many(&keys).await?;
    let documents = paths.into_iter().zip(keys).zip(rows).map(|((path, key), row)| {
        let stored = row.as_ref().map(Stored::from_row).transpose()?;
        let before = match &stored {
            Some(stored) => State { fields: Some(stored.fields()?), held: Held::Since(stored.updated) },
            None => State::default(),
        };
        let (path, permit) = (path.clone(), None);
        let (created, updated) = (Version::ZERO, Version::ZERO);
        Ok(Document { path, key, stored, before, last: None, permit, after: None, created, updated })
    });
    Ok((documents.collect::<Result<_, Status>>()?, of_write))
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
        let before = match document.last.and_then(|last| steps.get(last)) {
            Some(step) => &step.after,
            None => &document.before,
        };
        let held_before = before.held;
        let Applied { after, transform_results } = apply(before, write, session.now());
        document.last = Some(steps.len());
        steps.push(Step { document: place, held_before, after, transform_results });
    }
    steps
}

/// Asks the rules about every write.
async fn authorize(
    session: &mut Session,
    database: &DatabaseName,
    writes: &[Write],
    documents: &mut [Document],
    steps: &[Step],
    in_transaction: bool,
) -> Result<(), Status> {
    let caller = session.caller().clone();
    let is_admin = caller.is_admin();
    let source = Source { project: &database.project };
    let mut permits = Vec::with_capacity(writes.len());
    let mut after = After { documents: HashMap::new() };
    if !is_admin {
        for document in &*documents {
            let last = document.last.and_then(|last| steps.get(last));
            let fields = last.map_or(&document.before, |step| &step.after).fields.as_ref();
            after.documents.insert(document.path.segments(), fields);
        }
    }
    for (write, step) in writes.iter().zip(steps) {
        let document = documents.get(step.document).ok_or_else(|| internal("a write without document"))?;
        let access = write.access(document.stored.is_some());
        let method = match access {
            Access::Get => Method::Get,
            Access::Create => Method::Create,
            Access::Update => Method::Update,
            Access::Delete => Method::Delete,
        };
        let mut request = question(session, &caller, database, method, write.path.segments());
        request.in_transaction = in_transaction;
        if !is_admin {
            request.resource = document.before.fields.as_ref().map(|fields| policy::Document { fields });
            if matches!(access, Access::Create | Access::Update) {
                request.new_resource = step.after.fields.as_ref().map(|fields| policy::Document { fields });
            }
        }
        permits.push((step.document, session.authorize(&request, &source, &after).await?));
    }
    for (place, permit) in permits {
        if let Some(document) = documents.get_mut(place) {
            document.permit = Some(permit);
        }
    }
    Ok(())
}

/// Stages the row and the index entries of every document that really changes.
async fn stage(
    session: &mut Session,
    database: &DatabaseName,
    documents: &mut [Document],
    steps: &mut [Step],
) -> Result<(), Status> {
    let mut definitions: HashMap<String, Vec<index::Definition>> = HashMap::new();
    for document in documents {
        let after = match document.last.and_then(|last| steps.get_mut(last)) {
            Some(step) => step.after.fields.take(),
            None => None,
        };
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
        let (before, after) = (document.before.fields.as_ref(), document.after.as_ref());
        for (key, value) in index::changes(database, definitions, &document.path, before, after)? {
            session.write(permit, key, value);
        }
        let created = document.stored.as_ref().map(|stored| stored.created);
        let row = body.map(|body| document::encode(created, &body));
        session.write(permit, document.key.clone(), row);
    }
    Ok(())
}

impl Firestore {
    /// One attempt at a commit.
    async fn attempt(
        mut session: Session,
        database: &DatabaseName,
        writes: &[Write],
        in_transaction: bool,
    ) -> Result<Committed, Failure> {
        let (mut documents, of_write) = read_documents(&mut session, database, writes).await?;
        let mut steps = apply_all(&session, writes, &mut documents, &of_write);
        authorize(&mut session, database, writes, &mut documents, &steps, in_transaction).await?;
        for (write, step) in writes.iter().zip(&steps) {
            check(database, write, step.held_before, &step.after, session.now())?;
        }
        stage(&mut session, database, &mut documents, &mut steps).await?;
        let version = session.commit().await.map_err(|failure| match failure {
            CommitFailure::Conflict => Failure::Conflict,
            CommitFailure::Failed(status) => Failure::Final(status),
        })?;
        for document in &mut documents {
            let own = |at: &mut Version| {
                if *at == Version::ZERO {
                    *at = version;
                }
            };
            own(&mut document.created);
            own(&mut document.updated);
        }
        let results = writes.iter().zip(steps).map(|(write, step)| {
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
        });
        let results = results.collect();
        Ok(Committed { version, results, documents })
    }

    /// Commits writes that belong to no transaction, trying again while others are in the way.
    async fn commit_alone(
        &self,
        caller: &Caller,
        verb: &'static str,
        database: &DatabaseName,
        writes: &[Write],
    ) -> Result<Committed, Status> {
        let keys: Vec<_> = writes.iter().map(|write| key::document(database, &write.path)).collect();
        for attempt in 0..ATTEMPTS_MAX {
            let _turn = self.contention.turn(&keys, attempt == 0).await;
            let session = self.gate.begin(caller, operation(verb, &subject(writes))).await?;
            match Self::attempt(session, database, writes, false).await {
                Ok(committed) => return Ok(committed),
                Err(Failure::Conflict) => {}
                Err(Failure::Final(status)) => return Err(status),
            }
        }
        Err(status::contention())
    }

    /// Commits a transaction. It is over then, whatever comes of it.
    async fn commit_transaction(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        writes: &[Write],
        id: &[u8],
    ) -> Result<Committed, Status> {
        let mut lease = self.transactions.lease(caller, database, id).await?;
        let suspended = lease.take();
        let reads_at = lease.transaction.reads_at();
        self.transactions.end(&mut lease);
        if reads_at.is_some() && !writes.is_empty() {
            return Err(status::read_only_transaction());
        }
        let operation = operation("Commit", &subject(writes));
        let session = match suspended {
            Some(suspended) => self.gate.resume(caller, operation, suspended).await?,
            None => self.gate.begin(caller, operation).await?,
        };
        if writes.is_empty() {
            // It saw one consistent state, which is all that can be asked of it.
            let version = reads_at.unwrap_or_else(|| session.version());
            session.finish();
            return Ok(Committed { version, results: Vec::new(), documents: Vec::new() });
        }
        Self::attempt(session, database, writes, true).await.map_err(|failure| match failure {
            Failure::Conflict => status::contention(),
            Failure::Final(status) => status,
        })
    }

    /// `Commit`: all of the writes or none.
    pub async fn commit(
        &self,
        caller: &Caller,
        request: v1::CommitRequest,
    ) -> Result<v1::CommitResponse, Status> {
        let database = self.database(&request.database)?;
        let writes = decode_all(&database, request.writes)?;
        let committed = if !request.transaction.is_empty() {
            self.commit_transaction(caller, &database, &writes, &request.transaction).await?
        } else if writes.is_empty() {
            let session = self.gate.begin(caller, operation("Commit", &ResourcePath::ROOT)).await?;
            let version = session.version();
            session.finish();
            Committed { version, results: Vec::new(), documents: Vec::new() }
        } else {
            self.commit_alone(caller, "Commit", &database, &writes).await?
        };
        Ok(v1::CommitResponse {
            write_results: committed.results,
            commit_time: Some(version_to_wire(committed.version)),
        })
    }

    /// `BatchWrite`: writes that are independent of each other, for administrators.
    pub async fn batch_write(
        &self,
        caller: &Caller,
        request: v1::BatchWriteRequest,
    ) -> Result<v1::BatchWriteResponse, Status> {
        let database = self.database(&request.database)?;
        if !caller.is_admin() {
            let mut session = self.gate.begin(caller, operation("BatchWrite", &ResourcePath::ROOT)).await?;
            session.authorize_admin("/")?;
        }
        let writes = decode_all(&database, request.writes)?;
        let paths: BTreeSet<_> = writes.iter().map(|write| &write.path).collect();
        if paths.len() < writes.len() {
            return Err(status::written_twice());
        }
        let mut commits = Vec::with_capacity(writes.len());
        for write in writes.chunks(1) {
            commits.push(self.commit_alone(caller, "BatchWrite", &database, write).boxed());
        }
        let commits: Vec<_> = stream::iter(commits).buffered(BATCH_CONCURRENT_MAX).collect().await;
        let mut response = v1::BatchWriteResponse::default();
        for commit in commits {
            let (result, status) = match commit {
                Ok(committed) => {
                    (committed.results.into_iter().next().unwrap_or_default(), Default::default())
                }
                Err(status) => (v1::WriteResult::default(), (&status).into()),
            };
            response.write_results.push(result);
            response.status.push(status);
        }
        Ok(response)
    }

    /// `CreateDocument`.
    pub async fn create_document(
        &self,
        caller: &Caller,
        request: v1::CreateDocumentRequest,
    ) -> Result<v1::Document, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let id = if request.document_id.is_empty() {
            id::document_id().map_err(|_| Status::unavailable("The service is currently unavailable."))?
        } else {
            request.document_id
        };
        let path = parent.child(request.collection_id).and_then(|path| path.child(id)).map_err(invalid)?;
        let write = v1::Write {
            operation: Some(v1::write::Operation::Update(v1::Document {
                name: format!("{database}/documents/{path}"),
                ..request.document.unwrap_or_default()
            })),
            current_document: Some(v1::Precondition {
                condition_type: Some(v1::precondition::ConditionType::Exists(false)),
            }),
            ..Default::default()
        };
        self.write_one(caller, "CreateDocument", &database, write, request.mask).await
    }

    /// `UpdateDocument`.
    pub async fn update_document(
        &self,
        caller: &Caller,
        request: v1::UpdateDocumentRequest,
    ) -> Result<v1::Document, Status> {
        let document = request.document.ok_or_else(|| status::missing_part("A document"))?;
        let (database, _) = self.document(&document.name)?;
        let write = v1::Write {
            operation: Some(v1::write::Operation::Update(document)),
            update_mask: request.update_mask,
            current_document: request.current_document,
            ..Default::default()
        };
        self.write_one(caller, "UpdateDocument", &database, write, request.mask).await
    }

    /// `DeleteDocument`.
    pub async fn delete_document(
        &self,
        caller: &Caller,
        request: v1::DeleteDocumentRequest,
    ) -> Result<(), Status> {
        let (database, _) = self.document(&request.name)?;
        let write = v1::Write {
            operation: Some(v1::write::Operation::Delete(request.name)),
            current_document: request.current_document,
            ..Default::default()
        };
        let writes = decode_all(&database, vec![write])?;
        self.commit_alone(caller, "DeleteDocument", &database, &writes).await.map(|_| ())
    }

    /// A write of one document that answers with the document.
    async fn write_one(
        &self,
        caller: &Caller,
        verb: &'static str,
        database: &DatabaseName,
        write: v1::Write,
        mask: Option<v1::DocumentMask>,
    ) -> Result<v1::Document, Status> {
        let mask = decode_mask(mask)?;
        let writes = decode_all(database, vec![write])?;
        let committed = self.commit_alone(caller, verb, database, &writes).await?;
        let document =
            committed.documents.into_iter().next().ok_or_else(|| internal("nothing was written"))?;
        let fields = fields_to_wire(document.after.unwrap_or_default());
        Ok(v1::Document {
            name: document.path.name_in(database),
            fields: project(fields, mask.as_deref()),
            create_time: Some(version_to_wire(document.created)),
            update_time: Some(version_to_wire(document.updated)),
        })
    }
}

/// What a commit is about, for the record: its document, or the root when there are several.
fn subject(writes: &[Write]) -> ResourcePath {
    match writes {
        [write] => write.path.as_path().clone(),
        _ => ResourcePath::ROOT,
    }
}
