//! Words that several findings and explanations share.

use policy::{Source, Span};

/// The text at a place on one line.
pub fn on_one_line(source: &Source, span: Span) -> String {
    source.slice(span).split_whitespace().collect::<Vec<_>>().join(" ")
}
