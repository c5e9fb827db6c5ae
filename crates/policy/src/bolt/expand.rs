//! Expands expressions: functions are inlined, names replaced, places in the database spelled with `child()`.
//!
//! It happens twice for every rule, as in the original: first without knowing which place `this` is, then with it.
//! `prior()`, `key()` and `root` have a meaning only the second time.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::EXPRESSION_DEPTH_MAX;
use super::ast::{Exp, Kind, Node, Operator};
use super::generate::{Generator, Run};
use super::print;

/// Expressions visited for one file. Inlining can double a text with every function.
const EXPANSION_STEPS_MAX: usize = 400_000;
/// Expressions within expressions, called functions included.
const EVALUATION_DEPTH_MAX: usize = EXPRESSION_DEPTH_MAX + 50;

/// Names and what they stand for.
pub type Bindings = HashMap<Rc<str>, Exp>;

/// Where an expression is expanded.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whether `this` is what was there before the write.
    pub prior: bool,
    /// The labels from the root.
    pub path: Vec<Rc<str>>,
}

/// Methods of a value: `snapshot.method` means `snapshot.val().method`.
const VALUE_METHODS: &[&str] = &[
    "length",
    "includes",
    "startsWith",
    "beginsWith",
    "endsWith",
    "replace",
    "toLowerCase",
    "toUpperCase",
    "test",
    "contains",
    "matches",
];
const SNAPSHOT_METHODS: &[&str] =
    &["parent", "child", "hasChildren", "val", "isString", "isNumber", "isBoolean"];

/// Bolt's own methods of `String`: their parameters besides `this`, and the method of the rules they stand for.
const STRING_METHODS: &[(&str, usize, &str)] = &[
    ("validate", 0, "isString"),
    ("includes", 1, "contains"),
    ("startsWith", 1, "beginsWith"),
    ("endsWith", 1, "endsWith"),
    ("replace", 2, "replace"),
    ("test", 1, "matches"),
];

/// Bolt's own functions.
#[derive(Clone, Copy, Debug)]
enum Builtin {
    Regexp,
    This,
    Root,
    Prior,
    Key,
}

enum Callee {
    Builtin(Builtin, usize),
    Function { name: String, parameters: Vec<Rc<str>>, body: Exp, this: Option<Exp> },
}

