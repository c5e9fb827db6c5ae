//! The index of interest: which views a changed document may concern.
//!
//! A view lies in the bucket of its collection or collection group, and there under the values that its query asks for, as
//! an index would have them. Finding the views of a document costs one look for each field that some query of the bucket
//! asks for, however many views there are. What is found may not match; what is not found does not.

use std::collections::{BTreeSet, HashMap};

use base::{DatabaseName, DocumentPath, FieldPath, Fields, Value};

use crate::model::key;
use crate::query::position::value_bytes;
use crate::query::{Condition, Query, Scope, Test, filter};

/// A view's number.
pub type ViewId = u64;

/// Which views a changed document may concern.
#[derive(Default)]
pub struct Interest {
    collections: HashMap<Vec<u8>, Bucket>,
    groups: HashMap<DatabaseName, HashMap<String, Bucket>>,
}

/// Views of one collection or group.
#[derive(Default)]
struct Bucket {
    /// Views that may want every document.
    all: BTreeSet<ViewId>,
    fields: HashMap<Component, HashMap<Vec<u8>, BTreeSet<ViewId>>>,
}

/// A field, or the elements of an array.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Component {
    field: FieldPath,
    elements: bool,
}

/// Where a view lies in its bucket: under every document, or under some values.
enum Place {
    All,
    Values(Vec<(Component, Vec<u8>)>),
}

impl Place {
    fn of(query: &Query) -> Self {
        let values: Option<Vec<_>> =
            query.disjuncts.iter().map(|disjunct| disjunct.iter().find_map(component)).collect();
        values.map_or(Place::All, Place::Values)
    }
}

/// The value that a condition asks for.
fn component(condition: &Condition) -> Option<(Component, Vec<u8>)> {
    if condition.field.is_document_id() {
        return None;
    }
    let (elements, value) = match &condition.test {
        Test::ArrayContains(value) if !filter::is_null_or_nan(value) => (true, value.clone()),
        test => (false, test.point()?),
    };
    Some((Component { field: condition.field.clone(), elements }, value_bytes(&value)))
}

impl Interest {
    /// Adds a view.
    pub fn add(&mut self, database: &DatabaseName, query: &Query, view: ViewId) {
        let bucket = match &query.scope {
            Scope::Group { id, .. } => {
                self.groups.entry(database.clone()).or_default().entry(id.clone()).or_default()
            }
            scope => self.collections.entry(collection_of(database, scope)).or_default(),
        };
        match Place::of(query) {
            Place::All => {
                bucket.all.insert(view);
            }
            Place::Values(values) => {
                for (component, value) in values {
                    bucket.fields.entry(component).or_default().entry(value).or_default().insert(view);
                }
            }
        }
    }

    /// Takes a view out.
    pub fn remove(&mut self, database: &DatabaseName, query: &Query, view: ViewId) {
        match &query.scope {
            Scope::Group { id, .. } => {
                let Some(groups) = self.groups.get_mut(database) else { return };
                if groups.get_mut(id).is_some_and(|bucket| bucket.remove(query, view)) {
                    groups.remove(id);
                }
                if groups.is_empty() {
                    self.groups.remove(database);
                }
            }
            scope => {
                let collection = collection_of(database, scope);
                if self.collections.get_mut(&collection).is_some_and(|bucket| bucket.remove(query, view)) {
                    self.collections.remove(&collection);
                }
            }
        }
    }

    /// Whether any view may be concerned with documents where this one is.
    pub fn is_near(&self, database: &DatabaseName, path: &DocumentPath) -> bool {
        self.buckets(database, path).next().is_some()
    }

    /// The views that a document may concern with one of these states.
    pub fn of(
        &self,
        database: &DatabaseName,
        path: &DocumentPath,
        states: [Option<&Fields>; 2],
    ) -> BTreeSet<ViewId> {
        let mut found = BTreeSet::new();
        for bucket in self.buckets(database, path) {
            found.extend(&bucket.all);
            for fields in states.into_iter().flatten() {
                bucket.find(fields, &mut found);
            }
        }
        found
    }

    fn buckets(&self, database: &DatabaseName, path: &DocumentPath) -> impl Iterator<Item = &Bucket> {
        let collection = self.collections.get(&key::collection_prefix(database, path.collection()));
        let group = self.groups.get(database).and_then(|groups| groups.get(path.collection_id()));
        collection.into_iter().chain(group)
    }
}

fn collection_of(database: &DatabaseName, scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::Collection(path) | Scope::Children(path) | Scope::Descendants(path) => {
            key::collection_prefix(database, path.segments())
        }
        Scope::Group { .. } => Vec::new(),
    }
}

impl Bucket {
    fn find(&self, fields: &Fields, found: &mut BTreeSet<ViewId>) {
        for (component, by_value) in &self.fields {
            let Some(value) = component.field.get(fields) else { continue };
            let values = match (component.elements, value) {
                (true, Value::Array(items)) => items.as_slice(),
                (true, _) => continue,
                (false, value) => std::slice::from_ref(value),
            };
            for value in values {
                found.extend(by_value.get(&value_bytes(value)).into_iter().flatten());
            }
        }
    }

    /// Takes a view out. Returns whether the bucket is empty then.
    fn remove(&mut self, query: &Query, view: ViewId) -> bool {
        match Place::of(query) {
            Place::All => {
                self.all.remove(&view);
            }
            Place::Values(values) => {
                for (component, value) in values {
                    let Some(by_value) = self.fields.get_mut(&component) else { continue };
                    if let Some(views) = by_value.get_mut(&value) {
                        views.remove(&view);
                        if views.is_empty() {
                            by_value.remove(&value);
                        }
                    }
                    if by_value.is_empty() {
                        self.fields.remove(&component);
                    }
                }
            }
        }
        self.all.is_empty() && self.fields.is_empty()
    }
}
