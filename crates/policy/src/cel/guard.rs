//! What guards an operation of Data Connect: a level or an expression of `@auth`, or the expression of `@check`.
//!
//! Source: the Data Connect reference, §8; the levels are evaluated natively because `USER` admits tokens without
//! `firebase.sign_in_provider`, which its documented equivalent in CEL denies.

use std::fmt;

use base::{Fields, Value as Stored};

use crate::coverage::Sites;
use crate::decision::{Cause, Dependence, Step};
use crate::diagnostic::Diagnostic;
use crate::policy::{Known, Policy, Who};
use crate::request::Auth;
use crate::source::Source;
use crate::trace::{Node, Trace};
use crate::value::Str;

use super::value::Map;
use super::verdict;
use super::{Environment, Evaluation, Inputs, Program, Value, compile, limits, show};

/// The levels of `@auth(level:)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everybody.
    Public,
    /// Who is signed in, anonymously or not.
    UserAnon,
    /// Who is signed in, but not anonymously.
    User,
    /// Who is signed in with a verified e-mail address.
    UserEmailVerified,
    /// No client.
    NoAccess,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 5] =
        [Level::Public, Level::UserAnon, Level::User, Level::UserEmailVerified, Level::NoAccess];

    /// The word in `@auth(level:)`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Public => "PUBLIC",
            Level::UserAnon => "USER_ANON",
            Level::User => "USER",
            Level::UserEmailVerified => "USER_EMAIL_VERIFIED",
            Level::NoAccess => "NO_ACCESS",
        }
    }

    /// The level with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    fn admits(self, auth: Option<Auth<'_>>) -> bool {
        let claim = |claims: &Fields, name: &str| claims.get(name).cloned();
        match self {
            Level::Public => true,
            Level::NoAccess => false,
            Level::UserAnon => auth.is_some(),
            Level::User => auth.is_some_and(|auth| match auth.token.get("firebase") {
                Some(Stored::Map(firebase)) => {
                    claim(firebase, "sign_in_provider") != Some(Stored::String("anonymous".to_owned()))
                }
                _ => true,
            }),
            Level::UserEmailVerified => {
                auth.is_some_and(|auth| claim(auth.token, "email_verified") == Some(Stored::Bool(true)))
            }
        }
    }

    /// What a caller is not.
    fn wants(self) -> &'static str {
        match self {
            Level::Public => "nothing",
            Level::UserAnon => "a signed-in user",
            Level::User => "a user who is not signed in anonymously",
            Level::UserEmailVerified => "a user with a verified e-mail address",
            Level::NoAccess => "an administrator",
        }
    }
}

/// A compiled guard.
#[derive(Debug)]
pub struct Guard {
    source: Source,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    Level(Level),
    Expression { program: Box<Program>, slots: Slots },
}

/// The positions of Data Connect's variables in the environment.
#[derive(Clone, Copy, Debug)]
struct Slots {
    auth: Option<usize>,
    vars: Option<usize>,
    request: Option<usize>,
    this: Option<usize>,
    response: Option<usize>,
    mutation: Option<usize>,
    len: usize,
}

impl Slots {
    fn of(environment: &Environment) -> Self {
        let position = |name| environment.position(name);
        Self {
            auth: position("auth"),
            vars: position("vars"),
            request: position("request"),
            this: position("this"),
            response: position("response"),
            mutation: position("mutation"),
            len: environment.variables.len(),
        }
    }
}

/// An operation that is called.
#[derive(Clone, Copy)]
pub struct Call<'r> {
    /// Its name.
    pub operation_name: &'r str,
    /// `query` or `mutation`.
    pub operation_type: &'r str,
    /// Its variables, after defaults.
    pub variables: &'r Fields,
    /// The value that `@check` is about. Without one, an expression that depends on it asks for [`Supply::This`].
    pub this: Option<&'r Stored>,
    /// What the operation has answered so far. Without one, an expression that depends on it asks for
    /// [`Supply::Response`].
    pub response: Option<&'r Stored>,
    /// Makes what `uuidV4()` returns: 32 hexadecimal digits.
    pub uuid: &'r (dyn Fn() -> String + Sync),
}

/// A variable that is supplied when an expression depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Supply {
    /// `this`
    This,
    /// `response`
    Response,
}

impl fmt::Display for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Supply::This => "this",
            Supply::Response => "response",
        })
    }
}

impl Guard {
    /// A level, and the text that says so.
    pub fn level(source: Source, level: Level) -> Self {
        Self { source, condition: Condition::Level(level) }
    }

    /// An expression, in the environment of its place. `Err`: why it does not compile.
    pub fn expression(source: Source, environment: &Environment) -> Result<Self, Vec<Diagnostic>> {
        let compiled = compile(source.clone(), environment);
        let program = Box::new(compiled.program.ok_or(compiled.diagnostics)?);
        let slots = Slots::of(environment);
        Ok(Self { source, condition: Condition::Expression { program, slots } })
    }

    /// What the expression comes to, as people read it; a level comes to `true` or `false`.
    pub fn outcome(&self, who: &Who<'_>, call: &Call<'_>) -> String {
        match &self.condition {
            Condition::Level(level) => level.admits(who.auth).to_string(),
            Condition::Expression { program, slots } => {
                let nothing = Known::default();
                let evaluated = evaluate(program, *slots, who, call, &nothing, None);
                match evaluated.outcome {
                    Ok(value) => show(&value),
                    Err(fault) => format!("error: {fault}"),
                }
            }
        }
    }

