//! Files in memory: for `--ephemeral` and tests.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Blob, Draft, Files, FilesError, Keep};
use crate::model::BlobName;

/// Pieces are kept as they come.
type Pieces = Vec<Bytes>;

/// Files in memory.
#[derive(Default)]
pub struct Memory {
    drafts: Arc<Mutex<HashMap<String, Pieces>>>,
    blobs: Mutex<HashMap<BlobName, Arc<Pieces>>>,
    keep: Keep,
}

fn length(pieces: &Pieces) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

#[async_trait]
impl Files for Memory {
    fn keep(&self) -> &Keep {
        &self.keep
    }

    async fn draft(&self, id: &str, at: u64) -> Result<Box<dyn Draft>, FilesError> {
        let mut drafts = self.drafts.lock();
        let pieces = drafts.entry(id.to_owned()).or_default();
        if length(pieces) < at {
            return Err(FilesError::Missing(id.to_owned()));
        }
        let mut left = at;
        pieces.retain_mut(|piece| {
            let keep = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            piece.truncate(keep);
            left -= keep as u64;
            keep > 0
        });
        Ok(Box::new(MemoryDraft { id: id.to_owned(), drafts: Arc::clone(&self.drafts) }))
    }

    async fn read_draft(&self, id: &str) -> Result<Option<Box<dyn Blob>>, FilesError> {
        let pieces = self.drafts.lock().get(id).cloned();
        Ok(pieces.map(|pieces| Box::new(MemoryBlob(Arc::new(pieces))) as Box<dyn Blob>))
    }

    async fn publish(&self, id: &str, blob: &BlobName) -> Result<(), FilesError> {
        let draft = self.drafts.lock().get(id).cloned().ok_or_else(|| FilesError::Missing(id.to_owned()))?;
        self.blobs.lock().insert(*blob, Arc::new(draft));
        Ok(())
    }

    async fn discard(&self, id: &str) -> Result<(), FilesError> {
        self.drafts.lock().remove(id);
        Ok(())
    }

    async fn open(&self, blob: &BlobName) -> Result<Box<dyn Blob>, FilesError> {
        let found = self.blobs.lock().get(blob).cloned();
        let found = found.ok_or_else(|| FilesError::Missing(blob.to_string()))?;
        Ok(Box::new(MemoryBlob(found)))
    }

    async fn remove(&self, blob: &BlobName) -> Result<(), FilesError> {
        self.blobs.lock().remove(blob);
        Ok(())
    }

    async fn drafts(&self) -> Result<Vec<String>, FilesError> {
        Ok(self.drafts.lock().keys().cloned().collect())
    }

    async fn blobs(&self, first: u8) -> Result<Vec<BlobName>, FilesError> {
        let blobs = self.blobs.lock();
        Ok(blobs.keys().filter(|blob| blob.0.first() == Some(&first)).copied().collect())
    }
}

struct MemoryDraft {
    id: String,
    drafts: Arc<Mutex<HashMap<String, Pieces>>>,
}

#[async_trait]
impl Draft for MemoryDraft {
    async fn append(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        let mut drafts = self.drafts.lock();
        let pieces = drafts.get_mut(&self.id).ok_or_else(|| FilesError::Missing(self.id.clone()))?;
        pieces.push(bytes);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), FilesError> {
        Ok(())
    }
}

struct MemoryBlob(Arc<Pieces>);

#[async_trait]
impl Blob for MemoryBlob {
    fn size(&self) -> u64 {
        length(&self.0)
    }

    async fn read(&self, at: u64, bytes_max: usize) -> Result<Bytes, FilesError> {
        let mut begin = 0;
        for piece in self.0.iter() {
            let end = begin + piece.len() as u64;
            if at < end {
                let from = usize::try_from(at - begin).unwrap_or(usize::MAX);
                let to = from.saturating_add(bytes_max).min(piece.len());
                return Ok(piece.slice(from..to));
            }
            begin = end;
        }
        Ok(Bytes::new())
    }
}
