//! The uploads that come in several requests, in memory. Their rows say the same; how much has come, their files say.

use std::collections::{HashMap, VecDeque};
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
/// Uploads that are over, kept for clients that have missed it. Beyond it the oldest are forgotten.
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
pub struct Uploads {
    index: Mutex<Index>,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Limits {
    open_max: usize,
    open_of_address_max: usize,
    over_max: usize,
}

#[derive(Default)]
struct Index {
    all: HashMap<String, Kept>,
    open: usize,
    /// Open ones, by the network that they were begun from.
    of_network: HashMap<String, usize>,
    /// Those that are over, in the order in which they ended.
    over: VecDeque<String>,
    /// Counts uses, to know which upload was idle longest.
    uses: u64,
}

struct Kept {
    shared: Shared,
    network: String,
    is_open: bool,
    used: u64,
}

impl Default for Uploads {
    fn default() -> Self {
        let limits =
            Limits { open_max: OPEN_MAX, open_of_address_max: OPEN_OF_ADDRESS_MAX, over_max: OVER_MAX };
        Self { index: Mutex::default(), limits }
    }
}

impl Index {
    fn release(&mut self, network: &str) {
        self.open = self.open.saturating_sub(1);
        if let Some(count) = self.of_network.get_mut(network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_network.remove(network);
            }
        }
    }

    fn insert(&mut self, id: &str, entry: Entry) {
        self.uses += 1;
        let (network, is_open) = (entry.upload.network.clone(), entry.upload.state == UploadState::Active);
        let shared = Arc::new(tokio::sync::Mutex::new(entry));
        self.all.insert(id.to_owned(), Kept { shared, network, is_open, used: self.uses });
        if !is_open {
            self.over.push_back(id.to_owned());
        }
    }

    /// The upload that gives way to one from a network with fewer: of the network with most, the one that was idle longest.
    fn displaced(&self, network: &str) -> Option<String> {
        let of_newcomer = self.of_network.get(network).copied().unwrap_or(0);
        let (most, count) = self.of_network.iter().max_by_key(|(_, count)| **count)?;
        if *count <= of_newcomer + 1 {
            return None;
        }
        let idle = |kept: &Kept| kept.is_open && kept.network == *most && kept.shared.try_lock().is_ok();
        let candidates = self.all.iter().filter(|(_, kept)| idle(kept));
        Some(candidates.min_by_key(|(_, kept)| kept.used)?.0.clone())
    }
}

impl Uploads {
    /// Takes in one that was there before this process.
    pub fn restore(&self, id: &str, upload: Upload) {
        let mut index = self.index.lock();
        if upload.state == UploadState::Active {
            index.open += 1;
            *index.of_network.entry(upload.network.clone()).or_default() += 1;
        }
        index.insert(id, Entry { upload, digests: None, caller: None });
    }

    /// Takes a place for one more. Where all are taken, the network that has most of them gives one back: the id of the
    /// upload that ends so. Errors: there is none for this network.
    pub fn reserve(&self, network: &str) -> Result<Option<String>, Failure> {
        let mut index = self.index.lock();
        let of_network = index.of_network.get(network).copied().unwrap_or(0);
        if of_network >= self.limits.open_of_address_max {
            return Err(Failure::TooManyUploads("from one address"));
        }
        let mut displaced = None;
        if index.open >= self.limits.open_max {
            let id = index.displaced(network).ok_or(Failure::TooManyUploads("from all clients"))?;
            if let Some(kept) = index.all.remove(&id) {
                index.release(&kept.network);
            }
            displaced = Some(id);
        }
        index.open += 1;
        *index.of_network.entry(network.to_owned()).or_default() += 1;
        Ok(displaced)
    }

    /// Gives a place back that was reserved and not used.
    pub fn release(&self, network: &str) {
        self.index.lock().release(network);
    }

    /// Adds one whose place was reserved.
    pub fn insert(&self, id: &str, entry: Entry) {
        self.index.lock().insert(id, entry);
    }

