//! Carries out what the core decides, on a thread of its own: gathers groups, fetches facts, applies
//! batches, publishes, answers, and prunes the change log between groups.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::core::{Core, Facts, Need};
use super::horizon::Horizon;
use crate::change::{self, Change};
use crate::engine::{Batch, Engine};
use crate::error::{CommitError, StoreError};
use crate::history;
use crate::key::Key;
use crate::meta::{self, Floor};
use crate::options::Options;
use crate::ring::Ring;
use crate::scan::Scan;
use crate::txn::{Chain, Txn};
use crate::version::Version;

/// Log entries read at once for validating an old base.
const LOG_PAGE_ROWS: usize = 256;
const LOG_PAGE_BYTES_MAX: usize = 4 << 20;
/// Bytes of log entries looked at in one slice of pruning.
const PRUNE_BYTES_MAX: usize = 4 << 20;

/// What one may ask of the committer.
pub(crate) enum Request {
    /// Commit a transaction.
    Commit(Waiting, Txn),
    /// Give no commit this version or an older one from now on.
    Fence(Version, oneshot::Sender<()>),
    /// Remove what is past retention from the change log now.
    Prune(oneshot::Sender<Result<(), StoreError>>),
    /// Finish what is queued, bring the engine to rest, end.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// Who waits for a commit.
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Sender<Result<Version, CommitError>>,
    /// The memory the transaction takes in the queue; given back when it is answered.
    pub(crate) memory: OwnedSemaphorePermit,
    pub(crate) bytes: usize,
    pub(crate) chain: Option<Chain>,
}

impl Waiting {
    fn answer(self, result: Result<Version, CommitError>) {
        let Self { answer, memory, chain, .. } = self;
        if let (Err(_), Some(chain)) = (&result, chain) {
            chain.break_off();
        }
        // First, so that who has the answer can use the memory again.
        drop(memory);
        // Whoever asked may be gone; the commit stands all the same.
        let _ = answer.send(result);
    }
}

/// The committer at work.
pub(crate) struct Driver {
    core: Core,
    engine: Arc<dyn Engine>,
    options: Options,
    queue: mpsc::Receiver<Request>,
    published: watch::Sender<Version>,
    ring: Arc<Ring>,
    horizon: Arc<Horizon>,
    prune_due_micros: i64,
    /// The change log as it was when it was last looked at for pruning.
    log: LogLength,
}

/// How long the change log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLength {
    /// The bytes of all entries since it began.
    pub(crate) end: u64,
    /// Those of the entries that were removed.
    pub(crate) removed: u64,
}

impl Driver {
    pub(crate) fn new(
        head: Version,
        log: LogLength,
        engine: Arc<dyn Engine>,
        options: Options,
        queue: mpsc::Receiver<Request>,
        (published, ring): (watch::Sender<Version>, Arc<Ring>),
        horizon: Arc<Horizon>,
    ) -> Self {
        horizon.rest(head);
        let core = Core::new(head, log.end, options.recent_rows_max, options.before_bytes_max);
        let mut driver =
            Self { core, engine, options, queue, published, ring, horizon, prune_due_micros: 0, log };
        driver.prune_due_micros = driver.next_prune(driver.options.clock.now_micros());
        driver
    }

    /// Works until the store is closed or dropped.
    pub(crate) async fn run(mut self) {
        let mut closing = None;
        let mut group = Vec::new();
        loop {
            let mut bytes = 0;
            let mut request = self.next_request().await;
            if let Wait::Ended = request {
                break;
            }
            while let Wait::Request(received) = request {
                match received {
                    Request::Commit(waiting, txn) => {
                        bytes += waiting.bytes;
                        group.push((waiting, txn));
                    }
                    Request::Fence(version, done) => {
                        self.core.fence(version);
                        let _ = done.send(());
                    }
                    Request::Prune(done) => {
                        let _ = done.send(self.prune_all().await);
                    }
                    Request::Close(done) => {
                        self.queue.close();
                        closing = Some(done);
                    }
                }
                if group.len() >= self.options.group_len_max || bytes >= self.options.group_bytes_max {
                    break;
                }
                request = self.queue.try_recv().map_or(Wait::Idle, Wait::Request);
            }
            if !group.is_empty() {
                self.commit(&mut group).await;
            }
            self.prune_if_due().await;
        }
        let closed = self.engine.close().await;
        if let Some(done) = closing {
            let _ = done.send(closed);
        }
    }

