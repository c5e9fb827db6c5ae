//! A `@check` that compares the field with a value that it never has: of another type, or no value of its enum. The
//! operation fails for every caller.
//!
//! ```text
//! role @check(expr: "this == 'editr'")
//! ```
//!
//! Compare with a value of the field's type. Conditions that contradict themselves are reported as `never-holds`.

use policy::Diagnostic;
use policy::cel::Constant;
use policy::cel::ast::{Expr, Kind};

use super::{Finding, OPERATIONS};
use crate::operations::{Check, Operation, This};

/// The finding.
pub const FINDING: Finding = Finding::warning("check-never-passes", OPERATIONS);

/// In an operation.
pub fn of_operation(operation: &Operation) -> Vec<Diagnostic> {
    operation.checks.iter().filter_map(of_check).collect()
}

fn of_check(check: &Check) -> Option<Diagnostic> {
    let (expr, _) = policy::cel::parse(&check.text);
    let why = contradiction(&expr, &check.this)?;
    let message = format!("the check `{}` never passes: {why}", check.text);
    let diagnostic = FINDING.at(check.span, message);
    Some(match &check.this {
        This::Enum(values) => diagnostic.help(format!("its values are `{}`", values.join("`, `"))),
        _ => diagnostic,
    })
}

/// Why an expression is false whatever `this` is.
fn contradiction(expr: &Expr, this: &This) -> Option<String> {
    match &expr.kind {
        Kind::And(parts) => parts.iter().find_map(|part| contradiction(part, this)),
        Kind::Or(parts) => {
            let all: Option<Vec<String>> = parts.iter().map(|part| contradiction(part, this)).collect();
            all.filter(|all| !all.is_empty()).map(|all| all.join(", and "))
        }
        Kind::Operator("_==_", operands) => match operands.as_slice() {
            [a, b] if is_this(a) => unlike(b, this),
            [a, b] if is_this(b) => unlike(a, this),
            _ => None,
        },
        Kind::Operator("@in", operands) => match operands.as_slice() {
            [a, list] if is_this(a) => {
                let Kind::List(items) = &list.kind else { return None };
                let all: Option<Vec<String>> = items.iter().map(|item| unlike(&item.expr, this)).collect();
                all.filter(|all| !all.is_empty()).map(|all| all.join(", and "))
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_this(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Name(name, _) if name.as_str() == "this")
}

/// Why a constant is never the field's value.
fn unlike(expr: &Expr, this: &This) -> Option<String> {
    let Kind::Literal(constant) = &expr.kind else { return None };
    let (what, shown) = match constant {
        Constant::Str(text) => ("text", format!("'{text}'")),
        Constant::Int(number) => ("a number", number.to_string()),
        Constant::Double(number) => ("a number", number.to_string()),
        Constant::Bool(value) => ("a boolean", value.to_string()),
        _ => return None,
    };
    let is = match this {
        This::Text => "text",
        This::Number => "a number",
        This::Boolean => "a boolean",
        This::Enum(values) => {
            let is_value =
                matches!(constant, Constant::Str(text) if values.iter().any(|value| **value == **text));
            return (!is_value).then(|| format!("`{shown}` is no value of the field's enum"));
        }
        This::Other => return None,
    };
    (is != what).then(|| format!("the field is {is}, and `{shown}` is {what}"))
}
