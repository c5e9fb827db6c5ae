//! Reloads the rules when their file changes. A broken edit keeps the last good rules and says why.
//!
//! Looks at the file's contents a few times a second instead of asking the system for events: editors replace files in
//! many ways, and this sees them all alike, for next to nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use access::Gate;
use policy::{Diagnostic, Severity, Source};
use prove::Language;

use crate::screen::Screen;

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
    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Warning).count()
    }
}

/// Reads the rules file and puts it in force. `Err` when it cannot be read.
pub fn load(gate: &Gate, path: &Path, shown_as: &str) -> std::io::Result<Loaded> {
    let source = Source::new(shown_as, std::fs::read_to_string(path)?);
    Ok(match gate.rules().firestore.load(source.clone()) {
        Ok(_) => Loaded { diagnostics: warnings(&source), source, refused: false },
        Err(refused) => Loaded { source, diagnostics: refused.diagnostics, refused: true },
    })
}

/// What is doubtful in rules that compile: also what only `hearth check` looks for, such as rules that let everybody in.
pub fn warnings(source: &Source) -> Vec<Diagnostic> {
    let mut found = prove::check::check(source.clone(), Language::Firestore).diagnostics;
    found.retain(|found| found.severity == Severity::Warning);
    found
}

/// Watches until the task is dropped, beginning from the text that was loaded: an edit made meanwhile counts.
pub async fn watch(gate: Gate, path: PathBuf, loaded: Source, screen: Screen) {
    let shown_as = loaded.name.to_string();
    let mut seen = Some(loaded.text.as_bytes().to_vec());
    loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
        // A file that is gone for a moment is an editor at work.
        let Ok(text) = std::fs::read(&path) else { continue };
        if seen.as_ref() == Some(&text) {
            continue;
        }
        seen = Some(text);
        match load(&gate, &path, &shown_as) {
            Ok(loaded) => screen.reloaded(&loaded),
            Err(error) => {
                screen.warn(&format!("{shown_as} cannot be read, the last good rules stay in force: {error}"))
            }
        }
    }
}
