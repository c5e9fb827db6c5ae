//! The uploads that come in several requests, in memory. Their rows say the same; how much has come, their files say.

use std::collections::HashMap;
use std::sync::Arc;

use access::Caller;
use parking_lot::Mutex;

use crate::files::{Blob, Files};
use crate::model::{Digests, Upload, UploadState};
use crate::status::Failure;

/// Uploads that are open at once.
const OPEN_MAX: usize = 10_000;
/// Of these, from one address.
const OPEN_OF_ADDRESS_MAX: usize = 500;
/// Uploads that are over, kept for clients that have missed it.
const OVER_MAX: usize = 10_000;
/// Bytes that are read at a time when a draft is digested again.
const PIECE_BYTES: usize = 1 << 20;

/// One of them.
pub struct Entry {
    /// Its row.
    pub upload: Upload,
    /// Of what has come; `None` after a restart, until it is needed.
    pub digests: Option<Digests>,
    /// Who began it; `None` after a restart.
    pub caller: Option<Caller>,
}

/// An upload, held by one request at a time.
pub type Shared = Arc<tokio::sync::Mutex<Entry>>;

/// All of them.
#[derive(Default)]
pub struct Uploads(Mutex<Index>);

#[derive(Default)]
struct Index {
    all: HashMap<String, Shared>,
    open: usize,
    /// Open ones, by the network that they were begun from.
    of_network: HashMap<String, usize>,
}

impl Uploads {
    /// Takes in one that was there before this process.
    pub fn restore(&self, id: &str, upload: Upload) {
        let mut index = self.0.lock();
        if upload.state == UploadState::Active {
            index.open += 1;
            *index.of_network.entry(upload.network.clone()).or_default() += 1;
        }
        let entry = Entry { upload, digests: None, caller: None };
        index.all.insert(id.to_owned(), Arc::new(tokio::sync::Mutex::new(entry)));
    }

    /// Takes a place for one more. Errors: there is none.
    pub fn reserve(&self, network: &str) -> Result<(), Failure> {
        let mut index = self.0.lock();
        let of_network = index.of_network.get(network).copied().unwrap_or(0);
        if of_network >= OPEN_OF_ADDRESS_MAX {
            return Err(Failure::TooManyUploads("from one address"));
        }
        if index.open >= OPEN_MAX || index.all.len() >= OPEN_MAX + OVER_MAX {
            return Err(Failure::TooManyUploads("from all clients"));
        }
        index.open += 1;
        index.of_network.insert(network.to_owned(), of_network + 1);
        Ok(())
    }

    /// Gives the place back: the upload is over, or was never begun.
    pub fn release(&self, network: &str) {
        let mut index = self.0.lock();
        index.open = index.open.saturating_sub(1);
        if let Some(count) = index.of_network.get_mut(network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                index.of_network.remove(network);
            }
        }
    }

    /// Adds one whose place was reserved.
    pub fn insert(&self, id: &str, entry: Entry) {
        self.0.lock().all.insert(id.to_owned(), Arc::new(tokio::sync::Mutex::new(entry)));
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<Shared> {
        self.0.lock().all.get(id).cloned()
    }

    /// Forgets one.
    pub fn remove(&self, id: &str) {
        self.0.lock().all.remove(id);
    }

    /// The ids of all.
    pub fn ids(&self) -> Vec<String> {
        self.0.lock().all.keys().cloned().collect()
    }
}

/// The digests of a draft as it lies in its file.
pub async fn digests_of(files: &dyn Files, id: &str) -> Result<Digests, Failure> {
    let Some(draft) = files.read_draft(id).await? else { return Ok(Digests::default()) };
    digest(draft.as_ref()).await
}

async fn digest(draft: &dyn Blob) -> Result<Digests, Failure> {
    let mut digests = Digests::default();
    loop {
        let piece = draft.read(digests.size(), PIECE_BYTES).await?;
        if piece.is_empty() {
            return Ok(digests);
        }
        digests.update(&piece);
        tokio::task::yield_now().await;
    }
}
