//! What a policy is asked: who does what to which document, with what there is now and what there would be.

use base::{Fields, Timestamp, Value};
use serde::Serialize;

use crate::document::{DocumentPath, Need, Needed};
use crate::value::Constraint;

/// What is done to a document or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Read one.
    Get,
    /// Query many.
    List,
    /// Write one that does not exist. In Storage: any write of content.
    Create,
    /// Write one that exists. In Storage: a write of metadata.
    Update,
    /// Delete one.
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 5] = [Method::Get, Method::List, Method::Create, Method::Update, Method::Delete];

    /// The word used in rules and in `request.method`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::List => "list",
            Method::Create => "create",
            Method::Update => "update",
            Method::Delete => "delete",
        }
    }

    /// Whether it changes something.
    pub fn is_write(self) -> bool {
        matches!(self, Method::Create | Method::Update | Method::Delete)
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Auth<'a> {
    /// The user's id.
    pub uid: &'a str,
    /// The claims of the user's token.
    pub token: &'a Fields,
}

/// A document's contents; in Storage an object's metadata (`name`, `bucket`, `size`, `contentType`, …).
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The fields.
    pub fields: &'a Fields,
}

/// One operation to decide.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is done.
    pub method: Method,
    /// The database id, or the bucket in Storage.
    pub database: &'a str,
    /// Segments below `/databases/{database}/documents`, or below `/b/{bucket}/o` in Storage.
    ///
    /// With a [`Query`] they name where it looks, as its [`Scope`] says; otherwise the document.
    pub path: &'a [String],
    /// Who asks; `None` is signed out.
    pub auth: Option<Auth<'a>>,
    /// The time of the request. It equals what server timestamps of the same commit write.
    pub time: Timestamp,
    /// What exists; `None` is missing. Not used with a query.
    pub resource: Option<Document<'a>>,
    /// What would exist after the write; `None` for reads and deletes.
    pub new_resource: Option<Document<'a>>,
    /// What is asked of a collection: `list` in Firestore.
    pub query: Option<&'a Query>,
    /// Whether it is part of a transaction.
    pub in_transaction: bool,
    /// Whose behaviour is wanted.
    pub setting: Setting<'a>,
}

/// Whose behaviour is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub enum Setting<'a> {
    /// The live service's.
    #[default]
    Live,
    /// The hosted Rules Test API's: what a test does not give is absent instead of null, documents have no
    /// identity, and documents are read only through mocks.
    TestApi(&'a [Mock]),
}

/// What a test says a function returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Mock {
    /// The function's name without `firestore.`: `get`, `exists`, `getAfter` or `existsAfter`.
    pub function: String,
    /// The document; `None` is any that no other mock of the function names.
    pub path: Option<DocumentPath>,
    /// The result.
    pub result: MockResult,
}

/// The result of a mocked function.
#[derive(Clone, Debug, PartialEq)]
pub enum MockResult {
    /// Of `exists`.
    Exists(bool),
    /// Of `get`: the document's fields.
    Document(Fields),
    /// It could not be computed.
    Undefined,
}

/// Which documents a query looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those of the collection at the path.
    #[default]
    Collection,
    /// Those of all collections with the path's last segment as their id, at any depth below the rest of the path.
    CollectionGroup,
    /// Those of every collection directly below the path (the root or a document).
    Children,
    /// All at any depth below the path (the root or a document).
    Descendants,
}

/// What a query asks, as far as it can prove something about its result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// At most so many documents.
    pub limit: Option<i64>,
    /// Documents skipped.
    pub offset: i64,
    /// The fields ordered by, and whether ascending; what the query says itself, not what follows from its filter.
    pub order_by: Vec<(Vec<String>, bool)>,
    /// The filter in disjunctive normal form: a result meets all constraints of one alternative. Without a filter
    /// there is one alternative without constraints (an empty list means the same).
    pub alternatives: Vec<Vec<Constraint>>,
    /// Where it looks.
    pub scope: Scope,
}

/// What is known of a document.
#[derive(Clone, Copy, Debug)]
pub enum Lookup<'a> {
    /// Not read yet.
    Unknown,
    /// There is none.
    Missing,
    /// There is one.
    Found(&'a Fields),
}

/// The documents read so far. The document that is written is not asked for: the [`Request`] has it.
pub trait Documents {
    /// What is known of a document.
    fn document(&self, need: &Need<'_>) -> Lookup<'_>;

    /// The same, and what was asked for as these documents keep it, where they do: then nobody makes it again.
    fn look(&self, need: &Need<'_>) -> (Lookup<'_>, Option<&Needed>) {
        (self.document(need), None)
    }

    /// What earlier operations of the same request have read, each once.
    fn earlier(&self) -> &[Needed] {
        &[]
    }
}

/// No documents at all: every one is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDocuments;

impl Documents for NoDocuments {
    fn document(&self, _need: &Need<'_>) -> Lookup<'_> {
        Lookup::Missing
    }
}

impl<S: std::hash::BuildHasher> Documents for std::collections::HashMap<Needed, Option<Fields>, S> {
    fn document(&self, need: &Need<'_>) -> Lookup<'_> {
        self.look(need).0
    }

    fn look(&self, need: &Need<'_>) -> (Lookup<'_>, Option<&Needed>) {
        match self.get_key_value(need.key()) {
            None => (Lookup::Unknown, None),
            Some((kept, None)) => (Lookup::Missing, Some(kept)),
            Some((kept, Some(fields))) => (Lookup::Found(fields), Some(kept)),
        }
    }
}

/// The value of a `__name__` constraint for a document.
pub fn document_name(project: &str, path: &DocumentPath) -> Value {
    Value::Reference(format!("projects/{project}/databases/{}/documents/{}", path.database(), path.path()))
}
