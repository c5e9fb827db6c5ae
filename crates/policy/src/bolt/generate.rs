//! Makes the rules: every `path` adds its type's checks and its own methods to the tree, then the tree is printed.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::EXPRESSION_DEPTH_MAX;
use super::ast::{
    ByName, Exp, File, Function, Kind, Methods, Node, Operator, PathStatement, Schema, TypeNode,
    insert_ordered,
};
use super::expand::{Bindings, Place};
use super::print;
use super::remarks::Remarks;
use super::tree::{Entry, Json, JsonKind, Rules, Term};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Types that are there without being written.
const BUILTIN_TYPES: &[&str] = &["Any", "Object", "Null", "String", "Number", "Boolean", "Map"];
/// Rules and places in one file's tree, copies made on the way included.
const TREE_ENTRIES_MAX: usize = 200_000;
/// Errors of one file before the rest is left.
const ERRORS_MAX: usize = 100;

/// Given up; why is among the diagnostics.
#[derive(Debug)]
pub struct Stopped;

/// A step that may end it all.
pub type Run<T> = Result<T, Stopped>;

/// Everything known while the rules are made.
pub struct Generator<'f> {
    pub(super) file: &'f File,
    pub(super) schemas: ByName<Rc<Schema>>,
    pub(super) validators: HashMap<String, Rc<Rules>>,
    pub(super) key_index: usize,
    /// Where the expression at hand is; `None` while that is not known yet.
    pub(super) place: Option<Place>,
    pub(super) steps: usize,
    pub(super) depth: usize,
    pub(super) type_depth: usize,
    pub(super) tree_entries: usize,
    printed_bytes: usize,
    remarks: Remarks<'f>,
    failed: bool,
    diagnostics: Vec<Diagnostic>,
}

/// The rules of a file, if Bolt itself would print some, and what there is to say about them.
pub fn generate(file: &File) -> (Option<Json>, Vec<Diagnostic>) {
    let mut generator = Generator::new(file);
    let json = generator.rules().ok().filter(|_| !generator.failed);
    if let Some(json) = &json {
        generator.remarks.tree(json);
    }
    let mut diagnostics = generator.diagnostics;
    if json.is_some() {
        diagnostics.extend(generator.remarks.finish());
    }
    (json, diagnostics)
}

impl<'f> Generator<'f> {
    fn new(file: &'f File) -> Self {
        Self {
            file,
            schemas: file.schemas.clone(),
            validators: HashMap::new(),
            key_index: 0,
            place: None,
            steps: 0,
            depth: 0,
            type_depth: 0,
            tree_entries: 0,
            printed_bytes: 0,
            remarks: Remarks::new(file),
            failed: false,
            diagnostics: Vec::new(),
        }
    }

    /// Reports an error and goes on.
    pub(super) fn fatal(&mut self, span: Span, message: impl Into<String>) {
        self.failed = true;
        let error = Diagnostic::error("bolt-generate", span, message);
        if self.diagnostics.len() < ERRORS_MAX && !self.diagnostics.contains(&error) {
            self.diagnostics.push(error);
        }
    }

    /// Reports an error and gives up.
    pub(super) fn stop<T>(&mut self, span: Span, message: impl Into<String>) -> Run<T> {
        self.fatal(span, message);
        Err(Stopped)
    }

    /// Gives up because it would be too much.
    pub(super) fn limit<T>(&mut self, span: Span, message: impl Into<String>) -> Run<T> {
        self.failed = true;
        self.diagnostics.push(Diagnostic::error("bolt-limit", span, message));
        Err(Stopped)
    }

    /// Adds one tree to another at a place in the text, as long as there is room.
    pub(super) fn extend(&mut self, target: &mut Rules, source: &Rules, span: Span) -> Run<()> {
        self.tree_entries += target.extend(source, span);
        if self.tree_entries > TREE_ENTRIES_MAX {
            return self.limit(span, format!("the types expand to more than {TREE_ENTRIES_MAX} rules"));
        }
        Ok(())
    }

