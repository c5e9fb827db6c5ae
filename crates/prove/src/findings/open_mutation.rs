//! A mutation of the level `PUBLIC`: everybody may write with it, signed in or not.
//!
//! ```text
//! mutation DeletePost($id: UUID!) @auth(level: PUBLIC) { post_delete(id: $id) }
//! ```
//!
//! Raise the level and compare a stored owner with `auth.uid`:
//! `post_delete(first: {where: {id: {eq: $id}, authorUid: {eq_expr: "auth.uid"}}})`. Also an expression that holds for
//! everybody is reported, as `open-access`.

use policy::Diagnostic;

use super::{Finding, OPERATIONS};
use crate::operations::Operation;

/// The finding.
pub const FINDING: Finding = Finding::warning("open-mutation", OPERATIONS);

/// In an operation.
pub fn of_operation(operation: &Operation) -> Option<Diagnostic> {
    if !operation.writes || operation.guard != "PUBLIC" {
        return None;
    }
    let message = format!("everybody may call the mutation `{}`, signed in or not", operation.name);
    let help = "raise the level, and compare a stored owner with `auth.uid`";
    Some(FINDING.at(operation.span, message).help(help))
}
