//! A child that must be there and that no rule lets be there: nothing can be written.
//!
//! ```text
//! ".validate": "newData.hasChildren(['name', 'age'])",
//! "name": {".validate": true},
//! "$other": {".validate": false}
//! ```
//!
//! Give `age` its own rules, next to `$other`.

use base::Value;
use policy::ir::Kind;
use policy::rtdb::lowered::{Condition, Global, Method, Node};
use policy::{Diagnostic, Span};

use super::{DATABASE, Finding};
use crate::readers::realtime::syntax::{conjuncts, is_false};

/// The finding.
pub const FINDING: Finding = Finding::warning("required-child-refused", DATABASE);

/// The first such child of a place.
pub fn of_node(nodes: &[Node], node: &Node) -> Option<Diagnostic> {
    let validate = node.validate.as_ref()?;
    required(&validate.condition).into_iter().find_map(|(key, span)| {
        let child = nodes.get(node.child(key.split('/').next()?)?)?;
        let refusing = child.validate.as_ref().filter(|rule| is_false(&rule.condition))?;
        let line = refusing.position.line;
        let message = format!(
            "`{key}` must be there, and `.validate` on line {line} refuses it: nothing can be written here"
        );
        let named = node.children.iter().any(|(name, _)| **name == *key);
        let help = if named {
            format!("leave `{key}` out here, or let it be written there")
        } else {
            format!("give `{key}` rules of its own beside `{}`", child.path.rsplit('/').next().unwrap_or(""))
        };
        let label = "this is for all keys without rules of their own";
        Some(FINDING.at(span, message).label(refusing.position.span, label).help(help))
    })
}

/// The children of `newData` that a `.validate` asks for.
fn required(condition: &Condition) -> Vec<(&str, Span)> {
    let new = |expr: &Condition| matches!(expr.kind, Kind::Global(Global::NewData));
    let mut found = Vec::new();
    for part in conjuncts(condition) {
        let Kind::Method(of, Method::HasChildren | Method::HasChild, arguments, _) = &part.kind else {
            continue;
        };
        for argument in arguments.iter().filter(|_| new(of)) {
            if let Kind::Constant(Value::String(key)) = &argument.kind {
                found.push((key.as_str(), argument.span));
            }
        }
    }
    found
}
