//! TTL policies: documents whose time in a field has passed are deleted, as an act of the service. No rules are asked; listeners
//! see removals, as of any delete.
//!
//! A collection group with a policy is walked from its beginning to its end, a bounded step in each session, and then rests: for
//! [`REST_MIN`], and at least for [`REST_FACTOR`] times as long as the walk took. Documents without a time in the field stay.
//! The time is the server's clock at each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Attempts, Caller, Operation, Service, Session};
use base::{DatabaseName, FieldPath, Status, Timestamp, Value};
use kv::Key;

use super::Firestore;
use crate::model::{Stored, key};
use crate::query::Found;
use crate::query::index;
use crate::query::walk::Collections;
use crate::status;

/// Documents looked at in one session.
const STEP_DOCUMENTS: usize = 500;
/// Others run between two steps.
const STEP_PAUSE: Duration = Duration::from_millis(20);
/// Documents deleted in one commit.
const BATCH_DOCUMENTS: usize = 100;
/// The rest after a walk, at least.
const REST_MIN: Duration = Duration::from_secs(60);
/// The same in dev, where people wait for it.
const REST_IN_DEV_MIN: Duration = Duration::from_secs(2);
/// A walk takes at most one part of so many of the time.
const REST_FACTOR: u32 = 20;
/// How often one batch is tried.
const ATTEMPTS_MAX: usize = 5;

impl Firestore {
    /// Deletes what has expired, for as long as it is polled.
    pub async fn run_expiry(self: Arc<Self>) {
        let rest_min = if self.dev().is_some() { REST_IN_DEV_MIN } else { REST_MIN };
        loop {
            let began = Instant::now();
            if let Err(status) = self.expire().await {
                tracing::warn!(%status, "documents that have expired could not be deleted");
            }
            tokio::time::sleep(rest_min.max(began.elapsed() * REST_FACTOR)).await;
        }
    }

    /// Walks once through every collection group with a policy; returns how many documents were deleted.
    pub async fn expire(&self) -> Result<u64, Status> {
        let mut deleted = 0;
        for (database, group, field) in self.indexes.expiring() {
            // A database that is being deleted, or is not of this project.
            if self.check_database(&database).is_err() {
                continue;
            }
            let mut after = None;
            loop {
                let (expired, next) = self.expired(&database, &group, &field, after.as_ref()).await?;
                for batch in expired.chunks(BATCH_DOCUMENTS) {
                    deleted += self.expire_batch(&database, &group, &field, batch).await?;
                }
                after = match next {
                    Some(next) => Some(next),
                    None => break,
                };
                tokio::time::sleep(STEP_PAUSE).await;
            }
        }
        Ok(deleted)
    }

    /// Those of the next documents of a group that have expired, and the last that was looked at, unless it was the group's.
    async fn expired(
        &self,
        database: &DatabaseName,
        group: &str,
        field: &FieldPath,
        after: Option<&Key>,
    ) -> Result<(Vec<Found>, Option<Key>), Status> {
        let mut session = self.gate.begin(&service(), operation("ListExpired", group)).await?;
        session.authorize_admin(&format!("/{group}")).map_err(status::refused)?;
        let now = self.gate.clock().now();
        let mut walk = Collections::of_group(database, group, after, STEP_DOCUMENTS);
        let (mut expired, mut last) = (Vec::new(), None);
        for _ in 0..STEP_DOCUMENTS {
            let Some(found) = walk.next(&mut session).await? else {
                last = None;
                break;
            };
            last = Some(key::document(database, &found.path));
            if has_expired(&found.stored, field, now)? {
                expired.push(found);
            }
        }
        // Nobody asked, and nothing comes of it but deletes that are recorded.
        session.discard();
        Ok((expired, last))
    }

    async fn expire_batch(
        &self,
        database: &DatabaseName,
        group: &str,
        field: &FieldPath,
        batch: &[Found],
    ) -> Result<u64, Status> {
        let operation = operation("ExpireDocuments", group);
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let work = |session| self.stage_expired(session, database, group, field, batch);
        let (deleted, _) = self.gate.transact(&service(), &operation, attempts, work).await?;
        Ok(deleted)
    }

    /// Stages the deletes of those that still have expired: one may have been given more time meanwhile.
    async fn stage_expired(
        &self,
        mut session: Session,
        database: &DatabaseName,
        group: &str,
        field: &FieldPath,
        batch: &[Found],
    ) -> Result<(Session, u64), Status> {
        let permit = session.authorize_admin(&format!("/{group}")).map_err(status::refused)?;
        let now = self.gate.clock().now();
        let keys: Vec<_> = batch.iter().map(|found| key::document(database, &found.path)).collect();
        let rows = session.get_many(&keys).await?;
        let definitions = index::definitions(&mut session, database, group).await?;
        let mut deleted = Vec::new();
        for ((found, key), row) in batch.iter().zip(keys).zip(rows) {
            let Some(row) = row else { continue };
            let stored = Stored::from_row(&row)?;
            if !has_expired(&stored, field, now)? {
                continue;
            }
            let fields = stored.fields()?;
            for (key, value) in index::changes(database, &definitions, &found.path, Some(&fields), None)? {
                session.write(&permit, key, value);
            }
            session.write(&permit, key, None);
            deleted.push(found.path.to_string());
        }
        let count = deleted.len() as u64;
        session.note("ttl", field.to_string().into());
        session.note("documents", deleted.into());
        Ok((session, count))
    }
}

/// Whether a document's time has passed.
fn has_expired(stored: &Stored, field: &FieldPath, now: Timestamp) -> Result<bool, Status> {
    let first: Vec<String> = field.segments().first().cloned().into_iter().collect();
    let fields = stored.fields_named(&first)?;
    Ok(matches!(field.get(&fields), Some(Value::Timestamp(at)) if *at <= now))
}

fn service() -> Caller {
    Caller::admin("ttl")
}

fn operation(verb: &'static str, group: &str) -> Operation {
    Operation { service: Service::Firestore, verb, resource: format!("/{group}") }
}
