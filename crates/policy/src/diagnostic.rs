//! What is wrong or doubtful in a policy's text, told to people (in rustc's look) and to tools.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::source::{Source, Span};

/// How bad it is. A ruleset with an error is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// The text has no meaning.
    Error,
    /// The text has a meaning that is probably not the intended one.
    Warning,
}

/// One remark about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name of the kind of remark, such as `exists-takes-a-path`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// One sentence.
    pub message: String,
    /// Other places that belong to it.
    pub labels: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without labels or help.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity: Severity::Error, span, message, labels: Vec::new(), help: None }
    }

    /// A warning without labels or help.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Adds a help line.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a label at another place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// The form for tools: with lines and columns.
    pub fn report(&self, source: &Source) -> Report {
        let (line, column) = source.line_column(self.span.start);
        let (end_line, end_column) = source.line_column(self.span.end);
        Report {
            file: source.name.to_string(),
            code: self.code,
            severity: self.severity,
            message: self.message.clone(),
            help: self.help.clone(),
            line,
            column,
            end_line,
            end_column,
            span: self.span,
        }
    }
}

/// A [`Diagnostic`] with its position spelled out. Lines and columns start at 1, ends are exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The source's name.
    pub file: String,
    /// The kind of remark.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the first character.
    pub line: u32,
    /// The column of the first character.
    pub column: u32,
    /// The line of the end.
    pub end_line: u32,
    /// The column of the end.
    pub end_column: u32,
    /// The bytes.
    pub span: Span,
}

/// Shows remarks with the lines they are about, as `rustc` does.
pub fn render(source: &Source, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let place = |span: Span| {
            let end = (span.end as usize).min(source.text.len());
            (span.start as usize).min(end)..end
        };
        let mut snippet = Snippet::source(&*source.text)
            .path(&*source.name)
            .annotation(AnnotationKind::Primary.span(place(diagnostic.span)));
        for (span, text) in &diagnostic.labels {
            snippet = snippet.annotation(AnnotationKind::Context.span(place(*span)).label(text.as_str()));
        }
        let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
        let mut report = vec![title.element(snippet)];
        if let Some(help) = &diagnostic.help {
            report.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        out.push_str(&renderer.render(&report));
        out.push_str("\n\n");
    }
    out
}
