//! What rules see of a request: `request`, `resource` and the documents that `get()` returns.
//!
//! The live services and the hosted Rules Test API differ in what is absent and what is null. Both are views of
//! one request over one evaluator; the difference is decided here and nowhere else.

use std::cell::Cell;
use std::rc::Rc;

use crate::decision::Dependence;
use crate::eval::Computed;
use crate::request::{Auth, Document, Method, Query, Request, Setting};
use crate::value::{Facts, FaultKind, Field, Map, Members, Segments, Str, Val};

use super::Service;
use super::names::Global;
use super::target::{Segment, Target};

/// Everything one evaluation can see.
pub struct Environment<'v> {
    /// Whose rules these are.
    pub service: Service,
    /// The request.
    pub request: &'v Request<'v>,
    /// The path.
    pub target: Target<'v>,
    /// What the query says, when this is a query.
    pub facts: Option<&'v Facts<'v>>,
    /// `resource`
    existing: Option<Resource<'v>>,
    /// `request.resource`
    new: Option<Resource<'v>>,
    /// What was looked at.
    seen: Cell<Dependence>,
}

/// A document as rules see it: `data`, `id`, `__name__`.
struct Resource<'v> {
    contents: Contents<'v>,
    name: Name<'v>,
}

#[derive(Clone, Copy)]
enum Contents<'v> {
    Fields(Document<'v>),
    Query(&'v Facts<'v>),
}

#[derive(Clone)]
enum Name<'v> {
    /// The request's own document.
    Target(&'v Request<'v>),
    /// Another document.
    Path(Segments<'v>),
    /// Any document of a query.
    Query(&'v Facts<'v>),
    /// The Test API's documents have none.
    Absent,
}

impl<'v> Environment<'v> {
    /// A view of a request, or of any document that an alternative of a query can return. A query's request without
    /// facts is about the one document that it names.
    pub fn new(service: Service, request: &'v Request<'v>, facts: Option<&'v Facts<'v>>) -> Self {
        let name = match request.setting {
            Setting::Live => Name::Target(request),
            Setting::TestApi(_) => Name::Absent,
        };
        let resource = |contents, name| Resource { contents, name };
        let existing = match facts {
            Some(facts) => Some(resource(Contents::Query(facts), Name::Query(facts))),
            None => request.resource.map(|document| resource(Contents::Fields(document), name.clone())),
        };
        let new = request.new_resource.map(|document| resource(Contents::Fields(document), name));
        let target = Target::new(service, request, facts.is_some());
        Self { service, request, target, facts, existing, new, seen: Cell::default() }
    }

    /// What was looked at so far.
    pub fn seen(&self) -> Dependence {
        self.seen.get()
    }

    fn auth(&self) -> Option<&'v Auth<'v>> {
        self.seen.set(Dependence { auth: true, ..self.seen.get() });
        self.request.auth.as_ref()
    }

    /// Whether this follows the hosted Rules Test API.
    pub fn is_test_api(&self) -> bool {
        matches!(self.request.setting, Setting::TestApi(_))
    }

    /// A predefined variable.
    pub fn global(&'v self, global: Global) -> Computed<'v> {
        match (global, &self.existing) {
            (Global::Request, _) => Ok(Val::Map(Map::View(self))),
            // These two are read so often that they have a way of their own, without an allocation.
            (Global::RequestAuth, _) => match self.auth() {
                Some(auth) => Ok(Val::Map(Map::View(auth))),
                None => self.member("auth").ok_or(FaultKind::UndefinedProperty(Str::Borrowed("auth"))),
            },
            (Global::RequestResource, _) => match &self.new {
                Some(new) => Ok(self.view(new)),
                None => {
                    self.member("resource").ok_or(FaultKind::UndefinedProperty(Str::Borrowed("resource")))
                }
            },
            (Global::Resource, Some(resource)) => Ok(self.view(resource)),
            // A query that names a document that is not there.
            (Global::Resource, None) if self.request.query.is_some() => {
                Err(FaultKind::Message("Variable read error. Variable: [resource].".to_owned()))
            }
            // In the Test API any touch of a missing resource is an error, comparing it with null too.
            (Global::Resource, None) if self.is_test_api() => Err(FaultKind::NullValue),
            (Global::Resource, None) => Ok(Val::Null),
        }
    }

    /// In Storage a resource is its metadata, in Firestore it has `data`.
    fn view(&self, resource: &'v Resource<'v>) -> Val<'v> {
        match (self.service, resource.contents) {
            (Service::Storage, Contents::Fields(document)) => Val::Map(Map::Fields(document.fields)),
            _ => Val::Map(Map::View(resource)),
        }
    }

