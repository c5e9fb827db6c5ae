//! Expressions of Data Connect: the request is the expression, the outcome its value.

use base::{Fields, Value as Stored};

use crate::cause::Said;
use crate::cel::{Environment, Inputs, Outcome, Place, Type, Value, compile, limits, show};
use crate::decision::{Cause, Decision, Dependence, RulePosition};
use crate::meter::Cost;
use crate::source::{Source, Span};
use crate::trace::{Candidate, Node, Trace};

use super::World;
use super::ask::{Answer, user};

/// What `uuidV4()` gives, so that what is asked twice is answered twice the same.
const UUID: &str = "00000000000040008000000000000000";

/// The declarations of a place.
pub(super) fn environment(place: &str, variables: &[(String, String)]) -> Result<Environment, String> {
    let place = match place {
        "" | "auth" => Place::Auth,
        "check" => Place::Check,
        "value" => Place::Value,
        "refresh" => Place::Refresh,
        other => {
            return Err(format!("`{other}` is no place of expressions: it is auth, check, value or refresh"));
        }
    };
    let of = |(name, text): &(String, String)| (name.clone(), Type::from_graphql(text, |_| false));
    Ok(Environment::data_connect(place, variables.iter().map(of).collect()))
}

pub(super) fn ask(environment: &Environment, text: &str, world: &World) -> Result<Answer, String> {
    let source = Source::new("expression", text.trim());
    let compiled = compile(source.clone(), environment);
    let Some(program) = &compiled.program else {
        let Some(first) = compiled.diagnostics.first() else {
            return Err("the expression does not compile and nothing says why: this is a mistake of Hearth"
                .to_owned());
        };
        let (line, column) = source.line_column(first.span.start);
        let outcome = format!("refused: {line}:{column}: {}", first.message);
        let cause = Cause::plain(&first.message, true).at(&source, first.span);
        return Ok(answer(text, source, outcome, vec![cause], 0, Trace::default()));
    };
    let auth = auth(world);
    let (auth, vars) = (Value::from_stored(&auth), Value::from_stored(&world.vars));
    let request = Value::record([
        ("auth", auth.clone()),
        ("variables", vars.clone()),
        ("operationName", Value::text("query")),
        ("operationType", Value::text("query")),
        ("time", Value::Timestamp(world.time)),
    ]);
    let (this, response) = (Value::from_stored(&world.this), Value::from_stored(&world.response));
    let mutation =
        Value::record([("variables", vars.clone()), ("auth", auth.clone()), ("response", response.clone())]);
    let values = [
        ("auth", auth),
        ("vars", vars),
        ("request", request),
        ("this", this),
        ("response", response),
        ("mutation", mutation),
    ];
    let mut variables: Vec<Option<Value<'_>>> = vec![None; values.len()];
    for (name, value) in values {
        if let Some(slot) = environment.position(name).and_then(|at| variables.get_mut(at)) {
            *slot = Some(value);
        }
    }
    let supplied = |name: &str, _: &[Value<'_>]| (name == "uuidV4").then(|| Value::text(UUID));
    let inputs = Inputs { variables: &variables, supplied: Some(&supplied) };
    let plain = program.evaluate(&inputs, &limits(), None);
    let mut node = None;
    let traced = program.evaluate(&inputs, &limits(), Some(&mut node));
    let outcome = told(&plain.outcome);
    if outcome != told(&traced.outcome) {
        return Err("observing the expression changes it: this is a mistake of Hearth".to_owned());
    }
    let allowed = matches!(plain.outcome, Ok(Value::Bool(true)));
    let whole = Span::new(0, source.text.len());
    let causes = node.iter().filter(|_| !allowed).map(|node| cause(&source, &plain.outcome, node)).collect();
    let candidate =
        Candidate { rule: "expression", span: whole, alternative: 0, granted: allowed, condition: node };
    let trace = Trace { candidates: vec![candidate], ..Trace::default() };
    Ok(answer(text, source, outcome, causes, plain.steps, trace))
}

fn answer(
    text: &str,
    source: Source,
    outcome: String,
    causes: Vec<Cause>,
    expressions: u32,
    trace: Trace,
) -> Answer {
    let allowed = outcome == "true";
    let span = Span::new(0, source.text.len());
    let by = allowed.then_some(RulePosition { line: 1, column: 1, span });
    let cost = Cost { expressions, reads: 0 };
    let depends = Dependence::default();
    let decision =
        Decision { allowed, literally: false, by, causes, documents: Default::default(), depends, cost };
    Answer { request: text.trim().to_owned(), outcome, decision, trace, source, missing: None }
}

fn told(outcome: &Outcome<'_>) -> String {
    match outcome {
        Ok(value) => show(value),
        Err(fault) => format!("error: {fault}"),
    }
}

fn cause(source: &Source, outcome: &Outcome<'_>, node: &Node) -> Cause {
    let fault = outcome.as_ref().err().map(|fault| fault.span);
    let text = match outcome {
        Ok(value) => show(value),
        Err(fault) => fault.to_string(),
    };
    let said = Said { text, rule_line: 1, at: fault, failed: fault, error: fault.is_some() };
    Cause::of(source, node, said)
}

/// The variable `auth`.
fn auth(world: &World) -> Stored {
    let Some(name) = &world.user else { return Stored::Null };
    let none = Fields::new();
    let who = user(name, world, &none);
    Stored::Map(Fields::from([
        ("uid".to_owned(), Stored::String(who.uid.to_owned())),
        ("token".to_owned(), Stored::Map(who.claims.clone())),
    ]))
}
