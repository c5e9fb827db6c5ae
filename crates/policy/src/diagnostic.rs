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
    /// Worth knowing, and often meant so. Only static checks tell these, no compiler.
    Note,
}

impl Severity {
    /// As it is written in messages.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One remark about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name of the kind of remark, such as `exists-takes-a-path`.
    pub code: &'static str,
    /// How bad it is.
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

    /// A note without labels or help.
    pub fn note(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, span, message) }
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

    /// Moves it, with its labels, to other places.
    pub(crate) fn relocate(&mut self, locate: &dyn Fn(Span) -> Span) {
        self.span = locate(self.span);
        self.labels.iter_mut().for_each(|(span, _)| *span = locate(*span));
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
    /// How bad it is.
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

/// Remarks shown about one text before the rest is only counted.
const DIAGNOSTICS_SHOWN_MAX: usize = 50;

/// Shows remarks with the lines they are about, as `rustc` does.
pub fn render(source: &Source, diagnostics: &[Diagnostic], color: bool) -> String {
    render_within(source, diagnostics, color, None)
}

/// The same with lines of the source cut to a terminal of so many columns.
pub fn render_within(
    source: &Source,
    diagnostics: &[Diagnostic],
    color: bool,
    columns: Option<usize>,
) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = columns.map_or(renderer.clone(), |columns| renderer.term_width(columns));
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(DIAGNOSTICS_SHOWN_MAX) {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let (line_start, lines) = lines_around(source, diagnostic);
        let place = |span: Span| {
            let within = |offset: u32| (offset as usize).saturating_sub(line_start).min(lines.len());
            // A span that cuts a character in two covers all of it.
            let start = lines.floor_char_boundary(within(span.start));
            start..lines.ceil_char_boundary(within(span.end)).max(start)
        };
        let (first_line, _) = source.line_column(Span::new(line_start, line_start).start);
        let mut snippet = Snippet::source(lines)
            .path(&*source.name)
            .line_start(first_line as usize)
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
    if let Some(more) = diagnostics.len().checked_sub(DIAGNOSTICS_SHOWN_MAX).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more\n"));
    }
    out
}

/// The whole lines that a remark and its labels are on, and where they start: all that has to be looked at.
fn lines_around<'s>(source: &'s Source, diagnostic: &Diagnostic) -> (usize, &'s str) {
    let spans = || diagnostic.labels.iter().map(|(span, _)| *span).chain([diagnostic.span]);
    let clamp = |offset: u32| (offset as usize).min(source.text.len());
    let start = clamp(spans().map(|span| span.start).min().unwrap_or(0));
    let end = clamp(spans().map(|span| span.end).max().unwrap_or(0)).max(start);
    let line_start = source.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let line_end =
        source.text.get(end..).and_then(|after| after.find('\n')).map_or(source.text.len(), |at| end + at);
    (line_start, source.text.get(line_start..line_end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_shown_with_its_line_its_label_and_its_help() {
        let source = Source::new("firestore.rules", "one\ntwo\nthree three\nfour\n");
        let diagnostic = Diagnostic::warning("some-code", Span::new(14, 19), "three is said twice")
            .label(Span::new(4, 7), "before it")
            .help("say it once");
        let shown = render(&source, std::slice::from_ref(&diagnostic), false);
        for part in [
            "warning[some-code]: three is said twice",
            "firestore.rules:3:7",
            "before it",
            "help: say it once",
        ] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        assert!(!shown.contains("four"), "{shown}");
        let report = diagnostic.report(&source);
        assert_eq!((report.line, report.column, report.end_line, report.end_column), (3, 7, 3, 12));
        let smiling = Source::new("x", "/{\u{1F600} }");
        let cut = Diagnostic::error("cut", Span::new(2, 3), "half a character");
        assert!(render(&smiling, &[cut], false).contains("half a character"));
        let many = vec![diagnostic; DIAGNOSTICS_SHOWN_MAX + 3];
        assert!(render(&source, &many, false).ends_with("… and 3 more\n"));
    }
}
