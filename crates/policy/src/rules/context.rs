//! The rules language's side of the evaluator: its value tables, and the documents it reads.

use crate::eval::{Computed, Dialect};
use crate::ir::Binary;
use crate::meter::{Limits, Meter};
use crate::re2::Regex;
use crate::request::{Document, DocumentPath, Documents, Lookup, Mock, MockResult, Needed, Setting};
use crate::value::{FaultKind, Segments, Str, Val};

use super::Service;
use super::environment::{Environment, document_view};
use super::functions::{self, refused};
use super::names::{Function, Global, Method, Rules, Type};
use super::target::Pattern;
use super::{methods, operators, paths};

/// Documents read and missing, over all evaluations of one decision.
#[derive(Debug, Default)]
pub struct Session {
    /// Read, each once.
    pub reads: Vec<Needed>,
    /// Not known yet, each once.
    pub needs: Vec<Needed>,
    /// Those asked for in the evaluation that runs.
    pub current: Vec<Needed>,
    /// Documents that the query names, each once; they are its result, and no reads of the rules.
    pub named: Vec<DocumentPath>,
}

/// One evaluation's view of everything.
pub struct Context<'v, 's> {
    /// The request.
    pub environment: &'v Environment<'v>,
    /// The pattern whose variables are in scope.
    pub pattern: &'v Pattern,
    /// The documents.
    pub documents: &'v dyn Documents,
    /// What was read.
    pub session: &'s mut Session,
    /// See `Limits::absent_keys_in_list`.
    pub absent_keys: bool,
}

/// What a document function found.
enum Found<'v> {
    Missing,
    Document(Document<'v>),
    /// A mocked `exists`.
    Exists(bool),
}

impl<'v> Dialect<'v> for Context<'v, '_> {
    type Language = Rules;
    type Place = ();

