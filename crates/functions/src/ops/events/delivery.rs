//! Tells functions of what was committed: takes the outbox's rows in the order of their commits, calls the worker and takes the
//! row away.
//!
//! A row goes when its event has been told, or is given up. Whatever ends before that (the worker, Hearth) leaves it, so an
//! event is told at least once.

use std::sync::Arc;
use std::time::Duration;

use access::events::Record;
use access::keyspace::OUTBOX;
use access::{Caller, CommitFailure, Operation, Service};
use base::{Code, Status};
use http::Request;
use http_body_util::{BodyExt, Limited};
use kv::{KeyRange, Scan, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::queue::{Lane, Next, Queue, Waiting};
use super::request::request;
use super::{Found, target_of};
use crate::model::Trigger;
use crate::ops::{Function, Functions};

/// Commits that are read at once.
const BATCH_COMMITS: usize = 256;
/// Rows that are read at once at a start.
const BATCH_ROWS: usize = 512;
/// How often an event is told whose function ends the worker, where the function does not ask for retries.
const LOST_ATTEMPTS_MAX: u32 = 5;
/// The pause before an event is told again, doubled each time.
const PAUSE_MILLIS: u64 = 250;
/// The longest pause.
const PAUSE_MILLIS_MAX: u64 = 60_000;
/// How long functions of a codebase that is not in service are left alone before it is looked at again.
const HELD_MILLIS: u64 = 250;
/// For how long failures are retried: the second generation, and the first.
const RETRY_SECONDS_MAX: i64 = 24 * 3600;
const FIRST_GENERATION_RETRY_SECONDS_MAX: i64 = 7 * 24 * 3600;
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
}

/// What is to be done with a lane, and after which pause.
type Ended = (Lane, Next, Option<Duration>, bool);

impl Delivery {
    /// Runs until it is dropped.
    pub async fn run(&self, functions: &Arc<Functions>) {
        tokio::join!(self.follow(functions), self.dispatch(functions));
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
                            self.push(row.key.clone(), value, change.version);
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

    fn push(&self, row: kv::Key, value: &bytes::Bytes, version: Version) {
        if let Ok(record) = Record::decode(value) {
            self.queue.lock().push(&record.target, record.key.clone(), row, version);
        }
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
                found.push((row.version, row.key, row.value.len(), record.target, record.key));
            }
            rest = page.next;
        }
        found.sort_unstable_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        let version = session.time();
        session.discard();
        let is_first = self.queue.lock().len() == 0;
        for (version, key, bytes, target, about) in found {
            // What was committed by this process is counted already.
            if is_first && version < functions.began {
                functions.gate.events().backlog.add(&target, bytes);
            }
            self.queue.lock().push(&target, about, key, version);
        }
        self.wake.notify_one();
        Ok(version)
    }

    /// Tells what waits, side by side.
    async fn dispatch(&self, functions: &Arc<Functions>) {
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut pausing: JoinSet<(Lane, bool)> = JoinSet::new();
        loop {
            while let Some((lane, event)) = { self.queue.lock().take() } {
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

fn service() -> Caller {
    Caller::admin("functions")
}

/// Tells a function of an event.
async fn tell(functions: Arc<Functions>, lane: Lane, event: Waiting) -> Ended {
    let pause = |attempts: u32| {
        let millis = PAUSE_MILLIS.saturating_mul(1 << attempts.min(16)).min(PAUSE_MILLIS_MAX);
        Some(Duration::from_millis(millis))
    };
    let function = match functions.find_target(&lane.target) {
        Found::Live(function) => Some(*function),
        Found::Gone => None,
        Found::NotLive => {
            return (lane, Next::Again { counts: false }, Some(Duration::from_millis(HELD_MILLIS)), true);
        }
    };
    match attempt(&functions, function, &event).await {
        Ok(true) => (lane, Next::Done, None, false),
        Ok(false) => (lane, Next::Again { counts: true }, pause(event.attempts), false),
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
    let trace = crate::api::new_trace()?;
    let outcome = call(functions, &function, &record, event.version, &trace).await?;
    let name = &function.endpoint.name;
    let retries = matches!(&function.endpoint.trigger, Some(Trigger::Event(trigger)) if trigger.retries);
    let age_s = (functions.gate.clock().now_micros() - event.version.0) / 1_000_000;
    let age_s_max = if function.endpoint.is_first_generation {
        FIRST_GENERATION_RETRY_SECONDS_MAX
    } else {
        RETRY_SECONDS_MAX
    };
    let is_young = age_s < age_s_max;
    let (ended, again, why) = match outcome {
        Outcome::Returned => ("returned", false, None),
        Outcome::Failed(why) => ("failed", retries && is_young, Some(why)),
        Outcome::Lost(why) => {
            ("lost", if retries { is_young } else { event.attempts + 1 < LOST_ATTEMPTS_MAX }, Some(why))
        }
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
    match session.commit().await {
        Ok(_) => {
            functions.gate.events().backlog.subtract(&record.target, bytes);
            Ok(true)
        }
        Err(CommitFailure::Failed(status)) => Err(status),
        Err(CommitFailure::Conflict) => Err(Status::unavailable("an event could not be taken away")),
    }
}

/// The id in a `traceparent`.
fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}

/// Calls the worker. Errors: an event that cannot be translated now.
async fn call(
    functions: &Functions,
    function: &Function,
    record: &Record,
    version: Version,
    trace: &str,
) -> Result<Outcome, Status> {
    let Some(source) = functions.gate.events().source(&record.source) else {
        return Ok(Outcome::Failed(format!("no service has events of the source `{}`", record.source)));
    };
    let told = match source.told(record, version) {
        Ok(told) => told,
        Err(status) if status.code == Code::DataLoss => return Ok(Outcome::Failed(status.message)),
        Err(status) => return Err(status),
    };
    let request = request(&function.endpoint, record, version, told, trace)?;
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
