//! Checks the names and types of an expression and lowers it to the evaluator's tree.
//!
//! Source: texts of the live service's uploads. What the service accepts although it can never work is accepted here
//! too: claims and values of the database have no type before the rule runs.

use base::Value;

use super::ast::{self, Kind};
use super::language::{Condition, Global, Method, QUERY_FIELDS, Rtdb, RuleKind};
use super::pattern;
use crate::diagnostic::Diagnostic;
use crate::ir::{self, Binary};
use crate::source::{Source, Span};
use crate::syntax::nearest;

/// What is known about a value before the rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// Nothing: a claim, or null.
    Any,
    /// A value of the database: it may have any type, but no members.
    Value,
    Bool,
    Number,
    Text,
    /// Text that stands in the rule.
    Literal,
    /// `auth.uid`: text or null.
    Uid,
    Null,
    Snapshot,
    Query,
    /// `query.orderByChild`
    Ordering,
    /// A method that is not called.
    Method,
}

/// A `$name` and the index of the path's key it stands for.
pub type Capture = (String, usize);

/// Lowers one rule. Warnings are added to `diagnostics`.
pub fn check(
    expr: &ast::Expr,
    rule: RuleKind,
    captures: &[Capture],
    source: &Source,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Condition, Box<Diagnostic>> {
    let mut checker = Checker { rule, captures, source, diagnostics };
    let (condition, found) = checker.expr(expr)?;
    match found {
        Type::Bool | Type::Any | Type::Value => Ok(condition),
        _ => Err(error(expr.span, "Expression must evaluate to a boolean.")),
    }
}

struct Checker<'c> {
    rule: RuleKind,
    captures: &'c [Capture],
    source: &'c Source,
    diagnostics: &'c mut Vec<Diagnostic>,
}

type Checked = Result<(Condition, Type), Box<Diagnostic>>;

fn error(span: Span, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("expression-type", span, message))
}

fn unknown<'n>(span: Span, name: &str, known: impl Iterator<Item = &'n str>) -> Box<Diagnostic> {
    let refused = error(span, format!("Unknown variable '{name}'."));
    match nearest(name, known) {
        Some(near) => Box::new(refused.help(format!("did you mean `{near}`?"))),
        None => refused,
    }
}

fn no_such(at: Span, name: &str) -> Box<Diagnostic> {
    error(at, format!("No such method/property '{name}'."))
}

fn not_a_function(at: Span) -> Box<Diagnostic> {
    error(at, "Type error: Function call on target that is not a function.")
}

fn constant(value: Value, expr: &ast::Expr, found: Type) -> Checked {
    Ok((node(ir::Kind::Constant(value), expr), found))
}

fn node(kind: ir::Kind<Rtdb>, expr: &ast::Expr) -> Condition {
    ir::Expr { kind, span: expr.span, at: expr.at }
}

impl Type {
    fn is_text(self) -> bool {
        matches!(self, Type::Any | Type::Value | Type::Text | Type::Literal | Type::Uid)
    }

    /// Null has no type of its own: it fails when the rule runs.
    fn is_number(self) -> bool {
        matches!(self, Type::Any | Type::Value | Type::Number | Type::Null)
    }

    fn is_scalar(self) -> bool {
        !matches!(self, Type::Snapshot | Type::Query | Type::Method)
    }

    /// The type of a condition with these two sides; `None` when they have different types.
    fn either(self, other: Type) -> Option<Type> {
        let text = |one: Type| matches!(one, Type::Text | Type::Literal | Type::Uid | Type::Ordering);
        match (self, other) {
            (one, two) if one == two => Some(one),
            (one, two) if !one.is_scalar() || !two.is_scalar() => None,
            (Type::Any, _) | (_, Type::Any) => Some(Type::Any),
            // Null has no type of its own.
            (Type::Value | Type::Null, _) | (_, Type::Value | Type::Null) => Some(Type::Value),
            (one, two) => (text(one) && text(two)).then_some(Type::Text),
        }
    }
}

