//! The loop of one stream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use access::{Caller, Holder};
use base::{Code, DatabaseName, Status};
use futures_util::{FutureExt, StreamExt};
use kv::Version;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::v1;
use wire::v1::listen_request::TargetChange;
use wire::v1::target::ResumeType;
use wire::v1::target_change::TargetChangeType;

use super::TARGETS_MAX;
use super::state::{Loading, Phase, Target, keys};
use crate::Firestore;
use crate::listen::outbox::Outbox;
use crate::listen::target::Asked;
use crate::listen::token::Seen;
use crate::listen::view::Listener;
use crate::listen::{Hub, Response};
use crate::model::value::timestamp_from_wire;
use crate::ops::lifetime::{Lifetime, ended};
use crate::ops::places::Place;
use crate::ops::stream::Requests;
use crate::status;

/// A stream says something at least so often: clients take a silent one for dead.
const HEARTBEAT_SECONDS: u64 = 30;
/// How often a grant that the time can end is decided again.
const TIME_CHECK_SECONDS: u64 = 5;
/// Requests taken at once.
const REQUESTS_AT_ONCE: usize = 64;
/// The first id that is given to a target whose client names none.
const OWN_ID_FIRST: i32 = 1 << 24;

/// One stream.
pub struct Pump {
    pub(super) service: Arc<Firestore>,
    pub(super) caller: Caller,
    requests: Requests<v1::ListenRequest>,
    requests_over: bool,
    /// Once the client has said it.
    database: Option<DatabaseName>,
    pub(super) targets: BTreeMap<i32, Target>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) ready: VecDeque<Response>,
    /// The version of the newest snapshot.
    pub(super) sent: Version,
    heartbeat_at: Instant,
    time_check_at: Instant,
    lifetime: Lifetime,
    ending: watch::Receiver<bool>,
    place: Place,
}

impl Pump {
    /// A stream without targets.
    pub fn new(
        service: Arc<Firestore>,
        caller: Caller,
        requests: Requests<v1::ListenRequest>,
        place: Place,
    ) -> Self {
        let lifetime = Lifetime::of(&caller, service.gate.clock());
        let (outbox, ending) = (service.listeners.hub.outbox(), service.ending.subscribe());
        let now = Instant::now();
        Self {
            service,
            caller,
            requests,
            requests_over: false,
            database: None,
            targets: BTreeMap::new(),
            outbox,
            ready: VecDeque::new(),
            sent: Version::ZERO,
            heartbeat_at: now + Duration::from_secs(HEARTBEAT_SECONDS),
            time_check_at: now + Duration::from_secs(TIME_CHECK_SECONDS),
            lifetime,
            ending,
            place,
        }
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.service.listeners.hub
    }

    pub(super) fn database(&self) -> Result<&DatabaseName, Status> {
        self.database.as_ref().ok_or_else(|| status::missing_part("A database"))
    }

    /// Who is woken when a grant is touched.
    pub(super) fn holder(&self) -> Weak<dyn Holder> {
        let outbox: Arc<dyn Holder> = self.outbox.clone();
        Arc::downgrade(&outbox)
    }

    /// The next answer; none when the stream is over.
    pub async fn next(&mut self) -> Result<Option<Response>, Status> {
        loop {
            if let Some(response) = self.ready.pop_front() {
                return Ok(Some(response));
            }
            if self.requests_over {
                return Ok(None);
            }
            self.work().await?;
        }
    }

    /// One step of whatever is due.
    async fn work(&mut self) -> Result<(), Status> {
        if *self.ending.borrow() {
            return Err(status::server_stops());
        }
        self.lifetime.check()?;
        for _ in 0..REQUESTS_AT_ONCE {
            let Some(request) = self.requests.next().now_or_never() else { break };
            self.take(request.transpose()?)?;
        }
        self.decide_stale(false).await?;
        if !self.ready.is_empty() {
            return Ok(());
        }
        let loading = self.targets.iter().find(|(_, target)| target.is_loading()).map(|(id, _)| *id);
        if let Some(id) = loading {
            return self.load(id).await;
        }
        let is_settling = self.targets.values().any(|target| matches!(target.phase, Phase::Settling(_)));
        if is_settling || self.outbox.is_waiting() {
            return self.cut().await;
        }
        self.wait().await
    }

    /// Waits for a request, a commit, or the time.
    async fn wait(&mut self) -> Result<(), Status> {
        let depends_on_time = self.depends_on_time();
        tokio::select! {
            () = ended(&mut self.ending) => Err(status::server_stops()),
            over = self.lifetime.over() => Err(over),
            request = self.requests.next() => self.take(request.transpose()?),
            () = self.outbox.changed() => Ok(()),
            () = tokio::time::sleep_until(self.time_check_at), if depends_on_time => {
                self.time_check_at = Instant::now() + Duration::from_secs(TIME_CHECK_SECONDS);
                self.decide_stale(true).await
            }
            () = tokio::time::sleep_until(self.heartbeat_at) => {
                self.snapshot_was_sent();
                if self.targets.is_empty() { Ok(()) } else { self.cut().await }
            }
        }
    }

