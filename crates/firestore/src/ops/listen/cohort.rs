//! Those who resume at the same time, as all do when a server comes back: the change log is read once for all of them, not
//! once for each.
//!
//! Who comes while others are being served waits for the next reading. What is found is as of one version; who asked goes
//! on from there with its own session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use access::Gate;
use base::{Code, DatabaseName, Status};
use kv::Version;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::listen::replay::{Changes, Replay};
use crate::query::Query;

/// How long others are waited for.
const GATHER_MS: u64 = 3;
/// Commits of the log read at once.
const COMMITS_PER_READ: usize = 256;
/// Rows of the log that are read for one who resumes. One that would need more is answered with the whole result.
pub const RESUME_ROWS_MAX: usize = 20_000;

/// What was found: up to which version, and what has changed. `None` where that cannot be found out, or too much has
/// happened.
pub type Found = Option<(Version, Arc<Changes>)>;

/// Bytes of what was found and waits for its turn to be sent, of all streams.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// What was found for a target that waits for its turn. It is counted until it is taken.
pub struct Kept {
    found: Found,
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Kept {
    /// What was found.
    pub fn take(mut self) -> Found {
        self.found.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Those who resume.
pub struct Cohorts {
    gate: Gate,
    kept_bytes: Arc<AtomicUsize>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    members: Vec<Member>,
    is_reading: bool,
}

struct Member {
    database: DatabaseName,
    query: Arc<Query>,
    key: Arc<[u8]>,
    after: Version,
    answer: oneshot::Sender<Result<Found, Status>>,
}

impl Cohorts {
    /// Nobody yet.
    pub fn new(gate: Gate) -> Arc<Self> {
        Arc::new(Self { gate, kept_bytes: Arc::default(), waiting: Mutex::default() })
    }

    /// Keeps what was found until it is sent; `None` when too much is kept, unless it is sent `now`.
    pub fn keep(&self, found: Found, now: bool) -> Option<Kept> {
        let images = found.iter().flat_map(|(_, changes)| changes.values());
        let bytes = images.map(|changed| changed.image.bytes()).sum();
        let others = self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        let kept = Kept { found, bytes, all: Arc::clone(&self.kept_bytes) };
        (now || others.saturating_add(bytes) <= KEPT_BYTES_MAX).then_some(kept)
    }

    /// What has changed of a query's result after a version.
    ///
    /// Errors: of reading the log.
    pub async fn join(
        self: &Arc<Self>,
        database: &DatabaseName,
        (query, key): (&Arc<Query>, &Arc<[u8]>),
        after: Version,
    ) -> Result<Found, Status> {
        let (answer, answered) = oneshot::channel();
        let (query, key) = (Arc::clone(query), Arc::clone(key));
        let member = Member { database: database.clone(), query, key, after, answer };
        {
            let mut waiting = self.waiting.lock();
            waiting.members.push(member);
            if !std::mem::replace(&mut waiting.is_reading, true) {
                tokio::spawn(Arc::clone(self).read_for_all());
            }
        }
        answered.await.unwrap_or_else(|_| Err(Status::unavailable("The service is currently unavailable.")))
    }

    /// Reads for those who wait, and for those who come meanwhile, until nobody does.
    async fn read_for_all(self: Arc<Self>) {
        tokio::time::sleep(Duration::from_millis(GATHER_MS)).await;
        loop {
            let members = {
                let mut waiting = self.waiting.lock();
                let members = std::mem::take(&mut waiting.members);
                waiting.is_reading = !members.is_empty();
                members
            };
            if members.is_empty() {
                return;
            }
            self.read_for(members).await;
        }
    }

    async fn read_for(&self, mut members: Vec<Member>) {
        // The oldest last.
        members.sort_by_key(|member| std::cmp::Reverse(member.after));
        let mut reading = Reading { until: *self.gate.published().borrow(), ..Reading::default() };
        match reading.read(&self.gate, &mut members).await {
            Ok(()) => reading.answer(),
            Err(status) => {
                let following = reading.following.into_iter().map(|follows| follows.member);
                for member in members.into_iter().chain(following) {
                    let _left = member.answer.send(Err(status.clone()));
                }
            }
        }
    }
}

/// One reading of the log.
#[derive(Default)]
struct Reading {
    until: Version,
    /// Rows read.
    rows: usize,
    replay: Replay,
    /// Those for whom everything was read so far.
    following: Vec<Follows>,
}

struct Follows {
    member: Member,
    view: u64,
    /// Rows that had been read before.
    rows: usize,
}

impl Reading {
    /// Reads from the oldest version on. Whoever would need too much is answered that, and what nobody needs is passed over.
    async fn read(&mut self, gate: &Gate, members: &mut Vec<Member>) -> Result<(), Status> {
        let mut at = Version::ZERO;
        loop {
            if self.following.is_empty() {
                let Some(oldest) = members.last() else { return Ok(()) };
                at = oldest.after;
            }
            self.take_in(members, at);
            if at >= self.until {
                // Whoever is left has seen what is not there yet.
                members.drain(..).for_each(refuse);
                return Ok(());
            }
            let changes = match gate.changes(at, COMMITS_PER_READ).await {
                Ok(changes) => changes,
                Err(status) if status.code == Code::FailedPrecondition => {
                    // The log does not reach back so far.
                    self.following.drain(..).for_each(|Follows { member, .. }| refuse(member));
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if changes.is_empty() {
                at = self.until;
            }
            let until = self.until;
            for change in changes.iter().take_while(|change| change.version <= until) {
                self.take_in(members, Version(change.version.0 - 1));
                self.rows += change.rows.len();
                self.replay.apply(change)?;
                at = change.version;
            }
            if changes.last().is_some_and(|last| last.version >= self.until) {
                at = self.until;
            }
            self.let_go();
            tokio::task::yield_now().await;
        }
    }

    /// Whoever has seen everything up to here follows from here on.
    fn take_in(&mut self, members: &mut Vec<Member>, at: Version) {
        while members.last().is_some_and(|member| member.after <= at && member.after <= self.until) {
            let Some(member) = members.pop() else { return };
            let view = self.replay.add(&member.database, &member.query, &member.key);
            self.following.push(Follows { member, view, rows: self.rows });
        }
    }

    /// Those for whom too much was read, or found, are answered so.
    fn let_go(&mut self) {
        let is_too_large = self.replay.is_too_large();
        let (rows, mut kept) = (self.rows, Vec::with_capacity(self.following.len()));
        for follows in self.following.drain(..) {
            if is_too_large || rows - follows.rows > RESUME_ROWS_MAX {
                refuse(follows.member);
            } else {
                kept.push(follows);
            }
        }
        self.following = kept;
        if is_too_large {
            self.replay = Replay::default();
        }
    }

    fn answer(self) {
        let mut by_view: BTreeMap<u64, BTreeSet<Version>> = BTreeMap::new();
        for Follows { member, view, .. } in &self.following {
            by_view.entry(*view).or_default().insert(member.after);
        }
        let found: BTreeMap<_, _> =
            by_view.iter().map(|(view, versions)| (*view, self.replay.since(*view, versions))).collect();
        for Follows { member, view, .. } in self.following {
            let changes = found.get(&view).and_then(|found| found.get(&member.after)).cloned();
            let _left = member.answer.send(Ok(changes.map(|changes| (self.until, changes))));
        }
    }
}

fn refuse(member: Member) {
    let _left = member.answer.send(Ok(None));
}
