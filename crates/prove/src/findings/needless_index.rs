//! An index of what needs none: keys and priorities are always indexed.
//!
//! ```text
//! ".indexOn": ".key"
//! ```
//!
//! Leave it out.

use policy::Diagnostic;
use policy::rtdb::lowered::Node;

use super::{DATABASE, Finding};

/// The finding.
pub const FINDING: Finding = Finding::warning("needless-index", DATABASE);

/// All of a place.
pub fn of_node(node: &Node) -> Vec<Diagnostic> {
    let Some(span) = node.index_span else { return Vec::new() };
    let needless = node.index_on.iter().filter(|name| matches!(&***name, ".key" | ".priority"));
    needless.map(|name| FINDING.at(span, format!("`{name}` needs no index")).help("leave it out")).collect()
}
