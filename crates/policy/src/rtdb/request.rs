//! What is asked of Realtime Database rules.

use base::{Fields, Value};

use super::tree::{Leaf, Tree};
use crate::request::Auth;
use crate::trace::Trace;
use crate::value::{Map, Members, Str, Val};

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
    pub value: Option<&'r (dyn Tree + Sync)>,
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

/// The variable `auth` of somebody who is signed in.
#[derive(Clone, Copy)]
pub enum AuthVariable<'a> {
    /// As it is given.
    Whole(&'a Fields),
    /// Made of a caller's id and claims.
    Caller(&'a Caller<'a>),
}

impl<'a> AuthVariable<'a> {
    pub(super) fn map(self) -> Map<'a> {
        match self {
            AuthVariable::Whole(fields) => Map::Fields(fields),
            AuthVariable::Caller(caller) => Map::View(caller),
        }
    }
}

/// A caller's id and claims, and how they signed in.
pub struct Caller<'a> {
    auth: Auth<'a>,
    provider: Option<&'a str>,
}

impl<'a> Caller<'a> {
    /// The provider is the token's `firebase.sign_in_provider`.
    pub fn new(auth: Auth<'a>) -> Self {
        let provider = match auth.token.get("firebase") {
            Some(Value::Map(firebase)) => match firebase.get("sign_in_provider") {
                Some(Value::String(provider)) => Some(provider.as_str()),
                _ => None,
            },
            _ => None,
        };
        Self { auth, provider }
    }
}

impl<'a> Members<'a> for Caller<'a> {
    fn member(&self, name: &str) -> Option<Val<'a>> {
        match name {
            "uid" => Some(Val::Str(Str::Borrowed(self.auth.uid))),
            "token" => Some(Val::Map(Map::Fields(self.auth.token))),
            "provider" => self.provider.map(|provider| Val::Str(Str::Borrowed(provider))),
            _ => None,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["provider", "token", "uid"]
    }
}
