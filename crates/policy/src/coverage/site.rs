//! The expressions of a ruleset, whether or not they were ever evaluated.
//!
//! Literals are left out, as the official emulator leaves them out: they have one value. Lists and maps of literals are
//! in, and so is what needs no request: it counts as one expression, without its parts.

use std::collections::HashMap;

use base::Value;

use crate::ir::{Expr, Function, Kind, Language, Part};
use crate::source::{Source, Span};

/// One expression and those within it.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its text.
    pub span: Span,
    /// Whether something is decided by its being true.
    pub is_condition: bool,
    /// The expressions it is made of, in order.
    pub children: Vec<Site>,
}

/// A rule: what grants when its condition is true.
#[derive(Clone, Debug)]
pub struct RuleSite {
    /// `allow`, `.read`, `.write` or `.validate`.
    pub rule: &'static str,
    /// The statement.
    pub span: Span,
}

/// A function of the policy.
#[derive(Clone, Debug)]
pub struct FunctionSite {
    /// Its name.
    pub name: Box<str>,
    /// What it returns.
    pub body: Span,
}

/// Everything of a ruleset that can be covered.
#[derive(Clone, Debug)]
pub struct Sites {
    /// The text.
    pub source: Source,
    /// Conditions of rules, variables and results of functions, in the order of the text.
    pub roots: Vec<Site>,
    /// In the order of the text.
    pub rules: Vec<RuleSite>,
    /// In the order of the text.
    pub functions: Vec<FunctionSite>,
    /// The calls that leave the rules, of functions that read documents or that there are not, and the function's name.
    pub calls: HashMap<Span, Box<str>>,
}

impl Sites {
    /// None yet.
    pub fn new(source: &Source) -> Self {
        let (roots, rules, functions) = (Vec::new(), Vec::new(), Vec::new());
        Self { source: source.clone(), roots, rules, functions, calls: HashMap::new() }
    }

    /// Adds a rule.
    pub fn rule<L: Language>(&mut self, rule: &'static str, span: Span, condition: Option<&Expr<L>>) {
        self.rules.push(RuleSite { rule, span });
        if let Some(condition) = condition {
            self.roots.extend(site(condition, true));
        }
    }

    /// Adds a function.
    pub fn function<L: Language>(&mut self, function: &Function<L>) {
        self.functions.push(FunctionSite { name: function.name.clone(), body: function.body.span });
        self.roots.extend(function.lets.iter().filter_map(|value| site(value, false)));
        self.roots.extend(site(&function.body, false));
    }

    /// Puts all in the order of the text.
    pub fn sorted(mut self) -> Self {
        self.roots.sort_by_key(|site| site.span);
        self.rules.sort_by_key(|rule| rule.span);
        self.functions.sort_by_key(|function| function.body);
        self
    }
}

/// An expression and its parts; `None` for a literal. Recursion is bounded by the depth that the parsers take.
fn site<L: Language>(expr: &Expr<L>, is_condition: bool) -> Option<Site> {
    let mut children = Vec::new();
    let mut add = |part: &Expr<L>, is_condition| children.extend(site(part, is_condition));
    match &expr.kind {
        // What was computed when the rules were compiled is no literal: its operator stands apart.
        Kind::Constant(Value::Array(_) | Value::Map(_)) => {}
        Kind::Constant(_) if expr.at == expr.span => return None,
        Kind::Constant(_) => {}
        Kind::Global(_) | Kind::Local(_) | Kind::Capture(_) | Kind::UnknownVariable(_) => {}
        Kind::Member(object, _) | Kind::Negate(object) | Kind::Is(object, _) => add(object, false),
        Kind::Not(operand) => add(operand, true),
        Kind::Index(left, right) | Kind::Binary(_, left, right) => {
            add(left, false);
            add(right, false);
        }
        Kind::Slice(object, start, end) => {
            add(object, false);
            [start, end].into_iter().flatten().for_each(|bound| add(bound, false));
        }
        Kind::And(operands) | Kind::Or(operands) => operands.iter().for_each(|operand| add(operand, true)),
        Kind::Condition(test, yes, no) => {
            add(test, true);
            add(yes, is_condition);
            add(no, is_condition);
        }
        Kind::List(items) => items.iter().for_each(|item| add(item, false)),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            add(key, false);
            add(value, false);
        }),
        Kind::Path(parts) => parts.iter().for_each(|part| {
            if let Part::Value(value) = part {
                add(value, false);
            }
        }),
        Kind::Call(_, arguments) | Kind::Function(_, arguments) | Kind::UnknownFunction(_, arguments) => {
            arguments.iter().for_each(|argument| add(argument, false));
        }
        Kind::Method(receiver, _, arguments, _) | Kind::UnknownMethod(receiver, _, arguments) => {
            add(receiver, false);
            arguments.iter().for_each(|argument| add(argument, false));
        }
    }
    Some(Site { span: expr.span, is_condition, children })
}
