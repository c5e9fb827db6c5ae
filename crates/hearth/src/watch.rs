//! Loads a file of rules. A broken edit keeps the last good rules and says why.

use access::Gate;
use base::{Clock, SystemClock};
use policy::{Diagnostic, Severity, Source};
use prove::Language;

use crate::project::RulesFile;
use crate::services::RulesOf;

/// What a load of the rules came to.
pub struct Loaded {
    /// The text that was loaded.
    pub source: Source,
    /// Warnings; with `refused`, errors too.
    pub diagnostics: Vec<Diagnostic>,
    /// The text has errors, and what was in force before still is.
    pub refused: bool,
}

impl Loaded {
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error)
    }

    /// How many errors or warnings there are, in words.
    pub fn summary(&self) -> String {
        let warnings = self.diagnostics.iter().filter(|found| found.severity == Severity::Warning).count();
        match (self.errors().count(), warnings) {
            (0, 0) => "no warnings".to_owned(),
            (0, 1) => "1 warning".to_owned(),
            (0, count) => format!("{count} warnings"),
            (1, _) => "1 error".to_owned(),
            (count, _) => format!("{count} errors"),
        }
    }
}

/// The rules of one service.
pub struct Guarded {
    /// Which.
    pub rules: &'static RulesOf,
    /// The part of it that they are for: a bucket. `None`: all that has no rules of its own.
    pub part: Option<String>,
    /// The project's file; `None` where it has none.
    pub file: Option<RulesFile>,
    /// What is in force and what there is to say about it; `None` without rules.
    pub loaded: Option<Loaded>,
}

/// Reads the rules file and puts it in force. `Err` when it cannot be read.
pub fn load(gate: &Gate, rules: &RulesOf, part: Option<&str>, file: &RulesFile) -> std::io::Result<Loaded> {
    let source = Source::new(file.shown.as_str(), std::fs::read_to_string(&file.path)?);
    // Firebase's compiler says some things several times.
    let once = |mut found: Vec<Diagnostic>| {
        found.dedup_by(|a, b| (a.span, &a.message) == (b.span, &b.message));
        found
    };
    Ok(match (rules.at)(gate).load(part, source.clone()).map_err(once) {
        Ok(()) => Loaded { diagnostics: warnings(&source, file.language), source, refused: false },
        Err(diagnostics) => Loaded { source, diagnostics, refused: true },
    })
}

/// What is doubtful in rules that compile: also what only `hearth check` looks for, such as rules that let everybody in.
pub fn warnings(source: &Source, language: Language) -> Vec<Diagnostic> {
    let mut found = prove::check::check_at(source.clone(), language, Some(SystemClock.now())).diagnostics;
    found.retain(|found| found.severity == Severity::Warning);
    found
}
