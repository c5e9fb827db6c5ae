//! `hearth explain PROJECT "ann call Rename"`: whether a caller may call an operation of Data Connect, the SQL that it runs, and
//! each check with its value.
//!
//! No database is asked: checks are decided on the answer that `--response` gives, by root key.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use base::{Fields, Value as Stored};
use dataconnect::operation::{Api, Kind, Operation, Scope, Selected, stored};
use dataconnect::sql::{self, Failure as Unmade, Given, Statement};
use policy::cel::Level;
use policy::{Auth, Policy as _, Source, Who};
use prove::Language;
use prove::cases::{Answer, Explanation, Policy, World};
use serde_json::{Map, Value as Json, json};

use crate::dataconnect::Services;
use crate::paint::{self, Look};

/// What stands for `uuidV4()`, so that what is asked twice is answered twice the same.
const UUID: &str = "00000000000040008000000000000000";

/// A call.
pub struct Call<'c> {
    /// The caller's id; `None` is signed out.
    pub user: Option<&'c str>,
    /// The operation, or `connector/operation`.
    pub name: &'c str,
    /// The variables, as JSON.
    pub variables: Map<String, Json>,
    /// The answer's root fields, as far as they are given.
    pub response: Map<String, Json>,
    /// Users with their claims, and the time.
    pub world: World,
}

/// Reads `ann call Rename`; `None` for another request.
pub fn read(request: &str) -> Option<(Option<&str>, &str)> {
    let words: Vec<&str> = request.split_whitespace().collect();
    let [user, "call", name] = words.as_slice() else { return None };
    Some(((*user != "nobody").then_some(*user), name))
}

/// A step of the operation.
struct Step<'o> {
    field: &'o Selected,
    statement: Result<Statement, String>,
    checks: Vec<Checked<'o>>,
}

/// A check and what came of it.
struct Checked<'o> {
    path: String,
    text: &'o str,
    message: &'o str,
    /// The value, where the answer is given and reaches one.
    value: Option<String>,
    /// `None`: the answer is not given.
    holds: Option<bool>,
}

/// Explains; the code is 1 when the project has errors.
pub fn run(folder: &Path, call: &Call<'_>, as_json: bool) -> Result<ExitCode, String> {
    let services = Services::read(folder).map_err(|failure| failure.message)?;
    if services.has_errors() {
        let said: Vec<String> = services.diagnostics.iter().map(ToString::to_string).collect();
        return Err(format!("the operations do not compile:\n{}", said.join("\n")));
    }
    let (api, operation) = find(&services, call.name)?;
    let variables = api.variables(operation, call.variables.clone()).map_err(|faults| {
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        said.join("\n")
    })?;
    let Stored::Map(facts) = stored(&Json::Object(variables.clone())) else { return Ok(ExitCode::FAILURE) };
    let world = World {
        user: call.user.map(str::to_owned),
        vars: Stored::Map(facts.clone()),
        response: operation.stored(&call.response),
        ..call.world.clone()
    };
    let policy = Policy::compile(Source::new("expression", ""), Language::Cel)
        .map_err(|_| "expressions cannot be read: this is a mistake of Hearth".to_owned())?;
    let guard = policy.ask(&guard_of(operation), &world)?;
    let mut steps = Vec::new();
    for field in &operation.selection {
        let statement = statement(api, operation, field, &variables, &facts, &world);
        steps.push(Step { field, statement, checks: checks(&policy, field, call, &world)? });
    }
    let out = match as_json {
        true => format!("{:#}\n", printed_json(operation, &policy, &guard, &steps)),
        false => printed(call, operation, &policy, &guard, &steps),
    };
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn find<'s>(services: &'s Services, name: &str) -> Result<(&'s Api, &'s Operation), String> {
    let (connector, wanted) = name.split_once('/').map_or((None, name), |(of, name)| (Some(of), name));
    let mut found = Vec::new();
    for built in &services.all {
        let Some(api) = &built.api else { continue };
        for (at, operations) in built.operations.iter().enumerate() {
            let id = built.service.connectors.get(at).map(|connector| connector.id.as_str());
            if connector.is_none_or(|wanted| id == Some(wanted))
                && let Some(operation) = operations.get(wanted)
            {
                found.push((api, operation));
            }
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(format!("the project has no operation `{name}`")),
        many => Err(format!("{} connectors have `{name}`: say which, as CONNECTOR/{wanted}", many.len())),
    }
}

fn guard_of(operation: &Operation) -> String {
    let text = &operation.guard.source().text;
    match Level::named(text) {
        Some(level) => format!("@auth(level: {})", level.name()),
        None => text.to_string(),
    }
}

fn statement(
    api: &Api,
    operation: &Operation,
    field: &Selected,
    variables: &Map<String, Json>,
    facts: &Fields,
    world: &World,
) -> Result<Statement, String> {
    let none = Fields::new();
    let token = match world.user.as_ref().and_then(|user| world.users.get(user)) {
        Some(Stored::Map(claims)) => claims,
        _ => &none,
    };
    let auth = world.user.as_deref().map(|uid| Auth { uid, token });
    let who = Who { auth, app: None, time: world.time };
    let kind = operation.kind.name();
    let scope = Scope { who, kind, variables: facts, response: &world.response, uuid: &|| UUID.to_owned() };
    let expression = |at: usize| match operation.expressions.get(at) {
        Some(expression) => expression.value(&scope),
        None => Ok(Json::Null),
    };
    let default = |text: &str| match api.default(text) {
        Some(expression) => expression.value(&scope),
        None => Ok(Json::Null),
    };
    let now = world.time.to_string();
    let given = Given { variables, expression: &expression, default: &default, now: &now };
    let schema = api.tables();
    let made: Result<Statement, Unmade> = match (operation.kind, field.name.as_str()) {
        (Kind::Query, _) => sql::query(schema, std::slice::from_ref(field), &given),
        (Kind::Mutation, "query") => sql::query(schema, &field.selection, &given),
        (Kind::Mutation, _) => sql::mutation(schema, field, &given),
    };
    made.map_err(|unmade| unmade.to_string())
}

fn checks<'o>(
    policy: &Policy,
    field: &'o Selected,
    call: &Call<'_>,
    world: &World,
) -> Result<Vec<Checked<'o>>, String> {
    let answer = call.response.get(&field.key);
    let mut found = Vec::new();
    for one in field.evaluations(&field.stored(answer.unwrap_or(&Json::Null)), &|_| true) {
        let text: &'o str = &one.check.guard.source().text;
        let world = World { this: one.this.clone().unwrap_or(Stored::Null), ..world.clone() };
        let holds = match (answer, &one.this) {
            (None, _) => None,
            (Some(_), None) => Some(false),
            (Some(_), Some(_)) => Some(policy.ask(text, &world)?.decision.allowed),
        };
        let value = one.this.as_ref().filter(|_| answer.is_some());
        found.push(Checked {
            path: one.path.join("."),
            text,
            message: &one.check.message,
            value: value
                .map(|value| policy.ask("this", &World { this: value.clone(), ..world.clone() }))
                .transpose()?
                .map(|answer| answer.outcome),
            holds,
        });
    }
    Ok(found)
}