    fn rules(&mut self) -> Run<Json> {
        let file = self.file;
        for (name, schema) in &file.schemas {
            if BUILTIN_TYPES.contains(&&**name) {
                self.fatal(schema.span, format!("Duplicated schema definition: {name}."));
            }
        }
        for name in ["prior", "key"] {
            if let Some(function) = file.functions.get(name) {
                self.fatal(function.span, format!("Duplicated functions definition: {name}."));
            }
        }
        self.register_builtins();
        for path in &file.paths {
            self.check_methods("path", &path.methods, &["validate", "read", "write", "index"]);
        }
        for schema in file.schemas.values() {
            self.check_methods("type", &schema.methods, &["validate", "read", "write"]);
        }
        if file.paths.is_empty() {
            self.fatal(Span::default(), "Must have at least one path expression.");
        }
        let mut rules = Rules::default();
        for path in &file.paths {
            self.add_path(&mut rules, path)?;
        }
        let sibling = rules.entries.keys().any(|key| key.starts_with('$'));
        let json = self.convert(&rules, &Bindings::new(), &mut Vec::new(), sibling)?;
        let kind = JsonKind::Object(ByName::from_iter([("rules".into(), json)]));
        Ok(Json { kind, origin: Span::default() })
    }

    fn register_builtins(&mut self) {
        let this = Node::variable("this", Span::default());
        let call = |method: &str| Some(Node::method(this.clone(), method, Vec::new(), Span::default()));
        for (name, body) in [
            ("Any", Some(Node::boolean(true))),
            ("Object", call("hasChildren")),
            ("Null", Some(Node::boolean(false))),
            ("String", call("isString")),
            ("Number", call("isNumber")),
            ("Boolean", call("isBoolean")),
            ("Map", None),
        ] {
            let methods = body.map(|body| {
                let parameters = vec![Rc::from("this")];
                let (span, whole) = (Span::default(), Span::default());
                (Rc::from("validate"), Function { parameters, body, span, whole })
            });
            let parameters = if name == "Map" { vec!["Key".into(), "Value".into()] } else { Vec::new() };
            let schema = Schema {
                derived_from: TypeNode::name("Any", Span::default()),
                properties: ByName::default(),
                methods: methods.into_iter().collect(),
                parameters,
                span: Span::default(),
            };
            self.schemas.entry(name.into()).or_insert_with(|| Rc::new(schema));
        }
    }

    fn check_methods(&mut self, statement: &str, methods: &Methods, allowed: &[&str]) {
        let aliases = ["create", "update", "delete"];
        for (name, method) in methods {
            let known = || allowed.iter().chain(&aliases);
            if !known().any(|known| *known == &**name) {
                let list: Vec<String> = known().map(|name| print::quoted(name)).collect();
                self.diagnostics.push(Diagnostic::warning(
                    "bolt-generate",
                    method.span,
                    format!(
                        "Unsupported method name in {statement} statement: {} (allowed: {})",
                        print::quoted(name),
                        list.join(", ")
                    ),
                ));
            }
        }
        if methods.contains_key("write") {
            for alias in aliases {
                if let Some(method) = methods.get(alias) {
                    self.fatal(
                        method.span,
                        format!("Cannot have both a write() method and a write-aliasing method: {alias}"),
                    );
                }
            }
        }
    }

    fn add_path(&mut self, root: &mut Rules, path: &PathStatement) -> Run<()> {
        for part in &path.parts {
            let name = part.label.strip_prefix('$').unwrap_or(&part.label);
            if name.is_empty()
                || name
                    .contains(|character: char| ".#$[]".contains(character) || character.is_ascii_control())
            {
                self.remarks.label(part);
                if part.label.starts_with('.') {
                    return self.limit(part.span, "a part of a path cannot begin with a dot");
                }
            }
        }
        let mut location = root;
        for part in &path.parts {
            let Some(child) = location.child(&part.label, path.span) else { return Ok(()) };
            location = child;
        }
        let validator = self.validator(&path.is)?;
        let written = path.is.span != Span::default();
        self.extend(location, &validator, if written { path.is.span } else { path.span })?;
        let mut scope = Bindings::new();
        for part in &path.parts {
            if let Some(variable) = &part.variable {
                let literal = Node::literal(part.label.clone(), Span::default());
                if scope.insert(variable.clone(), literal).is_some() {
                    return self.stop(part.span, format!("A path component name is duplicated: {variable}"));
                }
            }
        }
        location.scope = Some(scope);
        self.add_methods(location, &path.methods, path.span)?;
        if let Some(index) = path.methods.get("index") {
            self.add_index(location, index);
        }
        Ok(())
    }

    fn add_index(&mut self, location: &mut Rules, index: &Function) {
        const BAD_INDEX: &str = "The index function must return a String or an array of Strings.";
        let elements = match &index.body.kind {
            Kind::Text(_) => std::slice::from_ref(&index.body),
            Kind::Array(elements) if !elements.is_empty() => elements,
            _ => return self.fatal(index.body.span, BAD_INDEX),
        };
        let mut names: Vec<Rc<str>> = Vec::new();
        for element in elements {
            match element.as_text() {
                Some(name) => names.push(name.into()),
                None => self.fatal(element.span, format!("{BAD_INDEX} (not {})", element.kind_name())),
            }
        }
        insert_ordered(&mut location.entries, ".indexOn".into(), Entry::Index(names, index.whole));
    }

