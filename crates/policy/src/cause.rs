//! Why a rule did not grant: how every language's reasons are made.

use crate::decision::Cause;
use crate::source::{Source, Span};
use crate::trace::{self, Evaluated};

/// What a condition came to, in the words of its service.
pub(crate) struct Said {
    /// The words.
    pub text: String,
    /// The line of the rule.
    pub rule_line: u32,
    /// What the service points at; `None` is the expression to blame.
    pub at: Option<Span>,
    /// The expression that failed, of an error.
    pub failed: Option<Span>,
    /// Whether it was an error, not a plain `false`.
    pub error: bool,
}

impl Cause {
    /// A reason that no expression stands for.
    pub fn plain(text: impl Into<String>, error: bool) -> Self {
        Self {
            text: text.into(),
            allow_line: 1,
            span: Span::default(),
            line: 1,
            column: 1,
            expression: String::new(),
            observed: String::new(),
            observed_type: String::new(),
            error,
            help: None,
        }
    }

    /// The same at a place of the text.
    pub fn at(mut self, source: &Source, span: Span) -> Self {
        (self.line, self.column) = source.line_column(span.start);
        Self { span, ..self }
    }

    /// The reason that an evaluated condition gives: what was seen at the smallest expression that explains it. An error
    /// may have travelled through variables: it is shown where it came from.
    pub(crate) fn of<E: Evaluated>(source: &Source, condition: E, said: Said) -> Self {
        let origin = said.failed.and_then(|failed| trace::failure_at(condition, failed));
        let blamed = origin.unwrap_or_else(|| trace::blame(condition));
        let (observed, observed_type) = trace::observed(blamed, source);
        let cause = Self::plain(said.text, said.error).at(source, said.at.unwrap_or(blamed.span()));
        let expression = source.on_one_line(blamed.span());
        Self { allow_line: said.rule_line, expression, observed, observed_type, ..cause }
    }
}
