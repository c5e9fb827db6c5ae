//! Events: which functions want to be told of what, and how they are told.

mod delivery;
mod interests;
mod queue;
mod request;

pub use delivery::Delivery;

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

/// The name of a function that is told of events.
pub fn target(codebase: &str, function: &str) -> String {
    format!("{codebase}/{function}")
}

/// Codebase and function of such a name.
pub fn target_of(target: &str) -> (&str, &str) {
    target.split_once('/').unwrap_or(("", target))
}

impl Functions {
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
