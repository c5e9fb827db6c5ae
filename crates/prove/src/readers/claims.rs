//! Claims of the caller's token: where rules look at them, and what they are compared with.
//!
//! Claims that a function takes out of `let token = request.auth.token` are not followed.

use base::Value;
use policy::Span;
use policy::ir::{self, Binary, Expr, Kind, walk};
use policy::rtdb::lowered as realtime;
use policy::rules::lowered as rules;

/// Uses of claims remembered of one text.
const USES_MAX: usize = 2_000;

/// What a claim is compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compared {
    /// `true` or `false`, or it is a condition by itself.
    Boolean,
    /// Text.
    Text,
    /// A number.
    Number,
    /// Something of which nothing is known, or nothing.
    Unknown,
}

impl Compared {
    /// As a sentence names it.
    pub fn name(&self) -> &'static str {
        match self {
            Compared::Boolean => "a boolean",
            Compared::Text => "text",
            Compared::Number => "a number",
            Compared::Unknown => "something",
        }
    }
}

/// A place where a claim is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUse {
    /// The claim.
    pub name: String,
    /// The expression that is the claim.
    pub span: Span,
    /// What it is compared with there.
    pub compared: Compared,
}

/// Finds claims in an expression. `is_token` knows the token itself.
fn collect<L: ir::Language>(expr: &Expr<L>, is_token: &dyn Fn(&Expr<L>) -> bool, found: &mut Vec<ClaimUse>) {
    find(expr, is_token, &Compared::Unknown, found);
}

fn find<L: ir::Language>(
    expr: &Expr<L>,
    is_token: &dyn Fn(&Expr<L>) -> bool,
    compared: &Compared,
    found: &mut Vec<ClaimUse>,
) {
    if found.len() >= USES_MAX {
        return;
    }
    let name = match &expr.kind {
        Kind::Member(object, name) if is_token(object) => Some(&**name),
        Kind::Index(object, key) if is_token(object) => match &key.kind {
            Kind::Constant(Value::String(key)) => Some(&**key),
            _ => None,
        },
        _ => None,
    };
    if let Some(name) = name {
        found.push(ClaimUse { name: name.to_owned(), span: expr.span, compared: compared.clone() });
        return;
    }
    match &expr.kind {
        Kind::Binary(
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessOrEqual
            | Binary::Greater
            | Binary::GreaterOrEqual,
            left,
            right,
        ) => {
            find(left, is_token, &of(right), found);
            find(right, is_token, &of(left), found);
        }
        Kind::Binary(Binary::In, left, right) => {
            find(left, is_token, &of_items(right), found);
            find(right, is_token, &Compared::Unknown, found);
        }
        Kind::Not(operand) => find(operand, is_token, &Compared::Boolean, found),
        Kind::And(operands) | Kind::Or(operands) => {
            operands.iter().for_each(|operand| find(operand, is_token, &Compared::Boolean, found));
        }
        Kind::Condition(test, yes, no) => {
            find(test, is_token, &Compared::Boolean, found);
            find(yes, is_token, compared, found);
            find(no, is_token, compared, found);
        }
        _ => walk::children(expr, &mut |child| find(child, is_token, &Compared::Unknown, found)),
    }
}

fn of<L: ir::Language>(expr: &Expr<L>) -> Compared {
    match &expr.kind {
        Kind::Constant(value) => of_value(value),
        _ => Compared::Unknown,
    }
}

fn of_value(value: &Value) -> Compared {
    match value {
        Value::Bool(_) => Compared::Boolean,
        Value::String(_) => Compared::Text,
        Value::Integer(_) | Value::Double(_) => Compared::Number,
        _ => Compared::Unknown,
    }
}

/// What all items of a list are.
fn of_items<L: ir::Language>(list: &Expr<L>) -> Compared {
    let kinds: Vec<Compared> = match &list.kind {
        Kind::Constant(Value::Array(items)) => items.iter().map(of_value).collect(),
        Kind::List(items) => items.iter().map(of).collect(),
        _ => return Compared::Unknown,
    };
    match kinds.split_first() {
        Some((first, rest)) if rest.iter().all(|kind| kind == first) => first.clone(),
        _ => Compared::Unknown,
    }
}

/// Where Firestore or Storage rules look at claims.
pub fn of_rules(ruleset: &policy::Ruleset) -> Vec<ClaimUse> {
    let is_token = |expr: &Expr<rules::Rules>| match &expr.kind {
        Kind::Member(auth, name) => {
            **name == *"token" && matches!(auth.kind, Kind::Global(rules::Global::RequestAuth))
        }
        _ => false,
    };
    let mut found = Vec::new();
    ruleset.lowered().expressions().for_each(|expr| collect(expr, &is_token, &mut found));
    found
}

/// Where Realtime Database rules look at claims.
pub fn of_realtime(ruleset: &policy::rtdb::Ruleset) -> Vec<ClaimUse> {
    let is_token = |expr: &realtime::Condition| match &expr.kind {
        Kind::Member(auth, name) => {
            **name == *"token" && matches!(auth.kind, Kind::Global(realtime::Global::Auth))
        }
        _ => false,
    };
    let mut found = Vec::new();
    for rule in ruleset.nodes().iter().flat_map(realtime::Node::rules) {
        collect(&rule.condition, &is_token, &mut found);
    }
    found
}
