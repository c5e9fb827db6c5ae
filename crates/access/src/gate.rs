//! The gate: the one holder of the store. Whoever wants to read or write begins a session here.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use base::{Clock, Code, Status, Timestamp};
use kv::{Change, Key, Row, Store, StoreError, Version};

use crate::caller::Caller;
use crate::contention::Contention;
use crate::evaluations::Evaluations;
use crate::events::Events;
use crate::fault::fault;
use crate::hold::Holds;
use crate::invocation::Invocations;
use crate::log::{AccessLog, Event, Recorded};
use crate::mode::Mode;
use crate::open::OpenGrants;
use crate::past::{Past, Shares};
use crate::rulesets::RulesInForce;

/// The services behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Cloud Firestore.
    Firestore,
    /// Authentication.
    Identity,
    /// Rules as they are deployed.
    Rules,
    /// The Realtime Database.
    Realtime,
    /// Cloud Storage.
    Storage,
    /// Data Connect.
    DataConnect,
    /// Cloud Functions.
    Functions,
    /// The data as a whole.
    Store,
}

impl Service {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Service::Firestore => "firestore",
            Service::Identity => "identity",
            Service::Rules => "rules",
            Service::Realtime => "database",
            Service::Storage => "storage",
            Service::DataConnect => "dataconnect",
            Service::Functions => "functions",
            Service::Store => "store",
        }
    }
}

/// What is about to be done, for the record.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Which service is asked.
    pub service: Service,
    /// The operation as its protocol names it.
    pub verb: &'static str,
    /// What it is about: `/movies/up`, `/users/UID`.
    pub resource: String,
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    rules: RulesInForce,
    pub(crate) contention: Contention,
    past: Shares,
    pub(crate) grants: OpenGrants,
    pub(crate) holds: Holds,
    pub(crate) log: AccessLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) mode: Mode,
    /// In dev only.
    evaluations: Option<Evaluations>,
    events: Events,
    requests: AtomicU64,
    invocations: Invocations,
    /// The project that the log names where a session names no other.
    project: OnceLock<String>,
    /// Whether the log keeps what requests ask.
    keeps_requests: AtomicBool,
}

/// Commits that are read at once for the open grants.
const GRANTS_BATCH: usize = 256;
/// How many change-log entries are read at a time when the log is completed.
const COMPLETION_BATCH: usize = 1000;

