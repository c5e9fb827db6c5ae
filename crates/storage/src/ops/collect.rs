//! Removing what nothing uses: files without objects, drafts without uploads, uploads that are over or too old.
//!
//! A file goes only in its turn, when the store says in a snapshot of that turn that nothing uses it: whoever publishes the
//! same bytes has the turn from before the file has its name until its row is committed. A crash between the two leaves a
//! file without a row, which the look at all files after a start finds.

use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use kv::Key;

use super::Storage;
use super::resume::UPLOAD_DAYS_MAX;
use crate::model::{BlobName, UploadState, Uses, blob_key, decode};
use crate::status::Failure;

/// How often is looked for something to collect.
const INTERVAL_S: u64 = 10;
/// How often uploads are looked through.
const UPLOADS_INTERVAL_S: i64 = 600;
/// How long an upload is remembered that is over.
const OVER_S_MAX: i64 = 3600;
/// Files that are collected at a time.
const BATCH: usize = 500;

impl Storage {
    /// Collects until it is dropped.
    pub async fn run_collection(self: Arc<Self>) {
        if let Err(failure) = self.find_orphans().await {
            tracing::warn!(%failure, "not all files of Cloud Storage could be looked through");
        }
        let mut uploads_at = 0;
        loop {
            let tick = tokio::time::sleep(Duration::from_secs(INTERVAL_S));
            tick.await;
            if let Err(failure) = self.collect().await {
                tracing::warn!(%failure, "unused files of Cloud Storage could not be removed");
            }
            let now_s = self.now_micros() / 1_000_000;
            if now_s - uploads_at >= UPLOADS_INTERVAL_S {
                uploads_at = now_s;
                if let Err(failure) = self.end_uploads().await {
                    tracing::warn!(%failure, "old uploads could not be ended");
                }
            }
        }
    }

    /// Looks for drafts without uploads and for files that no row names: what a crash leaves. Everything else
    /// may go on meanwhile.
    pub async fn find_orphans(&self) -> Result<(), Failure> {
        let uploads = self.uploads().await?;
        for id in self.files.drafts().await? {
            // `ID.publish` and `ID.copy` are on their way to their places.
            let upload = id.split('.').next().unwrap_or(&id);
            let is_open = match uploads.get(upload) {
                Some(shared) => {
                    shared.try_lock().map_or(true, |entry| entry.upload.state == UploadState::Active)
                }
                None => self.drafting.lock().contains(upload),
            };
            if !is_open {
                self.files.discard(&id).await?;
            }
        }
        for first in 0..=u8::MAX {
            let blobs = self.files.blobs(first).await?;
            for batch in blobs.chunks(BATCH) {
                let uses = self.uses(batch).await?;
                let unused =
                    batch.iter().zip(uses).filter(|(_, uses)| uses.is_none_or(|uses| uses.count == 0));
                let mut waiting = self.unused.lock();
                for (blob, _) in unused {
                    waiting.insert(*blob, 0);
                }
            }
        }
        self.collect().await
    }

    async fn uses(&self, blobs: &[BlobName]) -> Result<Vec<Option<Uses>>, Failure> {
        let caller = Caller::admin("storage");
        let operation = Self::operation("collect", "/blobs".to_owned());
        let mut session = self.gate.begin(&caller, operation).await?;
        let keys: Vec<Key> = blobs.iter().map(blob_key).collect();
        let rows = session.reads().look_at(&keys).await;
        session.discard();
        Ok(rows?.iter().map(|row| row.as_ref().map(decode).transpose()).collect::<Result<_, _>>()?)
    }

    /// Removes the files that nothing uses.
    pub async fn collect(&self) -> Result<(), Failure> {
        let until = self.now_micros() - super::UNUSED_S_MIN * 1_000_000;
        let due: Vec<BlobName> = {
            let unused = self.unused.lock();
            unused.iter().filter(|(_, since)| **since <= until).map(|(blob, _)| *blob).collect()
        };
        for blob in due {
            // Somebody is at it: it is looked at again.
            let Some(_turn) = self.turns.try_take(&blob) else { continue };
            // All are copied: they are looked at again when that is done.
            let Some(_removal) = self.files.keep().try_remove() else { return Ok(()) };
            self.unused.lock().remove(&blob);
            if let Err(failure) = self.collect_one(&blob).await {
                self.unused.lock().insert(blob, self.now_micros());
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn collect_one(&self, blob: &BlobName) -> Result<(), Failure> {
        let uses = self.uses(&[*blob]).await?.into_iter().next().flatten();
        if uses.is_some_and(|uses| uses.count > 0) {
            return Ok(());
        }
        self.files.remove(blob).await?;
        if uses.is_none() {
            return Ok(());
        }
        let (caller, key) = (Caller::admin("storage"), blob_key(blob));
        let operation = Self::operation("collect", format!("/blobs/{blob}"));
        let removed = self.gate.transact(&caller, &operation, Self::attempts(&[]), |mut session| {
            let key = key.clone();
            async move {
                let uses: Option<Uses> = session.get(&key).await?.as_ref().map(decode).transpose()?;
                if uses.is_some_and(|uses| uses.count == 0) {
                    let permit = session.authorize_admin("/blobs")?;
                    session.write(&permit, key, None);
                }
                Ok::<_, Failure>((session, ()))
            }
        });
        removed.await.map(drop)
    }

    /// Ends uploads that are too old, and forgets those that are over.
    pub async fn end_uploads(&self) -> Result<(), Failure> {
        let uploads = self.uploads().await?;
        for id in uploads.ids() {
            let Some(shared) = uploads.get(&id) else { continue };
            let Ok(mut entry) = shared.try_lock() else { continue };
            let age_s = self.now_micros().saturating_sub(entry.upload.created) / 1_000_000;
            let is_active = entry.upload.state == UploadState::Active;
            let age_s_max = if is_active { UPLOAD_DAYS_MAX * 86_400 } else { OVER_S_MAX };
            if age_s <= age_s_max {
                continue;
            }
            if is_active {
                entry.upload.state = UploadState::Cancelled;
            }
            self.files.discard(&id).await?;
            self.forget_row(&id).await?;
            uploads.remove(&id);
        }
        Ok(())
    }
}
