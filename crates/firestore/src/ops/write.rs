//! The verbs that write.

use std::collections::BTreeSet;

use access::{Attempts, Caller, CommitFailure};
use base::{DatabaseName, ResourcePath, Status, id};
use futures_util::{FutureExt, StreamExt, stream};
use wire::v1;

use super::commit::{Committed, prepare};
use super::databases::hold;
use super::turn::Turn;
use super::{Firestore, internal, invalid, operation};
use crate::model::key;
use crate::model::value::{fields_to_wire, version_to_wire};
use crate::status;
use crate::write::{Write, decode_all, decode_mask, project};

/// How often a commit is tried when others keep changing what it relies on.
const ATTEMPTS_MAX: usize = 10;
/// Writes of one `BatchWrite` that are under way at once.
const BATCH_CONCURRENT_MAX: usize = 32;

impl Firestore {
    /// Commits writes that belong to no transaction, trying again while others are in the way.
    pub(super) async fn commit_alone(
        &self,
        caller: &Caller,
        verb: &'static str,
        database: &DatabaseName,
        writes: &[Write],
    ) -> Result<Committed, Status> {
        let keys: Vec<_> = writes.iter().map(|write| key::document(database, &write.path)).collect();
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &keys, exhausted: status::contention };
        let _turn = self.large_commits.turn(caller, writes.len()).await?;
        let turn = &Turn::new(&self.transactions, &keys, None);
        let work = |session| async move {
            let (mut session, prepared) = prepare(session, database, writes, false).await?;
            hold(&mut session, database, self.databases.row_to_hold(database)).await?;
            turn.wait(&mut session).await?;
            Ok::<_, Status>((session, prepared))
        };
        let operation = operation(verb, &subject(writes));
        let (prepared, version) = self.gate.transact(caller, &operation, attempts, work).await?;
        Ok(prepared.committed(writes, version))
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
        let (suspended, locks) = (lease.take(), lease.take_locks());
        let reads_at = lease.transaction.reads_at();
        self.transactions.end(&mut lease);
        if reads_at.is_some() && !writes.is_empty() {
            return Err(status::read_only_transaction());
        }
        let operation = operation("Commit", &subject(writes));
        if writes.is_empty() {
            // It saw one consistent state, which is all that can be asked of it.
            let session = self.gate.begin(caller, operation).await?;
            let version = reads_at.unwrap_or_else(|| session.time());
            session.finish();
            return Ok(Committed::nothing(version));
        }
        let _turn = self.large_commits.turn(caller, writes.len()).await?;
        let session = match suspended {
            Some(suspended) => self.gate.resume(caller, operation, suspended).await?,
            None => self.gate.begin(caller, operation).await?,
        };
        let (mut session, prepared) = prepare(session, database, writes, true).await?;
        hold(&mut session, database, self.databases.row_to_hold(database)).await?;
        let keys: Vec<_> = writes.iter().map(|write| key::document(database, &write.path)).collect();
        let turn = Turn::new(&self.transactions, &keys, locks);
        turn.wait(&mut session).await?;
        match session.commit().await {
            Ok(version) => Ok(prepared.committed(writes, version)),
            Err(CommitFailure::Conflict) => Err(status::contention()),
            Err(CommitFailure::Failed(status)) => Err(status),
        }
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
            let version = session.time();
            session.finish();
            Committed::nothing(version)
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
            session.set_project(&database.project);
            session.authorize_admin("/").map_err(status::refused)?;
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