    /// An open one is over. Returns those that are forgotten for it; their rows may be there still.
    pub fn end(&self, id: &str) -> Vec<String> {
        let mut index = self.index.lock();
        let Some(kept) = index.all.get_mut(id).filter(|kept| kept.is_open) else { return Vec::new() };
        kept.is_open = false;
        let network = kept.network.clone();
        index.release(&network);
        index.over.push_back(id.to_owned());
        let mut forgotten = Vec::new();
        while index.over.len() > self.limits.over_max {
            let Some(oldest) = index.over.pop_front() else { break };
            if index.all.remove(&oldest).is_some() {
                forgotten.push(oldest);
            }
        }
        forgotten
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<Shared> {
        let mut index = self.index.lock();
        index.uses += 1;
        let used = index.uses;
        let kept = index.all.get_mut(id)?;
        kept.used = used;
        Some(Arc::clone(&kept.shared))
    }

    /// Forgets one.
    pub fn remove(&self, id: &str) {
        let mut index = self.index.lock();
        let Some(kept) = index.all.remove(id) else { return };
        if kept.is_open {
            index.release(&kept.network);
        } else {
            index.over.retain(|over| over != id);
        }
    }

    /// The ids of all.
    pub fn ids(&self) -> Vec<String> {
        self.index.lock().all.keys().cloned().collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Owner, Patch};

    fn entry(network: &str) -> Entry {
        let upload = Upload {
            bucket: "b".to_owned(),
            name: "n".to_owned(),
            metadata: Patch::default(),
            declared_size: None,
            conditions: Vec::new(),
            owner: Owner::Nobody,
            network: network.to_owned(),
            is_firebase: true,
            created: 0,
            state: UploadState::Active,
        };
        Entry { upload, digests: None, caller: None }
    }

    fn small() -> Uploads {
        let limits = Limits { open_max: 6, open_of_address_max: 4, over_max: 2 };
        Uploads { index: Mutex::default(), limits }
    }

    fn begin(uploads: &Uploads, id: &str, network: &str) -> Result<Option<String>, Failure> {
        let displaced = uploads.reserve(network)?;
        uploads.insert(id, entry(network));
        Ok(displaced)
    }

    #[test]
    fn who_holds_most_gives_way_to_who_holds_less() {
        let uploads = small();
        for id in ["a1", "a2", "a3", "a4"] {
            assert_eq!(begin(&uploads, id, "a").unwrap(), None);
        }
        assert!(matches!(begin(&uploads, "a5", "a"), Err(Failure::TooManyUploads("from one address"))));
        begin(&uploads, "b1", "b").unwrap();
        begin(&uploads, "b2", "b").unwrap();
        // All places are taken. `a1` was just used, `a2` is in use.
        uploads.get("a1").unwrap();
        let held = uploads.get("a2").unwrap();
        let held = held.try_lock().unwrap();
        assert_eq!(begin(&uploads, "c1", "c").unwrap().as_deref(), Some("a3"));
        drop(held);
        assert_eq!(begin(&uploads, "c2", "c").unwrap().as_deref(), Some("a4"));
        // Two each: nobody has more than the newcomer would have.
        assert!(matches!(begin(&uploads, "a6", "a"), Err(Failure::TooManyUploads("from all clients"))));
        assert!(uploads.get("a3").is_none());
    }

    #[test]
    fn uploads_that_are_over_never_stand_in_the_way_of_new_ones() {
        let uploads = small();
        let mut forgotten = Vec::new();
        for number in 0..20 {
            let id = format!("u{number}");
            begin(&uploads, &id, "a").unwrap();
            forgotten.extend(uploads.end(&id));
            assert!(uploads.end(&id).is_empty(), "it ends once");
        }
        assert_eq!((forgotten.len(), uploads.ids().len()), (18, 2));
        uploads.remove("u19");
        uploads.remove("u18");
        let index = uploads.index.lock();
        assert!(index.of_network.is_empty() && index.open == 0 && index.over.is_empty());
    }
}
