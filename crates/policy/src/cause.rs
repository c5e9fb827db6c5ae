//! Why a rule did not grant: how every language's reasons are made.

use crate::decision::{Cause, Words};
use crate::source::{Source, Span};
use crate::trace::{self, Evaluated};

/// Bytes of what is seen at one expression, in values and in types, for which there is room from the beginning.
const SEEN_BYTES_USUAL: usize = 64;

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
            words: Words::new(text.into()),
            allow_line: 1,
            span: Span::default(),
            line: 1,
            column: 1,
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
        let seen = trace::seen(blamed);
        let mut cause = Self::plain(said.text, said.error).at(source, said.at.unwrap_or(blamed.span()));
        cause.allow_line = said.rule_line;
        cause
            .words
            .reserve(seen.iter().map(|part| 2 * source.slice(part.span()).len() + SEEN_BYTES_USUAL).sum());
        cause.words.next(1, |out| source.push_on_one_line(out, blamed.span()));
        cause.words.next(2, |out| trace::push_seen(out, &seen, source, E::show));
        cause.words.last(|out| trace::push_seen(out, &seen, source, |part, out| out.push_str(part.kind())));
        cause
    }
}
