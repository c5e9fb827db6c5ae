//! Events: which functions want to be told of what, and how they are told.

mod blocking;
mod delivery;
mod interests;
mod policy;
mod publish;
mod queue;
mod request;
mod schedules;
mod sources;

pub use delivery::Delivery;
pub use publish::{Message, Task};

use std::sync::Arc;

use super::{Function, Functions};
use crate::runtime::State;

/// A function that an event is for.
pub enum Found {
    /// It can be told.
    Live(Box<Function>),
    /// Its codebase is not in service now.
    NotLive,
    /// There is no such function any more.
    Gone,
}

/// Where functions are that say nothing of it.
const REGION: &str = "us-central1";

/// The name of a function that is told of events.
pub fn target(codebase: &str, function: &str) -> String {
    format!("{codebase}/{function}")
}

/// Codebase and function of such a name.
pub fn target_of(target: &str) -> (&str, &str) {
    target.split_once('/').unwrap_or(("", target))
}

impl Functions {
    /// How many events wait or are being told.
    pub fn events_waiting(&self) -> usize {
        self.delivery.waiting()
    }

    /// What is committed from now on is nobody's event, or is one again.
    pub fn pause_events(&self, paused: bool) {
        self.gate.events().pause(paused);
    }

    /// The function with this name.
    pub fn find_target(&self, target: &str) -> Found {
        let (codebase, name) = target_of(target);
        let Some(all) = self.codebases.load_full() else { return Found::NotLive };
        let Some(supervisor) = all.iter().find(|supervisor| supervisor.name() == codebase) else {
            return Found::Gone;
        };
        let live = match &*supervisor.state().borrow() {
            State::Live(live) => Arc::clone(live),
            State::Starting | State::Broken(_) => return Found::NotLive,
        };
        match live.endpoints.iter().find(|endpoint| endpoint.name == name).cloned() {
            Some(endpoint) => {
                Found::Live(Box::new(Function { live, endpoint, supervisor: Arc::clone(supervisor) }))
            }
            None => Found::Gone,
        }
    }
}
