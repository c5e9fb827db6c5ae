//! Fires schedules when they are due.
//!
//! Firing is a commit: the event of it, and a row that says up to when the schedule has fired. So a time fires once, whatever
//! ends meanwhile, and its event is told at least once.

use std::time::Duration;

use access::keyspace::SCHEDULES;
use access::{Caller, Operation, Service};
use base::Status;
use bytes::Bytes;
use kv::Key;
use serde_json::Value as Json;
use tokio::time::sleep;

use super::publish::end;
use super::target;
use crate::model::{Endpoint, Schedule, Trigger};
use crate::ops::Functions;
use crate::runtime::{State, Supervisor};

/// What was due before this many seconds, while Hearth did not run, is not fired any more.
const MISSED_SECONDS_MAX: i64 = 60;
/// How long a pause may be: clocks are set, and machines sleep.
const PAUSE_SECONDS_MAX: u64 = 30;
const MICROS: i64 = 1_000_000;

/// A function with a schedule.
struct Job {
    endpoint: Endpoint,
    schedule: Schedule,
    row: Key,
    /// Up to when it has fired, or since when it is known.
    since: i64,
}

impl Functions {
    /// Fires the schedules of a codebase, of the code that is in service.
    pub(crate) async fn fire_schedules(&self, supervisor: &Supervisor) {
        let mut state = supervisor.state();
        loop {
            let endpoints = match &*state.borrow_and_update() {
                State::Live(live) => live.endpoints.clone(),
                State::Starting | State::Broken(_) => Vec::new(),
            };
            let jobs = self.jobs(supervisor.name(), endpoints).await;
            tokio::select! {
                () = self.fire(supervisor.name(), jobs) => {}
                changed = state.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn jobs(&self, codebase: &str, endpoints: Vec<Endpoint>) -> Vec<Job> {
        let mut jobs = Vec::new();
        for endpoint in endpoints {
            let Some(Trigger::Schedule(trigger)) = &endpoint.trigger else { continue };
            let text = trigger.get("schedule").and_then(Json::as_str).unwrap_or_default();
            let zone = trigger.get("timeZone").and_then(Json::as_str);
            let schedule = match Schedule::new(text, zone) {
                Ok(schedule) => schedule,
                Err(error) => {
                    tracing::error!(codebase, "{} never runs: {error}", endpoint.name);
                    continue;
                }
            };
            let row = Key::new(SCHEDULES, target(codebase, &endpoint.name).as_bytes());
            let now = self.gate.clock().now_micros();
            let since = match self.gate.peek(&row).await {
                Ok(Some(row)) => fired(&row.value, text).unwrap_or(now),
                Ok(None) => now,
                Err(status) => {
                    tracing::error!(%status, codebase, "when {} has run last cannot be read", endpoint.name);
                    now
                }
            };
            let since = since.max(now - MISSED_SECONDS_MAX * MICROS).min(now);
            jobs.push(Job { endpoint, schedule, row, since });
        }
        jobs
    }

    /// Fires until it is dropped.
    async fn fire(&self, codebase: &str, mut jobs: Vec<Job>) {
        loop {
            let now = self.gate.clock().now_micros();
            let mut next = i64::MAX;
            for job in &mut jobs {
                let Some(due) = job.schedule.after(job.since) else { continue };
                if due > now {
                    next = next.min(due);
                    continue;
                }
                match self.fire_one(codebase, job, due).await {
                    Ok(()) => {
                        job.since = due;
                        next = next.min(job.schedule.after(due).unwrap_or(i64::MAX));
                    }
                    Err(status) => {
                        tracing::error!(%status, codebase, "{} cannot be run now", job.endpoint.name);
                        next = next.min(now + MICROS);
                    }
                }
            }
            let pause = u64::try_from((next - now).max(0)).unwrap_or(0);
            sleep(Duration::from_micros(pause).min(Duration::from_secs(PAUSE_SECONDS_MAX))).await;
        }
    }

    async fn fire_one(&self, codebase: &str, job: &Job, due: i64) -> Result<(), Status> {
        let region = job.endpoint.regions.first().map_or("", String::as_str);
        let resource = format!("/functions/{region}/{}", job.endpoint.name);
        let operation =
            Operation { service: Service::Functions, verb: "schedule", resource: resource.clone() };
        let mut session = self.gate.begin(&Caller::admin("functions"), operation).await?;
        let permit = session
            .authorize_admin(&resource)
            .map_err(|refusal| refusal.status(|_| "Only administrators may do this.".to_owned()))?;
        let text = match &job.endpoint.trigger {
            Some(Trigger::Schedule(trigger)) => trigger.get("schedule").and_then(Json::as_str),
            _ => None,
        };
        if !self.gate.events().is_paused() {
            self.emit_time(&mut session, codebase, &job.endpoint, due)?;
        }
        let value = serde_json::json!({ "due": due, "schedule": text }).to_string();
        session.write(&permit, job.row.clone(), Some(Bytes::from(value)));
        end(session).await
    }
}

/// Up to when a row says that this schedule has fired.
fn fired(row: &[u8], schedule: &str) -> Option<i64> {
    let row: Json = serde_json::from_slice(row).ok()?;
    let is_same = row.get("schedule").and_then(Json::as_str) == Some(schedule);
    row.get("due").and_then(Json::as_i64).filter(|_| is_same)
}