    fn segments(&self, own: &'v [String]) -> Segments<'v> {
        let prefix = (0..super::target::PREFIX_LEN).filter_map(|index| match self.target.get(index) {
            Some(Segment::Known(text)) => Some(Str::Borrowed(text)),
            _ => None,
        });
        prefix.chain(own.iter().map(|segment| Str::Borrowed(segment.as_str()))).collect()
    }
}

/// What `get()` returns for a document.
pub fn document_view<'v>(document: Document<'v>, path: Option<Segments<'v>>) -> Val<'v> {
    let name = path.map_or(Name::Absent, Name::Path);
    Val::Map(Map::SharedView(Rc::new(Resource { contents: Contents::Fields(document), name })))
}

impl<'v> Members<'v> for Environment<'v> {
    fn member(&self, name: &str) -> Option<Val<'v>> {
        let request = self.request;
        let live = !self.is_test_api();
        let firestore = self.service == Service::Firestore;
        match name {
            "auth" => match self.auth() {
                Some(auth) => Some(Val::Map(Map::View(auth))),
                None => live.then_some(Val::Null),
            },
            "method" => Some(Val::Str(Str::Borrowed(request.method.name()))),
            "path" => Some(Val::Path(self.segments(request.path))),
            "time" => {
                self.seen.set(Dependence { time: true, ..self.seen.get() });
                Some(Val::Timestamp(request.time))
            }
            "resource" => match &self.new {
                Some(new) => Some(self.new_view(new)),
                None => (live && firestore && request.method == Method::Delete).then_some(Val::Null),
            },
            "query" => request.query.map(|query| Val::Map(Map::View(query))),
            "headers" if live && firestore => Some(Val::Map(Map::Shared(Rc::default()))),
            "inTransaction" if live && firestore => Some(Val::Bool(request.in_transaction)),
            "fields" if live && firestore => Some(Val::Null),
            _ => None,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        let all =
            ["auth", "fields", "headers", "inTransaction", "method", "path", "query", "resource", "time"];
        all.into_iter().filter(|name| self.member(name).is_some()).collect()
    }
}

impl<'v> Environment<'v> {
    /// `request.resource`: shared, because a view through `&self` may not live long enough.
    fn new_view(&self, new: &Resource<'v>) -> Val<'v> {
        match (self.service, new.contents) {
            (Service::Storage, Contents::Fields(document)) => Val::Map(Map::Fields(document.fields)),
            _ => Val::Map(Map::SharedView(Rc::new(Resource {
                contents: new.contents,
                name: new.name.clone(),
            }))),
        }
    }
}

impl<'v> Members<'v> for Auth<'v> {
    fn member(&self, name: &str) -> Option<Val<'v>> {
        match name {
            "uid" => Some(Val::Str(Str::Borrowed(self.uid))),
            "token" => Some(Val::Map(Map::Fields(self.token))),
            _ => None,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["token", "uid"]
    }
}

impl<'v> Members<'v> for Query {
    fn member(&self, name: &str) -> Option<Val<'v>> {
        match name {
            // Without a limit it is null, not absent.
            "limit" => Some(self.limit.map_or(Val::Null, Val::Int)),
            "offset" => Some(Val::Int(self.offset)),
            "orderBy" => {
                let orders = self.order_by.iter().map(|(field, ascending)| {
                    let direction = if *ascending { "ASC" } else { "DESC" };
                    (Str::from(field.join(".")), Val::Str(Str::Borrowed(direction)))
                });
                Some(Val::Map(Map::Shared(Rc::new(orders.collect()))))
            }
            _ => None,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["limit", "offset", "orderBy"]
    }
}

impl<'v> Resource<'v> {
    fn id(&self) -> Option<Val<'v>> {
        match &self.name {
            Name::Target(request) => request.path.last().map(|id| Val::Str(Str::Borrowed(id))),
            Name::Path(segments) => segments.last().cloned().map(Val::Str),
            Name::Query(facts) => Some(Val::Field(Field::unknown(facts, "resource.id"))),
            Name::Absent => None,
        }
    }

    fn path(&self) -> Option<Val<'v>> {
        match &self.name {
            Name::Target(request) => {
                let prefix = ["databases", request.database, "documents"].map(Str::Borrowed);
                let own = request.path.iter().map(|segment| Str::Borrowed(segment.as_str()));
                Some(Val::Path(prefix.into_iter().chain(own).collect()))
            }
            Name::Path(segments) => Some(Val::Path(segments.clone())),
            Name::Query(facts) => Some(Val::Field(Field::unknown(facts, "resource.__name__"))),
            Name::Absent => None,
        }
    }
}

impl<'v> Members<'v> for Resource<'v> {
    fn member(&self, name: &str) -> Option<Val<'v>> {
        match name {
            "data" => Some(match self.contents {
                Contents::Fields(document) => Val::Map(Map::Fields(document.fields)),
                Contents::Query(facts) => Val::Field(Field::root(facts)),
            }),
            "id" => self.id(),
            "__name__" => self.path(),
            _ => None,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        match self.name {
            Name::Absent => vec!["data"],
            _ => vec!["__name__", "data", "id"],
        }
    }

    fn is_abstract(&self) -> bool {
        matches!(self.contents, Contents::Query(_))
    }
}
