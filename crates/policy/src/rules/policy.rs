//! Firestore and Storage rules as a [`Policy`].

use base::Fields;
use serde_json::Value as Json;

use crate::coverage::Sites;
use crate::decision::Step;
use crate::document::{Need, Needed};
use crate::meter::Limits;
use crate::policy::{Known, Policy, Who};
use crate::request::{Document, Documents, Lookup, Method, Query, Request, Setting};
use crate::source::Source;
use crate::trace::Trace;

use super::{Asked, Ruleset};

/// What is done to a document, an object or a collection.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// The method.
    pub method: Method,
    /// The database id, or the bucket in Storage.
    pub database: &'a str,
    /// Segments below `/databases/{database}/documents`, or below `/b/{bucket}/o` in Storage. With a [`Query`] they
    /// name where it looks.
    pub path: &'a [String],
    /// What exists; `None` is missing. Not used with a query.
    pub resource: Option<Document<'a>>,
    /// What would exist after the write; `None` for reads and deletes.
    pub new_resource: Option<Document<'a>>,
    /// What is asked of a collection: `list` in Firestore.
    pub query: Option<&'a Query>,
    /// Whether it is part of a transaction.
    pub in_transaction: bool,
}

impl<'a> Action<'a> {
    /// A method on a path, with neither resource nor query.
    pub fn new(method: Method, database: &'a str, path: &'a [String]) -> Self {
        Self {
            method,
            database,
            path,
            resource: None,
            new_resource: None,
            query: None,
            in_transaction: false,
        }
    }

    fn asked_by(self, who: &Who<'a>) -> Request<'a> {
        let Self { method, database, path, resource, new_resource, query, in_transaction } = self;
        Request {
            method,
            database,
            path,
            auth: who.auth,
            time: who.time,
            resource,
            new_resource,
            query,
            in_transaction,
            setting: Setting::Live,
        }
    }
}

impl Policy for Ruleset {
    type Request<'r> = Action<'r>;
    type Need = Needed;
    /// The fields; `None` is a missing document.
    type Fact = Option<Fields>;

    // What one request may read; a query that names its documents reads those too.
    const FACTS_MAX: usize = 1000;

    fn source(&self) -> &Source {
        &self.source
    }

    fn sites(&self) -> Sites {
        Ruleset::sites(self)
    }

    fn asked(request: &Action<'_>, values: bool) -> Json {
        Asked::json(request, values)
    }

    fn decide(
        &self,
        who: &Who<'_>,
        request: &Action<'_>,
        known: &Known<Self>,
        trace: Option<&mut Trace>,
    ) -> Step<Needed> {
        Ruleset::decide(self, &request.asked_by(who), known, &Limits::default(), trace)
    }
}

impl Documents for Known<Ruleset> {
    fn document(&self, need: &Need<'_>) -> Lookup<'_> {
        self.look(need).0
    }

    fn look(&self, need: &Need<'_>) -> (Lookup<'_>, Option<&Needed>) {
        match self.entry(need.key()) {
            None => (Lookup::Unknown, None),
            Some((kept, None)) => (Lookup::Missing, Some(kept)),
            Some((kept, Some(fields))) => (Lookup::Found(fields), Some(kept)),
        }
    }

    fn earlier(&self) -> &[Needed] {
        Known::earlier(self)
    }
}
