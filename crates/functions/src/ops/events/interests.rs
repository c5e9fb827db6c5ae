//! Which functions want to be told of what: kept in the store, so that what is committed before a codebase is loaded again, or
//! while it does not load, is told when it is.

use std::sync::Arc;

use access::events::Interest;
use access::keyspace::INTERESTS;
use access::{Caller, CommitFailure, Operation, Service};
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Scan};

use super::blocking::EVENT;
use super::target;
use crate::model::Trigger;
use crate::ops::Functions;
use crate::runtime::{Live, State, Supervisor};

/// Interests of one codebase.
const INTERESTS_MAX: usize = 10_000;

impl Functions {
    /// Puts the interests of an earlier run in force, of these codebases; those of others are forgotten.
    ///
    /// Errors: the store's faults.
    pub async fn restore_interests(&self, codebases: &[String]) -> Result<(), Status> {
        let mut session = self.gate.begin(&Caller::admin("functions"), operation("/triggers")).await?;
        let permit = session
            .authorize_admin("/triggers")
            .map_err(|refusal| refusal.status(|_| "Only administrators may do this.".to_owned()))?;
        let mut rest = Some(KeyRange::prefix(INTERESTS, b""));
        while let Some(range) = rest {
            let page = session.scan(&range, Scan::default()).await?;
            for row in page.rows {
                let name = String::from_utf8_lossy(row.key.as_bytes()).into_owned();
                if !codebases.contains(&name) {
                    session.write(&permit, row.key, None);
                    continue;
                }
                match serde_json::from_slice(&row.value) {
                    Ok(interests) => self.put_in_force(&name, interests),
                    Err(error) => {
                        tracing::error!(%error, codebase = %name, "the triggers of an earlier run cannot be read")
                    }
                }
            }
            rest = page.next;
        }
        if session.has_writes() {
            return session.commit().await.map(drop).map_err(failed);
        }
        session.discard();
        Ok(())
    }

    /// Takes up the triggers of a codebase each time that it is loaded.
    pub(crate) async fn follow_triggers(&self, supervisor: &Supervisor) {
        let mut state = supervisor.state();
        let mut last: Option<Arc<Live>> = None;
        loop {
            let live = match &*state.borrow_and_update() {
                State::Live(live) => Some(Arc::clone(live)),
                State::Starting | State::Broken(_) => None,
            };
            if let Some(live) = live.filter(|live| last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, live)))
            {
                let interests = self.interests_of(supervisor.name(), &live);
                if let Err(status) = self.take_up(supervisor.name(), interests).await {
                    tracing::error!(%status, codebase = supervisor.name(), "its triggers cannot be kept");
                }
                last = Some(live);
            }
            if state.changed().await.is_err() {
                return;
            }
        }
    }

    fn interests_of(&self, codebase: &str, live: &Live) -> Vec<Interest> {
        let mut interests = Vec::new();
        for endpoint in &live.endpoints {
            self.delivery.limit(&target(codebase, &endpoint.name), endpoint);
            let target = target(codebase, &endpoint.name);
            if let Some(Trigger::Blocking(blocking)) = &endpoint.trigger {
                let event = blocking.get("eventType").and_then(serde_json::Value::as_str);
                let event = event.unwrap_or_default().to_owned();
                interests.push(Interest { target, event, ..Interest::default() });
                continue;
            }
            let Some(Trigger::Event(trigger)) = &endpoint.trigger else { continue };
            if !self.gate.events().is_served(&trigger.event) {
                tracing::warn!(
                    codebase,
                    "{}: Hearth has no events of the type `{}`: it is never called",
                    endpoint.name,
                    trigger.event
                );
            }
            interests.push(trigger.interest(target));
        }
        if interests.len() > INTERESTS_MAX {
            tracing::error!(
                codebase,
                "it has more than {INTERESTS_MAX} triggers: the others are never called"
            );
            interests.truncate(INTERESTS_MAX);
        }
        interests
    }

    /// Keeps interests and puts them in force.
    async fn take_up(&self, codebase: &str, interests: Vec<Interest>) -> Result<(), Status> {
        let resource = format!("/triggers/{codebase}");
        let key = Key::new(INTERESTS, codebase.as_bytes());
        let value = serde_json::to_vec(&interests).map_err(|error| Status::unavailable(error.to_string()))?;
        let value = if interests.is_empty() { None } else { Some(Bytes::from(value)) };
        let mut session = self.gate.begin(&Caller::admin("functions"), operation(&resource)).await?;
        let before = session.get(&key).await?.map(|row| row.value);
        if before == value {
            session.discard();
        } else {
            let permit = session
                .authorize_admin(&resource)
                .map_err(|refusal| refusal.status(|_| "Only administrators may do this.".to_owned()))?;
            session.note("triggers", interests.len().into());
            session.write(&permit, key, value);
            session.commit().await.map_err(failed)?;
        }
        let count = interests.len();
        self.put_in_force(codebase, interests);
        tracing::info!(target: "function", codebase, "its {count} triggers are in force");
        Ok(())
    }

    fn put_in_force(&self, codebase: &str, interests: Vec<Interest>) {
        let (blocking, told) = interests.into_iter().partition(|interest| interest.event.starts_with(EVENT));
        self.blocking.lock().insert(codebase.to_owned(), blocking);
        self.gate.events().set_interests(codebase, told);
    }
}

fn operation(resource: &str) -> Operation {
    Operation { service: Service::Functions, verb: "setTriggers", resource: resource.to_owned() }
}

fn failed(failure: CommitFailure) -> Status {
    match failure {
        CommitFailure::Failed(status) => status,
        CommitFailure::Conflict => Status::new(Code::Aborted, "others keep changing the triggers"),
    }
}
