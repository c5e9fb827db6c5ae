//! An operation of the level `USER`, `USER_ANON` or `USER_EMAIL_VERIFIED` that looks at `auth` nowhere: every caller of the
//! level gets, or changes, the same rows. Everybody can sign up.
//!
//! ```text
//! query AllMyPosts($userId: String!) @auth(level: USER) { posts(where: {authorUid: {eq: $userId}}) { text } }
//! ```
//!
//! Compare with the caller: `where: {authorUid: {eq_expr: "auth.uid"}}`, or a `@check` on a row that says what the caller
//! may do.

use policy::Diagnostic;

use super::{Finding, OPERATIONS};
use crate::operations::Operation;

/// The finding.
pub const FINDING: Finding = Finding::warning("every-caller-alike", OPERATIONS);

/// In an operation.
pub fn of_operation(operation: &Operation) -> Option<Diagnostic> {
    if !operation.is_for_users() || operation.looks_at_caller() {
        return None;
    }
    let (name, level) = (&operation.name, &operation.guard);
    let message = match operation.writes {
        true => format!(
            "every caller of the level {level} may change the same rows with `{name}`: it looks at `auth` nowhere"
        ),
        false => format!(
            "every caller of the level {level} may read the same rows with `{name}`: it looks at `auth` nowhere"
        ),
    };
    let help = "compare with the caller, such as `where: {authorUid: {eq_expr: \"auth.uid\"}}`";
    Some(FINDING.at(operation.span, message).help(help))
}
