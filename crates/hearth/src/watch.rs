//! Reloads the rules when their file changes. A broken edit keeps the last good rules and says why.
//!
//! Looks at the file's contents a few times a second instead of asking the system for events: editors replace files in
//! many ways, and this sees them all alike, for next to nothing.

use std::path::Path;
use std::time::Duration;

use access::Gate;
use base::{Clock, SystemClock};
use policy::{Diagnostic, Severity, Source};
use prove::Language;

use crate::project::RulesFile;
use crate::services::RulesOf;

/// How long an edit may go unseen.
const LOOK_MILLIS: u64 = 200;

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
    /// The errors.
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
    /// The project's file; `None` where it has none.
    pub file: Option<RulesFile>,
    /// What is in force and what there is to say about it; `None` without rules.
    pub loaded: Option<Loaded>,
}

/// Reads the rules file and puts it in force. `Err` when it cannot be read.
pub fn load(gate: &Gate, rules: &RulesOf, file: &RulesFile) -> std::io::Result<Loaded> {
    let source = Source::new(file.shown.as_str(), std::fs::read_to_string(&file.path)?);
    // Firebase's compiler says some things several times.
    let once = |mut found: Vec<Diagnostic>| {
        found.dedup_by(|a, b| (a.span, &a.message) == (b.span, &b.message));
        found
    };
    Ok(match (rules.at)(gate).load(source.clone()).map_err(once) {
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

/// Watches until the task is dropped, beginning from the text that was loaded: an edit made meanwhile counts. What
/// each edit came to is reported; `Err` when the file could not be read.
pub async fn watch(
    gate: Gate,
    rules: &RulesOf,
    file: &RulesFile,
    loaded: &Source,
    report: impl Fn(std::io::Result<Loaded>),
) {
    let seen = Some(loaded.text.as_bytes().to_vec());
    watch_text(&file.path, seen, || report(load(&gate, rules, file))).await;
}

/// Watches a file until the task is dropped, beginning from what was `seen` of it.
pub async fn watch_text(path: &Path, mut seen: Option<Vec<u8>>, changed: impl Fn()) {
    loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
        // A file that is gone for a moment is an editor at work.
        let Ok(text) = std::fs::read(path) else { continue };
        if seen.as_ref() == Some(&text) {
            continue;
        }
        seen = Some(text);
        changed();
    }
}
