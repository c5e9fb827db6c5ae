//! Guards of Data Connect's operations: the request is an expression, whose outcome is its value, or an `@auth(…)` with
//! a level or an expression.

use base::{Fields, Value as Stored};
use policy::cel::{Call, Environment, Guard, Level, Place, Type};
use policy::decision::{Cause, Decision, Dependence, Step};
use policy::meter::Cost;
use policy::request::Auth;
use policy::source::Source;
use policy::trace::Trace;
use policy::{Diagnostic, Known, Policy, Who};

use super::World;
use super::answer::{Answer, user};

/// What `uuidV4()` returns, so that what is asked twice is answered twice the same.
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
    let text = text.trim();
    let guard = match directive(text)? {
        Some(Directive::Level(level)) => Guard::level(Source::new("expression", text), level),
        Some(Directive::Expression(expression)) => {
            match Guard::expression(Source::new("expression", expression), environment) {
                Ok(guard) => guard,
                Err(diagnostics) => return refused(text, expression, &diagnostics),
            }
        }
        None => match Guard::expression(Source::new("expression", text), environment) {
            Ok(guard) => guard,
            Err(diagnostics) => return refused(text, text, &diagnostics),
        },
    };
    let nothing = Fields::new();
    let asking = world.user.as_deref().map(|name| user(name, world, &nothing));
    let auth = asking.as_ref().map(|user| Auth { uid: user.uid, token: user.claims });
    let who = Who { auth, app: None, time: world.time };
    let variables = match &world.vars {
        Stored::Map(fields) => fields,
        _ => &nothing,
    };
    let call = Call {
        operation_name: "query",
        operation_type: "query",
        variables,
        this: Some(&world.this),
        response: Some(&world.response),
        uuid: &|| UUID.to_owned(),
    };
    let mut trace = Trace::default();
    let plain = decided(guard.decide(&who, &call, &Known::default(), None))?;
    let traced = decided(guard.decide(&who, &call, &Known::default(), Some(&mut trace)))?;
    if (plain.allowed, &plain.causes) != (traced.allowed, &traced.causes) {
        return Err("observing the expression changes it: this is a mistake of Hearth".to_owned());
    }
    let outcome = guard.outcome(&who, &call);
    let source = guard.source().clone();
    Ok(Answer { request: text.to_owned(), outcome, decision: plain, trace, source, missing: None })
}

/// What an `@auth(…)` says.
enum Directive<'t> {
    Level(Level),
    Expression(&'t str),
}

/// Reads `@auth(level: USER)` or `@auth(expr: "…")`; `None` for an expression that stands alone.
fn directive(text: &str) -> Result<Option<Directive<'_>>, String> {
    let Some(arguments) = text.strip_prefix("@auth(").and_then(|rest| rest.strip_suffix(')')) else {
        return Ok(None);
    };
    let wrong = || format!("`{text}` is neither `@auth(level: NAME)` nor `@auth(expr: \"…\")`");
    let (name, value) = arguments.split_once(':').ok_or_else(wrong)?;
    match (name.trim(), value.trim()) {
        ("level", name) => match Level::named(name) {
            Some(level) => Ok(Some(Directive::Level(level))),
            None => {
                let known = Level::ALL.map(Level::name).join(", ");
                Err(format!("`{name}` is not a level of `@auth`: it is one of {known}"))
            }
        },
        ("expr", quoted) => {
            let expression = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Ok(Some(Directive::Expression(expression.ok_or_else(wrong)?)))
        }
        _ => Err(wrong()),
    }
}

fn decided<N>(step: Step<N>) -> Result<Decision, String> {
    match step {
        Step::Decided(decision) => Ok(decision),
        Step::Needs(_) => {
            Err("the expression asks for what it was given: this is a mistake of Hearth".to_owned())
        }
    }
}

fn refused(request: &str, text: &str, diagnostics: &[Diagnostic]) -> Result<Answer, String> {
    let Some(first) = diagnostics.first() else {
        return Err(
            "the expression does not compile and nothing says why: this is a mistake of Hearth".to_owned()
        );
    };
    let source = Source::new("expression", text);
    let (line, column) = source.line_column(first.span.start);
    let outcome = format!("refused: {line}:{column}: {}", first.message);
    let cause = Cause::plain(&first.message, true).at(&source, first.span);
    let decision = Decision {
        allowed: false,
        exact_match_only: false,
        by: None,
        causes: vec![cause],
        documents: Default::default(),
        depends: Dependence::default(),
        cost: Cost { expressions: 0, reads: 0 },
    };
    Ok(Answer {
        request: request.to_owned(),
        outcome,
        decision,
        trace: Trace::default(),
        source,
        missing: None,
    })
}
