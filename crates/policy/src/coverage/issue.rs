//! Remarks about rules as the rules services tell them.

use serde::Serialize;

use super::position::{Positions, SourcePosition};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Source;

/// How bad an [`Issue`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IssueSeverity {
    /// The text has no meaning.
    Error,
    /// It has one that is probably not intended.
    Warning,
}

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issue {
    /// Where.
    pub source_position: SourcePosition,
    /// One sentence.
    pub description: String,
    /// How bad it is.
    pub severity: IssueSeverity,
}

/// What was remarked about a text, but for notes: the services know none.
pub fn issues(source: &Source, diagnostics: &[Diagnostic]) -> Vec<Issue> {
    let positions = Positions::new(source);
    let told = diagnostics.iter().filter_map(|diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => IssueSeverity::Error,
            Severity::Warning => IssueSeverity::Warning,
            Severity::Note => return None,
        };
        let source_position = positions.in_file(diagnostic.span);
        Some(Issue { source_position, description: diagnostic.message.clone(), severity })
    });
    told.collect()
}
