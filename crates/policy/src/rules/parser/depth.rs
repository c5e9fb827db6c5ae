//! How deep an expression is: for the stack, and as the official compiler counts it.

use crate::rules::ast::{Expr, Kind, PathPart};
use crate::source::Span;

/// Levels the official compiler allows. Parentheses are one each, a chain of members and calls is as deep as what it begins
/// with or as the deepest argument within it, a minus is none.
const LEVELS_MAX: u16 = 99;

/// The levels of the tree and those that the language counts, of an expression without parentheses around it.
pub fn of(kind: &Kind) -> (u16, u16) {
    let depth = 1 + children(kind).map(|child| child.depth).max().unwrap_or(0);
    let below = |own: &mut dyn Iterator<Item = &Expr>| 1 + own.map(|child| child.levels).max().unwrap_or(0);
    let levels = match kind {
        Kind::Member(only, _) | Kind::Negate(only) => only.levels,
        Kind::Index(object, index) => object.levels.max(1 + index.levels),
        Kind::Slice(object, start, end) => {
            object.levels.max(below(&mut [start, end].into_iter().flatten().map(|bound| &**bound)))
        }
        Kind::Call(callee, arguments) => callee.levels.max(below(&mut arguments.iter())),
        _ => below(&mut children(kind)),
    };
    (depth, levels)
}

/// The first place, in the order of the text, that is deeper than allowed.
pub fn too_deep(expr: &Expr) -> Option<Span> {
    find(expr, 0)
}

/// `outer` levels are around the expression.
fn find(expr: &Expr, outer: u16) -> Option<Span> {
    if outer + expr.levels <= LEVELS_MAX {
        return None;
    }
    if outer >= LEVELS_MAX {
        return Some(expr.span);
    }
    let (chain, own) = match &expr.kind {
        // The operators of a chain are levels around what is on their left.
        Kind::And(operands) | Kind::Or(operands) => (operands.len(), u16::from(expr.in_parens)),
        Kind::Member(..) | Kind::Negate(_) => (0, u16::from(expr.in_parens)),
        _ => (0, 1 + u16::from(expr.in_parens)),
    };
    let around = |index: usize| {
        let operators = if chain == 0 { 0 } else { (chain - index.max(1)).try_into().unwrap_or(u16::MAX) };
        outer.saturating_add(own).saturating_add(operators)
    };
    let found = children(&expr.kind).enumerate().find_map(|(index, child)| find(child, around(index)));
    found.or(Some(expr.span))
}

/// The expressions directly within one.
pub fn children(kind: &Kind) -> Box<dyn Iterator<Item = &Expr> + '_> {
    match kind {
        Kind::Literal(_) | Kind::Variable(_) | Kind::Broken => Box::new(std::iter::empty()),
        Kind::Member(only, _) | Kind::Not(only) | Kind::Negate(only) | Kind::Is(only, _) => {
            Box::new(std::iter::once(&**only))
        }
        Kind::Index(a, b) | Kind::Binary(_, a, b) => Box::new([&**a, &**b].into_iter()),
        Kind::Slice(object, start, end) => {
            let bounds = [start, end].into_iter().flatten().map(|bound| &**bound);
            Box::new(std::iter::once(&**object).chain(bounds))
        }
        Kind::Condition(a, b, c) => Box::new([&**a, &**b, &**c].into_iter()),
        Kind::Call(callee, arguments) => Box::new(std::iter::once(&**callee).chain(arguments)),
        Kind::And(items) | Kind::Or(items) | Kind::List(items) => Box::new(items.iter()),
        Kind::Map(entries) => Box::new(entries.iter().flat_map(|(key, value)| [key, value])),
        Kind::Path(parts) => Box::new(parts.iter().filter_map(|part| match part {
            PathPart::Text(_) | PathPart::Variable { .. } => None,
            PathPart::Value(value) => Some(value),
        })),
    }
}
