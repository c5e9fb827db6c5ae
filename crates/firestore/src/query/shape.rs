//! The query as the engine sees it: validated, with every implicit order spelled out.
//!
//! Invariants: `orders` ends with `__name__` and holds it nowhere else; a cursor has no more values than there
//! are orders, and its value for `__name__` is a reference into the same database.

use base::{DocumentPath, FieldPath, Fields, ResourcePath, Value};

use super::filter::{Condition, Disjunct, Filter, Test};
use super::nearest::Nearest;

/// A validated query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Where it looks.
    pub scope: Scope,
    /// What a document must meet.
    pub filter: Filter,
    /// The filter's normal form.
    pub disjuncts: Vec<Disjunct>,
    /// The complete order, `__name__` last.
    pub orders: Vec<Order>,
    /// How many of `orders` the client wrote itself.
    pub orders_explicit: usize,
    /// Where the result begins.
    pub start: Option<Cursor>,
    /// Where the result ends.
    pub end: Option<Cursor>,
    /// Documents to skip.
    pub offset: usize,
    /// Documents to give at most.
    pub limit: Option<usize>,
    /// The fields to give; `None` for all. Empty: names only.
    pub projection: Option<Vec<FieldPath>>,
    /// Of these documents, the ones with the nearest vectors. Then there is no limit, offset or cursor, and the order says only
    /// which fields a document must have.
    pub nearest: Option<Nearest>,
}

/// Which documents a query looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The documents of one collection.
    Collection(ResourcePath),
    /// The documents below a parent whose collection has this id, however deep.
    Group {
        /// Where the search starts: the root or a document.
        parent: ResourcePath,
        /// The collection group.
        id: String,
    },
    /// The documents of every collection directly under a parent.
    Children(ResourcePath),
    /// Every document below a parent.
    Descendants(ResourcePath),
}

/// One field to order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field, or `__name__`.
    pub field: FieldPath,
    /// From the largest down.
    pub descending: bool,
}

/// A position in the result: just before or just after every document whose first ordered values are these.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// One value per order, from the first on.
    pub values: Vec<Value>,
    /// Before those documents rather than after them.
    pub before: bool,
}

impl Scope {
    /// Whether a document lies in it.
    pub fn contains(&self, path: &DocumentPath) -> bool {
        match self {
            Scope::Collection(collection) => path.collection() == collection.segments(),
            Scope::Group { parent, id } => is_below(path, parent) && path.collection_id() == id,
            Scope::Children(parent) => {
                is_below(path, parent) && path.segments().len() == parent.segments().len() + 2
            }
            Scope::Descendants(parent) => is_below(path, parent),
        }
    }

    /// The collection group all of its documents belong to; `None` if they may belong to several.
    pub fn group_id(&self) -> Option<&str> {
        match self {
            Scope::Collection(collection) => collection.id(),
            Scope::Group { id, .. } => Some(id),
            Scope::Children(_) | Scope::Descendants(_) => None,
        }
    }
}

fn is_below(path: &DocumentPath, parent: &ResourcePath) -> bool {
    path.segments().len() > parent.segments().len() && path.segments().starts_with(parent.segments())
}

impl Query {
    /// Every document of a scope, by name.
    pub fn all(scope: Scope) -> Self {
        Self {
            scope,
            filter: Filter::All(Vec::new()),
            disjuncts: vec![Vec::new()],
            orders: vec![Order { field: FieldPath::single(base::field::DOCUMENT_ID), descending: false }],
            orders_explicit: 0,
            start: None,
            end: None,
            offset: 0,
            limit: None,
            projection: None,
            nearest: None,
        }
    }

    /// Leaves out documents that lack a field, before anything is skipped or counted.
    pub fn require(&mut self, field: FieldPath) {
        let present = Condition { field, test: Test::Present };
        for disjunct in &mut self.disjuncts {
            disjunct.push(present.clone());
        }
        let filter = std::mem::replace(&mut self.filter, Filter::All(Vec::new()));
        self.filter = Filter::All(vec![filter, Filter::One(present)]);
    }

    /// Orders by more fields, behind all others and before names, in the direction of names.
    pub fn order_also_by(&mut self, fields: Vec<FieldPath>) {
        let Some(name) = self.orders.pop() else { return };
        let descending = name.descending;
        self.orders.extend(fields.into_iter().map(|field| Order { field, descending }));
        self.orders.push(name);
    }

    /// The orders on fields: all but `__name__`.
    pub fn field_orders(&self) -> &[Order] {
        self.orders.split_last().map(|(_, fields)| fields).unwrap_or_default()
    }

    /// Whether names descend; the whole result is then the reverse of a walk with ascending names.
    pub fn is_reverse(&self) -> bool {
        self.orders.last().is_some_and(|name| name.descending)
    }

    /// The documents to find before the query is done, skipped ones included.
    pub fn needed(&self) -> Option<usize> {
        self.limit.map(|limit| limit.saturating_add(self.offset))
    }

    /// What the client gets of a document's fields.
    pub fn project(&self, fields: Fields) -> Fields {
        let Some(projection) = &self.projection else { return fields };
        let mut projected = Fields::new();
        for path in projection {
            if let Some(value) = path.get(&fields) {
                path.set(&mut projected, value.clone());
            }
        }
        projected
    }
}