    async fn next_request(&mut self) -> Wait {
        match tokio::time::timeout(self.prune_interval(), self.queue.recv()).await {
            Ok(Some(request)) => Wait::Request(request),
            Ok(None) => Wait::Ended,
            Err(_) => Wait::Idle,
        }
    }

    /// Decides the group, makes it durable, publishes it and answers everyone in it.
    async fn commit(&mut self, group: &mut Vec<(Waiting, Txn)>) {
        let facts = match self.prepare(group).await {
            Ok(facts) => facts,
            Err(error) => {
                for (waiting, _) in group.drain(..) {
                    waiting.answer(Err(error.clone().into()));
                }
                return;
            }
        };
        self.core.fence(self.horizon.work());
        let decision = self.core.decide(group.drain(..), facts, self.options.clock.now_micros());
        if decision.batch.is_none() {
            self.horizon.rest(self.core.head());
        }
        for (waiting, error) in decision.refused {
            waiting.answer(Err(error));
        }
        let (before, mut entries) = (self.core.head(), Vec::with_capacity(decision.accepted.len()));
        for (_, version) in &decision.accepted {
            let entry = decision.batch.as_ref().and_then(|batch| batch.rows.get(&meta::log_key(*version)));
            entries.extend(entry.cloned().flatten().map(|entry| (*version, entry)));
        }
        let applied = match decision.batch {
            Some(batch) => self.engine.apply(batch).await,
            None => Ok(()),
        };
        match applied {
            Ok(()) => {
                let head = self.core.applied();
                self.ring.add(before, head, entries);
                self.publish(head);
                self.horizon.rest(head);
                for (waiting, version) in decision.accepted {
                    waiting.answer(Ok(version));
                }
            }
            Err(error) => {
                tracing::error!(%error, commits = decision.accepted.len(), "a group of commits failed");
                self.core.failed();
                for (waiting, _) in decision.accepted {
                    waiting.answer(Err(error.clone().into()));
                }
            }
        }
    }

    /// Settles a failed group before, and fetches what the core must know of this one.
    async fn prepare(&mut self, group: &[(Waiting, Txn)]) -> Result<Facts, StoreError> {
        if self.core.in_doubt() {
            let seen = self.engine.view().await?.version();
            let head = self.core.resolve(seen)?;
            self.publish(head);
            self.horizon.rest(head);
        }
        let Need { keys, log } = self.core.need(group.iter().map(|(_, txn)| txn));
        let values = if keys.is_empty() { Vec::new() } else { self.engine.newest(&keys).await? };
        let mut facts = Facts::of(keys, values);
        if let Some((after, up_to)) = log {
            (facts.log_since, facts.log) = self.changed_keys(after, up_to).await?;
        }
        Ok(facts)
    }

    /// The keys changed by each commit after one version up to another, as far back as the log and the
    /// limits allow; and how far back that is.
    async fn changed_keys(
        &self,
        after: Version,
        up_to: Version,
    ) -> Result<(Version, Vec<(Version, Vec<Key>)>), StoreError> {
        let view = self.engine.view().await?;
        let since = after.max(history::floor(&*view).await?);
        let scan = Scan { reverse: true, rows_max: LOG_PAGE_ROWS, bytes_max: LOG_PAGE_BYTES_MAX };
        let mut rest = Some(meta::log_range(since, up_to));
        let mut log = Vec::new();
        let mut rows = 0usize;
        while let Some(range) = rest.take() {
            let (changes, next) = history::read_log(&*view, &range, scan).await?;
            for Change { version, rows: changed, .. } in changes {
                rows += changed.len();
                if rows > self.options.look_back_rows_max {
                    return Ok((version, log));
                }
                log.push((version, changed.into_iter().map(|row| row.key).collect()));
            }
            rest = next;
        }
        Ok((since, log))
    }

