//! Gives names and types their meaning: from the tree to a [`Program`], or to diagnostics in cel-go's words.

mod calls;

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::re2::Regex;
use crate::source::{Source, Span};

use super::ast::{Expr, Item, Kind};
use super::environment::Environment;
use super::library::{self, Function, Overload};
use super::program::{Access, Node, Op, Program, binary};
use super::types::{Bindings, Type};
use super::value::Constant;
use super::{Compiled, parser};

/// Remarks about one expression.
const DIAGNOSTICS_MAX: usize = 20;

pub(super) struct Checker<'e> {
    pub environment: &'e Environment,
    pub diagnostics: Vec<Diagnostic>,
    /// Variables of macros, outermost first: their positions are those of the evaluation.
    pub locals: Vec<(String, Type)>,
    pub bindings: Bindings,
    /// The positions of the environment's variables that were named.
    pub named: BTreeSet<usize>,
}

/// Reads and checks one expression.
pub fn compile(source: Source, environment: &Environment) -> Compiled {
    let (expr, diagnostics) = parser::parse(&source.text);
    if !diagnostics.is_empty() {
        return Compiled { program: None, diagnostics };
    }
    let mut checker = Checker {
        environment,
        diagnostics,
        locals: Vec::new(),
        bindings: Bindings::default(),
        named: BTreeSet::new(),
    };
    let (root, result) = checker.expr(&expr);
    let result = checker.finish(&result);
    let named = checker.named.into_iter().collect();
    let mut diagnostics = checker.diagnostics;
    if !diagnostics.is_empty() {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span);
        diagnostics.truncate(DIAGNOSTICS_MAX);
        return Compiled { program: None, diagnostics };
    }
    let supplied = environment.supplied.iter().map(|(name, _)| name.clone()).collect();
    Compiled { program: Some(Program { source, root, result, supplied, named }), diagnostics }
}

