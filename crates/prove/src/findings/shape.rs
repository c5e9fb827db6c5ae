//! What the rules of neighbouring places say about each other: values that can never be written, indexes of nothing.

use base::Value;

use super::realtime::{conjuncts, demands_number, demands_text};
use policy::diagnostic::Diagnostic;
use policy::ir::Kind;
use policy::rtdb::lowered::{Condition, Global, Method};
use policy::rtdb::lowered::{Node, Rule};
use policy::source::{Source, Span};

/// Looks at one place and those right below it.
pub fn findings(source: &Source, nodes: &[Node], node: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if let Some(validate) = &node.validate {
        found.extend(refused_child(nodes, node, validate));
        found.extend(child_of_a_value(nodes, node, validate));
    }
    found.extend(index(source, nodes, node));
    found
}

fn is_false(rule: Option<&Rule>) -> bool {
    rule.is_some_and(|rule| matches!(rule.condition.kind, Kind::Constant(Value::Bool(false))))
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

/// A child that must be there and that no rule lets be there.
fn refused_child(nodes: &[Node], node: &Node, validate: &Rule) -> Option<Diagnostic> {
    required(&validate.condition).into_iter().find_map(|(key, span)| {
        let child = nodes.get(node.child(key.split('/').next()?)?)?;
        let refusing = child.validate.as_ref().filter(|rule| is_false(Some(rule)))?;
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
        Some(
            Diagnostic::warning("required-child-refused", span, message)
                .label(refusing.position.span, "this is for all keys without rules of their own")
                .help(help),
        )
    })
}

/// Rules below a place that can only be text or a number.
fn child_of_a_value(nodes: &[Node], node: &Node, validate: &Rule) -> Option<Diagnostic> {
    let kind = if demands_text(&validate.condition) {
        "text"
    } else if demands_number(&validate.condition) {
        "a number"
    } else {
        return None;
    };
    // `$other: false` says the same in other words.
    let child = node
        .all_children()
        .filter_map(|child| nodes.get(child))
        .find_map(|child| child.validate.as_ref().filter(|rule| !is_false(Some(rule))))?;
    let line = validate.position.line;
    let message = format!(
        "this is never looked at: `.validate` on line {line} wants {kind} above, which has no children"
    );
    Some(
        Diagnostic::warning("child-of-a-value", child.position.span, message)
            .label(validate.position.span, "wanted here")
            .help("move that `.validate` down to the child that it is about"),
    )
}

/// `.indexOn` at the item instead of at the list of items, or of what needs none.
fn index(source: &Source, nodes: &[Node], node: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let Some(span) = node.index_span else { return found };
    for name in &node.index_on {
        if matches!(&**name, ".key" | ".priority") {
            let message = format!("`{name}` needs no index");
            found.push(Diagnostic::warning("needless-index", span, message).help("leave it out"));
        } else if name.starts_with('$') {
            let message = format!("`.indexOn` names children of the items; `{name}` is not the name of one");
            found.push(
                Diagnostic::warning("index-of-nothing", span, message)
                    .help("write the name of the child that queries are ordered by"),
            );
        }
    }
    // All names are children of this very place, each a plain value, and nothing else may be here.
    let scalar = |name: &str| {
        let child =
            node.children.iter().find(|(known, _)| **known == *name).and_then(|(_, child)| nodes.get(*child));
        child
            .and_then(|child| child.validate.as_ref())
            .is_some_and(|rule| demands_text(&rule.condition) || demands_number(&rule.condition))
    };
    let closed = node
        .capture
        .is_none_or(|child| nodes.get(child).is_some_and(|child| is_false(child.validate.as_ref())));
    if closed
        && node.path.contains('/')
        && !node.index_on.is_empty()
        && node.index_on.iter().all(|name| scalar(name))
    {
        let (line, _) = source.line_column(span.start);
        let above =
            node.path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
        let message = format!(
            "this indexes the children of {}, which are plain values; an index belongs where the list is, at {above}",
            node.path
        );
        found.push(
            Diagnostic::warning("index-of-nothing", span, message)
                .help(format!("move `.indexOn` from line {line} one place up, to {above}")),
        );
    }
    found
}
