//! Disks that are full or fail, at each step of a write: a clear answer, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use storage::files::{Blob, Disk, Draft, Files, FilesError, Keep};
use storage::model::BlobName;

use access::{DevPermit, Mode};

use crate::firebase::OPEN;
use crate::house::{BUCKET, House, admin};

/// Files whose disk is full from the n-th write on, for as long as that is set.
struct Full {
    files: Disk,
    left: Arc<AtomicI64>,
}

fn full() -> FilesError {
    FilesError::from(std::io::Error::from(std::io::ErrorKind::StorageFull))
}

fn spend(left: &AtomicI64) -> Result<(), FilesError> {
    if left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(full()) }
}

struct FullDraft(Box<dyn Draft>, Arc<AtomicI64>);

#[async_trait]
impl Draft for FullDraft {
    async fn append(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        spend(&self.1)?;
        self.0.append(bytes).await
    }

    async fn sync(&mut self) -> Result<(), FilesError> {
        spend(&self.1)?;
        self.0.sync().await
    }
}

#[async_trait]
impl Files for Full {
    fn keep(&self) -> &Keep {
        self.files.keep()
    }

    async fn draft(&self, id: &str, at: u64) -> Result<Box<dyn Draft>, FilesError> {
        spend(&self.left)?;
        Ok(Box::new(FullDraft(self.files.draft(id, at).await?, Arc::clone(&self.left))))
    }

    async fn read_draft(&self, id: &str) -> Result<Option<Box<dyn Blob>>, FilesError> {
        self.files.read_draft(id).await
    }

    async fn publish(&self, id: &str, blob: &BlobName) -> Result<(), FilesError> {
        spend(&self.left)?;
        self.files.publish(id, blob).await
    }

    async fn discard(&self, id: &str) -> Result<(), FilesError> {
        self.files.discard(id).await
    }

    async fn open(&self, blob: &BlobName) -> Result<Box<dyn Blob>, FilesError> {
        self.files.open(blob).await
    }

    async fn remove(&self, blob: &BlobName) -> Result<(), FilesError> {
        self.files.remove(blob).await
    }

    async fn drafts(&self) -> Result<Vec<String>, FilesError> {
        self.files.drafts().await
    }

    async fn blobs(&self, first: u8) -> Result<Vec<BlobName>, FilesError> {
        self.files.blobs(first).await
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_loses_nothing_at_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let files = Full { files: Disk::open(folder.path()).unwrap(), left: Arc::clone(&left) };
    let mode = Mode::Dev(DevPermit::for_development_only());
    let house = House::with(OPEN, Arc::new(files), mode).await;
    assert_eq!(house.upload(&admin(), "x", "before").await.status, 200);
    // Draft, append, sync, publish.
    for step in 0..4 {
        left.store(step, Ordering::SeqCst);
        let refused = house.upload(&admin(), "x", "after").await;
        assert_eq!(refused.status, 402, "step {step}");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("disk is full"));
        let uri = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=x");
        left.store(step, Ordering::SeqCst);
        assert_eq!(house.ask(&admin(), "POST", &uri, &[], "after").await.status, 507, "step {step}");
        assert_eq!(house.download(&admin(), "x").await.body, b"before", "step {step}");
        assert_eq!(house.files.drafts().await.unwrap().len(), 0, "step {step}");
    }
    left.store(i64::MAX, Ordering::SeqCst);
    assert_eq!(house.upload(&admin(), "x", "after").await.status, 200);
    house.clock.advance(60_000_000);
    house.storage.collect().await.unwrap();
    assert_eq!(house.blobs().await, 1);
}

#[tokio::test]
async fn an_upload_in_chunks_goes_on_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let files = Full { files: Disk::open(folder.path()).unwrap(), left: Arc::clone(&left) };
    let house = House::with(OPEN, Arc::new(files), Mode::Dev(DevPermit::for_development_only())).await;
    let url = house.start(&admin(), "r", Some(11)).await.ok().unwrap();
    assert_eq!(house.chunk(&admin(), &url, "upload", 0, "hello").await.status, 200);
    for step in 0..4 {
        left.store(step, Ordering::SeqCst);
        let query = [("x-goog-upload-command", "query")];
        let refused = house.chunk(&admin(), &url, "upload, finalize", 5, " world").await;
        left.store(i64::MAX, Ordering::SeqCst);
        assert_eq!(refused.status, 402, "step {step}");
        let received = house.ask(&admin(), "POST", &url, &query, "").await;
        let received: usize = received.header("x-goog-upload-size-received").parse().unwrap();
        assert!([5, 11].contains(&received), "step {step}: {received}");
        if received == 11 {
            break;
        }
    }
    let received = house.ask(&admin(), "POST", &url, &[("x-goog-upload-command", "query")], "").await;
    let received: usize = received.header("x-goog-upload-size-received").parse().unwrap();
    let rest = " world".get(received - 5..).unwrap();
    assert_eq!(house.chunk(&admin(), &url, "upload, finalize", received, rest).await.status, 200);
    assert_eq!(house.download(&admin(), "r").await.body, b"hello world");
}
