//! Goes through the tree: whoever looks at expressions without running them uses this.

use super::{Expr, Kind, Language, Part};

/// Visits an expression, then everything in it, in the order of the text. Recursion is bounded by the parsers.
pub fn each<'e, L: Language>(expr: &'e Expr<L>, visit: &mut dyn FnMut(&'e Expr<L>)) {
    visit(expr);
    children(expr, &mut |child| each(child, visit));
}

/// Visits the expressions right below one.
pub fn children<'e, L: Language>(expr: &'e Expr<L>, visit: &mut dyn FnMut(&'e Expr<L>)) {
    match &expr.kind {
        Kind::Constant(_)
        | Kind::Global(_)
        | Kind::Local(_)
        | Kind::Capture(_)
        | Kind::UnknownVariable(_) => {}
        Kind::Member(one, _) | Kind::Not(one) | Kind::Negate(one) | Kind::Is(one, _) => visit(one),
        Kind::Index(one, two) | Kind::Binary(_, one, two) => {
            visit(one);
            visit(two);
        }
        Kind::Slice(one, two, three) => {
            visit(one);
            [two, three].into_iter().flatten().for_each(|bound| visit(bound));
        }
        Kind::Condition(one, two, three) => {
            visit(one);
            visit(two);
            visit(three);
        }
        Kind::And(all)
        | Kind::Or(all)
        | Kind::List(all)
        | Kind::Call(_, all)
        | Kind::Function(_, all)
        | Kind::UnknownFunction(_, all) => all.iter().for_each(visit),
        Kind::Map(entries) => entries.iter().for_each(|(key, value)| {
            visit(key);
            visit(value);
        }),
        Kind::Path(parts) => {
            for part in parts {
                if let Part::Value(value) = part {
                    visit(value);
                }
            }
        }
        Kind::Method(receiver, _, arguments, _) | Kind::UnknownMethod(receiver, _, arguments) => {
            visit(receiver);
            arguments.iter().for_each(visit);
        }
    }
}
