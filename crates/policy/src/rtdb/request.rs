//! What is asked of Realtime Database rules.

use base::Fields;

use super::tree::{Leaf, Tree};
use crate::trace::Trace;

/// An operation and who wants it.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// What is to be done.
    pub operation: Operation<'r>,
    /// The variable `auth`: `uid`, `provider`, `token` and whatever else it has. `None` when signed out.
    pub auth: Option<&'r Fields>,
    /// The variable `now`: milliseconds since 1970, the same as the operation's server timestamps.
    pub now_ms: i64,
}

/// What is to be done. Paths are keys from the root, server values are resolved.
#[derive(Clone, Copy)]
pub enum Operation<'r> {
    /// A read or a listener.
    Read {
        /// The place.
        path: &'r [&'r str],
        /// What is read of it; a plain read has none.
        query: Option<&'r Query<'r>>,
    },
    /// A set, a transaction's or a deletion.
    Write(Change<'r>),
    /// Several places at once, all or nothing.
    Update(&'r [Change<'r>]),
}

/// A place and what will be there.
#[derive(Clone, Copy)]
pub struct Change<'r> {
    /// The place.
    pub path: &'r [&'r str],
    /// What will be there; `None` deletes.
    pub value: Option<&'r dyn Tree>,
}

/// What a query is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order<'r> {
    /// By key: also a plain read.
    #[default]
    Key,
    /// By value.
    Value,
    /// By priority.
    Priority,
    /// By a child, `a/b`.
    Child(&'r str),
}

/// A query.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'r> {
    /// Its order.
    pub order: Order<'r>,
    /// `startAt`
    pub start_at: Option<Leaf<'r>>,
    /// `endAt`
    pub end_at: Option<Leaf<'r>>,
    /// `equalTo`; it is `startAt` and `endAt` as well.
    pub equal_to: Option<Leaf<'r>>,
    /// `limitToFirst`
    pub limit_to_first: Option<u32>,
    /// `limitToLast`
    pub limit_to_last: Option<u32>,
}

/// What is to be recorded while deciding. Nothing costs nothing.
#[derive(Default)]
pub struct Observe<'o> {
    /// Gets every rule looked at, with every expression. Nothing is skipped after the first grant.
    pub trace: Option<&'o mut Trace>,
    /// Gets the places of the database that the rules looked at, `/a/b`, each once: a listener must be checked again
    /// when one of them changes.
    pub touched: Option<&'o mut std::collections::BTreeSet<String>>,
}
