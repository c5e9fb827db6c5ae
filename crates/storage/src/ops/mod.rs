//! The verbs: what one may ask of the service. Only the files here talk to the gate.

mod buckets;
mod change;
mod collect;
mod conditions;
pub mod control;
mod copy;
mod decide;
mod list;
mod publish;
mod put;
mod read;
mod resume;
mod slots;
mod uploads;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use access::{Attempts, Caller, DocumentSource, Gate, Operation, Service, Signatures};
use kv::Key;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::files::{Files, Turns};
use crate::model::BlobName;
use crate::status::Failure;

pub use buckets::{AclChange, BucketChange};
pub use change::TokenChange;
pub use conditions::Conditions;
pub use list::{Listed, Listing};
pub use put::{Body, Expected, Put};
pub use read::{Opened, Wanted};
pub use resume::{Chunk, Progress};
use slots::Slots;
use uploads::Uploads;

/// How often a unit of work is tried.
const ATTEMPTS_MAX: usize = 20;
/// Bytes of one object.
pub const OBJECT_BYTES_MAX: u64 = 5 << 40;
/// Objects whose bytes come in at once, each with 512 KiB in memory.
const RECEIVING_MAX: usize = 256;
/// Of these, from one address.
const RECEIVING_OF_ADDRESS_MAX: usize = 64;
/// Objects whose bytes go out at once, each with 128 KiB in memory.
const SENDING_MAX: usize = 2048;
/// Of these, to one address.
const SENDING_OF_ADDRESS_MAX: usize = 512;
/// What is unused for less is not collected: somebody may be about to open it.
const UNUSED_S_MIN: i64 = 5;

/// The service. One per process; the protocols share it.
pub struct Storage {
    gate: Gate,
    project: String,
    documents: Arc<dyn DocumentSource>,
    signatures: Option<Arc<dyn Signatures>>,
    files: Arc<dyn Files>,
    turns: Turns,
    uploads: OnceCell<Uploads>,
    receiving: Slots,
    sending: Slots,
    /// Blobs that may be unused, and since when, microseconds.
    unused: Mutex<BTreeMap<BlobName, i64>>,
    /// Drafts of objects that come in one request.
    drafting: Mutex<HashSet<String>>,
}

impl Storage {
    /// Whether the service is open to the app that a caller comes from: asked before a request is read.
    ///
    /// Errors: it is not; the refusal is recorded.
    pub fn admit_app(&self, caller: &Caller, path: &str) -> Result<(), Failure> {
        Ok(self.gate.admit_app(caller, Service::Storage, path)?)
    }

    /// The service over a gate and files. `documents` are what rules read of Firestore, `signatures` checks signed URLs.
    pub fn new(
        gate: Gate,
        project: &str,
        documents: Arc<dyn DocumentSource>,
        signatures: Option<Arc<dyn Signatures>>,
        files: Arc<dyn Files>,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate,
            project: project.to_owned(),
            documents,
            signatures,
            files,
            turns: Turns::default(),
            uploads: OnceCell::new(),
            receiving: Slots::new(RECEIVING_MAX, RECEIVING_OF_ADDRESS_MAX),
            sending: Slots::new(SENDING_MAX, SENDING_OF_ADDRESS_MAX),
            unused: Mutex::default(),
            drafting: Mutex::default(),
        })
    }

    /// The way to the data.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Who checks what is signed.
    pub fn signatures(&self) -> Option<&dyn Signatures> {
        self.signatures.as_deref()
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Whether what exists for development only is there.
    pub fn is_dev(&self) -> bool {
        self.gate.mode().dev().is_some()
    }

    fn now_micros(&self) -> i64 {
        self.gate.clock().now_micros()
    }

    fn operation(verb: &'static str, resource: String) -> Operation {
        Operation { service: Service::Storage, verb, resource }
    }

    /// As often as others get in the way, in turns at these rows.
    fn attempts(contended: &[Key]) -> Attempts<'_> {
        Attempts { max: ATTEMPTS_MAX, contended, exhausted: Failure::contention }
    }

    fn mark_unused(&self, blobs: impl IntoIterator<Item = BlobName>) {
        let now = self.now_micros();
        let mut unused = self.unused.lock();
        for blob in blobs {
            unused.insert(blob, now);
        }
    }
}

/// A pause before the next attempt, longer after each.
async fn pause(attempt: usize) {
    let ms = 1u64 << attempt.min(6);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