    fn publish(&self, version: Version) {
        self.published.send_if_modified(|published| {
            let newer = version > *published;
            *published = version.max(*published);
            newer
        });
    }

    fn prune_interval(&self) -> Duration {
        Duration::from_millis((self.options.change_retention_ms / 16).clamp(1_000, 60_000))
    }

    fn next_prune(&self, now_micros: i64) -> i64 {
        let interval = i64::try_from(self.prune_interval().as_micros()).unwrap_or(i64::MAX);
        now_micros.saturating_add(interval)
    }

    /// Removes a part of the log if it is time or if it is too long: one slice, or more where more was added. Goes on after
    /// the next group while more is due.
    async fn prune_if_due(&mut self) {
        let now = self.options.clock.now_micros();
        let added = self.core.log_end() - self.log.end;
        self.log.end = self.core.log_end();
        let is_long = self.log.end - self.log.removed.min(self.log.end) > self.options.change_bytes_max;
        if (now < self.prune_due_micros && !is_long) || self.core.in_doubt() {
            return;
        }
        // Faster than it grows.
        let wanted = self.log.removed.saturating_add(added.saturating_mul(2));
        loop {
            match self.prune_slice(now).await {
                Ok(true) if self.log.removed < wanted => {}
                Ok(true) => return,
                Ok(false) => {
                    self.prune_due_micros = self.next_prune(now);
                    return;
                }
                // The log is longer than it need be, nothing else; the next round tries again.
                Err(error) => {
                    tracing::warn!(%error, "old change-log entries could not be removed");
                    return;
                }
            }
        }
    }

    async fn prune_all(&mut self) -> Result<(), StoreError> {
        let now = self.options.clock.now_micros();
        self.log.end = self.core.log_end();
        while self.prune_slice(now).await? {}
        Ok(())
    }

    /// Removes some entries past retention, or beyond the length the log may have, and raises the durable floor with them, in
    /// one batch. Tells whether more are due.
    async fn prune_slice(&mut self, now_micros: i64) -> Result<bool, StoreError> {
        let retention =
            i64::try_from(self.options.change_retention_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        let cutoff = Version(now_micros.saturating_sub(retention)).min(self.core.head());
        // A log that was too long is made shorter by some, so that its entries go in few batches.
        let max = self.options.change_bytes_max;
        let is_long = self.log.end.saturating_sub(self.log.removed) > max;
        let keep_from = if is_long { self.log.end.saturating_sub(max - max / 16) } else { 0 };
        let view = self.engine.view().await?;
        let floor = history::floor_row(&*view).await?;
        let scan = Scan { reverse: false, rows_max: self.options.prune_rows_max, bytes_max: PRUNE_BYTES_MAX };
        let up_to = if is_long { self.core.head() } else { cutoff };
        if up_to <= Version::ZERO {
            return Ok(false);
        }
        let slice = view.scan(&meta::log_range(floor.version, up_to), scan).await?;
        drop(view);
        let mut raised = floor;
        let mut batch = Batch { version: self.core.head(), ..Batch::default() };
        let mut more = slice.more;
        for (key, entry) in slice.rows {
            let (version, end) = (meta::log_version(&key)?, change::log_end(&entry));
            if version > cutoff && end > keep_from {
                more = false;
                break;
            }
            raised = Floor { version, removed_bytes: raised.removed_bytes.max(end) };
            batch.rows.insert(key, None);
        }
        if batch.rows.is_empty() {
            return Ok(false);
        }
        batch.rows.insert(meta::floor_key(), Some(raised.encode()));
        self.engine.apply(batch).await?;
        self.ring.forget(raised.version);
        self.log.removed = raised.removed_bytes;
        Ok(more)
    }
}

/// What came of waiting for a request.
enum Wait {
    Request(Request),
    Idle,
    Ended,
}
