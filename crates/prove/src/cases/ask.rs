//! Decides one request written as a case line.

use base::{Fields, Value};
use policy::bolt;
use policy::cel as expressions;
use policy::decision::Decision;
use policy::diagnostic::{Diagnostic, Severity};
use policy::rtdb;
use policy::rules;
use policy::source::Source;
use policy::trace::Trace;

use super::{World, cel, database, service};
use crate::Language;

/// Compiled rules of one language.
#[derive(Debug)]
pub struct Policy {
    /// The language they are written in.
    pub language: Language,
    /// The text as it is written.
    pub written: Source,
    pub(super) compiled: Compiled,
}

#[derive(Debug)]
pub(super) enum Compiled {
    Service(Box<rules::Ruleset>),
    Database(Box<rtdb::Ruleset>),
    Expression(Box<expressions::Environment>),
}

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the rules do not compile")]
pub struct Refused {
    /// The text.
    pub text: Source,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Answer {
    /// The request as it was asked.
    pub request: String,
    /// `allow`, `deny`, or what an expression comes to.
    pub outcome: String,
    /// The decision.
    pub decision: Decision,
    /// Everything that was evaluated.
    pub trace: Trace,
    /// The text that the decision and the trace are about.
    pub source: Source,
    /// What is not there and may have been forgotten.
    pub missing: Option<String>,
}

impl Policy {
    /// Compiles rules. Warnings are left to `check`.
    pub fn compile(source: Source, language: Language) -> Result<Self, Refused> {
        let refused = |diagnostics: Vec<Diagnostic>| {
            let wrong = diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect();
            Refused { text: source.clone(), diagnostics: wrong }
        };
        let compiled = match language {
            Language::Firestore | Language::Storage => {
                let is_storage = language == Language::Storage;
                let service = if is_storage { rules::Service::Storage } else { rules::Service::Firestore };
                let compiled = rules::compile(source.clone(), service);
                match compiled.ruleset {
                    Some(ruleset) => Compiled::Service(Box::new(ruleset)),
                    None => return Err(refused(compiled.diagnostics)),
                }
            }
            Language::Realtime => {
                let compiled = rtdb::compile(source.clone());
                match compiled.ruleset {
                    Some(ruleset) => Compiled::Database(Box::new(ruleset)),
                    None => return Err(refused(compiled.diagnostics)),
                }
            }
            // Its places are those of the Bolt text.
            Language::Bolt => {
                let compiled = bolt::compile(source.clone());
                match compiled.ruleset {
                    Some(ruleset) => Compiled::Database(Box::new(ruleset)),
                    None => return Err(refused(compiled.diagnostics)),
                }
            }
            Language::Cel => Compiled::Expression(Box::new(expressions::Environment::anywhere())),
        };
        Ok(Self { language, written: source, compiled })
    }

    /// Expressions of one place of Data Connect, each given when it is asked.
    pub fn expressions(place: &str, variables: &[(String, String)]) -> Result<Self, String> {
        let environment = cel::environment(place, variables)?;
        let compiled = Compiled::Expression(Box::new(environment));
        Ok(Self { language: Language::Cel, written: Source::new("expression", ""), compiled })
    }

    /// The ruleset of Firestore or Storage.
    pub fn ruleset(&self) -> Option<&rules::Ruleset> {
        match &self.compiled {
            Compiled::Service(ruleset) => Some(ruleset),
            _ => None,
        }
    }

    /// The ruleset of the Realtime Database.
    pub fn database_ruleset(&self) -> Option<&rtdb::Ruleset> {
        match &self.compiled {
            Compiled::Database(ruleset) => Some(ruleset),
            _ => None,
        }
    }

    /// Decides a request: `alice get /rooms/1`, `alice write /rooms/1 {"a": 1}`, or an expression. The error says what
    /// is wrong with the request, or that observing it changed what it came to.
    pub fn ask(&self, request: &str, world: &World) -> Result<Answer, String> {
        match &self.compiled {
            Compiled::Service(ruleset) => service::ask(ruleset, request, world),
            Compiled::Database(ruleset) => database::ask(ruleset, request, world),
            Compiled::Expression(environment) => cel::ask(environment, request, world),
        }
    }
}

/// The words of a request: who, what, where, and the rest.
pub(super) fn words(request: &str) -> Result<(Option<&str>, &str, &str, &str), String> {
    let mut words = request.trim().splitn(4, ' ').filter(|word| !word.is_empty());
    let (Some(user), Some(verb), Some(path)) = (words.next(), words.next(), words.next()) else {
        return Err(format!(
            "`{request}` is not of the form `user verb /path …`, such as `alice get /rooms/1`"
        ));
    };
    if !path.starts_with('/') {
        return Err(format!("`{path}` is not a path: it starts with `/`"));
    }
    Ok(((user != "nobody").then_some(user), verb, path, words.next().unwrap_or("").trim()))
}

/// A user: the id, and the claims or the whole `auth` that is given.
pub(super) struct User<'w> {
    pub uid: &'w str,
    pub claims: &'w Fields,
    /// The whole `auth`, when it is given.
    pub auth: Option<&'w Fields>,
}

/// Finds a user: one who is not in the world has no claims. `users` has claims by name; with `uid` or a map `token` it
/// is the whole `auth`.
pub(super) fn user<'w>(name: &'w str, world: &'w World, none: &'w Fields) -> User<'w> {
    let Some(Value::Map(given)) = world.users.get(name) else {
        return User { uid: name, claims: none, auth: None };
    };
    let token = match given.get("token") {
        Some(Value::Map(token)) => Some(token),
        _ => None,
    };
    let uid = match given.get("uid") {
        Some(Value::String(uid)) => Some(uid.as_str()),
        _ => None,
    };
    if token.is_none() && uid.is_none() {
        return User { uid: name, claims: given, auth: None };
    }
    User { uid: uid.unwrap_or(name), claims: token.unwrap_or(none), auth: Some(given) }
}
