//! Compiled operations as the static checks see them.

use dataconnect::diagnostic::Place;
use dataconnect::operation::{Api, Check, Kind, Operation, Selected, Template};
use dataconnect::schema::{Base, Scalar};
use policy::{Policy as _, Span};
use prove::operations::{self, Many, Redacted, This, Variable};

/// Describes an operation; `span` finds places in its file.
pub fn describe(
    api: &Api,
    operation: &Operation,
    span: &mut dyn FnMut(&Place) -> Span,
) -> operations::Operation {
    let mut described = operations::Operation {
        name: operation.name.clone(),
        file: operation.place.file.to_string(),
        span: span(&operation.place),
        writes: operation.kind == Kind::Mutation,
        guard: operation.guard.source().text.to_string(),
        meant: operation.insecure_reason.is_some(),
        expressions: operation.expressions.iter().map(|expression| expression.text().to_owned()).collect(),
        variables: Vec::new(),
        checks: Vec::new(),
        many: Vec::new(),
        redacted: Vec::new(),
    };
    for variable in &operation.variables {
        described.variables.push(Variable { name: variable.name.clone(), span: span(&variable.place) });
    }
    described.checks.extend(operation.checks.iter().map(|check| self::check(check, This::Other, span)));
    let mut waiting: Vec<(&Selected, bool)> = Vec::new();
    waiting.extend(operation.selection.iter().rev().map(|field| (field, true)));
    while let Some((field, is_root)) = waiting.pop() {
        for one in &field.checks {
            let this = if one.each || field.list { This::Other } else { this(api, &field.named) };
            described.checks.push(check(one, this, span));
        }
        described.many.extend(many(operation, field, span));
        if field.redacted {
            described.redacted.push(Redacted {
                key: field.key.clone(),
                span: span(&field.place),
                checked: is_checked(field) || !operation.checks.is_empty(),
                writes: is_root && described.writes && field.name != "query",
            });
        }
        waiting.extend(field.selection.iter().rev().map(|field| (field, false)));
    }
    described
}

fn check(check: &Check, this: This, span: &mut dyn FnMut(&Place) -> Span) -> operations::Check {
    let text = check.guard.source().text.to_string();
    operations::Check { text, span: span(&check.place), this }
}

fn is_checked(field: &Selected) -> bool {
    !field.checks.is_empty() || field.selection.iter().any(is_checked)
}

fn this(api: &Api, named: &str) -> This {
    let schema = api.tables();
    let base = match Scalar::named(named) {
        Some(scalar) => Base::Scalar(scalar),
        None => Base::Enum(named.to_owned()),
    };
    match base {
        Base::Enum(name) => match schema.enums.get(&name) {
            Some(of) => This::Enum(of.values.clone()),
            None => This::Other,
        },
        Base::Scalar(Scalar::Int | Scalar::Float) => This::Number,
        Base::Scalar(Scalar::Boolean) => This::Boolean,
        Base::Scalar(Scalar::Any | Scalar::Vector) => This::Other,
        // Times and long numbers are text in answers.
        Base::Scalar(_) => This::Text,
    }
}

fn many(operation: &Operation, field: &Selected, span: &mut dyn FnMut(&Place) -> Span) -> Option<Many> {
    if !field.name.ends_with("_deleteMany") && !field.name.ends_with("_updateMany") {
        return None;
    }
    let condition = field.arguments.get("where")?;
    let is_given = |name: &str| {
        let mut variables = operation.variables.iter().filter(|variable| variable.name == name);
        variables.any(|variable| variable.required || variable.default.is_some())
    };
    let mut variables = Vec::new();
    if !condition.remains(&is_given) && *condition != Template::Constant(serde_json::json!({})) {
        condition.variables(&mut variables);
    }
    let vanishing = variables.into_iter().map(str::to_owned).collect();
    Some(Many { name: field.name.clone(), span: span(&field.place), vanishing })
}
