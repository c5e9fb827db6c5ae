//! What all policy languages have in common, as seen by those who enforce them.
//!
//! A [`Policy`] decides a request of its service. It does no I/O: a decision that depends on data names it
//! ([`Policy::Need`]) and is asked again once the data ([`Policy::Fact`]) is [`Known`].

use std::borrow::Borrow;
use std::fmt::{Debug, Display};
use std::hash::Hash;

use base::Timestamp;
use foldhash::HashMap;
use serde_json::Value as Json;

use crate::coverage::Sites;
use crate::decision::Step;
use crate::request::Auth;
use crate::source::Source;
use crate::trace::Trace;

/// Who asks, and when. The session makes it for every decision; a service cannot.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The signed-in user; `None` when signed out.
    pub auth: Option<Auth<'a>>,
    /// The app that App Check attested; `None` when it sent no token.
    pub app: Option<&'a App>,
    /// The time of the request, milliseconds. It equals what server timestamps of the same commit write.
    pub time: Timestamp,
}

/// An attested app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The app id: `1:1234567890:web:abcdef`.
    pub id: String,
}

/// Compiled rules of one language. Immutable and shared between threads.
pub trait Policy: Send + Sync + Sized + 'static {
    /// What is asked, without who and when.
    type Request<'r>: Send + Sync;
    /// Data that a decision can depend on: a document, a place of a tree, a variable.
    type Need: Clone + Debug + Display + Eq + Hash + Send + Sync + 'static;
    /// What is known of it.
    type Fact: Send + Sync + 'static;

    /// How many facts one decision may ask for before it counts as broken. At least what the language's own limits admit.
    const FACTS_MAX: usize;

    /// The text it was made of.
    fn source(&self) -> &Source;

    /// Its rules and their expressions, for coverage.
    fn sites(&self) -> Sites;

    /// What a record keeps of a request beside method and path, so that it can be decided again; `values`: also what its
    /// documents and queries hold. `Null` where there is nothing to keep.
    fn asked(_request: &Self::Request<'_>, _values: bool) -> Json {
        Json::Null
    }

    /// Decides a request, or names the facts that must be known first. `trace`, when given, receives what was evaluated.
    fn decide(
        &self,
        who: &Who<'_>,
        request: &Self::Request<'_>,
        known: &Known<Self>,
        trace: Option<&mut Trace>,
    ) -> Step<Self::Need>;
}

/// The facts read so far, all of one snapshot.
pub struct Known<P: Policy> {
    facts: HashMap<P::Need, P::Fact>,
    earlier: Vec<P::Need>,
}

impl<P: Policy> Default for Known<P> {
    fn default() -> Self {
        Self { facts: HashMap::default(), earlier: Vec::new() }
    }
}

impl<P: Policy> Known<P> {
    /// What is known of a need; `None` when it was not read.
    pub fn get(&self, need: &P::Need) -> Option<&P::Fact> {
        self.facts.get(need)
    }

    /// What is known of a need that is borrowed, and the need as it is kept.
    pub fn entry<Q>(&self, need: &Q) -> Option<(&P::Need, &P::Fact)>
    where
        P::Need: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.facts.get_key_value(need)
    }

    /// Adds a fact.
    pub fn insert(&mut self, need: P::Need, fact: P::Fact) {
        self.facts.insert(need, fact);
    }

    /// How many facts are known.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Begins another decision of the same request: what is known by now was read by earlier ones.
    pub fn begin(&mut self) {
        if self.earlier.len() != self.facts.len() {
            self.earlier = self.facts.keys().cloned().collect();
        }
    }

    /// What earlier decisions of the same request have read, each once.
    pub fn earlier(&self) -> &[P::Need] {
        &self.earlier
    }
}
