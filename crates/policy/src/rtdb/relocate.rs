//! Moves a ruleset's places to another text, so that rules made of another language are told about in that one.

use super::language::Condition;
use super::structure::Node;
use crate::decision::RulePosition;
use crate::ir::{Kind, Part};
use crate::source::{Source, Span};

/// Moves the places of all rules.
pub fn nodes(nodes: &mut [Node], text: &Source, locate: &dyn Fn(Span) -> Span) {
    for node in nodes {
        node.index_span = node.index_span.map(locate);
        for rule in [&mut node.read, &mut node.write, &mut node.validate].into_iter().flatten() {
            let span = locate(rule.position.span);
            let (line, column) = text.line_column(span.start);
            rule.position = RulePosition { line, column, span };
            condition(&mut rule.condition, locate);
        }
    }
}

/// Recursion is bounded by the nesting of expressions.
fn condition(expr: &mut Condition, locate: &dyn Fn(Span) -> Span) {
    expr.span = locate(expr.span);
    expr.at = locate(expr.at);
    let each = |expr: &mut Condition| condition(expr, locate);
    match &mut expr.kind {
        Kind::Constant(_)
        | Kind::Global(_)
        | Kind::Local(_)
        | Kind::Capture(_)
        | Kind::UnknownVariable(_) => {}
        Kind::Member(one, _) | Kind::Not(one) | Kind::Negate(one) | Kind::Is(one, _) => each(one),
        Kind::Index(one, two) | Kind::Binary(_, one, two) => {
            each(one);
            each(two);
        }
        Kind::Slice(one, two, three) => {
            each(one);
            [two, three].into_iter().flatten().for_each(|bound| each(bound));
        }
        Kind::Condition(one, two, three) => {
            each(one);
            each(two);
            each(three);
        }
        Kind::And(list)
        | Kind::Or(list)
        | Kind::List(list)
        | Kind::Call(_, list)
        | Kind::Function(_, list)
        | Kind::UnknownFunction(_, list) => list.iter_mut().for_each(each),
        Kind::Method(object, _, list, _) | Kind::UnknownMethod(object, _, list) => {
            each(object);
            list.iter_mut().for_each(each);
        }
        Kind::Map(list) => list.iter_mut().for_each(|(key, value)| {
            each(key);
            each(value);
        }),
        Kind::Path(parts) => parts.iter_mut().for_each(|part| match part {
            Part::Value(expr) => each(expr),
            Part::Text(_) => {}
        }),
    }
}
