//! The loop of one stream. What it does may hold what others wait for, so it goes on without its client ([`away`]); only
//! waiting does not.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Weak};

use access::{Caller, Holder};
use base::{Code, DatabaseName, Status};
use futures_util::{FutureExt, StreamExt};
use kv::Version;
use tokio::sync::watch;
use wire::v1;
use wire::v1::listen_request::TargetChange;
use wire::v1::target::ResumeType;
use wire::v1::target_change::TargetChangeType;

use super::TARGETS_MAX;
use super::state::{Loading, Phase, Target, keys};
use super::wait::{Due, Waits};
use crate::Firestore;
use crate::listen::outbox::Outbox;
use crate::listen::target::Asked;
use crate::listen::token::Seen;
use crate::listen::view::Listener;
use crate::listen::{Hub, Response};
use crate::model::value::timestamp_from_wire;
use crate::ops::away::away;
use crate::ops::lifetime::Lifetime;
use crate::ops::places::Place;
use crate::ops::stream::Requests;
use crate::status;

/// Requests taken at once.
const REQUESTS_AT_ONCE: usize = 64;
/// Cuts in a row before requests are looked at.
const CUTS_MAX: usize = 16;
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
    waits: Waits,
    /// Cuts since requests were looked at.
    cuts: usize,
    lifetime: Lifetime,
    ending: watch::Receiver<bool>,
    is_time_check_due: bool,
    is_heartbeat_due: bool,
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
        let waits = Waits::new(ending.clone(), &lifetime);
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
            waits,
            cuts: 0,
            lifetime,
            ending,
            is_time_check_due: false,
            is_heartbeat_due: false,
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

    /// The next answer, and the stream; none when it is over.
    pub async fn next(mut self: Box<Self>) -> Result<Option<(Response, Box<Self>)>, Status> {
        loop {
            if let Some(response) = self.ready.pop_front() {
                return Ok(Some((response, self)));
            }
            if self.requests_over {
                return Ok(None);
            }
            let is_idle;
            (self, is_idle) = away(async move {
                let is_idle = self.work().await?;
                Ok((self, is_idle))
            })
            .await?;
            if is_idle {
                self = self.wait().await?;
            }
        }
    }

    /// One step of whatever is due. Returns whether nothing is.
    async fn work(&mut self) -> Result<bool, Status> {
        if *self.ending.borrow() {
            return Err(status::server_stops());
        }
        self.lifetime.check()?;
        if std::mem::take(&mut self.is_time_check_due) {
            self.decide_stale(true).await?;
        }
        if std::mem::take(&mut self.is_heartbeat_due) && !self.targets.is_empty() {
            self.cut().await?;
        }
        let is_settling = self.targets.values().any(|target| matches!(target.phase, Phase::Settling(_)));
        // Where commits only are to be sent, requests may wait for a few of them.
        if is_settling || !self.outbox.is_waiting() || self.cuts >= CUTS_MAX {
            self.take_requests()?;
        }
        self.decide_stale(false).await?;
        if !self.ready.is_empty() {
            return Ok(false);
        }
        let loading = self.targets.iter().find(|(_, target)| target.is_loading()).map(|(id, _)| *id);
        if let Some(id) = loading {
            return Box::pin(self.load(id)).await.map(|()| false);
        }
        if is_settling || self.outbox.is_waiting() {
            self.cuts += 1;
            return self.cut().await.map(|()| false);
        }
        Ok(true)
    }

    fn take_requests(&mut self) -> Result<(), Status> {
        self.cuts = 0;
        for _ in 0..REQUESTS_AT_ONCE {
            let Some(request) = self.requests.next().now_or_never() else { break };
            self.take(request.transpose()?)?;
        }
        Ok(())
    }

    /// Waits for a request, a commit, or the time.
    async fn wait(mut self: Box<Self>) -> Result<Box<Self>, Status> {
        let depends_on_time = self.depends_on_time();
        let Self { waits, outbox, requests, lifetime, .. } = &mut *self;
        match poll_fn(|cx| waits.poll(cx, outbox, requests, lifetime, depends_on_time)).await {
            Due::Changed => {}
            Due::Request(request) => self.take(request.map(|request| *request).transpose()?)?,
            Due::Ending => return Err(status::server_stops()),
            Due::Lifetime => self.lifetime.check()?,
            Due::TimeCheck => self.is_time_check_due = true,
            Due::Heartbeat => self.is_heartbeat_due = true,
        }
        Ok(self)
    }

    /// Nothing need be said for a while.
    pub(super) fn snapshot_was_sent(&mut self) {
        self.waits.said();
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
        let mut asked = Asked::read(database, target.target_type)?;
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
        // One query for all who ask the same.
        if let (Asked::Query { query, key }, Some((shared, shared_key))) = (&mut asked, registration.query())
        {
            (*query, *key) = (Arc::clone(shared), Arc::clone(shared_key));
        }
        let loading = Loading { seen, expected: target.expected_count, ..Loading::default() };
        Ok(Target {
            asked,
            registration,
            grant: None,
            is_literal: false,
            phase: Phase::Loading(Box::new(loading)),
            loaded: Version::ZERO,
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