    fn global(&mut self, global: Global) -> Computed<'v> {
        self.environment.global(global)
    }

    fn capture(&mut self, index: usize) -> Computed<'v> {
        self.pattern.capture(index, &self.environment.target)
    }

    fn member(&mut self, object: &Val<'v>, name: &'v str) -> Computed<'v> {
        operators::member(object, Str::Borrowed(name))
    }

    fn index(&mut self, object: &Val<'v>, index: &Val<'v>) -> Computed<'v> {
        operators::index(object, index)
    }

    fn slice(
        &mut self,
        object: &Val<'v>,
        start: &Val<'v>,
        end: &Val<'v>,
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        operators::slice(object, start, end, meter)
    }

    fn negate(&mut self, value: &Val<'v>) -> Computed<'v> {
        operators::negate(value)
    }

    fn binary(&mut self, op: Binary, left: &Val<'v>, right: &Val<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
        operators::binary(op, left, right, meter, self.absent_keys)
    }

    fn is(&mut self, value: &Val<'v>, name: Type) -> Computed<'v> {
        operators::is(value, name)
    }

    fn function(&mut self, function: Function, arguments: &[Val<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
        if function.reads() {
            return match arguments {
                [Val::Path(path)] => self.document_function(function, path, meter),
                _ => Err(refused(function.name(), function.name(), arguments)),
            };
        }
        if function == Function::Debug && self.environment.is_test_api() {
            return Err(FaultKind::FunctionNotFound(Str::Borrowed("debug")));
        }
        functions::call(function, arguments, meter)
    }

    fn method(
        &mut self,
        receiver: &Val<'v>,
        method: Method,
        arguments: &[Val<'v>],
        regex: Option<&'v Regex>,
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        methods::call(receiver, method, arguments, regex, meter, self.absent_keys)
    }
}

impl<'v> Context<'v, '_> {
    fn document_function(
        &mut self,
        function: Function,
        path: &Segments<'v>,
        meter: &Meter<'_>,
    ) -> Computed<'v> {
        let after = matches!(function, Function::GetAfter | Function::ExistsAfter);
        if after && self.environment.request.query.is_some() && self.environment.facts.is_none() {
            // Nothing comes after a query that names its document, the official service finds.
            return Err(FaultKind::ServiceCall {
                function: function.name(),
                argument: paths::message_text(path),
            });
        }
        let wants_existence =
            matches!(function, Function::Exists | Function::ExistsAfter | Function::FirestoreExists);
        let failed =
            || FaultKind::ServiceCall { function: function.name(), argument: paths::message_text(path) };
        let found = match self.environment.request.setting {
            Setting::Live => self.find(path, after, meter, &failed)?,
            Setting::TestApi(mocks) => self
                .find_mock(path, after, mocks, function)
                .ok_or(FaultKind::FunctionNotFound(Str::Borrowed(function.name())))?,
        };
        if wants_existence {
            return Ok(Val::Bool(matches!(found, Found::Document(_) | Found::Exists(true))));
        }
        match found {
            Found::Document(document) => {
                let identity = (!self.environment.is_test_api()).then(|| path.clone());
                Ok(document_view(document, identity))
            }
            Found::Missing | Found::Exists(_) => Err(failed()),
        }
    }

    /// The document of the request itself needs no reading.
    fn own(&self, needed: &Needed) -> Option<Found<'v>> {
        let environment = self.environment;
        let request = environment.request;
        let own = environment.service == Service::Firestore
            && environment.facts.is_none()
            && needed.path.database == request.database
            && needed.path.segments == request.path;
        let state =
            if needed.after && request.method.is_write() { request.new_resource } else { request.resource };
        own.then(|| state.map_or(Found::Missing, Found::Document))
    }

    fn find(
        &mut self,
        path: &Segments<'v>,
        after: bool,
        meter: &Meter<'_>,
        failed: &dyn Fn() -> FaultKind<'v>,
    ) -> Result<Found<'v>, FaultKind<'v>> {
        let needed = Needed { path: paths::document(path).ok_or_else(failed)?, after };
        let storage = self.environment.service == Service::Storage;
        if storage && needed.path.database != "(default)" {
            return Err(failed());
        }
        if let Some(found) = self.own(&needed) {
            return Ok(found);
        }
        let lookup = self.documents.document(&needed);
        let is_new = !self.session.reads.contains(&needed) && !self.session.needs.contains(&needed);
        let is_new_here = !self.session.current.contains(&needed);
        if is_new || is_new_here {
            if let Some(max) = self.reads_exceeded(&needed, is_new, meter.limits) {
                // While documents are missing this is a guess at what will be read: it must not become the answer.
                let settled = self.session.needs.is_empty();
                return Err(if settled { FaultKind::Reads(max) } else { FaultKind::Pending });
            }
            match lookup {
                _ if !is_new => {}
                Lookup::Unknown => self.session.needs.push(needed.clone()),
                Lookup::Missing | Lookup::Found(_) => self.session.reads.push(needed.clone()),
            }
            if is_new_here {
                self.session.current.push(needed);
            }
        }
        match lookup {
            Lookup::Unknown => Err(FaultKind::Pending),
            Lookup::Missing => Ok(Found::Missing),
            Lookup::Found(fields) => Ok(Found::Document(Document { fields })),
        }
    }

    /// The limit that one document more would exceed.
    fn reads_exceeded(&self, needed: &Needed, is_new: bool, limits: &Limits) -> Option<u32> {
        let exceeded = |so_far: usize, max: u32| so_far >= usize::try_from(max).unwrap_or(usize::MAX);
        let so_far = || self.session.reads.iter().chain(&self.session.needs);
        let storage = self.environment.service == Service::Storage;
        let max = if storage { limits.storage_document_reads_max } else { limits.document_reads_max };
        // One document, or one alternative of a query.
        if exceeded(self.session.current.len(), max) {
            return Some(max);
        }
        let earlier = self.documents.earlier();
        if storage || !is_new || earlier.contains(needed) {
            return None;
        }
        let of_request = earlier.len() + so_far().filter(|read| !earlier.contains(read)).count();
        let max = limits.request_document_reads_max;
        exceeded(of_request, max).then_some(max)
    }

    fn find_mock(
        &self,
        path: &Segments<'v>,
        after: bool,
        mocks: &'v [Mock],
        function: Function,
    ) -> Option<Found<'v>> {
        let needed = Needed { path: paths::document(path)?, after };
        let name = function.name();
        let name = name.strip_prefix("firestore.").unwrap_or(name);
        let find = |name: &str| {
            let named = || mocks.iter().filter(|mock| mock.function == name);
            named()
                .find(|mock| mock.path.as_ref() == Some(&needed.path))
                .or_else(|| named().find(|mock| mock.path.is_none()))
        };
        // What is said of a document as it is holds for it after a write to another one, too.
        let mock = find(name).or_else(|| find(name.strip_suffix("After")?));
        match mock.map(|mock| &mock.result) {
            Some(MockResult::Exists(exists)) => Some(Found::Exists(*exists)),
            Some(MockResult::Document(fields)) => Some(Found::Document(Document { fields })),
            Some(MockResult::Undefined) => Some(Found::Missing),
            None => after.then(|| self.own(&needed)).flatten(),
        }
    }
}