fn refusing<'s>(steps: &'s [Step<'_>]) -> Option<&'s Checked<'s>> {
    steps.iter().flat_map(|step| &step.checks).find(|check| check.holds == Some(false))
}

fn verdict(guard: &Answer, steps: &[Step<'_>]) -> String {
    let open = steps.iter().flat_map(|step| &step.checks).any(|check| check.holds.is_none());
    match (guard.decision.allowed, refusing(steps), open) {
        (false, ..) => "denied by `@auth`".to_owned(),
        (true, Some(check), _) => format!("denied by the check on `{}`: {}", check.path, check.message),
        (true, None, true) => {
            "allowed by `@auth`; its checks depend on the answer: give it with `--response`".to_owned()
        }
        (true, None, false) => "allowed".to_owned(),
    }
}

fn printed(
    call: &Call<'_>,
    operation: &Operation,
    policy: &Policy,
    guard: &Answer,
    steps: &[Step<'_>],
) -> String {
    let who = call.user.unwrap_or("nobody");
    let place = &operation.place;
    let mut out = format!("{who} calls {} ({place}): {}\n\n", operation.name, verdict(guard, steps));
    let explanation = Explanation::new(policy, guard).within(Look::stdout().columns);
    out.push_str(&explanation.text(paint::stdout_has_color()));
    for step in steps {
        out.push_str(&format!("\n{}\n", step.field.key));
        match &step.statement {
            Err(why) => out.push_str(&format!("  no SQL: {why}\n")),
            Ok(statement) => {
                out.push_str(&format!("  {}\n", statement.text.replace('\n', "\n  ")));
                for (at, value) in statement.parameters.iter().enumerate() {
                    let value = value.as_ref().map_or_else(|| "null".to_owned(), |text| format!("{text:?}"));
                    out.push_str(&format!("  ${} = {value}\n", at + 1));
                }
            }
        }
        for check in &step.checks {
            let came = match (check.holds, &check.value) {
                (None, _) => "not decided".to_owned(),
                (Some(_), None) => format!("fails, no value was reached: {}", check.message),
                (Some(true), Some(value)) => format!("holds for {value}"),
                (Some(false), Some(value)) => format!("fails for {value}: {}", check.message),
            };
            out.push_str(&format!("  check on {}: {}\n    {came}\n", check.path, check.text));
        }
    }
    out
}

fn printed_json(operation: &Operation, policy: &Policy, guard: &Answer, all: &[Step<'_>]) -> Json {
    let steps: Vec<Json> = all.iter().map(|step| {
        let checks: Vec<Json> = step.checks.iter().map(|check| json!({
            "path": check.path, "expression": check.text, "message": check.message,
            "value": check.value, "holds": check.holds,
        })).collect();
        match &step.statement {
            Ok(statement) => json!({
                "key": step.field.key, "sql": statement.text, "parameters": statement.parameters, "checks": checks,
            }),
            Err(why) => json!({ "key": step.field.key, "error": why, "checks": checks }),
        }
    }).collect();
    json!({
        "operation": operation.name,
        "verdict": verdict(guard, all),
        "guard": Explanation::new(policy, guard).json(),
        "steps": steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_requests() {
        assert_eq!(read("ann call Rename"), Some((Some("ann"), "Rename")));
        assert_eq!(read("nobody call web/Rename"), Some((None, "web/Rename")));
        assert_eq!(read("alice get /rooms/1"), None);
    }
}