impl Generator<'_> {
    /// Expands an expression once.
    pub(super) fn evaluate(
        &mut self,
        exp: &Exp,
        bindings: &Bindings,
        calls: &mut HashSet<String>,
    ) -> Run<Exp> {
        self.steps += 1;
        if self.steps > EXPANSION_STEPS_MAX {
            return self.limit(
                exp.span,
                format!("expanding the functions takes more than {EXPANSION_STEPS_MAX} steps"),
            );
        }
        if self.depth >= EVALUATION_DEPTH_MAX {
            return self.limit(
                exp.span,
                format!("expressions and calls are nested more than {EVALUATION_DEPTH_MAX} levels deep"),
            );
        }
        self.depth += 1;
        let result = self.evaluate_node(exp, bindings, calls);
        self.depth -= 1;
        let result = result?;
        if result.depth > EXPRESSION_DEPTH_MAX {
            return self.limit(exp.span, format!("this expands to more than {EXPRESSION_DEPTH_MAX} levels"));
        }
        Ok(result)
    }

    fn evaluate_node(&mut self, exp: &Exp, bindings: &Bindings, calls: &mut HashSet<String>) -> Run<Exp> {
        match &exp.kind {
            Kind::Operation { operator, operands } => {
                self.evaluate_operation(exp, *operator, operands, bindings, calls)
            }
            Kind::Variable(name) => Ok(match bindings.get(name) {
                // What nobody wrote stands where it is used.
                Some(bound) if bound.span == crate::source::Span::default() => {
                    Node::with(bound.kind.clone(), exp.span, bound.snapshot)
                }
                Some(bound) => bound.clone(),
                None if &**name == "root" => {
                    Node::call(Node::variable("@root", exp.span), Vec::new(), exp.span)
                }
                None => exp.clone(),
            }),
            Kind::Member { base, accessor } => self.evaluate_member(exp, base, accessor, bindings, calls),
            Kind::Call { function, arguments } => {
                self.evaluate_call(exp, function, arguments, bindings, calls)
            }
            _ => Ok(exp.clone()),
        }
    }

    fn evaluate_operation(
        &mut self,
        exp: &Exp,
        operator: Operator,
        operands: &[Exp],
        bindings: &Bindings,
        calls: &mut HashSet<String>,
    ) -> Run<Exp> {
        let mut expanded = Vec::with_capacity(operands.len());
        for (index, operand) in operands.iter().enumerate() {
            let operand = self.evaluate(operand, bindings, calls)?;
            let boolean = match operator {
                Operator::And | Operator::Or | Operator::Not => true,
                Operator::Conditional => index == 0,
                _ => false,
            };
            expanded.push(if boolean { operand.ensure_boolean() } else { operand.ensure_value() });
        }
        Ok(Node::with(Kind::Operation { operator, operands: expanded }, exp.span, exp.snapshot))
    }

    fn evaluate_member(
        &mut self,
        exp: &Exp,
        base: &Exp,
        accessor: &Exp,
        bindings: &Bindings,
        calls: &mut HashSet<String>,
    ) -> Run<Exp> {
        let base = self.evaluate(base, bindings, calls)?;
        let member = |base, accessor| Node::with(Kind::Member { base, accessor }, exp.span, exp.snapshot);
        if !base.snapshot {
            let accessor = self.evaluate(accessor, bindings, calls)?;
            return Ok(member(base, accessor));
        }
        match accessor.as_text() {
            Some(name) if VALUE_METHODS.contains(&name) => {
                // The original expands here once more what it has expanded: names that were free may be bound now.
                let base = self.evaluate(&base, bindings, calls)?.ensure_value();
                return Ok(member(base, accessor.clone()));
            }
            Some(name) if SNAPSHOT_METHODS.contains(&name) => return Ok(member(base, accessor.clone())),
            _ => {}
        }
        let accessor = self.evaluate(accessor, bindings, calls)?.ensure_value();
        Ok(Node::method(base, "child", vec![accessor], exp.span).cast(true))
    }

    fn evaluate_call(
        &mut self,
        exp: &Exp,
        function: &Exp,
        arguments: &[Exp],
        bindings: &Bindings,
        calls: &mut HashSet<String>,
    ) -> Run<Exp> {
        let function = self.evaluate(function, bindings, calls)?;
        match self.callee(&function) {
            Some(Callee::Builtin(builtin, arity)) => {
                if arguments.len() != arity {
                    self.wrong_count(
                        exp,
                        print::expression(&function).unwrap_or_default().as_str(),
                        arity,
                        arguments.len(),
                    );
                    return Ok(exp.clone());
                }
                self.call_builtin(builtin, exp, arguments, bindings)
            }
            Some(Callee::Function { name, parameters, body, this }) => {
                let arguments: Vec<Exp> =
                    this.iter().map(|this| this.ensure_value()).chain(arguments.iter().cloned()).collect();
                if arguments.len() != parameters.len() {
                    self.wrong_count(exp, &name, parameters.len(), arguments.len());
                    return Ok(exp.clone());
                }
                let mut inner = Bindings::new();
                for (parameter, argument) in parameters.into_iter().zip(&arguments) {
                    inner.insert(parameter, self.evaluate(argument, bindings, calls)?);
                }
                if !calls.insert(name.clone()) {
                    return self.stop(exp.span, format!("Recursive function call. ({name})"));
                }
                let result = self.evaluate(&body, &inner, calls)?;
                calls.remove(&name);
                Ok(result)
            }
            None => {
                let mut expanded = Vec::with_capacity(arguments.len());
                let call = Node::call(function.clone(), Vec::new(), exp.span);
                if self.place.is_some()
                    && let Some(name) = call.called_name()
                    && !name.is_empty()
                    && !is_known_method(name)
                {
                    let shown = print::expression(&function).unwrap_or_default();
                    self.fatal(exp.span, format!("Undefined function: {shown}"));
                }
                for argument in arguments {
                    expanded.push(self.evaluate(argument, bindings, calls)?);
                }
                let snapshot = exp.snapshot || call.called_name() == Some("parent");
                let kind = Kind::Call { function, arguments: expanded };
                Ok(Node::with(kind, exp.span, snapshot))
            }
        }
    }

    fn wrong_count(&mut self, exp: &Exp, name: &str, expected: usize, found: usize) {
        let message = format!(
            "Incorrect number of function arguments. ( {name} expects {expected} but actually passed {found})"
        );
        self.fatal(exp.span, message);
    }

    fn callee(&self, function: &Exp) -> Option<Callee> {
        match &function.kind {
            Kind::Variable(name) => {
                let placed = self.place.is_some();
                let builtin = match &**name {
                    "@RegExp" => Some((Builtin::Regexp, 1)),
                    "@getThis" if placed => Some((Builtin::This, 0)),
                    "@root" if placed => Some((Builtin::Root, 0)),
                    "prior" if placed => Some((Builtin::Prior, 1)),
                    "key" if placed => Some((Builtin::Key, 0)),
                    _ => None,
                };
                if let Some((builtin, arity)) = builtin {
                    return Some(Callee::Builtin(builtin, arity));
                }
                let function = self.file.functions.get(name)?;
                Some(Callee::Function {
                    name: name.to_string(),
                    parameters: function.parameters.clone(),
                    body: function.body.clone(),
                    this: None,
                })
            }
            Kind::Member { base, accessor } => {
                if matches!(base.kind, Kind::Operation { operator: Operator::Value, .. }) {
                    return None;
                }
                string_method(accessor.as_text()?, base)
            }
            _ => None,
        }
    }

    fn call_builtin(
        &mut self,
        builtin: Builtin,
        exp: &Exp,
        arguments: &[Exp],
        bindings: &Bindings,
    ) -> Run<Exp> {
        let prior = self.place.as_ref().is_some_and(|place| place.prior);
        let this = if prior { "data" } else { "newData" };
        match (builtin, arguments) {
            (Builtin::Regexp, [argument]) => {
                let argument = self.evaluate(argument, bindings, &mut HashSet::new())?;
                if !matches!(argument.kind, Kind::Regexp { .. }) {
                    let shown = print::expression(&argument).unwrap_or_default();
                    return self.stop(argument.span, format!("Cannot convert value: {shown} => RegExp"));
                }
                Ok(argument)
            }
            (Builtin::Prior, [argument]) => {
                self.set_prior(true);
                let result = self.evaluate(argument, bindings, &mut HashSet::new())?;
                self.set_prior(prior);
                Ok(result)
            }
            (Builtin::Key, _) => {
                let label = self.place.as_ref().and_then(|place| place.path.last());
                let label: Rc<str> = label.cloned().unwrap_or_else(|| "".into());
                Ok(if label.starts_with('$') {
                    Node::literal(label, exp.span)
                } else {
                    Node::text(label, exp.span)
                })
            }
            (Builtin::Root, _) if !prior => {
                let parents = self.place.as_ref().map_or(0, |place| place.path.len());
                let mut root = Node::variable(this, exp.span).cast(true);
                for _ in 0..parents {
                    root = Node::method(root.cast(false), "parent", Vec::new(), exp.span).cast(true);
                }
                Ok(root)
            }
            (Builtin::Root, _) => Ok(Node::variable("root", exp.span).cast(true)),
            _ => Ok(Node::variable(this, exp.span).cast(true)),
        }
    }

    fn set_prior(&mut self, prior: bool) {
        if let Some(place) = &mut self.place {
            place.prior = prior;
        }
    }
}