    /// Adds the terms of methods of a statement, the three kinds of writes joined to one.
    pub(super) fn add_methods(&mut self, rules: &mut Rules, methods: &Methods, statement: Span) -> Run<()> {
        let mut writes = Vec::new();
        let mut origin = Span::default();
        for alias in ["create", "update", "delete"] {
            if let Some(method) = methods.get(alias) {
                let condition = write_condition(alias, method.span);
                writes.push(self.join(Operator::And, &[condition, method.body.clone()], method.whole)?);
                // Which one it is only an operation can tell; where there are several, their statement stands for all.
                origin = if writes.len() == 1 { method.whole } else { statement };
            }
        }
        if !writes.is_empty() {
            let write = self.join(Operator::Or, &writes, statement)?;
            rules.add(".write", write, origin);
        }
        for name in ["validate", "read", "write"] {
            if let Some(method) = methods.get(name) {
                rules.add(&format!(".{name}"), method.body.clone(), method.whole);
            }
        }
        Ok(())
    }

    /// Joins terms to one, which comes from where all come from.
    pub(super) fn join_terms(&mut self, operator: Operator, terms: &[Term]) -> Run<Term> {
        let exps: Vec<Exp> = terms.iter().map(|term| term.exp.clone()).collect();
        let origin = common_origin(terms).unwrap_or_default();
        Ok(Term { exp: self.join(operator, &exps, origin)?, origin })
    }

    /// Joins terms with `&&` or `||` from the left, without those that change nothing. What is joined of different
    /// terms stands at `span`.
    fn join(&mut self, operator: Operator, terms: &[Exp], span: Span) -> Run<Exp> {
        let identity = operator == Operator::And;
        let mut joined: Option<(Exp, usize)> = None;
        let mut flat: Vec<(Exp, usize)> = Vec::new();
        let mut waiting: Vec<(&Exp, usize)> =
            terms.iter().enumerate().map(|(of, term)| (term, of)).rev().collect();
        while let Some((term, of)) = waiting.pop() {
            match &term.kind {
                Kind::Operation { operator: own, operands } if *own == operator => {
                    waiting.extend(operands.iter().rev().map(|operand| (operand, of)));
                }
                _ => flat.push((term.clone(), of)),
            }
            if flat.len() > EXPRESSION_DEPTH_MAX {
                return self
                    .limit(term.span, format!("a rule joins more than {EXPRESSION_DEPTH_MAX} conditions"));
            }
        }
        for (term, of) in flat {
            if term.is_boolean(identity) {
                continue;
            }
            if term.is_boolean(!identity) {
                return Ok(term);
            }
            joined = Some(match joined {
                None => (term, of),
                Some((before, earlier)) => {
                    let written = [before.span, term.span].iter().all(|span| *span != Span::default());
                    let span = if earlier == of && written { before.span.around(term.span) } else { span };
                    (Node::operation(operator, vec![before, term], span), of)
                }
            });
        }
        Ok(joined.map_or_else(|| Node::value(Kind::Boolean(identity), span), |(exp, _)| exp))
    }

    /// Prints what is under a place. `sibling`: whether another `$` key stands beside it.
    fn convert(
        &mut self,
        rules: &Rules,
        scope: &Bindings,
        path: &mut Vec<Rc<str>>,
        sibling: bool,
    ) -> Run<Json> {
        let scope = rules.scope.as_ref().unwrap_or(scope);
        let mut object =
            ByName::with_capacity_and_hasher(rules.entries.len(), foldhash::fast::RandomState::default());
        let captures = rules.entries.keys().filter(|key| key.starts_with('$')).count();
        for (key, entry) in &rules.entries {
            match entry {
                Entry::Terms(terms) => {
                    let origin = common_origin(terms).unwrap_or(rules.origin);
                    let (text, pieces) = self.rule(key, terms, scope, path, rules.origin)?;
                    let idle = if &**key == ".validate" { "true" } else { "false" };
                    if text != idle || sibling {
                        object.insert(key.clone(), Json { kind: JsonKind::Rule(text, pieces), origin });
                    }
                }
                Entry::Index(names, origin) => {
                    object.insert(key.clone(), Json { kind: JsonKind::List(names.clone()), origin: *origin });
                }
                Entry::Child(child) => {
                    let sibling = captures > usize::from(key.starts_with('$'));
                    path.push(key.clone());
                    let json = self.convert(child, scope, path, sibling)?;
                    path.pop();
                    if json.entries().next().is_some() {
                        object.insert(key.clone(), json);
                    }
                }
            }
        }
        Ok(Json { kind: JsonKind::Object(object), origin: rules.origin })
    }