impl Checker<'_> {
    /// What is still to be found out at the end is known only when evaluated.
    fn finish(&self, of: &Type) -> Type {
        match self.bindings.resolve(of) {
            Type::Param(_) => Type::Dyn,
            other => other.map_parts(&mut |part| self.finish(part)),
        }
    }

    /// An error: told when types are checked, otherwise an error of the evaluation.
    pub fn error(&mut self, span: Span, at: u32, code: &'static str, message: String) -> (Node, Type) {
        if self.environment.checked {
            let place = Span { start: at, end: span.end.max(at) };
            self.diagnostics.push(Diagnostic::error(code, place, message.clone()));
        }
        (Node { span, op: Op::Fail(message) }, Type::Error)
    }

    /// An error of the text, whether types are checked or not.
    pub fn refuse(&mut self, expr: &Expr, message: &str) -> (Node, Type) {
        let place = Span { start: expr.at, end: expr.span.end.max(expr.at) };
        self.diagnostics.push(Diagnostic::error("macro", place, message));
        (Node { span: expr.span, op: Op::Fail(message.to_owned()) }, Type::Error)
    }

    pub fn expr(&mut self, expr: &Expr) -> (Node, Type) {
        let span = expr.span;
        match &expr.kind {
            Kind::Broken => (Node { span, op: Op::Fail("broken".to_owned()) }, Type::Error),
            Kind::Literal(constant) => {
                (Node { span, op: Op::Constant(constant.clone()) }, constant_type(constant))
            }
            Kind::Name(name, dotted) => match self.variable(name, *dotted) {
                Some((op, of)) => (Node { span, op }, of),
                None => {
                    let message = format!(
                        "undeclared reference to '{name}' (in container '{}')",
                        self.environment.container
                    );
                    let told = self.error(span, expr.at, "undeclared", message);
                    self.suggest(name);
                    told
                }
            },
            Kind::Field { object, name, optional } => {
                if let Some((op, of)) = self.qualified(expr) {
                    return (Node { span, op }, of);
                }
                let access = if *optional { Access::Optional } else { Access::Plain };
                self.field(expr, object, name, access)
            }
            Kind::Index { object, index, optional } => {
                let (object, object_type) = self.expr(object);
                let (index, index_type) = self.expr(index);
                let object_type = self.unwrap_null(&object_type);
                let name = if *optional { "_[?_]" } else { "_[_]" };
                let of = self.operator(expr, name, &[object_type, index_type]);
                let access = if *optional { Access::Optional } else { Access::Plain };
                (Node { span, op: Op::Index(Box::new((object, index)), access) }, of)
            }
            Kind::Call { receiver, name, arguments } => self.call(expr, receiver.as_deref(), name, arguments),
            Kind::Operator(name, operands) => self.operation(expr, name, operands),
            Kind::And(parts) => {
                let parts = self.booleans(expr, "_&&_", parts);
                (Node { span, op: Op::And(parts) }, Type::Bool)
            }
            Kind::Or(parts) => {
                let parts = self.booleans(expr, "_||_", parts);
                (Node { span, op: Op::Or(parts) }, Type::Bool)
            }
            Kind::List(items) => self.list(span, items),
            Kind::Map(entries) => self.map(span, entries),
        }
    }

    fn booleans(&mut self, expr: &Expr, name: &'static str, parts: &[Expr]) -> Vec<Node> {
        let (nodes, types): (Vec<_>, Vec<_>) = parts.iter().map(|part| self.expr(part)).unzip();
        let mut left = Type::Bool;
        for right in types.into_iter().enumerate() {
            if right.0 == 0 {
                left = right.1;
                continue;
            }
            if self.operator(expr, name, &[left, right.1]) == Type::Error {
                break;
            }
            left = Type::Bool;
        }
        nodes
    }

    fn list(&mut self, span: Span, items: &[Item]) -> (Node, Type) {
        let mut joined: Option<Type> = None;
        let mut nodes = Vec::new();
        for item in items {
            let (node, of) = self.item(&item.expr, item.optional);
            joined = Some(self.join(joined, of));
            nodes.push((node, item.optional));
        }
        let item = joined.unwrap_or_else(|| self.bindings.fresh());
        let constant = |(node, optional): &(Node, bool)| match &node.op {
            Op::Constant(constant) if !optional => Some(constant.clone()),
            _ => None,
        };
        let constants: Option<Box<[Constant]>> = nodes.iter().map(constant).collect();
        let op = match constants {
            Some(constants) => Op::Constant(Constant::List(constants)),
            None => Op::List(nodes),
        };
        let of = self.bindings.resolve(&Type::list(item));
        (Node { span, op }, of)
    }

    fn map(&mut self, span: Span, entries: &[(Item, Expr)]) -> (Node, Type) {
        let (mut keys, mut values): (Option<Type>, Option<Type>) = (None, None);
        let mut nodes = Vec::new();
        for (key, value) in entries {
            let (key_node, key_type) = self.expr(&key.expr);
            let (value_node, value_type) = self.item(value, key.optional);
            keys = Some(self.join(keys, key_type));
            values = Some(self.join(values, value_type));
            nodes.push((key_node, value_node, key.optional));
        }
        let keys = keys.unwrap_or_else(|| self.bindings.fresh());
        let values = values.unwrap_or_else(|| self.bindings.fresh());
        let of = self.bindings.resolve(&Type::map(keys, values));
        (Node { span, op: Op::Map(nodes) }, of)
    }

    /// The type of an item is what its optional holds when it is one.
    fn item(&mut self, expr: &Expr, optional: bool) -> (Node, Type) {
        let (node, of) = self.expr(expr);
        if !optional {
            return (node, of);
        }
        let inner = self.bindings.fresh();
        if self.bindings.assignable(&Type::optional(inner.clone()), &of) {
            return (node, self.bindings.resolve(&inner));
        }
        let message = format!("expected type 'optional_type(dyn)' but found '{}'", self.finish(&of));
        self.error(expr.span, expr.at, "type", message)
    }

    /// The type of items of both types; of unlike ones, known only when evaluated.
    fn join(&mut self, before: Option<Type>, next: Type) -> Type {
        let Some(before) = before else { return next };
        if !self.bindings.assignable(&before, &next) {
            return Type::Dyn;
        }
        if self.bindings.is_more_general(&next, &before) { next } else { before }
    }

    fn operation(&mut self, expr: &Expr, name: &'static str, operands: &[Expr]) -> (Node, Type) {
        let span = expr.span;
        let (nodes, types): (Vec<_>, Vec<_>) = operands.iter().map(|operand| self.expr(operand)).unzip();
        let of = self.operator(expr, name, &types);
        let mut nodes = nodes.into_iter();
        let op = match (nodes.next(), nodes.next(), nodes.next(), binary(name)) {
            (Some(a), Some(b), _, Some(binary)) => Op::Binary(binary, Box::new((a, b))),
            (Some(a), Some(b), Some(c), _) => Op::Condition(Box::new((a, b, c))),
            (Some(a), ..) if name == "!_" => Op::Not(Box::new(a)),
            (Some(a), ..) => Op::Negate(Box::new(a)),
            _ => Op::Fail("no operands".to_owned()),
        };
        (Node { span, op }, of)
    }

    fn operator(&mut self, expr: &Expr, name: &'static str, types: &[Type]) -> Type {
        self.resolve_overload(expr, name, library::operator(name), types, false)
    }

    /// The result of the overloads that fit.
    pub fn resolve_overload(
        &mut self,
        expr: &Expr,
        name: &str,
        overloads: &[Overload],
        types: &[Type],
        receiver: bool,
    ) -> Type {
        let mut found: Option<Type> = None;
        for overload in overloads {
            if overload.receiver != receiver || overload.parameters.len() != types.len() {
                continue;
            }
            let base = self.bindings.len();
            let mark = self.bindings.mark();
            let fits = overload.parameters.iter().zip(types).all(|(wanted, given)| {
                let wanted = self.bindings.instance(wanted, base);
                self.bindings.assignable(&wanted, given)
            });
            if !fits {
                self.bindings.rewind(mark);
                continue;
            }
            let result = self.bindings.instance(&overload.result, base);
            let result = self.bindings.resolve(&result);
            match &found {
                None => found = Some(result),
                Some(before) if *before == result => {}
                Some(_) => return Type::Dyn,
            }
        }
        if let Some(found) = found {
            return found;
        }
        if !types.contains(&Type::Error) {
            let shown: Vec<String> = types.iter().map(|of| self.finish(of).to_string()).collect();
            let shown = match (receiver, shown.split_first()) {
                (true, Some((first, rest))) => format!("{first}.({})", rest.join(", ")),
                _ => format!("({})", shown.join(", ")),
            };
            let message = format!("found no matching overload for '{name}' applied to '{shown}'");
            self.error(expr.span, expr.at, "overload", message);
        }
        Type::Error
    }

    fn unwrap_null(&self, of: &Type) -> Type {
        match self.bindings.resolve(of) {
            Type::Nullable(inner) => *inner,
            other => other,
        }
    }

    pub fn field(&mut self, expr: &Expr, object: &Expr, name: &str, access: Access) -> (Node, Type) {
        let (node, of) = self.expr(object);
        let of = self.unwrap_null(&of);
        let (inner, in_optional) = match &of {
            Type::Optional(inner) => (self.unwrap_null(inner), true),
            _ => (of.clone(), false),
        };
        let field = match &inner {
            Type::Dyn | Type::Error => Type::Dyn,
            Type::Param(_) => {
                self.bindings.assignable(&inner, &Type::Dyn);
                Type::Dyn
            }
            Type::Map(_, value) => (**value).clone(),
            Type::Record(record) => match record.fields.iter().find(|(known, _)| known == name) {
                Some((_, of)) => of.clone(),
                None => {
                    let told = self.error(
                        expr.span,
                        expr.at,
                        "undefined-field",
                        format!("undefined field '{name}'"),
                    );
                    self.suggest_from(name, record.fields.iter().map(|(known, _)| known.as_str()));
                    return told;
                }
            },
            other => {
                let message = format!("type '{}' does not support field selection", self.finish(other));
                return self.error(expr.span, expr.at, "field-selection", message);
            }
        };
        let result = match access {
            Access::Test => Type::Bool,
            Access::Optional => Type::optional(field),
            Access::Plain if in_optional => Type::optional(field),
            Access::Plain => field,
        };
        (Node { span: expr.span, op: Op::Field(Box::new(node), name.into(), access) }, result)
    }

    /// `a.b.c` when the whole is one declared name. A macro's variable comes before all of them.
    fn qualified(&mut self, expr: &Expr) -> Option<(Op, Type)> {
        let (name, dotted) = qualified_name(expr)?;
        if !dotted && self.is_local(name.split('.').next()?) {
            return None;
        }
        self.variable(&name, dotted)
    }

    pub fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|(known, _)| known == name)
    }

    /// The names to look for, from the innermost namespace out.
    fn candidates(&self, name: &str, dotted: bool) -> Vec<String> {
        let mut candidates = Vec::new();
        let mut container = self.environment.container.as_str();
        while !container.is_empty() && !dotted {
            candidates.push(format!("{container}.{name}"));
            container = container.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
        candidates.push(name.to_owned());
        candidates
    }

    fn variable(&mut self, name: &str, dotted: bool) -> Option<(Op, Type)> {
        if !dotted && let Some(index) = self.locals.iter().rposition(|(known, _)| known == name) {
            let of = self.locals.get(index).map_or(Type::Dyn, |(_, of)| of.clone());
            return Some((Op::Local(index), of));
        }
        for candidate in self.candidates(name, dotted) {
            if let Some(index) = self.environment.position(&candidate) {
                let of = self.environment.variables.get(index).map_or(Type::Dyn, |(_, of)| of.clone());
                self.named.insert(index);
                return Some((Op::Variable(index), of));
            }
            let constants = &self.environment.constants;
            if let Some((_, constant)) = constants.iter().find(|(known, _)| *known == candidate) {
                return Some((Op::Constant(constant.clone()), constant_type(constant)));
            }
            if let Some(of) = named_type(&candidate) {
                return Some((Op::Constant(Constant::Type(candidate.into())), Type::Type(Box::new(of))));
            }
        }
        None
    }

    fn suggest(&mut self, name: &str) {
        let environment = self.environment;
        let known = environment.variables.iter().map(|(known, _)| known.as_str());
        self.suggest_from(name, known);
        let types = ["float", "number", "boolean", "timestamp", "duration"];
        if types.contains(&name)
            && self.environment.checked
            && let Some(last) = self.diagnostics.last_mut()
        {
            let help = "types are named bool, int, uint, double, string, bytes, list, map, null_type, \
                        google.protobuf.Timestamp and google.protobuf.Duration";
            last.help.get_or_insert_with(|| help.to_owned());
        }
    }

    fn suggest_from<'n>(&mut self, name: &str, known: impl Iterator<Item = &'n str>) {
        let near = crate::syntax::nearest(name, known);
        if let Some(near) = near
            && self.environment.checked
            && let Some(last) = self.diagnostics.last_mut()
        {
            last.help = Some(format!("did you mean `{near}`?"));
        }
    }
}

