//! An operation for signed-in users takes a user's id from its caller, who can send any id.
//!
//! ```text
//! query MyPosts($userId: String!) @auth(level: USER) { posts(where: {authorUid: {eq: $userId}}) { text } }
//! ```
//!
//! Write `eq_expr: "auth.uid"`, or `authorUid_expr: "auth.uid"`, instead of the variable. An operation whose expressions
//! look at `auth` as well as at the variable is not reported.

use policy::Diagnostic;

use super::{Finding, OPERATIONS};
use crate::operations::Operation;

/// The finding.
pub const FINDING: Finding = Finding::warning("user-id-from-caller", OPERATIONS);

/// Names of variables that are a user's id, in lower case and without `_`.
const NAMES: [&str; 9] =
    ["uid", "userid", "useruid", "authorid", "authoruid", "ownerid", "owneruid", "authid", "authuid"];

/// In an operation.
pub fn of_operation(operation: &Operation) -> Vec<Diagnostic> {
    if !operation.is_for_users() && operation.guard != "PUBLIC" {
        return Vec::new();
    }
    let is_user = |name: &str| NAMES.contains(&name.to_ascii_lowercase().replace('_', "").as_str());
    let compared = |name: &str| operation.texts().any(|text| text.contains("auth") && text.contains(name));
    let variables = operation.variables.iter();
    let found = variables.filter(|variable| is_user(&variable.name) && !compared(&variable.name));
    let tell = |variable: &crate::operations::Variable| {
        let message = format!(
            "`{}` takes a user's id from its caller, who can send any: `${}`",
            operation.name, variable.name
        );
        FINDING.at(variable.span, message).help("write `eq_expr: \"auth.uid\"` instead of the variable")
    };
    found.map(tell).collect()
}
