//! A field with `@redact` that nothing looks at: it is computed, checked by nothing, and thrown away.
//!
//! ```text
//! mutation Rename($id: UUID!, $title: String!) @auth(level: USER) @transaction {
//!   query @redact { moviePermission(key: {movieId: $id, userId_expr: "auth.uid"}) { role } }
//!   movie_update(id: $id, data: {title: $title})
//! }
//! ```
//!
//! Probably a `@check` is missing. Fields that write are not reported: what they write stays.

use policy::Diagnostic;

use super::{Finding, OPERATIONS};
use crate::operations::Operation;

/// The finding.
pub const FINDING: Finding = Finding::warning("unused-redact", OPERATIONS);

/// In an operation.
pub fn of_operation(operation: &Operation) -> Vec<Diagnostic> {
    let mentioned = |key: &str| {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        operation
            .texts()
            .any(|text| text.split(|letter| !is_word(letter)).any(|word| word == key || word == "response"))
    };
    let unused = |redacted: &&crate::operations::Redacted| {
        !redacted.writes && !redacted.checked && !mentioned(&redacted.key)
    };
    let tell = |redacted: &crate::operations::Redacted| {
        let message = format!("`{}` is hidden from clients, and nothing checks it", redacted.key);
        FINDING.at(redacted.span, message).help("add a `@check` to it, or leave it out")
    };
    operation.redacted.iter().filter(unused).map(tell).collect()
}
