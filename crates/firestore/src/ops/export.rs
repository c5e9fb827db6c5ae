//! The emulator's own verbs for whole databases: into an export on disk, and out of one. Dev only.
//!
//! An export shows the database at one version. An import is read twice: before its first document is written, all of it is
//! known to be readable and storable. Documents that the export does not have stay.

use std::path::PathBuf;

use access::{Attempts, Caller, DevPermit, Permit, Session};
use base::{DatabaseName, ResourcePath, Status};
use kv::Scan;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::list::found_in;
use super::{Firestore, internal, operation};
use crate::export::{ExportError, Imported, Reader, Writer, Written};
use crate::model::{Stored, document, key};
use crate::query::index;
use crate::status;

/// Documents of one commit of an import, and the bytes of their records.
const BATCH_DOCUMENTS: usize = 500;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Batches that are read ahead of their commit.
const BATCHES_AHEAD: usize = 2;
/// How often one batch is tried.
const ATTEMPTS_MAX: usize = 20;

impl Firestore {
    /// Exports a database to `directory/name`. The route has no authentication: whoever reaches a dev port is its owner.
    ///
    /// Errors: `FAILED_PRECONDITION` for a directory that is not there and for something of that name that is no export.
    pub async fn export_documents(
        &self,
        _permit: DevPermit,
        database: &str,
        directory: PathBuf,
        name: &str,
    ) -> Result<Written, Status> {
        let database = self.database(database)?;
        let (mut session, _) = self.begin_whole("ExportDocuments").await?;
        let began = base::Timestamp::from_micros(session.version().0.max(session.now().micros()));
        let mut writer = Writer::begin(&directory, name, database.clone(), began)?;
        let mut rest = Some(key::below(&database, &ResourcePath::ROOT));
        while let Some(range) = rest {
            let page = session.scan(&range, Scan::default()).await?;
            session.let_go();
            let written = spawn_blocking(move || {
                for row in &page.rows {
                    let found = found_in(row)?;
                    writer.push(&found.path, &found.stored.fields()?)?;
                }
                Ok::<_, Status>((writer, page.next))
            });
            (writer, rest) = written.await.map_err(|_| internal("an export ended early"))??;
        }
        let ended = base::Timestamp::from_micros(self.gate.clock().now_micros());
        let written = spawn_blocking(move || writer.finish(ended));
        let written = written.await.map_err(|_| internal("an export ended early"))??;
        session.note("documents", written.documents.into());
        session.finish();
        Ok(written)
    }

    /// Imports an export into a database; returns how many documents it has. One that cannot be read or stored changes
    /// nothing.
    ///
    /// Errors: `INVALID_ARGUMENT` that names file and byte; `NOT_FOUND` for files that are not there.
    pub async fn import_documents(
        &self,
        _permit: DevPermit,
        database: &str,
        export: PathBuf,
    ) -> Result<u64, Status> {
        let database = self.database(database)?;
        let (mut session, _) = self.begin_whole("ImportDocuments").await?;
        session.let_go();
        let path = export.clone();
        let checked = spawn_blocking(move || {
            let mut reader = Reader::open(&path)?;
            while reader.next()?.is_some() {}
            Ok::<_, ExportError>(())
        });
        checked.await.map_err(|_| internal("an import ended early"))??;
        let (send, mut batches) = mpsc::channel(BATCHES_AHEAD);
        let reading = spawn_blocking(move || read_batches(&export, &send));
        let mut documents = 0_u64;
        while let Some(batch) = batches.recv().await {
            documents += batch.len() as u64;
            self.import_batch(&database, &batch).await?;
        }
        reading.await.map_err(|_| internal("an import ended early"))??;
        session.note("documents", documents.into());
        session.finish();
        Ok(documents)
    }

    /// A session about all of a database, and the right to it.
    async fn begin_whole(&self, verb: &'static str) -> Result<(Session, Permit), Status> {
        let operation = operation(verb, &ResourcePath::ROOT);
        let mut session = self.gate.begin(&Caller::admin("owner"), operation).await?;
        let permit = session.authorize_admin("/").map_err(status::refused)?;
        Ok((session, permit))
    }

    async fn import_batch(&self, database: &DatabaseName, batch: &[Imported]) -> Result<(), Status> {
        let operation = operation("ImportDocuments", &ResourcePath::ROOT);
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let stage = |session| stage(session, database, batch);
        self.gate.transact(&Caller::admin("owner"), &operation, attempts, stage).await.map(|_: ((), _)| ())
    }
}

/// Reads documents in batches, until nobody takes them any more.
fn read_batches(export: &std::path::Path, send: &mpsc::Sender<Vec<Imported>>) -> Result<(), ExportError> {
    let mut reader = Reader::open(export)?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(document) = reader.next()? {
        bytes += document.record_len;
        batch.push(document);
        if batch.len() == BATCH_DOCUMENTS || bytes >= BATCH_BYTES_MAX {
            bytes = 0;
            if send.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = send.blocking_send(batch);
    }
    Ok(())
}

/// Stages documents as they are in the export. One that is there already keeps the time when it was made.
async fn stage(
    mut session: Session,
    database: &DatabaseName,
    batch: &[Imported],
) -> Result<(Session, ()), Status> {
    session.set_project(&database.project);
    session.without_events();
    let permit = session.authorize_admin("/").map_err(status::refused)?;
    session.note("documents", batch.len().into());
    let keys: Vec<_> = batch.iter().map(|imported| key::document(database, &imported.path)).collect();
    let rows = session.get_many(&keys).await?;
    for ((imported, key), row) in batch.iter().zip(keys).zip(rows) {
        let stored = row.as_ref().map(Stored::from_row).transpose()?;
        let before = stored.as_ref().map(Stored::fields).transpose()?;
        let definitions = index::definitions(&mut session, database, imported.path.collection_id()).await?;
        let after = Some(&imported.fields);
        for (key, value) in index::changes(database, &definitions, &imported.path, before.as_ref(), after)? {
            session.write(&permit, key, value);
        }
        let body = document::encode_fields(&imported.fields);
        if stored.as_ref().is_none_or(|stored| *stored.body() != body) {
            let created = stored.map(|stored| stored.created);
            session.write(&permit, key, Some(document::encode(created, &body)));
        }
    }
    Ok((session, ()))
}
