//! What is said of a text: where, how bad, and what to do.

use std::fmt;
use std::sync::Arc;

use apollo_compiler::diagnostic::ToCliReport as _;
use apollo_compiler::parser::{LineColumn, SourceMap, SourceSpan};
use apollo_compiler::validation::DiagnosticList;

/// A text of a project: a schema file, an operation file, a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its name, relative to the project, with `/`.
    pub name: Arc<str>,
    /// What it says.
    pub text: Arc<str>,
}

impl Text {
    /// A text with its name.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A place in a text. Lines and columns begin with 1; 0 is a place that is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The text's name.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Place {
    /// Somewhere in a file.
    pub fn file(name: &str) -> Self {
        Self { file: name.into(), line: 0, column: 0 }
    }

    /// Where a span begins.
    pub fn of(span: Option<SourceSpan>, sources: &SourceMap) -> Self {
        let file = span.and_then(|span| sources.get(&span.file_id()));
        let name = file.map(|file| file.path().to_string_lossy().into_owned()).unwrap_or_default();
        let at = span.and_then(|span| span.line_column(sources));
        let LineColumn { line, column } = at.unwrap_or(LineColumn { line: 0, column: 0 });
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file: name.into(), line: number(line), column: number(column) }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used; its author should look.
    Warning,
}

/// One remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What. Begins in lower case, user's words in back-ticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, message: message.into(), help: None }
    }

    /// A warning.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place, message: message.into(), help: None }
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.place, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The name in `known` that was probably meant.
pub fn suggestion<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near = |known: &'k str| {
        // The end of a name says more than its beginning: `userUid` means `authorUid`.
        let tail = |text: &str| text.char_indices().rev().find(|(_, c)| c.is_uppercase()).map(|(at, _)| at);
        let same_tail = match (tail(name), tail(known)) {
            (Some(a), Some(b)) => name.get(a..) == known.get(b..),
            _ => false,
        };
        let likeness = strsim::jaro_winkler(name, known) + if same_tail { 0.2 } else { 0.0 };
        (likeness, known)
    };
    let best = known.into_iter().map(near).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

/// Reads the compiler's list.
pub fn from_list(list: &DiagnosticList) -> Vec<Diagnostic> {
    let said = list.iter().map(|diagnostic| {
        let place = Place::of(diagnostic.error.location(), diagnostic.sources);
        let message = diagnostic.error.unstable_compat_message();
        let message = message.unwrap_or_else(|| diagnostic.error.to_string());
        let said = Diagnostic::error(place, message);
        let quote = diagnostic
            .error
            .location()
            .and_then(|span| diagnostic.sources.get(&span.file_id())?.source_text().get(span.offset()..));
        match quote.is_some_and(|rest| rest.starts_with('\'')) {
            true => said.help("texts are written in double quotes, `\"` or `\"\"\"`"),
            false => said,
        }
    });
    said.collect()
}