impl Gate {
    /// A gate over a store.
    pub fn new(store: Store, log: AccessLog, clock: Arc<dyn Clock>, mode: Mode) -> Self {
        let requests = AtomicU64::new(clock.now_micros().unsigned_abs());
        let (rules, contention, past) =
            (RulesInForce::new(&mode, &log), Contention::default(), Shares::default());
        let (grants, evaluations) = (OpenGrants::default(), mode.dev().map(|_| Evaluations::default()));
        let keeps_requests = AtomicBool::new(mode.dev().is_some());
        let inner = Inner {
            store,
            rules,
            contention,
            past,
            grants,
            holds: Holds::default(),
            log,
            clock,
            mode,
            evaluations,
            events: Events::default(),
            requests,
            invocations: Invocations::default(),
            project: OnceLock::new(),
            keeps_requests,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Completes the log file in a data folder from the store's change log, where a crash cut it short: every
    /// acknowledged write has its line. Gives how many were missing.
    pub async fn complete_log(&self, folder: &Path) -> Result<usize, Status> {
        let recorded = Recorded::read(folder).map_err(|error| {
            tracing::error!(%error, "the access log cannot be read");
            Status::unavailable("the access log cannot be read")
        })?;
        let mut after = recorded.since();
        let mut added = 0;
        loop {
            let versions = match self.inner.store.versions(after, COMPLETION_BATCH).await {
                Ok(versions) => versions,
                // What is older than the change log cannot be added; what it still has can.
                Err(StoreError::TooOld { oldest, .. }) if oldest > after => {
                    after = oldest;
                    continue;
                }
                Err(error) => return Err(fault(&error)),
            };
            let Some(last) = versions.last() else { return Ok(added) };
            after = *last;
            for missing in versions.into_iter().filter(|version| !recorded.has(*version)) {
                let changes = match self.inner.store.changes(Version(missing.0 - 1), 1).await {
                    Err(StoreError::TooOld { .. }) => Vec::new(),
                    changes => changes.map_err(|error| fault(&error))?,
                };
                for change in changes {
                    for event in noted_events(&change)? {
                        added += 1;
                        self.inner.log.push(event);
                    }
                }
            }
        }
    }

    pub(crate) fn past(&self, caller: &Caller) -> Past {
        Past::new(&self.inner.store, &self.inner.past, caller)
    }

    /// Reads what makes a caller (accounts, keys), before there is one. Not recorded; for authentication only.
    pub async fn peek(&self, key: &Key) -> Result<Option<Row>, Status> {
        let snapshot = self.inner.store.snapshot().await.map_err(|error| fault(&error))?;
        snapshot.get(key).await.map_err(|error| fault(&error))
    }

    /// The rules in force, per service.
    pub fn rules(&self) -> &RulesInForce {
        &self.inner.rules
    }

    /// Says which project this is. The first word counts.
    pub fn set_project(&self, project: &str) {
        let _ = self.inner.project.set(project.to_owned());
    }

    /// The project that the log names; empty until it is said.
    pub(crate) fn project(&self) -> &str {
        self.inner.project.get().map_or("", String::as_str)
    }

    /// Has the log keep what rules decided on: claims, the data of writes, queries. Dev always does; production only when it
    /// is asked for, because these are users' data.
    pub fn keep_requests(&self) {
        self.inner.keeps_requests.store(true, Ordering::Relaxed);
    }

    pub(crate) fn keeps_requests(&self) -> bool {
        self.inner.keeps_requests.load(Ordering::Relaxed)
    }

    /// The credentials of work that the house does on somebody's behalf.
    pub fn invocations(&self) -> &Invocations {
        &self.inner.invocations
    }

    /// Dev or serve.
    pub fn mode(&self) -> &Mode {
        &self.inner.mode
    }

    /// What rules decided lately; `None` in production, which keeps none of it.
    pub fn evaluations(&self) -> Option<&Evaluations> {
        self.inner.evaluations.as_ref()
    }

    /// Who wants to be told of what is committed.
    pub fn events(&self) -> &Events {
        &self.inner.events
    }

    /// The clock of this house.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The access log.
    pub fn log(&self) -> &AccessLog {
        &self.inner.log
    }

    /// The newest version, and word of each newer one: what listeners wait on.
    pub fn published(&self) -> tokio::sync::watch::Receiver<Version> {
        self.inner.store.published()
    }

    /// The commits after a version, oldest first and without gaps; none when there are none yet. For those who follow the
    /// store for listeners: what they take from here may leave only under an open grant.
    ///
    /// Errors: `FAILED_PRECONDITION` when the version is older than the change log reaches.
    pub async fn changes(&self, after: Version, limit: usize) -> Result<Vec<Change>, Status> {
        self.inner.store.changes(after, limit).await.map_err(|error| match error {
            StoreError::TooOld { .. } => {
                Status::new(Code::FailedPrecondition, "The requested version is too old.")
            }
            error => fault(&error),
        })
    }

    /// The same for those who follow the store for listeners, who call this and nothing else: grants that the commits up to the
    /// last of these have touched are stale when it returns, so the data may leave.
    ///
    /// Errors: as [`Gate::changes`].
    pub async fn follow(&self, after: Version, limit: usize) -> Result<Vec<Change>, Status> {
        let changes = self.changes(after, limit).await?;
        if let Some(last) = changes.last() {
            self.settle_grants(after, &changes, last.version).await?;
        }
        Ok(changes)
    }

    /// Grants that commits up to this version have touched are stale when it returns. For those who know of commits before
    /// they follow them.
    ///
    /// Errors: the store's faults.
    pub async fn settle(&self, version: Version) -> Result<(), Status> {
        self.settle_grants(version, &[], version).await
    }

    /// Reports commits to the grants without a gap: `changes` are those after a version, and what is missing before is read.
    async fn settle_grants(&self, after: Version, changes: &[Change], up_to: Version) -> Result<(), Status> {
        let grants = &self.inner.grants;
        if grants.is_at(up_to) {
            return Ok(());
        }
        let _turn = grants.turn.lock().await;
        while let Some(applied) = grants.behind(after) {
            match self.changes(applied, GRANTS_BATCH).await {
                Ok(missed) => {
                    missed.iter().for_each(|change| grants.apply(change));
                    if missed.is_empty() {
                        grants.skip_to(after, false);
                    }
                }
                Err(status) if status.code == Code::FailedPrecondition => grants.skip_to(after, true),
                Err(status) => return Err(status),
            }
        }
        changes.iter().for_each(|change| grants.apply(change));
        Ok(())
    }

    /// What tells this store from every other, copies of it included. Random, durable, and not for clients to see.
    pub fn epoch(&self) -> [u8; 16] {
        self.inner.store.epoch()
    }

    /// Ends: nothing queued is lost.
    pub async fn close(self) -> Result<(), Status> {
        let closed = self.inner.store.clone().close().await.map_err(|error| fault(&error));
        self.inner.log.close();
        closed
    }

    pub(crate) fn next_request(&self) -> u64 {
        self.inner.requests.fetch_add(1, Ordering::Relaxed)
    }
}

/// The events an allowed write left in its change-log entry. Errors: `DATA_LOSS` when they cannot be read.
fn noted_events(change: &Change) -> Result<Vec<Event>, Status> {
    let Some(note) = &change.note else { return Ok(Vec::new()) };
    let mut events: Vec<Event> = serde_json::from_slice(note).map_err(|error| {
        tracing::error!(%error, version = change.version.0, "the record of a write cannot be read");
        Status::new(
            Code::DataLoss,
            format!("the record of the write at version {} cannot be read", change.version.0),
        )
    })?;
    for event in &mut events {
        event.version = Some(change.version.0);
        event.time = Timestamp::from_micros(change.version.0).to_string();
    }
    Ok(events)
}