/// `a.b.c` as one name, and whether it begins with a dot.
pub(super) fn qualified_name(expr: &Expr) -> Option<(String, bool)> {
    let mut parts = Vec::new();
    let mut expr = expr;
    loop {
        match &expr.kind {
            Kind::Name(name, dotted) => {
                parts.push(name.as_str());
                parts.reverse();
                return Some((parts.join("."), *dotted));
            }
            Kind::Field { object, name, optional: false } => {
                parts.push(name);
                expr = object;
            }
            _ => return None,
        }
    }
}

fn constant_type(constant: &Constant) -> Type {
    match constant {
        Constant::Null => Type::Null,
        Constant::Bool(_) => Type::Bool,
        Constant::Int(_) => Type::Int,
        Constant::Uint(_) => Type::Uint,
        Constant::Double(_) => Type::Double,
        Constant::Str(_) => Type::String,
        Constant::Bytes(_) => Type::Bytes,
        Constant::Type(_) => Type::Type(Box::new(Type::Dyn)),
        Constant::List(_) => Type::list(Type::Dyn),
    }
}

/// Types that have a name in expressions.
fn named_type(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "null_type" => Type::Null,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "type" => Type::Type(Box::new(Type::Dyn)),
        "google.protobuf.Timestamp" => Type::Timestamp,
        "google.protobuf.Duration" => Type::Duration,
        "optional_type" => Type::optional(Type::Dyn),
        "net.IP" => Type::Named("net.IP"),
        "net.CIDR" => Type::Named("net.CIDR"),
        _ => return None,
    })
}
