//! From the syntax tree to the evaluator's tree: names become slots, constants are folded, patterns are joined.
//!
//! Scope is lexical: a function sees the functions of its own and the outer blocks, the path variables of the
//! `match` blocks around it, its parameters and its earlier `let`s. What does not exist compiles all the same, as
//! in production, with a warning: it fails when it is evaluated.

mod blocks;
mod calls;
mod functions;
mod paths;

use std::collections::HashMap;

use base::Value;

use super::Service;
use super::ast::{self, Version};
use super::fold::fold;
use super::names::{Function, Global, Method, NAMESPACES, Rules, Type};
use super::target::Pattern;
use super::warnings;
use crate::decision::RulePosition;
use crate::diagnostic::{Diagnostic, Severity};
use crate::ir::{self, Expr, Kind};
use crate::re2::Regex;
use crate::request::Method as Verb;
use crate::source::Span;
use crate::syntax::nearest;

/// Diagnostics told about one text.
const DIAGNOSTICS_TOLD_MAX: usize = 500;

/// An `allow`, ready to run.
#[derive(Debug)]
pub struct Rule {
    /// The statement.
    pub span: Span,
    /// Its place for people: found once, not in every decision.
    pub position: RulePosition,
    /// The index of its pattern.
    pub pattern: usize,
    /// The methods it is about, as bits in the order of [`Verb::ALL`].
    pub methods: u8,
    /// The condition; without one it always grants.
    pub condition: Option<Expr<Rules>>,
}

/// A ruleset, ready to run.
#[derive(Debug, Default)]
pub struct Lowered {
    /// In the order of the text.
    pub rules: Vec<Rule>,
    /// The patterns.
    pub patterns: Vec<Pattern>,
    /// The functions.
    pub functions: Vec<ir::Function<Rules>>,
}