    fn decide_level(&self, level: Level, who: &Who<'_>, trace: Option<&mut Trace>) -> Step<Supply> {
        let admitted = level.admits(who.auth);
        if let Some(trace) = trace {
            trace.candidates.push(verdict::candidate(&self.source, "expression", admitted, None));
        }
        let is_auth = !matches!(level, Level::Public | Level::NoAccess);
        let cause = || {
            let text = format!("the level {} requires {}", level.name(), level.wants());
            let mut cause = Cause::plain(text, false);
            (cause.line, cause.column) = self.source.line_column(0);
            cause.words.next(1, |out| out.push_str(level.name()));
            let seen = if who.auth.is_some() { "signed in" } else { "not signed in" };
            cause.words.next(2, |out| out.push_str(seen));
            cause
        };
        let causes = if admitted { Vec::new() } else { vec![cause()] };
        verdict::decided(&self.source, (admitted, causes), Dependence { auth: is_auth, time: false }, 0)
    }
}

impl Policy for Guard {
    type Request<'r> = Call<'r>;
    type Need = Supply;
    type Fact = Stored;

    const FACTS_MAX: usize = 2;

    fn source(&self) -> &Source {
        &self.source
    }

    fn sites(&self) -> Sites {
        Sites::new(&self.source)
    }

    fn decide(
        &self,
        who: &Who<'_>,
        call: &Call<'_>,
        known: &Known<Self>,
        trace: Option<&mut Trace>,
    ) -> Step<Supply> {
        let (program, slots) = match &self.condition {
            Condition::Level(level) => return self.decide_level(*level, who, trace),
            Condition::Expression { program, slots } => (program, *slots),
        };
        let mut node = None;
        let observed = trace.is_some().then_some(&mut node);
        let Evaluation { outcome, steps } = evaluate(program, slots, who, call, known, observed);
        let allowed = matches!(outcome, Ok(Value::Bool(true)));
        if outcome.is_err() {
            // The error may be that a variable is not known yet.
            let missing = missing(program, slots, call, known);
            if !missing.is_empty() {
                return Step::Needs(missing);
            }
        }
        let mut causes = Vec::new();
        if !allowed {
            if node.is_none() {
                let _ = evaluate(program, slots, who, call, known, Some(&mut node));
            }
            causes.extend(node.as_ref().map(|node| verdict::cause(&self.source, &outcome, node)));
        }
        if let Some(trace) = trace {
            trace.candidates.push(verdict::candidate(&self.source, "expression", allowed, node));
        }
        // Which members of `request` are looked at is not known here.
        let names = |slot: Option<usize>| slot.is_some_and(|slot| program.named.contains(&slot));
        let request = names(slots.request);
        let auth = request || names(slots.auth) || names(slots.mutation);
        verdict::decided(&self.source, (allowed, causes), Dependence { auth, time: request }, steps)
    }
}

/// The variables that an expression names and that are not known.
fn missing(program: &Program, slots: Slots, call: &Call<'_>, known: &Known<Guard>) -> Vec<Supply> {
    let wanted = [
        (Supply::This, slots.this, call.this),
        (Supply::Response, slots.response, call.response),
        (Supply::Response, slots.mutation, call.response),
    ];
    let wanted = wanted.into_iter().filter(|(supply, slot, given)| {
        given.is_none()
            && known.get(supply).is_none()
            && slot.is_some_and(|slot| program.named.contains(&slot))
    });
    wanted.map(|(supply, ..)| supply).collect()
}

fn evaluate<'v>(
    program: &'v Program,
    slots: Slots,
    who: &Who<'v>,
    call: &Call<'v>,
    known: &'v Known<Guard>,
    trace: Option<&mut Option<Node>>,
) -> Evaluation<'v> {
    let auth = verdict::auth(who);
    let vars = Value::Map(Map::Stored(call.variables));
    let supply =
        |supply, given: Option<&'v Stored>| given.or_else(|| known.get(&supply)).map(Value::from_stored);
    let response = supply(Supply::Response, call.response);
    let mut variables: Vec<Option<Value<'v>>> = vec![None; slots.len];
    let mut put = |slot: Option<usize>, make: &dyn Fn() -> Option<Value<'v>>| {
        // What no expression names is not made.
        let named = slot.filter(|slot| program.named.contains(slot));
        if let Some(place) = named.and_then(|slot| variables.get_mut(slot)) {
            *place = make();
        }
    };
    put(slots.request, &|| {
        Some(Value::record([
            ("auth", auth.clone()),
            ("variables", vars.clone()),
            ("operationName", Value::Str(Str::Borrowed(call.operation_name))),
            ("operationType", Value::Str(Str::Borrowed(call.operation_type))),
            ("time", Value::Timestamp(who.time)),
        ]))
    });
    put(slots.mutation, &|| {
        let response = response.clone()?;
        Some(Value::record([("variables", vars.clone()), ("auth", auth.clone()), ("response", response)]))
    });
    put(slots.this, &|| supply(Supply::This, call.this));
    put(slots.response, &|| response.clone());
    put(slots.auth, &|| Some(auth.clone()));
    put(slots.vars, &|| Some(vars.clone()));
    let supplied = |name: &str, _: &[Value<'v>]| (name == "uuidV4").then(|| Value::text((call.uuid)()));
    let inputs = Inputs { variables: &variables, supplied: Some(&supplied) };
    program.evaluate(&inputs, &limits(), trace)
}