fn is_known_method(name: &str) -> bool {
    VALUE_METHODS.contains(&name)
        || SNAPSHOT_METHODS.contains(&name)
        || STRING_METHODS.iter().any(|(known, ..)| *known == name)
}

/// A method of `String` as a function whose first parameter is `this`.
fn string_method(name: &str, base: &Exp) -> Option<Callee> {
    let (name, count, meaning) = STRING_METHODS.iter().find(|(known, ..)| *known == name)?;
    let span = base.span;
    let this = Node::variable("this", span);
    let value = |exp: Exp| Node::operation(Operator::Value, vec![exp], span);
    let parameters: Vec<Rc<str>> = ["s", "r"].iter().take(*count).map(|name| Rc::from(*name)).collect();
    let arguments = parameters.iter().map(|parameter| {
        let parameter = Node::variable(parameter.clone(), span);
        if *name == "test" {
            Node::call(Node::variable("@RegExp", span), vec![parameter], span)
        } else {
            value(parameter)
        }
    });
    let target = if *name == "validate" { this } else { value(this) };
    let body = Node::method(target, meaning, arguments.collect(), span);
    let parameters = std::iter::once(Rc::from("this")).chain(parameters).collect();
    Some(Callee::Function { name: format!("String.{name}"), parameters, body, this: Some(base.clone()) })
}
