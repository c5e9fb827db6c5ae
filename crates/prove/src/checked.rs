//! What there is to say about a text.

use policy::{Diagnostic, Severity, Source};

use crate::Language;
use crate::readers::claims::ClaimUse;

/// A text and what there is to say about it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The text.
    pub source: Source,
    /// Its language.
    pub language: Language,
    /// Errors, warnings and notes in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Where it looks at claims of the caller's token.
    pub claims: Vec<ClaimUse>,
}

impl Checked {
    /// Whether there is something as bad as this, or worse.
    pub fn has(&self, severity: Severity) -> bool {
        let rank = |severity| match severity {
            Severity::Error => 2,
            Severity::Warning => 1,
            Severity::Note => 0,
        };
        self.diagnostics.iter().any(|found| rank(found.severity) >= rank(severity))
    }

    pub(crate) fn sort(&mut self) {
        self.diagnostics.sort_by_key(|found| (found.span.start, found.span.end, found.code));
        self.diagnostics.dedup();
    }
}