    /// Nothing need be said for a while.
    pub(super) fn snapshot_was_sent(&mut self) {
        self.heartbeat_at = Instant::now() + Duration::from_secs(HEARTBEAT_SECONDS);
    }

    fn take(&mut self, request: Option<v1::ListenRequest>) -> Result<(), Status> {
        let Some(request) = request else {
            self.requests_over = true;
            return Ok(());
        };
        match &self.database {
            None => self.database = Some(self.service.database(&request.database)?),
            Some(database) if !request.database.is_empty() && request.database != database.to_string() => {
                return Err(status::stream_of_other_database());
            }
            Some(_) => {}
        }
        match request.target_change {
            Some(TargetChange::AddTarget(target)) => self.add(target),
            Some(TargetChange::RemoveTarget(id)) => {
                self.remove(id);
                self.ready.push_back(Response::target(TargetChangeType::Remove, id));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, target: v1::Target) -> Result<(), Status> {
        let id = match target.target_id {
            0 => self.own_id(),
            id => id,
        };
        if self.targets.contains_key(&id) {
            return Err(status::duplicate_target(id));
        }
        self.ready.push_back(Response::target(TargetChangeType::Add, id));
        if self.targets.len() >= TARGETS_MAX {
            self.ready.push_back(Response::lost(id, &status::too_many_targets(TARGETS_MAX)));
            return Ok(());
        }
        match self.read(id, target) {
            Ok(target) => {
                self.targets.insert(id, target);
            }
            Err(status) => self.ready.push_back(Response::lost(id, &status)),
        }
        Ok(())
    }

    fn own_id(&self) -> i32 {
        let last = self.targets.keys().next_back().copied().unwrap_or(0);
        last.saturating_add(1).max(OWN_ID_FIRST)
    }

    /// Reads a target and registers it: it hears of every commit from now on.
    fn read(&self, id: i32, target: v1::Target) -> Result<Target, Status> {
        let database = self.database()?;
        let asked = Asked::read(database, target.target_type)?;
        let seen = match target.resume_type {
            None => None,
            Some(ResumeType::ResumeToken(token)) if token.is_empty() => None,
            Some(ResumeType::ResumeToken(token)) => Some(self.service.listeners.tokens.read(&token)?),
            Some(ResumeType::ReadTime(at)) => Some(Seen::UpTo(Version(timestamp_from_wire(&at)?.micros()))),
        };
        let place = self.place.target()?;
        let listener = Listener { outbox: Arc::clone(&self.outbox), target: id };
        let head = *self.service.gate.published().borrow();
        let registration = match &asked {
            Asked::Documents(paths) => self.hub().listen_to_documents(head, listener, keys(database, paths)),
            Asked::Query { query, key } => self.hub().listen_to_query(head, listener, (database, query, key)),
        };
        let loading = Loading { seen, expected: target.expected_count, ..Loading::default() };
        Ok(Target {
            asked,
            registration,
            grant: None,
            is_literal: false,
            phase: Phase::Loading(Box::new(loading)),
            once: target.once,
            _place: place,
            shown: Default::default(),
        })
    }

    /// Forgets a target.
    pub(super) fn remove(&mut self, id: i32) {
        self.targets.remove(&id);
    }

    /// A target ends for a reason, if it is one that ends a target; what ends the stream is returned.
    pub(super) fn lose(&mut self, id: i32, status: Status) -> Result<(), Status> {
        match status.code {
            Code::PermissionDenied
            | Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::ResourceExhausted
            | Code::NotFound
            | Code::Unimplemented => {
                self.remove(id);
                self.ready.push_back(Response::lost(id, &status));
                Ok(())
            }
            _ => Err(status),
        }
    }

    /// What was dropped is found again: every target resumes from the newest snapshot.
    pub(super) fn start_over(&mut self) {
        let seen = (self.sent > Version::ZERO).then_some(Seen::UpTo(self.sent));
        for target in self.targets.values_mut() {
            match &mut target.phase {
                // Nothing has been said of it that a later page would not correct, but for what was dropped.
                Phase::Loading(loading) if loading.seen.is_some() => {}
                Phase::Loading(loading) => {
                    **loading = Loading { seen: Some(Seen::Elsewhere), ..Loading::default() }
                }
                Phase::Settling(_) => {
                    let seen = Some(Seen::Elsewhere);
                    target.phase = Phase::Loading(Box::new(Loading { seen, ..Loading::default() }));
                }
                Phase::Current => {
                    target.phase = Phase::Loading(Box::new(Loading { seen, ..Loading::default() }));
                }
            }
        }
    }
}
