//! What a decision is about, and what it gives when it allows.

use std::any::Any;

use kv::{Key, KeyRange};
use policy::{Known, Policy};

/// What an operation is about, for the record.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What rules call the operation: `get`, `list`, `write`, …
    pub method: &'static str,
    /// `/movies/up`
    pub path: &'a str,
}

/// The right to one effect of one session. Writes are staged against it.
#[derive(Debug)]
pub struct Permit {
    pub(crate) request: u64,
}

/// What a decision that allows gives.
#[derive(Debug)]
pub struct Grant {
    /// The right to the effect.
    pub permit: Permit,
    /// What the decision depends on.
    pub footprint: Footprint,
    pub(crate) literally: bool,
    /// The line of the rule that allowed it.
    pub line: Option<u32>,
}

impl Grant {
    /// Whether a query may return only what has the values it asks for literally: see [`policy::Decision::exact_match_only`].
    /// What it finds beside that is to be answered with [`crate::Session::retract`].
    pub fn is_literal(&self) -> bool {
        self.literally
    }
}

/// What a decision depends on beside the operation and the rules: what a listener watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Rows that the rules read. Those of earlier decisions of the session are among them.
    pub keys: Vec<Key>,
    /// Ranges that the rules read.
    pub ranges: Vec<KeyRange>,
    /// Whether it depends on who asks, with which claims.
    pub auth: bool,
    /// Whether it depends on the time.
    pub time: bool,
}

/// What the rules of a session have read.
#[derive(Default)]
pub(crate) struct Evidence {
    /// A [`Known`] of each language that read something.
    known: Vec<Box<dyn Any + Send + Sync>>,
    pub(crate) keys: Vec<Key>,
    pub(crate) ranges: Vec<KeyRange>,
}

impl Evidence {
    pub(crate) fn take<P: Policy>(&mut self) -> Known<P> {
        let at = self.known.iter().position(|known| known.is::<Known<P>>());
        let known = at.and_then(|at| self.known.swap_remove(at).downcast().ok());
        known.map(|known| *known).unwrap_or_default()
    }

    pub(crate) fn keep<P: Policy>(&mut self, known: Known<P>) {
        if !known.is_empty() {
            self.known.push(Box::new(known));
        }
    }
}
