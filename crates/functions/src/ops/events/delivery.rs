//! Tells functions of what was committed: takes the outbox's rows in the order of their commits, calls the worker and takes the
//! row away.
//!
//! A row goes when its event has been told, or is given up. Whatever ends before that (the worker, Hearth) leaves it, so an
//! event is told at least once.

use std::sync::Arc;
use std::time::Duration;

use access::events::{Record, Source};
use access::keyspace::{OUTBOX, TASKS};
use access::{Caller, CommitFailure, Operation, Service};
use base::{Code, Status};
use http::Request;
use http_body_util::{BodyExt, Limited};
use kv::{KeyRange, Scan, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::policy::{Limits, Policy};
use super::queue::{Lane, Next, OF_TARGET_MAX, Queue, Waiting};
use super::request::{request, trace_id};
use super::sources::Own;
use super::{Found, target_of};
use crate::model::Endpoint;
use crate::ops::{Function, Functions};

/// Commits that are read at once.
const BATCH_COMMITS: usize = 256;
/// Rows that are read at once at a start.
const BATCH_ROWS: usize = 512;
/// How often an event is told whose function ends the worker, where the function does not ask for retries.
const LOST_ATTEMPTS_MAX: u32 = 5;
/// How long functions of a codebase that is not in service are left alone before it is looked at again.
const HELD_MILLIS: u64 = 250;
/// What is read of a function's answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The pause after a fault of the store.
const FAULT_MILLIS: u64 = 1_000;

/// How telling an event went.
enum Outcome {
    /// The function has returned.
    Returned,
    /// It has failed, or not returned in time.
    Failed(String),
    /// The worker ended.
    Lost(String),
}

/// The task that tells events.
#[derive(Default)]
pub struct Delivery {
    queue: Mutex<Queue>,
    wake: Notify,
    /// Lanes that have become known and are due later.
    later: Mutex<Vec<(Lane, Duration)>>,
}

/// What is to be done with a lane, and after which pause.
type Ended = (Lane, Next, Option<Duration>, bool);

impl Delivery {
    /// Runs until it is dropped.
    pub async fn run(&self, functions: &Arc<Functions>) {
        tokio::join!(self.follow(functions), self.dispatch(functions));
    }

    /// Has a function pause that has a pace: returns for how long.
    fn paced(&self, lane: &Lane) -> Option<Duration> {
        let mut queue = self.queue.lock();
        let interval = queue.interval(&lane.target)?;
        queue.hold(&lane.target, true);
        Some(interval)
    }

    /// How many events wait or are being told.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// Puts what is committed into the queue, in order.
    async fn follow(&self, functions: &Functions) {
        let mut after = self.find_all(functions).await;
        let mut published = functions.gate.published();
        loop {
            match functions.gate.changes(after, BATCH_COMMITS).await {
                Ok(changes) if changes.is_empty() => {
                    if published.wait_for(|version| *version > after).await.is_err() {
                        return;
                    }
                }
                Ok(changes) => {
                    for change in changes {
                        after = change.version;
                        let fresh = change.rows.iter().filter(|row| row.key.keyspace() == OUTBOX);
                        for row in fresh.filter(|row| row.before.is_none()) {
                            let Some(value) = &row.after else { continue };
                            self.push(functions, row.key.clone(), value, change.version);
                        }
                    }
                    self.wake.notify_one();
                }
                // What the change log has forgotten is still in the outbox.
                Err(status) if status.code == Code::FailedPrecondition => {
                    after = self.find_all(functions).await;
                }
                Err(_) => sleep(Duration::from_millis(FAULT_MILLIS)).await,
            }
        }
    }

    fn push(&self, functions: &Functions, row: kv::Key, value: &bytes::Bytes, version: Version) {
        if let Ok(record) = Record::decode(value) {
            self.push_due(functions, row, (&record.target, record.key.clone(), due(&record)), version);
        }
    }

    fn push_due(
        &self,
        functions: &Functions,
        row: kv::Key,
        (target, about, due): (&str, bytes::Bytes, Option<i64>),
        version: Version,
    ) {
        let left = due.map_or(0, |due| due.saturating_sub(functions.gate.clock().now_micros()));
        let pushed = self.queue.lock().push(target, about, row, (version, left <= 0));
        if let Some(lane) = pushed {
            let pause = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            self.later.lock().push((lane, pause));
        }
    }

    /// Takes up what the queues of tasks of a function allow.
    pub fn limit(&self, target: &str, endpoint: &Endpoint) {
        self.queue.lock().limit(target, Limits::of(endpoint, OF_TARGET_MAX));
    }

    /// Puts all that waits into the queue. Returns the version of that state.
    async fn find_all(&self, functions: &Functions) -> Version {
        loop {
            match self.try_find_all(functions).await {
                Ok(version) => return version,
                Err(status) => {
                    tracing::error!(%status, "the events that wait cannot be read");
                    sleep(Duration::from_millis(FAULT_MILLIS)).await;
                }
            }
        }
    }

    async fn try_find_all(&self, functions: &Functions) -> Result<Version, Status> {
        let operation = Operation { service: Service::Functions, verb: "deliver", resource: "/".to_owned() };
        let mut session = functions.gate.begin(&service(), operation).await?;
        let mut found = Vec::new();
        let mut rest = Some(KeyRange::prefix(OUTBOX, b""));
        while let Some(range) = rest {
            let page = session.scan(&range, Scan { rows_max: BATCH_ROWS, ..Scan::default() }).await?;
            for row in page.rows {
                let Ok(record) = Record::decode(&row.value) else { continue };
                let due = due(&record);
                found.push((row.version, row.key, row.value.len(), record.target, record.key, due));
            }
            rest = page.next;
        }
        found.sort_unstable_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        let version = session.time();
        session.discard();
        let is_first = self.queue.lock().len() == 0;
        for (version, key, bytes, target, about, due) in found {
            // What was committed by this process is counted already.
            if is_first && version < functions.began {
                functions.gate.events().backlog.add(&target, bytes);
            }
            self.push_due(functions, key, (&target, about, due), version);
        }
        self.wake.notify_one();
        Ok(version)
    }

    /// Tells what waits, side by side.
    async fn dispatch(&self, functions: &Arc<Functions>) {
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut pausing: JoinSet<(Lane, bool)> = JoinSet::new();
        loop {
            for (lane, pause) in std::mem::take(&mut *self.later.lock()) {
                pausing.spawn(async move {
                    sleep(pause).await;
                    (lane, false)
                });
            }
            while let Some((lane, event)) = { self.queue.lock().take() } {
                if let Some(interval) = self.paced(&lane) {
                    let lane = lane.clone();
                    pausing.spawn(async move {
                        sleep(interval).await;
                        (lane, true)
                    });
                }
                running.spawn(tell(Arc::clone(functions), lane, event));
            }
            tokio::select! {
                () = self.wake.notified() => {}
                Some(Ok((lane, next, pause, holds))) = running.join_next(), if !running.is_empty() => {
                    let mut queue = self.queue.lock();
                    queue.end(&lane, next);
                    if holds {
                        queue.hold(&lane.target, true);
                        queue.resume(&lane);
                    }
                    drop(queue);
                    if let Some(pause) = pause {
                        pausing.spawn(async move {
                            sleep(pause).await;
                            (lane, holds)
                        });
                    }
                }
                Some(Ok((lane, held))) = pausing.join_next(), if !pausing.is_empty() => {
                    let mut queue = self.queue.lock();
                    if held {
                        queue.hold(&lane.target, false);
                    } else {
                        queue.resume(&lane);
                    }
                }
            }
        }
    }
}

/// When an event is due that is not due at once, in microseconds.
fn due(record: &Record) -> Option<i64> {
    record.attributes.get("due")?.parse().ok()
}

fn service() -> Caller {
    Caller::admin("functions")
}

/// Tells a function of an event.
async fn tell(functions: Arc<Functions>, lane: Lane, event: Waiting) -> Ended {
    let function = match functions.find_target(&lane.target) {
        Found::Live(function) => Some(*function),
        Found::Gone => None,
        Found::NotLive => {
            return (lane, Next::Again { counts: false }, Some(Duration::from_millis(HELD_MILLIS)), true);
        }
    };
    let policy = function.as_ref().map(|function| Policy::of(&function.endpoint));
    match attempt(&functions, function, &event).await {
        Ok(true) => (lane, Next::Done, None, false),
        Ok(false) => {
            let pause = policy.map_or(Duration::ZERO, |policy| policy.pause(event.attempts + 1));
            (lane, Next::Again { counts: true }, Some(pause), false)
        }
        Err(status) => {
            tracing::error!(%status, function = %lane.target, "an event cannot be told now");
            (lane, Next::Again { counts: false }, Some(Duration::from_millis(FAULT_MILLIS)), false)
        }
    }
}

/// One attempt. `false`: it is told again later. Errors: the store's faults.
async fn attempt(functions: &Functions, function: Option<Function>, event: &Waiting) -> Result<bool, Status> {
    let operation = Operation { service: Service::Functions, verb: "deliver", resource: "/".to_owned() };
    let mut session = functions.gate.begin(&service(), operation).await?;
    let row = session.get(&event.row).await?;
    session.discard();
    let Some(row) = row else { return Ok(true) };
    let record = match Record::decode(&row.value) {
        Ok(record) => record,
        Err(_) => return Ok(true),
    };
    let bytes = row.value.len();
    let Some(function) = function else {
        tracing::warn!(target: "function", function = %record.target, event = %record.event, "an event is of a function that is no more");
        return conclude(functions, event, &record, bytes, "gone", None).await;
    };
    if record.source == Own::Task.name() && !is_task(functions, &record).await? {
        return conclude(functions, event, &record, bytes, "taken away", None).await;
    }
    let trace = crate::api::new_trace()?;
    let outcome = call(functions, &function, &record, event, &trace).await?;
    let name = &function.endpoint.name;
    let policy = Policy::of(&function.endpoint);
    let age_s = (functions.gate.clock().now_micros() - event.version.0) / 1_000_000;
    let may = |attempts_max: u32| {
        age_s < policy.age_s_max
            && policy.attempts_max.is_none_or(|max| event.attempts + 1 < max.max(attempts_max))
    };
    let (ended, again, why) = match outcome {
        Outcome::Returned => ("returned", false, None),
        Outcome::Failed(why) => ("failed", may(1), Some(why)),
        Outcome::Lost(why) => ("lost", may(LOST_ATTEMPTS_MAX), Some(why)),
    };
    if let Some(why) = why {
        let then = if again { "it is told again" } else { "it is given up" };
        tracing::warn!(target: "function", function = %name, event = %record.event, id = %record.id, "the event has failed: {why}; {then}");
    }
    if again {
        return Ok(false);
    }
    conclude(functions, event, &record, bytes, ended, Some((&function, &trace))).await
}

/// Whether a task is still one: it has not been deleted.
async fn is_task(functions: &Functions, record: &Record) -> Result<bool, Status> {
    Ok(functions.gate.peek(&kv::Key::new(TASKS, &record.key)).await?.is_some())
}

/// Takes the row away and leaves the record.
async fn conclude(
    functions: &Functions,
    event: &Waiting,
    record: &Record,
    bytes: usize,
    ended: &'static str,
    told: Option<(&Function, &str)>,
) -> Result<bool, Status> {
    let (codebase, name) = target_of(&record.target);
    let region = told.and_then(|(function, _)| function.endpoint.regions.first().map(String::as_str));
    let resource = format!("/functions/{}/{name}", region.unwrap_or(codebase));
    let operation = Operation { service: Service::Functions, verb: "deliver", resource: resource.clone() };
    let mut session = functions.gate.begin(&service(), operation).await?;
    let permit = session
        .authorize_admin(&resource)
        .map_err(|refusal| refusal.status(|_| "Only administrators may do this.".to_owned()))?;
    session.note("event", record.event.clone().into());
    session.note("eventId", record.id.clone().into());
    session.note("causedBy", record.request.into());
    session.note("outcome", ended.into());
    session.note("attempts", (event.attempts + 1).into());
    if let Some((_, trace)) = told {
        session.note("trace", trace_id(trace).into());
    }
    session.write(&permit, event.row.clone(), None);
    if record.source == Own::Task.name() {
        session.write(&permit, kv::Key::new(TASKS, &record.key), None);
    }
    match session.commit().await {
        Ok(_) => {
            functions.gate.events().backlog.subtract(&record.target, bytes);
            Ok(true)
        }
        Err(CommitFailure::Failed(status)) => Err(status),
        Err(CommitFailure::Conflict) => Err(Status::unavailable("an event could not be taken away")),
    }
}

/// Calls the worker. Errors: an event that cannot be translated now.
async fn call(
    functions: &Functions,
    function: &Function,
    record: &Record,
    event: &Waiting,
    trace: &str,
) -> Result<Outcome, Status> {
    let Some(source) = functions.gate.events().source(&record.source) else {
        return Ok(Outcome::Failed(format!("no service has events of the source `{}`", record.source)));
    };
    let told = match source.told(record, event.version) {
        Ok(told) => told,
        Err(status) if status.code == Code::DataLoss => return Ok(Outcome::Failed(status.message)),
        Err(status) => return Err(status),
    };
    let request = request(&function.endpoint, record, event.version, (told, event.attempts), trace)?;
    Ok(send(functions, function, request, trace_id(trace)).await)
}

async fn send(
    functions: &Functions,
    function: &Function,
    request: Request<axum::body::Body>,
    trace: &str,
) -> Outcome {
    let endpoint = &function.endpoint;
    let until = || Instant::now() + Duration::from_secs(endpoint.timeout_s);
    let _slot = match functions.slots.take(endpoint, until()).await {
        Ok(slot) => slot,
        Err(failure) => return Outcome::Lost(failure.to_string()),
    };
    let invocation = match functions.begin_own(function, trace) {
        Ok(invocation) => invocation,
        Err(failure) => return Outcome::Lost(failure.to_string()),
    };
    let answered = async {
        let (response, _connection) = function.live.worker.send(request, &invocation).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        // An answer that breaks off is one of a worker that ended; a long one is an answer.
        match body {
            Err(error) if !error.is::<http_body_util::LengthLimitError>() => {
                Err(std::io::Error::other(error))
            }
            _ => Ok(status),
        }
    };
    match timeout_at(until(), answered).await {
        Err(_) => {
            function.clone().look_after(None);
            Outcome::Failed(format!("it has not returned within {} s", endpoint.timeout_s))
        }
        Ok(Err(error)) => Outcome::Lost(format!("the worker ended before it returned ({error})")),
        Ok(Ok(status)) if status.is_success() => Outcome::Returned,
        Ok(Ok(status)) => Outcome::Failed(format!("it has thrown an error ({status})")),
    }
}
