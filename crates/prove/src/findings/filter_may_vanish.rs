//! A `deleteMany` or `updateMany` whose condition vanishes with the variables that a caller leaves out: then it is for every
//! row of the table.
//!
//! ```text
//! mutation Clear($author: String) @auth(level: NO_ACCESS) { post_deleteMany(where: {authorUid: {eq: $author}}) }
//! ```
//!
//! Make one of the variables non-null (`$author: String!`), or add a condition that is always there, such as
//! `authorUid: {eq_expr: "auth.uid"}`.

use policy::Diagnostic;

use super::{Finding, OPERATIONS};
use crate::operations::Operation;

/// The finding.
pub const FINDING: Finding = Finding::warning("filter-may-vanish", OPERATIONS);

/// In an operation.
pub fn of_operation(operation: &Operation) -> Vec<Diagnostic> {
    let found = operation.many.iter().filter(|many| !many.vanishing.is_empty());
    let tell = |many: &crate::operations::Many| {
        let variables = many.vanishing.join("` and `$");
        let message = format!(
            "`{}` of `{}` is for every row when `${variables}` is left out",
            many.name, operation.name
        );
        FINDING.at(many.span, message).help("make a variable of the condition non-null, such as `$id: UUID!`")
    };
    found.map(tell).collect()
}
