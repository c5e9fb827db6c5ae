//! Remarks on operations that are valid and probably not meant: they let more callers do more than their author thinks.
//!
//! Source: the reference, §8.2, and the patterns to avoid of Data Connect's own documentation.

use policy::Policy as _;

use super::{Kind, Operation, Selected, Template};
use crate::diagnostic::Diagnostic;

/// Looks at an operation.
pub(super) fn audit(operation: &Operation, diagnostics: &mut Vec<Diagnostic>) {
    let level = operation.guard.source().text.to_string();
    let name = &operation.name;
    let mut warn = |message: String, help: &str| {
        diagnostics.push(Diagnostic::warning(operation.place.clone(), message).help(help));
    };
    let looks_at_user = looks_at_user(operation);
    match (level.as_str(), operation.kind) {
        ("PUBLIC", Kind::Mutation) => warn(
            format!("anybody may call the mutation `{name}`, signed in or not"),
            "raise the level, and compare a stored owner with `auth.uid`",
        ),
        ("USER_ANON" | "USER" | "USER_EMAIL_VERIFIED", kind) if !looks_at_user => warn(
            format!(
                "every caller of the level {level} gets the same of the {} `{name}`: it looks at `auth.uid` nowhere",
                kind.name()
            ),
            "compare with the caller, such as `where: {authorUid: {eq_expr: \"auth.uid\"}}`",
        ),
        _ => {}
    }
    for variable in operation.variables.iter().filter(|variable| is_user(&variable.name)) {
        if !level.contains("vars") && ["USER_ANON", "USER", "USER_EMAIL_VERIFIED"].contains(&level.as_str()) {
            warn(
                format!("`{name}` takes a user's id from its caller: `${}`", variable.name),
                "callers can send any id; write `eq_expr: \"auth.uid\"` instead of the variable",
            );
        }
    }
    for field in &operation.selection {
        vanishing(operation, field, diagnostics);
    }
}

fn is_user(variable: &str) -> bool {
    let name = variable.to_ascii_lowercase().replace('_', "");
    ["uid", "userid", "useruid", "authorid", "authoruid", "ownerid", "owneruid", "authid"]
        .contains(&name.as_str())
}

fn looks_at_user(operation: &Operation) -> bool {
    let mentions = |text: &str| text.contains("auth.") || text.contains("auth[");
    let in_checks = |checks: &[super::Check]| checks.iter().any(|check| mentions(&check.guard.source().text));
    fn any(fields: &[Selected], test: &dyn Fn(&[super::Check]) -> bool) -> bool {
        fields.iter().any(|field| test(&field.checks) || any(&field.selection, test))
    }
    operation.expressions.iter().any(|expression| mentions(expression.text()))
        || in_checks(&operation.checks)
        || any(&operation.selection, &in_checks)
}

/// `deleteMany(where: {author: {eq: $a}})` deletes every row when `$a` is omitted.
fn vanishing(operation: &Operation, field: &Selected, diagnostics: &mut Vec<Diagnostic>) {
    if !field.name.ends_with("_deleteMany") && !field.name.ends_with("_updateMany") {
        return;
    }
    let Some(condition) = field.arguments.get("where") else { return };
    if always_filters(condition, operation) {
        return;
    }
    let mut variables = Vec::new();
    condition.variables(&mut variables);
    let message = format!(
        "`{}` of `{}` is for every row when `${}` is omitted",
        field.name,
        operation.name,
        variables.join("` and `$")
    );
    diagnostics.push(
        Diagnostic::warning(field.place.clone(), message)
            .help("make a variable of the condition non-null, such as `$id: UUID!`"),
    );
}

/// Whether something is left of a condition, whatever is omitted.
fn always_filters(template: &Template, operation: &Operation) -> bool {
    match template {
        Template::Variable(name) => operation
            .variables
            .iter()
            .any(|variable| variable.name == *name && (variable.required || variable.default.is_some())),
        Template::Object(fields) => fields.iter().any(|(_, template)| always_filters(template, operation)),
        Template::List(items) => items.iter().any(|template| always_filters(template, operation)),
        Template::Constant(json) => !matches!(json, serde_json::Value::Object(fields) if fields.is_empty()),
        Template::Expression(_) => true,
    }
}
