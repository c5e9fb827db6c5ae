//! Rules below a place that can only be text or a number, which has no children: they are never looked at.
//!
//! ```text
//! "name": {".validate": "newData.isString()", "first": {".validate": "newData.val() != ''"}}
//! ```
//!
//! Move the upper `.validate` down to the child that it validates.

use policy::Diagnostic;
use policy::rtdb::lowered::Node;

use super::{DATABASE, Finding};
use crate::readers::realtime::syntax::{demands_number, demands_text, is_false};

/// The finding.
pub const FINDING: Finding = Finding::warning("child-of-a-value", DATABASE);

/// The first such rule of a place.
pub fn of_node(nodes: &[Node], node: &Node) -> Option<Diagnostic> {
    let validate = node.validate.as_ref()?;
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
        .find_map(|child| child.validate.as_ref().filter(|rule| !is_false(&rule.condition)))?;
    let line = validate.position.line;
    let message = format!(
        "this is never looked at: `.validate` on line {line} wants {kind} above, which has no children"
    );
    let diagnostic = FINDING.at(child.position.span, message).label(validate.position.span, "wanted here");
    Some(diagnostic.help("move that `.validate` down to the child that it is about"))
}