impl Lowered {
    /// What functions compute and rules ask: the roots of all expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr<Rules>> {
        let functions = self.functions.iter();
        let bodies = functions.flat_map(|function| function.lets.iter().chain([&function.body]));
        bodies.chain(self.rules.iter().filter_map(|rule| rule.condition.as_ref()))
    }

    /// Finds the lines and columns of the rules, which are in the order of the text: one pass over it.
    pub fn find_positions(&mut self, text: &str) {
        let (mut from, mut line, mut column) = (0, 1, 1);
        for rule in &mut self.rules {
            let start = rule.span.start as usize;
            for character in text.get(from..start).unwrap_or_default().chars() {
                (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            from = start;
            rule.position = RulePosition { line, column, span: rule.span };
        }
    }
}

/// The bit of a method.
pub fn method_bit(method: Verb) -> u8 {
    match method {
        Verb::Get => 1,
        Verb::List => 2,
        Verb::Create => 4,
        Verb::Update => 8,
        Verb::Delete => 16,
    }
}

/// The methods that a word after `allow` stands for, which is written in any case.
fn method_bits(word: &str) -> Option<u8> {
    match word {
        "read" => Some(method_bit(Verb::Get) | method_bit(Verb::List)),
        "write" => Some(method_bit(Verb::Create) | method_bit(Verb::Update) | method_bit(Verb::Delete)),
        word => Verb::ALL.into_iter().find(|verb| verb.name() == word).map(method_bit),
    }
}

/// The `/` of a wildcard.
fn slash(name: &ast::Name) -> Span {
    Span { start: name.span.start.saturating_sub(2), ..name.span }
}

/// Lowers a file for one service.
pub fn lower(file: &ast::File, service: Service, diagnostics: &mut Vec<Diagnostic>) -> Lowered {
    let mut lowering = Lowering {
        service,
        is_service_known: true,
        version: file.version.map_or(Version::One, |(version, _)| version),
        out: Lowered::default(),
        declared: Vec::new(),
        scopes: Vec::new(),
        captures: Vec::new(),
        locals: Vec::new(),
        current: None,
        calls: Vec::new(),
        diagnostics,
    };
    lowering.scope(&file.functions, |lowering| {
        let mut seen: Vec<&str> = Vec::new();
        for block in &file.services {
            let known =
                [Service::Firestore, Service::Storage].into_iter().find(|s| s.name() == block.name.text);
            if known.is_none() {
                let message = format!("Invalid service name: {}.", block.name.text);
                let help = "it is `cloud.firestore` or `firebase.storage`; this block decides nothing";
                lowering.tell(Diagnostic::warning("unknown-service", block.name.span, message).help(help));
            }
            if seen.contains(&block.name.text.as_str()) {
                let message = "Duplicate service name declaration.";
                lowering.tell(Diagnostic::error("duplicate-service", block.name.span, message));
            }
            seen.push(&block.name.text);
            lowering.service = known.unwrap_or(service);
            lowering.is_service_known = known.is_some();
            let first_rule = lowering.out.rules.len();
            lowering.scope(&block.functions, |lowering| {
                let root = Pattern {
                    glob_len_min: usize::from(lowering.version == Version::One),
                    ..Pattern::default()
                };
                for block in &block.matches {
                    lowering.match_block(block, &root, 1);
                }
            });
            if known != Some(service) {
                // Checked like everything, but it is not what runs here.
                lowering.out.rules.truncate(first_rule);
            }
        }
    });
    lowering.check_calls();
    lowering.out.rules.sort_by_key(|rule| rule.span.start);
    lowering.out
}

struct Declared {
    name: ast::Name,
    parameters: usize,
    used: bool,
}

struct Local {
    name: String,
    span: Span,
    used: bool,
}

struct Lowering<'d> {
    service: Service,
    /// An unknown service has no methods.
    is_service_known: bool,
    version: Version,
    out: Lowered,
    declared: Vec<Declared>,
    scopes: Vec<HashMap<String, usize>>,
    captures: Vec<String>,
    locals: Vec<Local>,
    /// The function whose body is being lowered.
    current: Option<usize>,
    /// Caller, callee, place.
    calls: Vec<(usize, usize, Span)>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Lowering<'_> {
    fn tell(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < DIAGNOSTICS_TOLD_MAX || diagnostic.severity == Severity::Error {
            self.diagnostics.push(diagnostic);
        }
    }

    fn exprs(&mut self, exprs: &[ast::Expr]) -> Vec<Expr<Rules>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn boxed(&mut self, expr: &ast::Expr) -> Box<Expr<Rules>> {
        Box::new(self.expr(expr))
    }

    fn expr(&mut self, expr: &ast::Expr) -> Expr<Rules> {
        let kind = match &expr.kind {
            ast::Kind::Literal(value) => Kind::Constant(value.clone()),
            ast::Kind::Broken => Kind::Constant(Value::Null),
            ast::Kind::Variable(name) => self.variable(name, expr.at),
            ast::Kind::Member(object, name) => {
                let object = self.boxed(object);
                match (&object.kind, name.text.as_str()) {
                    (Kind::Global(Global::Request), "auth") => Kind::Global(Global::RequestAuth),
                    (Kind::Global(Global::Request), "resource") => Kind::Global(Global::RequestResource),
                    (_, name) => Kind::Member(object, name.into()),
                }
            }
            ast::Kind::Index(object, index) => Kind::Index(self.boxed(object), self.boxed(index)),
            ast::Kind::Slice(object, start, end) => {
                let mut bound =
                    |bound: &Option<Box<ast::Expr>>| bound.as_ref().map(|bound| self.boxed(bound));
                let (start, end) = (bound(start), bound(end));
                Kind::Slice(self.boxed(object), start, end)
            }
            ast::Kind::Call(callee, arguments) => self.call(callee, arguments),
            ast::Kind::Not(operand) => Kind::Not(self.boxed(operand)),
            ast::Kind::Negate(operand) => Kind::Negate(self.boxed(operand)),
            ast::Kind::Binary(op, left, right) => {
                if let Some(diagnostic) = warnings::membership(*op, right) {
                    self.tell(diagnostic);
                }
                Kind::Binary(*op, self.boxed(left), self.boxed(right))
            }
            ast::Kind::And(operands) => Kind::And(self.exprs(operands)),
            ast::Kind::Or(operands) => Kind::Or(self.exprs(operands)),
            ast::Kind::Condition(test, yes, no) => {
                Kind::Condition(self.boxed(test), self.boxed(yes), self.boxed(no))
            }
            ast::Kind::Is(value, name) => match Type::named(&name.text) {
                Some(type_) => Kind::Is(self.boxed(value), type_),
                // The parser has told.
                None => Kind::Constant(Value::Null),
            },
            ast::Kind::List(items) => Kind::List(self.exprs(items)),
            ast::Kind::Map(entries) => {
                Kind::Map(entries.iter().map(|(key, value)| (self.expr(key), self.expr(value))).collect())
            }
            ast::Kind::Path(parts) => self.path(expr, parts),
        };
        Expr { kind: fold(kind), span: expr.span, at: expr.at }
    }

    fn local(&mut self, name: &str) -> Option<usize> {
        let slot = self.locals.iter().position(|local| local.name == name)?;
        if let Some(local) = self.locals.get_mut(slot) {
            local.used = true;
        }
        Some(slot)
    }

    fn capture(&self, name: &str) -> Option<usize> {
        self.captures.iter().rposition(|capture| capture == name)
    }

    fn variable(&mut self, name: &str, span: Span) -> Kind<Rules> {
        if let Some(slot) = self.local(name) {
            return Kind::Local(slot);
        }
        if let Some(index) = self.capture(name) {
            return Kind::Capture(index);
        }
        match name {
            "request" => Kind::Global(Global::Request),
            "resource" => Kind::Global(Global::Resource),
            name if self.is_namespace(name) => {
                let message = format!("{name} is a package and cannot be used as variable name.");
                self.tell(Diagnostic::error("package-name", span, message));
                Kind::UnknownVariable(name.into())
            }
            _ => {
                let known = self.locals.iter().map(|local| local.name.as_str());
                let known =
                    known.chain(self.captures.iter().map(String::as_str)).chain(["request", "resource"]);
                let near = nearest(name, known).map(str::to_owned);
                let message = format!("Invalid variable name: {name}.");
                let mut diagnostic = Diagnostic::warning("unknown-variable", span, message);
                diagnostic = match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => {
                        diagnostic.help("there is no such variable here: the expression fails and denies")
                    }
                };
                self.tell(diagnostic);
                Kind::UnknownVariable(name.into())
            }
        }
    }

    /// Whether a name is a package of functions here.
    fn is_namespace(&self, name: &str) -> bool {
        NAMESPACES.contains(&name) && (name != "firestore" || self.service == Service::Storage)
    }

    fn call(&mut self, callee: &ast::Expr, arguments: &[ast::Expr]) -> Kind<Rules> {
        match &callee.kind {
            ast::Kind::Variable(name) => self.plain_call(name, callee.span, arguments),
            ast::Kind::Member(object, name) => {
                if let ast::Kind::Variable(space) = &object.kind {
                    let hidden =
                        self.locals.iter().any(|local| local.name == *space) || self.capture(space).is_some();
                    if self.is_namespace(space) && !hidden {
                        return self.builtin(&format!("{space}.{}", name.text), name, arguments);
                    }
                }
                self.method(object, name, arguments)
            }
            // An error already told.
            _ => Kind::Constant(Value::Null),
        }
    }

    fn plain_call(&mut self, name: &str, span: Span, arguments: &[ast::Expr]) -> Kind<Rules> {
        let Some(index) = self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied() else {
            return self.builtin(name, &ast::Name { text: name.to_owned(), span }, arguments);
        };
        let lowered = self.exprs(arguments);
        if let Some(caller) = self.current {
            self.calls.push((caller, index, span));
        }
        let Some(declared) = self.declared.get_mut(index) else { return Kind::Constant(Value::Null) };
        declared.used = true;
        if declared.parameters != lowered.len() {
            let help = format!(
                "it takes {}, not {}: this call fails and denies",
                declared.parameters,
                lowered.len()
            );
            let place = declared.name.span;
            let warning = warnings::argument_count(name, span).help(help);
            self.tell(warning.label(place, "declared here"));
            return Kind::UnknownFunction(name.into(), lowered);
        }
        Kind::Call(index, lowered)
    }

    /// A function of the language, by its whole name.
    fn builtin(&mut self, whole: &str, name: &ast::Name, arguments: &[ast::Expr]) -> Kind<Rules> {
        let lowered = self.exprs(arguments);
        let service = self.service;
        match Function::named(whole).filter(|function| function.is_in(service)) {
            Some(function) => {
                let warning = warnings::call(whole, name, arguments.len());
                warning
                    .into_iter()
                    .chain(warnings::path_argument(function, arguments))
                    .for_each(|warning| self.tell(warning));
                Kind::Function(function, lowered)
            }
            None => {
                let scopes = self.scopes.iter().flat_map(|scope| scope.keys().map(String::as_str));
                let known = Function::NAMES.iter().copied();
                let known = known
                    .filter(|name| Function::named(name).is_some_and(|function| function.is_in(service)));
                let near = nearest(whole, scopes.chain(known)).map(str::to_owned);
                let message = format!("Invalid function name: {whole}.");
                let mut diagnostic = Diagnostic::warning("unknown-function", name.span, message);
                diagnostic = match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("there is no such function: the call fails and denies"),
                };
                self.tell(diagnostic);
                Kind::UnknownFunction(whole.into(), lowered)
            }
        }
    }

    fn method(&mut self, object: &ast::Expr, name: &ast::Name, arguments: &[ast::Expr]) -> Kind<Rules> {
        let receiver = self.boxed(object);
        let lowered = self.exprs(arguments);
        let Some(method) = Method::named(&name.text) else {
            let message = format!("Invalid function name: {}.", name.text);
            let help = match nearest(&name.text, Method::NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "there is no such method: the call fails and denies".to_owned(),
            };
            let diagnostic = Diagnostic::warning("unknown-method", name.span, message).help(help);
            self.tell(diagnostic);
            return Kind::UnknownMethod(receiver, name.text.as_str().into(), lowered);
        };
        warnings::method_call(name, arguments.len()).into_iter().for_each(|warning| self.tell(warning));
        // The official compiler looks at what is written, not at what is computed.
        let pattern = match (method, arguments.first().map(|first| &first.kind)) {
            (
                Method::Matches | Method::Split | Method::Replace,
                Some(ast::Kind::Literal(Value::String(pattern))),
            ) => Some(pattern),
            _ => None,
        };
        let regex = match pattern.map(|pattern| Regex::new(pattern)) {
            Some(Ok(regex)) => Some(Box::new(regex)),
            Some(Err(error)) => {
                let span = arguments.first().map_or(name.span, |argument| argument.span);
                self.tell(warnings::pattern(method, span, pattern.map_or("", String::as_str), &error));
                None
            }
            None => None,
        };
        Kind::Method(receiver, method, lowered, regex)
    }
}
