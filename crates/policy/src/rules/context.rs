//! The rules language's side of the evaluator: its value tables, and the documents it reads.

use smallvec::SmallVec;

use crate::document::{DocumentPath, DocumentPaths, Need, Needed};
use crate::eval::{Computed, Dialect};
use crate::ir::Binary;
use crate::meter::{Limits, Meter};
use crate::re2::Regex;
use crate::request::{Document, Documents, Lookup, Mock, MockResult, Setting};
use crate::value::{FaultKind, Map, Str, Val};

use super::Service;
use super::environment::{Environment, document_view};
use super::functions::{self, refused};
use super::names::{Function, Global, Method, Rules, Type};
use super::paths::{NameText, Named};
use super::target::Pattern;
use super::{methods, operators, paths};

/// Documents read and missing, over all evaluations of one decision.
#[derive(Debug, Default)]
pub struct ReadSet {
    /// Asked for, each once.
    asked: SmallVec<[Asked; 2]>,
    /// Those asked for in the evaluation that runs, by their places in `asked`.
    current: SmallVec<[usize; 4]>,
    /// Documents that the query names, each once; they are its result, and no reads of the rules.
    named: Vec<DocumentPath>,
}

#[derive(Debug)]
struct Asked {
    need: Needed,
    /// Whether there was an answer.
    known: bool,
}

impl ReadSet {
    /// An evaluation begins.
    pub fn begin(&mut self) {
        self.current.clear();
    }

    fn position(&self, need: &Need<'_>) -> Option<usize> {
        self.asked.iter().position(|asked| asked.need == *need)
    }

    /// Asks for a document that is not known.
    pub fn need(&mut self, need: Needed) {
        if self.position(&need).is_none() {
            self.asked.push(Asked { need, known: false });
        }
    }

    /// Notes a document that the query names.
    pub fn name(&mut self, path: &DocumentPath) {
        if !self.named.contains(path) {
            self.named.push(path.clone());
        }
    }

    /// Whether everything asked for was known.
    fn is_settled(&self) -> bool {
        self.asked.iter().all(|asked| asked.known)
    }

    /// How many documents the rules read.
    pub fn reads(&self) -> usize {
        self.asked.iter().filter(|asked| asked.known).count()
    }

    /// What is not known yet.
    pub fn take_needs(&mut self) -> Vec<Needed> {
        self.asked.drain(..).filter(|asked| !asked.known).map(|asked| asked.need).collect()
    }

    /// The documents that were named or read, each once.
    pub fn take_documents(&mut self) -> DocumentPaths {
        let mut documents = DocumentPaths::new();
        if self.named.is_empty() && self.asked.is_empty() {
            return documents;
        }
        documents.extend(self.named.drain(..));
        for Asked { need, .. } in self.asked.drain(..).filter(|asked| asked.known) {
            if !documents.contains(&need.path) {
                documents.push(need.path);
            }
        }
        documents
    }
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
    pub read_set: &'s mut ReadSet,
    /// See `Limits::absent_keys_in_list`.
    pub absent_keys: bool,
}

/// What a document function gives.
enum Answer<'v> {
    Exists(bool),
    Document(Document<'v>),
}

