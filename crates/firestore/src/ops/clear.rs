//! The emulator's own verb: everything below a path goes. Dev only.

use access::{Attempts, Caller, DevPermit, Session};
use base::{DatabaseName, DocumentPath, ResourcePath, Status};
use kv::{KeyRange, Scan};

use super::list::found_in;
use super::{Firestore, invalid, operation};
use crate::model::key;
use crate::query::index;
use crate::status;

/// Documents deleted in one commit.
const BATCH_DOCUMENTS: usize = 500;
/// How often one batch is tried.
const ATTEMPTS_MAX: usize = 20;

impl Firestore {
    /// The permit for the emulator's control routes; `None` in production, where they do not exist.
    pub fn dev(&self) -> Option<DevPermit> {
        self.gate.mode().dev()
    }

    /// Deletes a document or a collection and everything below it; at the root, all documents. The route has no
    /// authentication: whoever reaches a dev port is its owner.
    pub async fn clear(&self, _permit: DevPermit, name: &str) -> Result<(), Status> {
        let (database, path) = base::name::parse_resource(name).map_err(invalid)?;
        let (database, path) = (&database, &path);
        let caller = Caller::admin("owner");
        if let Some(document) = DocumentPath::new(path.clone()) {
            let own = key::document(database, &document);
            let range = KeyRange::between(own.clone(), own.successor());
            self.clear_range(&caller, database, path, range).await?;
        }
        self.clear_range(&caller, database, path, key::below(database, path)).await
    }

    pub(super) async fn clear_range(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        path: &ResourcePath,
        range: KeyRange,
    ) -> Result<(), Status> {
        let operation = operation("ClearDocuments", path);
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let mut rest = Some(range);
        while let Some(range) = rest {
            let batch = |session| clear_batch(session, database, path, range.clone());
            (rest, _) = self.gate.transact(caller, &operation, attempts, batch).await?;
        }
        Ok(())
    }
}

/// Stages the deletion of the next documents; what is left to clear.
async fn clear_batch(
    mut session: Session,
    database: &DatabaseName,
    path: &ResourcePath,
    range: KeyRange,
) -> Result<(Session, Option<KeyRange>), Status> {
    session.set_project(&database.project);
    session.without_events();
    let permit = session.authorize_admin(&format!("/{path}")).map_err(status::refused)?;
    let page = session.scan(&range, Scan { rows_max: BATCH_DOCUMENTS, ..Scan::default() }).await?;
    for row in &page.rows {
        let found = found_in(row)?;
        let definitions = index::definitions(&mut session, database, found.path.collection_id()).await?;
        let fields = found.stored.fields()?;
        for (key, value) in index::changes(database, &definitions, &found.path, Some(&fields), None)? {
            session.write(&permit, key, value);
        }
        session.write(&permit, row.key.clone(), None);
    }
    Ok((session, page.next))
}
