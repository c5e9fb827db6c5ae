//! Events: what a commit is to somebody who asked to be told of it.
//!
//! A service is a [`Source`]: it says which of its rows are about what, and translates them when they are told. Whoever wants to
//! be told says so with an [`Interest`], in Eventarc's terms. A session that commits asks whose interest its writes are and
//! adds a row to the outbox for each ([`Record`]), in the same commit: what is committed is told at least once, and what is not
//! is not told. Nothing here names a service or a function.
//!
//! Without interests a commit asks one atomic. An import says that it is none ([`crate::Session::without_events`]).

mod backlog;
mod interest;
mod pattern;
mod record;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use base::Status;
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};
use parking_lot::Mutex;

pub use backlog::{BYTES_MAX, BYTES_OF_TARGET_MAX, Backlog, EVENTS_OF_TARGET_MAX};
pub use interest::{Interest, Interests, Watched};
pub use pattern::{Pattern, Segment};
pub use record::{Cause, Record};
pub use stage::Emitted;

pub(crate) use backlog::Room;
pub(crate) use stage::Staged;

/// A service whose changes are events.
pub trait Source: Send + Sync {
    /// Its name: what its records are known by.
    fn name(&self) -> &'static str;

    /// Whether events of this type are its.
    fn serves(&self, event: &str) -> bool;

    /// The rows whose changes are its events; `None` where it emits them itself.
    fn keyspace(&self) -> Option<Keyspace>;

    /// The attributes of a row that is changed; none where its changes are nobody's business.
    fn attributes(&self, key: &Key) -> Option<Vec<(&'static str, String)>>;

    /// The types of event that a change of a row is. Errors: `DATA_LOSS` for a row that cannot be read.
    fn events(&self, before: Option<&Row>, after: Option<&Bytes>) -> Result<Vec<&'static str>, Status>;

    /// What is told of it: made when it is told, of what was committed with this version.
    ///
    /// Errors: `DATA_LOSS` for rows that cannot be read.
    fn told(&self, record: &Record, version: Version) -> Result<Told, Status>;
}

/// An event as its target gets it: CloudEvents' terms, and what the first generation has instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// `source` of CloudEvents.
    pub source: String,
    /// `subject`; empty where there is none.
    pub subject: String,
    /// Further attributes.
    pub attributes: BTreeMap<String, String>,
    /// The data.
    pub data: serde_json::Value,
    /// The data as a protocol message, where that is how it is sent.
    pub message: Option<Bytes>,
    /// The first generation's resource: a name, or an object.
    pub resource: serde_json::Value,
    /// What else its context has.
    pub context: serde_json::Map<String, serde_json::Value>,
    /// Headers, where it is sent as a plain HTTP request with the message as its body.
    pub headers: Option<BTreeMap<String, String>>,
    /// Its data, where that is another.
    pub first_generation_data: Option<serde_json::Value>,
}

/// Who wants to be told what, and what waits.
pub struct Events {
    sources: Mutex<Vec<Arc<dyn Source>>>,
    /// Interests by who has said them.
    said: Mutex<BTreeMap<String, Vec<Interest>>>,
    interests: ArcSwap<Interests>,
    is_paused: AtomicBool,
    /// What waits.
    pub backlog: Backlog,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            sources: Mutex::default(),
            said: Mutex::default(),
            interests: ArcSwap::from_pointee(Interests::default()),
            is_paused: AtomicBool::new(false),
            backlog: Backlog::default(),
        }
    }
}

impl Events {
    /// Adds a source.
    pub fn register(&self, source: Arc<dyn Source>) {
        self.sources.lock().push(source);
        self.sort();
    }

    /// Puts somebody's interests in the place of those before.
    pub fn set_interests(&self, who: &str, interests: Vec<Interest>) {
        let mut said = self.said.lock();
        if interests.is_empty() {
            said.remove(who);
        } else {
            said.insert(who.to_owned(), interests);
        }
        drop(said);
        self.sort();
    }

    fn sort(&self) {
        let said = self.said.lock();
        let interests = Interests::new(said.values().flatten(), &self.sources.lock());
        self.interests.store(Arc::new(interests));
    }

    /// Whether some source has events of this type.
    pub fn is_served(&self, event: &str) -> bool {
        self.sources.lock().iter().any(|source| source.serves(event))
    }

    /// The source with this name.
    pub fn source(&self, name: &str) -> Option<Arc<dyn Source>> {
        self.sources.lock().iter().find(|source| source.name() == name).cloned()
    }

    /// Sources of rows of this keyspace whose events somebody wants to be told of.
    fn sources_of(&self, keyspace: Keyspace) -> Vec<Arc<dyn Source>> {
        let sources = self.sources.lock();
        sources.iter().filter(|source| source.keyspace() == Some(keyspace)).cloned().collect()
    }

    /// The interests in a source's events; none while events are paused.
    pub fn interests(&self, source: &str) -> Option<Arc<[Arc<Watched>]>> {
        if self.is_paused.load(Ordering::Relaxed) {
            return None;
        }
        self.interests.load().of(source).cloned()
    }

    /// Whether a commit has to ask at all.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.interests.load().is_empty() && !self.is_paused.load(Ordering::Relaxed)
    }

    /// From now on what is committed is no event, or is one again. What waits is told nevertheless.
    pub fn pause(&self, paused: bool) {
        self.is_paused.store(paused, Ordering::Relaxed);
    }

    /// Whether they are paused.
    pub fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }
}
