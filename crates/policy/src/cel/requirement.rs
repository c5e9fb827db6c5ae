//! What guards a function: `require = "…"` of `hearth.toml`, an expression over `auth`, `app` and `request`.

use std::fmt;

use base::Fields;

use crate::coverage::Sites;
use crate::decision::{Dependence, Step};
use crate::diagnostic::Diagnostic;
use crate::policy::{Known, Policy, Who};
use crate::source::Source;
use crate::trace::{Node, Trace};
use crate::value::Str;

use super::value::Map;
use super::verdict;
use super::{Environment, Evaluation, Inputs, Program, Type, Value, compile, limits};

/// A call of a function over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'r> {
    /// The function's name.
    pub function: &'r str,
    /// `GET`, `POST`, …
    pub method: &'r str,
    /// What follows the function's name in the URL, `/` at least.
    pub path: &'r str,
    /// The headers by their names in lower case, but for credentials.
    pub headers: &'r Fields,
    /// The address of the client.
    pub ip: &'r str,
}

/// A compiled requirement. `auth` is null for who is not signed in, `app` for who brings no attested app.
#[derive(Debug)]
pub struct Requirement {
    source: Source,
    program: Box<Program>,
}

/// Requirements depend on nothing but the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoNeed {}

impl fmt::Display for NoNeed {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Requirement {
    /// Compiles an expression. `Err`: why it does not compile.
    pub fn new(source: Source) -> Result<Self, Vec<Diagnostic>> {
        let compiled = compile(source.clone(), &environment());
        let program = Box::new(compiled.program.ok_or(compiled.diagnostics)?);
        Ok(Self { source, program })
    }
}

/// The variables in the order of [`evaluate`].
fn environment() -> Environment {
    let strings = || Type::map(Type::String, Type::String);
    let auth = vec![
        ("uid".to_owned(), Type::nullable(Type::String)),
        ("token".to_owned(), Type::map(Type::String, Type::Dyn)),
    ];
    let request = vec![
        ("function".to_owned(), Type::String),
        ("method".to_owned(), Type::String),
        ("path".to_owned(), Type::String),
        ("headers".to_owned(), strings()),
        ("ip".to_owned(), Type::String),
        ("time".to_owned(), Type::Timestamp),
    ];
    Environment::new()
        .variable("auth", Type::record("auth", auth))
        .variable("app", Type::record("app", vec![("id".to_owned(), Type::String)]))
        .variable("request", Type::record("request", request))
}

impl Policy for Requirement {
    type Request<'r> = HttpCall<'r>;
    type Need = NoNeed;
    type Fact = ();

    const FACTS_MAX: usize = 0;

    fn source(&self) -> &Source {
        &self.source
    }

    fn sites(&self) -> Sites {
        Sites::new(&self.source)
    }

    fn decide(
        &self,
        who: &Who<'_>,
        call: &HttpCall<'_>,
        _known: &Known<Self>,
        trace: Option<&mut Trace>,
    ) -> Step<NoNeed> {
        let mut node = None;
        let observed = trace.is_some().then_some(&mut node);
        let Evaluation { outcome, steps } = evaluate(&self.program, who, call, observed);
        let allowed = matches!(outcome, Ok(Value::Bool(true)));
        if !allowed && node.is_none() {
            let _ = evaluate(&self.program, who, call, Some(&mut node));
        }
        let cause = |node: &Node| verdict::cause(&self.source, &outcome, node);
        let causes: Vec<_> = node.as_ref().filter(|_| !allowed).map(cause).into_iter().collect();
        if let Some(trace) = trace {
            trace.candidates.push(verdict::candidate(&self.source, "require", allowed, node));
        }
        verdict::decided(&self.source, (allowed, causes), Dependence { auth: true, time: true }, steps)
    }
}

fn evaluate<'v>(
    program: &'v Program,
    who: &Who<'v>,
    call: &HttpCall<'v>,
    trace: Option<&mut Option<Node>>,
) -> Evaluation<'v> {
    let borrowed = |text: &'v str| Value::Str(Str::Borrowed(text));
    let auth = verdict::auth(who);
    let app = who.app.map_or(Value::Null, |app| Value::record([("id", borrowed(&app.id))]));
    let request = Value::record([
        ("function", borrowed(call.function)),
        ("method", borrowed(call.method)),
        ("path", borrowed(call.path)),
        ("headers", Value::Map(Map::Stored(call.headers))),
        ("ip", borrowed(call.ip)),
        ("time", Value::Timestamp(who.time)),
    ]);
    let variables = [Some(auth), Some(app), Some(request)];
    program.evaluate(&Inputs { variables: &variables, supplied: None }, &limits(), trace)
}

#[cfg(test)]
mod tests {
    use base::{Timestamp, Value as Stored};

    use super::*;
    use crate::policy::App;
    use crate::request::Auth;

    /// Whether it allows, or why not: `expression | observed | text`.
    fn decide(expression: &str, role: Option<&str>) -> Result<(), String> {
        let requirement = Requirement::new(Source::new("hearth.toml [functions.f]", expression)).unwrap();
        let token: Fields =
            role.into_iter().map(|role| ("role".to_owned(), Stored::String(role.to_owned()))).collect();
        let headers: Fields = [("x-kind".to_owned(), Stored::String("a".to_owned()))].into_iter().collect();
        let app = App { id: "1:2:web:3".to_owned() };
        let auth = role.map(|_| Auth { uid: "ada", token: &token });
        let who = Who { auth, app: Some(&app), time: Timestamp::from_micros(0) };
        let call = HttpCall { function: "f", method: "POST", path: "/", headers: &headers, ip: "127.0.0.1" };
        let Step::Decided(decision) = requirement.decide(&who, &call, &Known::default(), None) else {
            panic!()
        };
        assert_eq!(decision.allowed, decision.causes.is_empty());
        match decision.causes.first() {
            None => Ok(()),
            Some(cause) => Err(format!("{} | {} | {}", cause.expression(), cause.observed(), cause.text())),
        }
    }

    #[test]
    fn a_requirement_sees_the_caller_the_app_and_the_call() {
        assert_eq!(decide("auth.token.role == 'partner'", Some("partner")), Ok(()));
        let denied = decide("auth.token.role == 'partner'", Some("user")).unwrap_err();
        assert!(denied.contains("auth.token.role") && denied.contains("user"), "{denied}");
        assert!(decide("auth.token.role == 'partner'", None).is_err(), "an error denies");
        assert_eq!(decide("auth == null && request.method == 'POST'", None), Ok(()));
        assert_eq!(decide("app.id == '1:2:web:3' && request.headers['x-kind'] == 'a'", None), Ok(()));
        assert!(decide("'yes'", None).is_err(), "what is not `true` denies");
    }

    #[test]
    fn what_does_not_compile_is_no_requirement() {
        for text in ["auth.token.role =", "nobody == 1", "request.methode == 'GET'"] {
            assert!(Requirement::new(Source::new("hearth.toml", text)).is_err(), "{text}");
        }
    }
}
