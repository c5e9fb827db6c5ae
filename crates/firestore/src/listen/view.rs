//! One query as all who listen to it see it.

use std::sync::Arc;

use base::{DatabaseName, DocumentPath, Fields, Value};

use super::outbox::Outbox;
use super::window::Window;
use crate::query::{Query, position};

/// A stream's target.
#[derive(Clone)]
pub struct Listener {
    /// What waits for the stream.
    pub outbox: Arc<Outbox>,
    /// Its target.
    pub target: i32,
}

impl Listener {
    pub(super) fn is(&self, outbox: &Arc<Outbox>, target: i32) -> bool {
        self.target == target && Arc::ptr_eq(&self.outbox, outbox)
    }
}

/// A query, and who listens.
pub struct View {
    /// Where it looks.
    pub database: DatabaseName,
    /// What it asks.
    pub query: Query,
    between: position::Interval,
    /// The documents it shows, if it does not show all that match.
    pub window: Option<Window>,
    pub(super) listeners: Vec<Listener>,
}

impl View {
    /// Nobody listens yet.
    pub fn new(database: DatabaseName, query: Query) -> Self {
        let (between, window) = (position::window(&query), Window::of(&query));
        Self { database, query, between, window, listeners: Vec::new() }
    }

    /// Where a document stands in the result; `None` when it is not in it. What the limit leaves out is not looked at.
    pub fn position(&self, path: &DocumentPath, fields: &Fields) -> Option<Vec<u8>> {
        position_in(&self.database, &self.query, &self.between, path, fields)
    }
}

/// Where a document stands in the result of a query between these places.
pub fn position_in(
    database: &DatabaseName,
    query: &Query,
    between: &position::Interval,
    path: &DocumentPath,
    fields: &Fields,
) -> Option<Vec<u8>> {
    if !query.scope.contains(path) {
        return None;
    }
    let names_matter = query.filter.conditions().iter().any(|condition| condition.field.is_document_id());
    let name = if names_matter { position::name_value(database, path) } else { Value::Null };
    if !query.filter.matches(&name, fields) {
        return None;
    }
    position::of(query, path, fields).filter(|position| between.contains(position))
}
