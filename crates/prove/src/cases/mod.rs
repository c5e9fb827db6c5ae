//! Cases: requests and what must become of them, written in markdown that people read and programs run.
//!
//! [`read`] makes sections of a file, [`run`] decides every case of a section, and [`Policy::ask`] decides one request
//! in the words of a case line: `hearth test`, `hearth explain` and our own tests are the same code.
//! `docs/cases.md` describes the format.
//!
//! Invariants: no I/O, so rules that stand in a file are given by the caller; a request is decided with and without a
//! trace, and a difference is a failure; reading never stops at the first problem.

mod answer;
mod ask;
mod cel;
mod database;
mod explanation;
mod markdown;
mod query;
mod read;
mod run;
mod service;
mod value;

use std::sync::Arc;

use base::{Fields, Timestamp, Value};
use policy::rtdb::Memory;
use policy::source::Source;

use crate::Language;

pub use answer::Answer;
pub use ask::{Policy, Refused};
pub use explanation::Explanation;
pub use markdown::{Block, blocks};
pub use read::{read, world_block};
pub use run::{Failure, Options, Report, run};

/// The time of a request that says none.
pub const TIME_USUAL: &str = "2026-01-02T03:04:05.678Z";

/// One ruleset with everything said about it.
#[derive(Clone, Debug)]
pub struct Section {
    /// The file.
    pub file: String,
    /// The line of the block that begins it.
    pub line: usize,
    /// The rules.
    pub rules: Rules,
    /// What must hold of them, in the order of the file.
    pub checks: Vec<Check>,
}

/// Where a section's rules are.
#[derive(Clone, Debug, PartialEq)]
pub enum Rules {
    /// In the block.
    Here(Written),
    /// In a file, named from the case file's folder.
    File(String),
    /// In the project's file for this language, or in its only one.
    Project(Option<Language>),
    /// Each case is an expression of its own: where it stands, and the operation's variables with their GraphQL types.
    Expressions {
        /// `auth`, `check`, `value` or `refresh`.
        place: String,
        /// Names and types.
        variables: Vec<(String, String)>,
    },
}

/// Rules written in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Their language.
    pub language: Language,
    /// The text, made whole.
    pub text: String,
    /// Lines put before the block's first.
    pub lines_before: u32,
    /// The line of the block's first line in the file.
    pub line: usize,
}

impl Written {
    /// The text with lines as in the block, the ones put before it first.
    pub fn source(&self) -> Source {
        Source::new("rules", self.text.as_str())
    }

    /// The text at its lines of the file, to show it.
    pub fn source_in(&self, file: &str) -> Source {
        let lines = self.line.saturating_sub(1 + self.lines_before as usize);
        Source::new(file, format!("{}{}", "\n".repeat(lines), self.text))
    }
}

/// One thing to check.
#[derive(Clone, Debug)]
pub enum Check {
    /// What the compiler says, a line each.
    Diagnostics {
        /// The line of the block's first line.
        line: usize,
        /// `severity[code] line:column message`
        expected: Vec<String>,
    },
    /// What the service answers to an upload of Realtime Database rules.
    Upload {
        /// The line of the block's first line.
        line: usize,
        /// Its lines.
        expected: Vec<String>,
    },
    /// A request and its verdict.
    Case(Case),
    /// The explanation of the case before it.
    Explanation {
        /// The line of the block's first line.
        line: usize,
        /// Its lines.
        expected: Vec<String>,
        /// The case.
        case: Case,
    },
}

/// A request and what must become of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its line in the file.
    pub line: usize,
    /// The request.
    pub request: String,
    /// What must become of it.
    pub expected: Expected,
    /// What there is.
    pub world: Arc<World>,
}

/// What must become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is allowed.
    Allow,
    /// A query that is allowed literally: see [`Decision::exact_match_only`](policy::Decision::exact_match_only).
    AllowLiterally,
    /// It is denied, for a reason that contains this.
    Deny(Option<String>),
    /// An expression comes to this.
    Value(String),
}

/// What there is when something is asked.
#[derive(Clone, Debug)]
pub struct World {
    /// Users by name.
    pub users: Fields,
    /// Firestore documents by path.
    pub documents: Fields,
    /// Storage objects by path.
    pub objects: Fields,
    /// The Realtime Database.
    pub data: Option<Memory>,
    /// The time of the request.
    pub time: Timestamp,
    /// Who evaluates expressions; `None` is signed out.
    pub user: Option<String>,
    /// The variables of an expression's operation.
    pub vars: Value,
    /// `this` of an expression.
    pub this: Value,
    /// `response` of an expression.
    pub response: Value,
}

impl Default for World {
    fn default() -> Self {
        Self {
            users: Fields::new(),
            documents: Fields::new(),
            objects: Fields::new(),
            data: None,
            time: Timestamp::parse(TIME_USUAL).unwrap_or(Timestamp::EPOCH),
            user: None,
            vars: Value::Map(Fields::new()),
            this: Value::Null,
            response: Value::Map(Fields::new()),
        }
    }
}

/// Something in a file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// What is wrong and what would be right.
    pub reason: String,
}