impl Checker<'_> {
    fn expr(&mut self, expr: &ast::Expr) -> Checked {
        match &expr.kind {
            Kind::Null => constant(Value::Null, expr, Type::Null),
            Kind::Bool(value) => constant(Value::Bool(*value), expr, Type::Bool),
            Kind::Number(value) => constant(Value::Double(*value), expr, Type::Number),
            Kind::Text(text) => constant(Value::String(text.clone()), expr, Type::Literal),
            Kind::Pattern(..) => {
                Err(error(expr.span, "Regular expressions are only allowed as the argument of matches()."))
            }
            Kind::List(_) => {
                Err(error(expr.span, "Arrays are only allowed as the argument of hasChildren()."))
            }
            Kind::Variable(name) => self.variable(expr, name),
            Kind::Member(object, name) => self.member(expr, object, name),
            Kind::Index(object, index) => self.index(expr, object, index),
            Kind::Call(callee, arguments) => self.call(expr, callee, arguments),
            Kind::Not(operand) => {
                let condition = self.boolean(operand, "! only operates on booleans.")?;
                Ok((node(ir::Kind::Not(Box::new(condition)), expr), Type::Bool))
            }
            Kind::Negate(operand) => self.negate(expr, operand),
            Kind::Binary(op, left, right) => self.binary(expr, *op, left, right),
            Kind::And(operands) => {
                let operands = self.operands(operands, "&&")?;
                Ok((node(ir::Kind::And(operands), expr), Type::Bool))
            }
            Kind::Or(operands) => {
                let operands = self.operands(operands, "||")?;
                Ok((node(ir::Kind::Or(operands), expr), Type::Bool))
            }
            Kind::Condition(test, yes, no) => {
                let test = self.boolean(test, "Condition of ? must be boolean.")?;
                let (yes, one) = self.expr(yes)?;
                let (no, two) = self.expr(no)?;
                let found = one
                    .either(two)
                    .ok_or_else(|| error(expr.at, "Both sides of ? must have the same type."))?;
                let kind = ir::Kind::Condition(Box::new(test), Box::new(yes), Box::new(no));
                Ok((node(kind, expr), found))
            }
        }
    }

    fn operands(&mut self, exprs: &[ast::Expr], sign: &str) -> Result<Vec<Condition>, Box<Diagnostic>> {
        let sides = std::iter::once("Left").chain(std::iter::repeat("Right"));
        let operand =
            |(expr, side)| self.boolean(expr, &format!("{side} operand of {sign} must be boolean."));
        exprs.iter().zip(sides).map(operand).collect()
    }

    fn boolean(&mut self, expr: &ast::Expr, text: &str) -> Result<Condition, Box<Diagnostic>> {
        let (condition, found) = self.expr(expr)?;
        match found {
            Type::Bool | Type::Any | Type::Value | Type::Null => Ok(condition),
            Type::Uid => {
                let message = "`auth.uid` is text, not a boolean: here it always fails";
                self.diagnostics.push(
                    Diagnostic::warning("uid-as-boolean", expr.span, message)
                        .help("to ask whether somebody is signed in, write `auth.uid != null`"),
                );
                Ok(condition)
            }
            _ => Err(error(expr.span, text)),
        }
    }

    fn variable(&mut self, expr: &ast::Expr, name: &str) -> Checked {
        if name.starts_with('$') {
            // The innermost of equal names.
            let found = self.captures.iter().rev().find(|(known, _)| known == name);
            let known = self.captures.iter().map(|(known, _)| known.as_str());
            let (_, index) = found.ok_or_else(|| unknown(expr.span, name, known))?;
            return Ok((node(ir::Kind::Capture(*index), expr), Type::Text));
        }
        let known = ["auth", "now", "root", "data", "newData", "query"].into_iter();
        let global = Global::named(name).ok_or_else(|| unknown(expr.span, name, known))?;
        if !global.is_in(self.rule) {
            let text = format!("{name} is invalid in {} expressions.", self.rule.name());
            let refused = error(expr.span, text);
            return Err(match global {
                Global::NewData => {
                    Box::new(refused.help("nothing is written when reading: what is there is `data`"))
                }
                _ => refused,
            });
        }
        let found = match global {
            Global::Auth => Type::Any,
            Global::Now => Type::Number,
            Global::Root | Global::Data | Global::NewData => Type::Snapshot,
            Global::Query => Type::Query,
        };
        Ok((node(ir::Kind::Global(global), expr), found))
    }

    fn member(&mut self, expr: &ast::Expr, object: &ast::Expr, name: &str) -> Checked {
        let (receiver, of) = self.expr(object)?;
        let found = match of {
            Type::Any | Type::Null | Type::Uid => {
                let uid = name == "uid" && matches!(receiver.kind, ir::Kind::Global(Global::Auth));
                if uid { Type::Uid } else { Type::Any }
            }
            Type::Value | Type::Text | Type::Literal if name == "length" => Type::Number,
            Type::Value | Type::Text | Type::Literal if Method::named(name, false).is_some() => Type::Method,
            Type::Snapshot if Method::named(name, true).is_some() => Type::Method,
            Type::Query if QUERY_FIELDS.contains(&name) => match name {
                "orderByChild" => Type::Ordering,
                "orderByKey" | "orderByValue" | "orderByPriority" => Type::Bool,
                _ => Type::Value,
            },
            _ => return Err(no_such(expr.at, name)),
        };
        Ok((node(ir::Kind::Member(Box::new(receiver), name.into()), expr), found))
    }

    fn index(&mut self, expr: &ast::Expr, object: &ast::Expr, index: &ast::Expr) -> Checked {
        if let Kind::Text(name) = &index.kind {
            return self.member(expr, object, name);
        }
        let (receiver, of) = self.expr(object)?;
        if !matches!(of, Type::Any | Type::Null | Type::Uid) {
            return Err(error(index.span, "Invalid property access: the name must be a literal string."));
        }
        let (index, found) = self.expr(index)?;
        // Lists of claims have numbers: `auth.token.firebase.identities['google.com'][0]`.
        if !found.is_text() && !found.is_number() {
            return Err(error(index.span, "Invalid property access: the name must be a string or a number."));
        }
        Ok((node(ir::Kind::Index(Box::new(receiver), Box::new(index)), expr), Type::Any))
    }

    fn call(&mut self, expr: &ast::Expr, callee: &ast::Expr, arguments: &[ast::Expr]) -> Checked {
        let (object, name) = match &callee.kind {
            Kind::Member(object, name) => (object, name),
            Kind::Index(object, index) => match &index.kind {
                Kind::Text(name) => (object, name),
                _ => {
                    // Its own error first, if it has one.
                    self.expr(callee)?;
                    return Err(not_a_function(callee.at));
                }
            },
            _ => {
                self.expr(callee)?;
                return Err(not_a_function(callee.span));
            }
        };
        let (receiver, of) = self.expr(object)?;
        let method = match of {
            Type::Snapshot => Method::named(name, true).ok_or_else(|| no_such(callee.at, name))?,
            Type::Value | Type::Text | Type::Literal => match Method::named(name, false) {
                Some(method) => method,
                None if name == "length" => return Err(not_a_function(callee.at)),
                None => return Err(no_such(callee.at, name)),
            },
            Type::Any | Type::Null | Type::Uid => {
                Method::named(name, false).ok_or_else(|| not_a_function(callee.at))?
            }
            Type::Query if QUERY_FIELDS.contains(&name.as_str()) => return Err(not_a_function(callee.at)),
            _ => return Err(no_such(callee.at, name)),
        };
        let found = match method {
            Method::Val | Method::GetPriority => Type::Value,
            Method::Child | Method::Parent => Type::Snapshot,
            Method::Replace | Method::ToLowerCase | Method::ToUpperCase => Type::Text,
            _ => Type::Bool,
        };
        let (arguments, regex) = self.arguments(expr, method, arguments)?;
        Ok((node(ir::Kind::Method(Box::new(receiver), method, arguments, regex), expr), found))
    }

    #[expect(clippy::type_complexity, reason = "named nowhere else")]
    fn arguments(
        &mut self,
        expr: &ast::Expr,
        method: Method,
        arguments: &[ast::Expr],
    ) -> Result<(Vec<Condition>, Option<Box<crate::re2::Regex>>), Box<Diagnostic>> {
        let name = method.name();
        if method == Method::HasChildren {
            let items = match arguments {
                [] => return Ok((Vec::new(), None)),
                [ast::Expr { kind: Kind::List(items), .. }] if !items.is_empty() => items,
                [argument] => {
                    return Err(error(argument.span, "hasChildren() expects a non-empty array of strings."));
                }
                _ => return Err(error(expr.at, "hasChildren() expects 0 or 1 arguments.")),
            };
            let lowered =
                items.iter().map(|item| self.text(item, "hasChildren() expects an array of strings."));
            return Ok((lowered.collect::<Result<_, _>>()?, None));
        }
        let arity = method.arity();
        if arguments.len() != arity {
            let plural = if arity == 1 { "" } else { "s" };
            return Err(error(expr.at, format!("{name}() expects {arity} argument{plural}.")));
        }
        if method == Method::Matches {
            return match arguments {
                [ast::Expr { kind: Kind::Pattern(text, flags), span, .. }] => {
                    let regex = pattern::compile(text, flags).map_err(|message| error(*span, message))?;
                    Ok((Vec::new(), Some(Box::new(regex))))
                }
                _ => Err(error(expr.at, "matches() expects a regular expression literal argument.")),
            };
        }
        let text = format!("{name}() expects a string argument.");
        let lowered = arguments.iter().map(|argument| self.text(argument, &text));
        Ok((lowered.collect::<Result<_, _>>()?, None))
    }

    fn text(&mut self, expr: &ast::Expr, text: &str) -> Result<Condition, Box<Diagnostic>> {
        let (condition, found) = self.expr(expr)?;
        if found.is_text() { Ok(condition) } else { Err(error(expr.span, text)) }
    }

    fn negate(&mut self, expr: &ast::Expr, operand: &ast::Expr) -> Checked {
        if let Kind::Number(value) = operand.kind {
            return constant(Value::Double(-value), expr, Type::Number);
        }
        let (operand, found) = self.expr(operand)?;
        if !found.is_number() {
            return Err(error(operand.span, "- only operates on numbers."));
        }
        Ok((node(ir::Kind::Negate(Box::new(operand)), expr), Type::Number))
    }

    fn binary(&mut self, expr: &ast::Expr, op: Binary, left: &ast::Expr, right: &ast::Expr) -> Checked {
        let (one, left_type) = self.expr(left)?;
        let (two, right_type) = self.expr(right)?;
        let sign = self.source.slice(expr.at);
        let sides = [("left", left, left_type), ("right", right, right_type)];
        let demand = |fits: fn(Type) -> bool, what: &str| {
            let failing = sides.iter().find(|(_, _, found)| !fits(*found));
            failing.map_or(Ok(()), |(side, operand, _)| {
                Err(error(operand.span, format!("Invalid {sign} expression: {side} operand {what}")))
            })
        };
        let found = match op {
            Binary::Equal | Binary::NotEqual => {
                demand(Type::is_scalar, "is not a number, boolean, string, or null.")?;
                let orders = |found| matches!(found, Type::Ordering | Type::Literal | Type::Null);
                let (ordering, other) = match (left_type, right_type) {
                    (Type::Ordering, _) => (true, sides.get(1)),
                    (_, Type::Ordering) => (true, sides.first()),
                    _ => (false, None),
                };
                if let Some((side, operand, _)) = other.filter(|(_, _, found)| ordering && !orders(*found)) {
                    let text = "must be an ordering or string literal when comparing against an ordering.";
                    return Err(error(
                        operand.span,
                        format!("Invalid {sign} expression: {side} operand {text}"),
                    ));
                }
                Type::Bool
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                demand(|found| found.is_text() || found.is_number(), "must be a number or string.")?;
                Type::Bool
            }
            Binary::Add => {
                demand(|found| found.is_text() || found.is_number(), "is not a number or string.")?;
                match (left_type, right_type) {
                    (Type::Text | Type::Literal, _) | (_, Type::Text | Type::Literal) => Type::Text,
                    (Type::Uid, _) | (_, Type::Uid) => Type::Text,
                    (Type::Number, Type::Number) => Type::Number,
                    _ => Type::Value,
                }
            }
            _ => {
                demand(Type::is_number, "is not a number.")?;
                Type::Number
            }
        };
        if let (Binary::Add, ir::Kind::Constant(Value::String(a)), ir::Kind::Constant(Value::String(b))) =
            (op, &one.kind, &two.kind)
        {
            return constant(Value::String(format!("{a}{b}")), expr, Type::Text);
        }
        Ok((node(ir::Kind::Binary(op, Box::new(one), Box::new(two)), expr), found))
    }
}
