//! The order of a database's writes: one task decides and stages them, one after the other.
//!
//! A write is decided on the newest snapshot with everything laid over it that was staged before and is not durable yet. Its
//! commit is handed over at once, so that many become durable together; answers come in the same order. When a commit fails,
//! those after it have failed with it (they are one [`Line`]) and are decided again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use access::{Caller, CommitFailure, Line};
use bytes::Bytes;
use kv::{Key as RowKey, Version};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::database::Database;
use super::hub::Effects;
use super::rows::Layer;
use crate::failure::Failure;
use crate::model::{Path, Write};

/// Writes that may wait for their decision.
pub const QUEUE_MAX: usize = 1_024;
/// Writes that are decided and not durable yet.
const STAGED_MAX: usize = 1_024;
/// How often one write is decided when others fail before it.
const ATTEMPTS_MAX: usize = 8;

/// A write, who wants it and who waits for it.
pub struct Job {
    /// On whose behalf.
    pub caller: Caller,
    /// What.
    pub write: Arc<Write>,
    /// Rows that change with it: registrations that it fulfils.
    pub beside: Vec<(RowKey, Option<Bytes>)>,
    /// Gets the outcome.
    pub done: oneshot::Sender<Result<Effects, Failure>>,
}

/// What was staged of a write.
pub struct Staged {
    /// What it does.
    pub effects: Effects,
    /// Its rows, and the commit that they are in; none when nothing changes.
    pub commit: Option<(Layer, JoinHandle<Result<Version, CommitFailure>>)>,
}

/// A write whose commit is under way.
struct Underway {
    job: Job,
    staged: Staged,
    number: u64,
    attempts: usize,
}

/// What has become durable, for those who tell listeners.
pub struct Durable {
    /// The commit; none when nothing has changed.
    pub version: Option<Version>,
    /// What it did.
    pub effects: Effects,
    /// Gets the outcome when listeners have been told.
    pub done: oneshot::Sender<Result<Effects, Failure>>,
}

/// Decides the writes of a database until it is dropped.
pub async fn run(database: Arc<Database>, mut jobs: mpsc::Receiver<Job>, durable: mpsc::Sender<Durable>) {
    let mut sequencer = Sequencer {
        line: Line::of(database.layout().all(&Path::ROOT)),
        database,
        pending: Layer::new(),
        owners: HashMap::new(),
        next: 0,
        underway: VecDeque::new(),
        durable,
    };
    loop {
        let may_stage = sequencer.underway.len() < STAGED_MAX;
        tokio::select! {
            biased;
            ended = next(&mut sequencer.underway) => sequencer.end(ended).await,
            job = jobs.recv(), if may_stage => match job {
                Some(job) => sequencer.stage(job, 0).await,
                None => break,
            },
        }
    }
    while !sequencer.underway.is_empty() {
        let ended = next(&mut sequencer.underway).await;
        sequencer.end(ended).await;
    }
}

/// Waits for the end of the first commit.
async fn next(underway: &mut VecDeque<Underway>) -> Option<Result<Version, CommitFailure>> {
    let Some(first) = underway.front_mut() else { return std::future::pending().await };
    let (_, commit) = first.staged.commit.as_mut()?;
    Some(commit.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a commit ended early");
        Err(CommitFailure::Conflict)
    }))
}

struct Sequencer {
    database: Arc<Database>,
    line: Line,
    /// What is staged and not durable yet.
    pending: Layer,
    /// Which write a pending row is of.
    owners: HashMap<RowKey, u64>,
    next: u64,
    underway: VecDeque<Underway>,
    durable: mpsc::Sender<Durable>,
}

impl Sequencer {
    async fn stage(&mut self, job: Job, attempts: usize) {
        // Whoever asked and has gone before anything was done gets nothing done.
        let staged = self.database.stage(&job, &self.pending, &self.line).await;
        match staged {
            Ok(staged) => {
                self.next += 1;
                let number = self.next;
                if let Some((rows, _)) = &staged.commit {
                    self.owners.extend(rows.keys().map(|key| (key.clone(), number)));
                    self.pending.extend(rows.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                self.underway.push_back(Underway { job, staged, number, attempts });
            }
            // It is answered in its turn, too.
            Err(failure) => {
                let _ = job.done.send(Err(failure));
            }
        }
    }

    /// Takes in the end of the first commit that is under way; `None`: there was nothing to commit.
    async fn end(&mut self, ended: Option<Result<Version, CommitFailure>>) {
        let Some(first) = self.underway.pop_front() else { return };
        let version = match ended {
            None => None,
            Some(Ok(version)) => Some(version),
            Some(Err(failure)) => return self.begin_anew(first, failure).await,
        };
        self.forget_pending(&first);
        let Underway { job, staged, .. } = first;
        let told = Durable { version, effects: staged.effects, done: job.done };
        // The receiver lives as long as the database.
        let _ = self.durable.send(told).await;
    }

    /// What is durable is no longer pending, unless it has been overwritten since.
    fn forget_pending(&mut self, first: &Underway) {
        let Some((rows, _)) = &first.staged.commit else { return };
        for key in rows.keys() {
            if self.owners.get(key) == Some(&first.number) {
                self.owners.remove(key);
                self.pending.remove(key);
            }
        }
    }

    /// A commit has failed, and with it all that were handed over after it.
    async fn begin_anew(&mut self, first: Underway, failure: CommitFailure) {
        let mut again = VecDeque::new();
        match failure {
            CommitFailure::Conflict if first.attempts < ATTEMPTS_MAX => again.push_back(first),
            CommitFailure::Conflict => {
                let _ = first.job.done.send(Err(Failure::busy()));
            }
            CommitFailure::Failed(status) => {
                let _ = first.job.done.send(Err(status.into()));
            }
        }
        for mut later in std::mem::take(&mut self.underway) {
            if let Some((_, commit)) = later.staged.commit.as_mut() {
                let _ = commit.await;
            }
            again.push_back(later);
        }
        self.pending.clear();
        self.owners.clear();
        self.line = Line::of(self.database.layout().all(&Path::ROOT));
        for Underway { job, attempts, .. } in again {
            self.stage(job, attempts + 1).await;
        }
    }
}
