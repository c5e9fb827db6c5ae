//! What conditions look like: for what is told without logic, or where logic knows too little.

use base::Value;
use policy::Source;
use policy::ir::{Binary, Kind};
use policy::rtdb::lowered::{Condition, Global, Method, Node};

/// Whether it is written as `false`.
pub fn is_false(condition: &Condition) -> bool {
    matches!(condition.kind, Kind::Constant(Value::Bool(false)))
}

/// The place in the tree of rules that a snapshot is of.
pub fn place<'n>(nodes: &'n [Node], snapshot: &Condition, here: &'n Node) -> Option<&'n Node> {
    match &snapshot.kind {
        Kind::Global(Global::Root) => nodes.first(),
        Kind::Global(Global::Data | Global::NewData) => Some(here),
        Kind::Method(of, Method::Child, arguments, _) => {
            let mut node = place(nodes, of, here)?;
            match arguments.first().map(|key| &key.kind) {
                Some(Kind::Constant(Value::String(path))) => {
                    for key in path.split('/').filter(|key| !key.is_empty()) {
                        node = nodes.get(node.child(key)?)?;
                    }
                    Some(node)
                }
                _ => nodes.get(node.capture?),
            }
        }
        _ => None,
    }
}

/// Whether two conditions are the same. Between places `data` and `newData` are different things.
pub fn same(source: &Source, a: &Condition, b: &Condition, between_places: bool) -> bool {
    let like = |a: &Condition, b: &Condition| same(source, a, b, between_places);
    let all =
        |a: &[Condition], b: &[Condition]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| like(a, b));
    match (&a.kind, &b.kind) {
        (Kind::Constant(a), Kind::Constant(b)) => a == b,
        (Kind::Global(a), Kind::Global(b)) => {
            a == b && !(between_places && matches!(a, Global::Data | Global::NewData))
        }
        (Kind::Capture(a), Kind::Capture(b)) => a == b,
        (Kind::Member(a, name), Kind::Member(b, other)) => name == other && like(a, b),
        (Kind::Index(a, index), Kind::Index(b, other)) => like(a, b) && like(index, other),
        (Kind::Not(a), Kind::Not(b)) | (Kind::Negate(a), Kind::Negate(b)) => like(a, b),
        (Kind::Binary(op, a, c), Kind::Binary(other, b, d)) => op == other && like(a, b) && like(c, d),
        (Kind::And(a), Kind::And(b)) | (Kind::Or(a), Kind::Or(b)) => all(a, b),
        (Kind::Condition(a, c, e), Kind::Condition(b, d, f)) => like(a, b) && like(c, d) && like(e, f),
        (Kind::Method(x, method, c, regex), Kind::Method(y, other, d, _)) => {
            method == other
                && like(x, y)
                && all(c, d)
                && (regex.is_none() || source.slice(a.span) == source.slice(b.span))
        }
        _ => false,
    }
}

/// The parts that must all be true.
pub fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match &condition.kind {
        Kind::And(operands) => operands.iter().collect(),
        _ => vec![condition],
    }
}

/// `auth != null`, also `auth.uid != null`.
pub fn asks_sign_in(condition: &Condition) -> bool {
    let Kind::Binary(Binary::NotEqual, left, right) = &condition.kind else { return false };
    let null = |side: &Condition| matches!(side.kind, Kind::Constant(Value::Null));
    let auth = |side: &Condition| match &side.kind {
        Kind::Global(Global::Auth) => true,
        Kind::Member(object, name) => **name == *"uid" && matches!(object.kind, Kind::Global(Global::Auth)),
        _ => false,
    };
    auth(left) && null(right) || null(left) && auth(right)
}

/// Whether an expression is `auth` or something of it.
pub fn of_auth(expr: &Condition) -> bool {
    match &expr.kind {
        Kind::Global(Global::Auth) => true,
        Kind::Member(object, _) | Kind::Index(object, _) => of_auth(object),
        _ => false,
    }
}

pub fn is_val(expr: &Condition) -> bool {
    matches!(expr.kind, Kind::Method(_, Method::Val, ..))
}

/// Whether a `.validate` lets only text through.
pub fn demands_text(condition: &Condition) -> bool {
    let new = |expr: &Condition| matches!(expr.kind, Kind::Global(Global::NewData));
    let new_value = |expr: &Condition| matches!(&expr.kind, Kind::Method(of, Method::Val, ..) if new(of));
    let text = |expr: &Condition| matches!(expr.kind, Kind::Constant(Value::String(_)));
    match &condition.kind {
        Kind::And(parts) => parts.iter().any(demands_text),
        Kind::Or(parts) => parts.iter().all(demands_text),
        Kind::Method(of, Method::IsString, ..) => new(of),
        Kind::Method(of, Method::Matches, ..) => new_value(of),
        Kind::Binary(Binary::Equal, left, right) => {
            new_value(left) && text(right) || text(left) && new_value(right)
        }
        _ => false,
    }
}

/// Whether a `.validate` lets only numbers through.
pub fn demands_number(condition: &Condition) -> bool {
    let new = |expr: &Condition| matches!(expr.kind, Kind::Global(Global::NewData));
    match &condition.kind {
        Kind::And(parts) => parts.iter().any(demands_number),
        Kind::Or(parts) => parts.iter().all(demands_number),
        Kind::Method(of, Method::IsNumber, ..) => new(of),
        _ => false,
    }
}
