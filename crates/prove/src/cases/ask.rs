//! Decides one request written as a case line.

use policy::bolt;
use policy::cel as expressions;
use policy::diagnostic::{Diagnostic, Severity};
use policy::rtdb;
use policy::rules;
use policy::source::Source;

use super::answer::Answer;
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
