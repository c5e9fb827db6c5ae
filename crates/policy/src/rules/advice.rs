//! The constraint a list query lacks, written as the client would write it.

use crate::source::Source;
use crate::trace::{Ending, Evaluated};

/// Infix operators as they stand in a condition, and in a query.
const OPERATORS: [(&str, &str); 7] = [
    (" == ", "=="),
    (" != ", "!="),
    (" <= ", "<="),
    (" >= ", ">="),
    (" < ", "<"),
    (" > ", ">"),
    (" in ", "in"),
];

/// What to add to a query for this condition to be determined: the smallest failing comparison of a field, as a
/// `where`.
pub fn missing_constraint<E: Evaluated>(node: E, source: &Source) -> Option<String> {
    let inner = node.children().find(|child| child.ending() == Ending::Error);
    inner
        .and_then(|inner| missing_constraint(inner, source))
        .or_else(|| clause(&source.on_one_line(node.span())))
}

fn clause(text: &str) -> Option<String> {
    let (at, (infix, op)) = OPERATORS
        .iter()
        .filter_map(|operator| Some((text.find(operator.0)?, operator)))
        .min_by_key(|(at, _)| *at)?;
    let (left, right) = (text.get(..at)?.trim(), text.get(at + infix.len()..)?.trim());
    match (field(left), field(right)) {
        (Some(field), None) => Some(format!(".where('{field}', '{op}', {right})")),
        (None, Some(field)) if *op == "in" => Some(format!(".where('{field}', 'array-contains', {left})")),
        (None, Some(field)) => {
            let mirrored = match *op {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                same => same,
            };
            Some(format!(".where('{field}', '{mirrored}', {left})"))
        }
        _ => None,
    }
}

/// `a.b` of `resource.data.a.b`.
fn field(text: &str) -> Option<&str> {
    let path = text.strip_prefix("data.").or_else(|| text.split_once(".data.").map(|(_, path)| path))?;
    let plain = path.split('.').all(|name| {
        !name.is_empty()
            && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    });
    (plain && !text.contains('(')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_becomes_a_where() {
        for (text, expected) in [
            ("resource.data.visibility == 'public'", Some(".where('visibility', '==', 'public')")),
            ("data.a.b >= 4", Some(".where('a.b', '>=', 4)")),
            ("4 < resource.data.score", Some(".where('score', '>', 4)")),
            (
                "request.auth.uid in resource.data.members",
                Some(".where('members', 'array-contains', request.auth.uid)"),
            ),
            ("resource.data.status in ['a', 'b']", Some(".where('status', 'in', ['a', 'b'])")),
            ("resource.data.a == resource.data.b", None),
            ("get(/a/$(resource.data.x)).data.y == 1", None),
            ("resource.data.size() < 3", None),
            ("true", None),
        ] {
            assert_eq!(clause(text).as_deref(), expected, "{text}");
        }
    }
}
