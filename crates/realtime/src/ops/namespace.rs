//! A database as protocols see it.

use std::sync::Arc;

use access::Caller;
use bytes::Bytes;
use kv::Key as RowKey;
use tokio::sync::{mpsc, oneshot};

use super::database::{Database, Ground, Shallow};
use super::hub::Effects;
use super::{publisher, sequencer};
use crate::failure::Failure;
use crate::model::{Key, Node, Path, Write};
use crate::query::Query;

/// A database. Dropped, its tasks end when what they have is done.
pub struct Namespace {
    pub(super) database: Arc<Database>,
    jobs: mpsc::Sender<sequencer::Job>,
}

/// What a read found.
pub struct Read {
    /// The value.
    pub value: Option<Arc<Node>>,
    /// Whether an index that the query needs is named by the rules; also where it needs none.
    pub is_indexed: bool,
}

/// What a write did.
pub struct Written {
    /// Places, from the root, with what is there now.
    pub values: Vec<(Path, Option<Arc<Node>>)>,
}

/// The outcome of a write that was handed in.
pub type Outcome = oneshot::Receiver<Result<Effects, Failure>>;

impl Namespace {
    /// A database with its tasks.
    pub(super) fn begin(name: &str, ground: Arc<Ground>) -> Arc<Self> {
        let database = Arc::new(Database::new(name, ground));
        let (jobs, waiting) = mpsc::channel(sequencer::QUEUE_MAX);
        let (durable, told) = mpsc::channel(sequencer::QUEUE_MAX);
        tokio::spawn(sequencer::run(Arc::clone(&database), waiting, durable));
        tokio::spawn(publisher::run(Arc::clone(&database), told));
        Arc::new(Self { database, jobs })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.database.name()
    }

    /// Reads what a query finds at a place. Errors: where it needs an index, that it has none.
    pub async fn read(
        &self,
        caller: &Caller,
        verb: &'static str,
        path: &Path,
        query: &Query,
    ) -> Result<Read, Failure> {
        let seen = self.database.see(caller, verb, path, query).await?;
        seen.session.finish();
        Ok(Read { value: seen.value, is_indexed: self.database.is_indexed(path, query) })
    }

    /// The keys of a place's children after one of them, or its value.
    pub async fn shallow(
        &self,
        caller: &Caller,
        path: &Path,
        after: Option<&Key>,
        max: usize,
    ) -> Result<Shallow, Failure> {
        self.database.keys(caller, path, after, max).await
    }

    /// Writes. It is durable and listeners have been told when it returns.
    pub async fn write(&self, caller: &Caller, write: Write) -> Result<Written, Failure> {
        let outcome = self.hand_in(caller.clone(), Arc::new(write), Vec::new()).await;
        let effects = outcome.await.map_err(|_| Failure::busy())??;
        Ok(Written { values: effects.changes })
    }

    /// Hands a write in: writes take effect in the order of these calls. Waits while too many are waiting.
    pub(super) async fn hand_in(
        &self,
        caller: Caller,
        write: Arc<Write>,
        beside: Vec<(RowKey, Option<Bytes>)>,
    ) -> Outcome {
        let (done, outcome) = oneshot::channel();
        // The sequencer ends after this sender; if it has, the outcome says so.
        let _ = self.jobs.send(sequencer::Job { caller, write, beside, done }).await;
        outcome
    }
}
