//! One query as all who listen to it see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{DatabaseName, DocumentPath, Fields, Value};
use kv::Version;

use super::image::Image;
use super::interest::Places;
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

/// Who listens to one thing, by numbers of their own: one of many leaves at the cost of one.
pub type Listeners = BTreeMap<u64, Listener>;

/// A query, and who listens.
pub struct View {
    /// Where it looks.
    pub database: DatabaseName,
    /// What it asks.
    pub query: Arc<Query>,
    /// What it is known by.
    pub key: Arc<[u8]>,
    /// Where it lies in the index of interest.
    pub(super) places: Places,
    between: position::Interval,
    /// The documents it shows, if it does not show all that match.
    pub window: Option<Window>,
    pub(super) listeners: Listeners,
    /// The result as it was loaded, while no commit has touched it.
    pub(super) loaded: Option<Loaded>,
    /// The newest commit that has touched it.
    pub(super) touched: Version,
}

/// A whole result that is small.
pub struct Loaded {
    /// When it was so.
    pub at: Version,
    /// Its documents, in order.
    pub images: Arc<Vec<Arc<Image>>>,
    /// Of the documents.
    pub bytes: usize,
}

impl View {
    /// Nobody listens yet.
    pub fn new(database: DatabaseName, query: Arc<Query>, key: Arc<[u8]>, places: Places) -> Self {
        let (between, window) = (position::window(&query), Window::of(&query));
        Self {
            database,
            query,
            key,
            places,
            between,
            window,
            listeners: Listeners::new(),
            loaded: None,
            touched: Version::ZERO,
        }
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
