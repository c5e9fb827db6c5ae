//! An index where there is nothing to order: at the item instead of the list of items, or of a capture's name.
//!
//! ```text
//! "scores": {"$id": {".indexOn": "points", "points": {".validate": "newData.isNumber()"}, "$other": {".validate": false}}}
//! ```
//!
//! Move it one place up, to `scores`.

use policy::rtdb::lowered::Node;
use policy::{Diagnostic, Source, Span};

use super::{DATABASE, Finding};
use crate::readers::realtime::syntax::{demands_number, demands_text, is_false};

/// The finding.
pub const FINDING: Finding = Finding::warning("index-of-nothing", DATABASE);

/// All of a place.
pub fn of_node(source: &Source, nodes: &[Node], node: &Node) -> Vec<Diagnostic> {
    let Some(span) = node.index_span else { return Vec::new() };
    let captures = node.index_on.iter().filter(|name| name.starts_with('$')).map(|name| {
        let message = format!("`.indexOn` names children of the items; `{name}` is not the name of one");
        FINDING.at(span, message).help("write the name of the child that queries are ordered by")
    });
    captures.chain(of_an_item(source, nodes, node, span)).collect()
}

/// All names are children of this very place, each a plain value, and nothing else may be here.
fn of_an_item(source: &Source, nodes: &[Node], node: &Node, span: Span) -> Option<Diagnostic> {
    let is_value = |name: &str| {
        let child = node.children.iter().find(|(known, _)| **known == *name);
        let child = child.and_then(|(_, child)| nodes.get(*child));
        child
            .and_then(|child| child.validate.as_ref())
            .is_some_and(|rule| demands_text(&rule.condition) || demands_number(&rule.condition))
    };
    let refuses = |child: &Node| child.validate.as_ref().is_some_and(|rule| is_false(&rule.condition));
    let closed = node.capture.is_none_or(|child| nodes.get(child).is_some_and(refuses));
    let of_values = !node.index_on.is_empty() && node.index_on.iter().all(|name| is_value(name));
    if !closed || !of_values {
        return None;
    }
    let (above, _) = node.path.rsplit_once('/')?;
    let above = if above.is_empty() { "/" } else { above };
    let (line, _) = source.line_column(span.start);
    let message = format!(
        "this indexes the children of {}, which are plain values; an index belongs where the list is, at {above}",
        node.path
    );
    Some(FINDING.at(span, message).help(format!("move `.indexOn` from line {line} one place up, to {above}")))
}