    fn rule(
        &mut self,
        key: &str,
        terms: &[Term],
        scope: &Bindings,
        path: &[Rc<str>],
        place: Span,
    ) -> Run<(String, Vec<print::Piece>)> {
        let terms_origin = common_origin(terms).unwrap_or(place);
        let terms = self.collapse_has_children(terms)?;
        let joined = self.join(Operator::And, &terms, place)?;
        let this = Node::call(Node::variable("@getThis", Span::default()), Vec::new(), Span::default());
        let mut bindings = scope.clone();
        bindings.insert("this".into(), this.cast(true));
        self.place = None;
        let expanded = self.evaluate(&joined, &bindings, &mut HashSet::new())?;
        self.place = Some(Place { prior: key == ".read", path: path.to_vec() });
        let expanded = self.evaluate(&expanded, &Bindings::new(), &mut HashSet::new())?;
        self.place = None;
        let exp = expanded.ensure_boolean();
        self.remarks.rule(&exp, path, terms_origin);
        let printed = print::with_pieces(&exp);
        self.printed_bytes += printed.as_ref().map_or(usize::MAX / 2, |(text, _)| text.len());
        match printed {
            Ok(printed) if self.printed_bytes <= print::TEXT_BYTES_MAX => Ok(printed),
            _ => self.limit(exp.span, format!("the rules are longer than {} bytes", print::TEXT_BYTES_MAX)),
        }
    }

    /// All calls of `hasChildren` become one, placed first.
    fn collapse_has_children(&mut self, terms: &[Term]) -> Run<Vec<Exp>> {
        let mut found: Option<Span> = None;
        let mut names = Vec::new();
        let mut others = Vec::new();
        for term in terms.iter().map(|term| &term.exp) {
            let (Kind::Call { arguments, .. }, Some("hasChildren")) = (&term.kind, term.called_name()) else {
                others.push(term.clone());
                continue;
            };
            match &**arguments {
                [] => found = Some(term.span),
                [argument] => {
                    let Kind::Array(elements) = &argument.kind else {
                        return self.bad_has_children(term, argument.kind_name());
                    };
                    for element in elements {
                        found = Some(term.span);
                        if element.as_text().is_none() {
                            return self.stop(term.span, format!(
                                "Bolt application error: Expect string argument to hasChildren(), not: {}",
                                element.kind_name(),
                            ));
                        }
                        names.push(element.clone());
                    }
                }
                [first, ..] => return self.bad_has_children(term, first.kind_name()),
            }
        }
        if let Some(span) = found {
            others.insert(0, has_children(names, span));
        }
        Ok(others)
    }

    fn bad_has_children<T>(&mut self, term: &Exp, kind: &str) -> Run<T> {
        self.stop(term.span, format!("Bolt application error: Invalid argument to hasChildren(): {kind}"))
    }
}

/// `this.hasChildren([…])`, or without a list when there are no names.
pub(super) fn has_children(names: Vec<Exp>, span: Span) -> Exp {
    let arguments = if names.is_empty() { Vec::new() } else { vec![Node::value(Kind::Array(names), span)] };
    Node::method(Node::variable("this", span), "hasChildren", arguments, span)
}

/// Where all terms come from, if that is one place.
fn common_origin(terms: &[Term]) -> Option<Span> {
    let (first, others) = terms.split_first()?;
    others.iter().all(|other| other.origin == first.origin).then_some(first.origin)
}

/// What makes a write a creation, an update or a deletion.
fn write_condition(alias: &str, name: Span) -> Exp {
    let this = || Node::variable("this", name);
    let prior = || Node::call(Node::variable("prior", name), vec![this()], name);
    let compare = |operator, exp| Node::operation(operator, vec![exp, Node::null()], name);
    let with_new = |operator| {
        let terms = vec![compare(Operator::NotEqual, prior()), compare(operator, this())];
        Node::operation(Operator::And, terms, name)
    };
    match alias {
        "create" => compare(Operator::Equal, prior()),
        "update" => with_new(Operator::NotEqual),
        _ => with_new(Operator::Equal),
    }
}