/// What was found at a path.
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

    fn segment(&mut self, value: &Val<'v>, meter: &mut Meter<'_>) -> Result<Str<'v>, FaultKind<'v>> {
        match value {
            Val::Template(steps) => Err(super::paths::unbound(steps)),
            other => super::functions::string_of(other, meter),
        }
    }

    fn slice(
        &mut self,
        object: &Val<'v>,
        bounds: [Option<&Val<'v>>; 2],
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        operators::slice(object, bounds, meter)
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
                [Val::Path(path)] => self.read(function, path, meter),
                _ => Err(refused(function.name(), function.name(), arguments)),
            };
        }
        if function == Function::Debug && self.environment.is_test_api() {
            return Err(FaultKind::FunctionNotFound(Str::Borrowed("debug")));
        }
        functions::call(function, arguments, meter)
    }

    fn reads(function: Function) -> bool {
        function.reads()
    }

    fn read(&mut self, function: Function, path: &[Str<'v>], meter: &mut Meter<'_>) -> Computed<'v> {
        Ok(match self.found(function, path, meter)? {
            Answer::Exists(exists) => Val::Bool(exists),
            Answer::Document(document) => self.view(document, path),
        })
    }

    fn read_member(
        &mut self,
        function: Function,
        path: &[Str<'v>],
        name: &'v str,
        meter: &mut Meter<'_>,
    ) -> Result<Computed<'v>, FaultKind<'v>> {
        Ok(match self.found(function, path, meter)? {
            // What rules mostly want of a document needs no view of all of it.
            Answer::Document(document) if name == "data" => Ok(Val::Map(Map::Fields(document.fields))),
            Answer::Document(document) => operators::member(&self.view(document, path), Str::Borrowed(name)),
            Answer::Exists(exists) => operators::member(&Val::Bool(exists), Str::Borrowed(name)),
        })
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
    fn found(
        &mut self,
        function: Function,
        path: &[Str<'v>],
        meter: &Meter<'_>,
    ) -> Result<Answer<'v>, FaultKind<'v>> {
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
            return Ok(Answer::Exists(matches!(found, Found::Document(_) | Found::Exists(true))));
        }
        match found {
            Found::Document(document) => Ok(Answer::Document(document)),
            Found::Missing | Found::Exists(_) => Err(failed()),
        }
    }

    /// A document as a value. The Test API's have no identity.
    fn view(&self, document: Document<'v>, path: &[Str<'v>]) -> Val<'v> {
        document_view(document, (!self.environment.is_test_api()).then(|| path.into()))
    }

    /// The document of the request itself needs no reading.
    fn own(&self, named: Named<'_, '_>, after: bool) -> Option<Found<'v>> {
        let environment = self.environment;
        let request = environment.request;
        let own = environment.service == Service::Firestore
            && environment.facts.is_none()
            && named.database == request.database
            && named.segments.len() == request.path.len()
            && named.segments.iter().zip(request.path).all(|(segment, own)| segment.as_str() == own);
        let state = if after && request.method.is_write() { request.new_resource } else { request.resource };
        own.then(|| state.map_or(Found::Missing, Found::Document))
    }

    fn find(
        &mut self,
        path: &[Str<'v>],
        after: bool,
        meter: &Meter<'_>,
        failed: &dyn Fn() -> FaultKind<'v>,
    ) -> Result<Found<'v>, FaultKind<'v>> {
        let named = paths::document(path).ok_or_else(failed)?;
        let storage = self.environment.service == Service::Storage;
        if storage && named.database != "(default)" {
            return Err(failed());
        }
        if let Some(found) = self.own(named, after) {
            return Ok(found);
        }
        let mut text = NameText::new();
        let need = Need { path: named.write(&mut text), after };
        let (lookup, kept) = self.documents.look(&need);
        let position = self.read_set.position(&need);
        if position.is_none_or(|position| !self.read_set.current.contains(&position)) {
            if let Some(max) = self.reads_exceeded(&need, position.is_none(), meter.limits) {
                // While documents are missing this is a guess at what will be read: it must not become the answer.
                let settled = self.read_set.is_settled();
                return Err(if settled { FaultKind::Reads(max) } else { FaultKind::Pending });
            }
            let position = position.unwrap_or_else(|| {
                let known = !matches!(lookup, Lookup::Unknown);
                let need = kept.cloned().unwrap_or_else(|| need.to_kept());
                self.read_set.asked.push(Asked { need, known });
                self.read_set.asked.len() - 1
            });
            self.read_set.current.push(position);
        }
        match lookup {
            Lookup::Unknown => Err(FaultKind::Pending),
            Lookup::Missing => Ok(Found::Missing),
            Lookup::Found(fields) => Ok(Found::Document(Document { fields })),
        }
    }

    /// The limit that one document more would exceed.
    fn reads_exceeded(&self, needed: &Need<'_>, is_new: bool, limits: &Limits) -> Option<u32> {
        let exceeded = |so_far: usize, max: u32| so_far >= usize::try_from(max).unwrap_or(usize::MAX);
        let so_far = || self.read_set.asked.iter().map(|asked| &asked.need);
        let storage = self.environment.service == Service::Storage;
        let max = if storage { limits.storage_document_reads_max } else { limits.document_reads_max };
        // One document, or one alternative of a query.
        if exceeded(self.read_set.current.len(), max) {
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
        path: &[Str<'v>],
        after: bool,
        mocks: &'v [Mock],
        function: Function,
    ) -> Option<Found<'v>> {
        let named = paths::document(path)?;
        let mut text = NameText::new();
        let wanted = named.write(&mut text);
        let name = function.name();
        let name = name.strip_prefix("firestore.").unwrap_or(name);
        let find = |name: &str| {
            let of_name = || mocks.iter().filter(|mock| mock.function == name);
            of_name()
                .find(|mock| mock.path.as_ref() == Some(&wanted))
                .or_else(|| of_name().find(|mock| mock.path.is_none()))
        };
        // What is said of a document as it is holds for it after a write to another one, too.
        let mock = find(name).or_else(|| find(name.strip_suffix("After")?));
        match mock.map(|mock| &mock.result) {
            Some(MockResult::Exists(exists)) => Some(Found::Exists(*exists)),
            Some(MockResult::Document(fields)) => Some(Found::Document(Document { fields })),
            Some(MockResult::Undefined) => Some(Found::Missing),
            None => after.then(|| self.own(named, after)).flatten(),
        }
    }
}
