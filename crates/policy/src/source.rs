//! A policy's text and places in it, so that whatever is said about a policy can point at it.
//!
//! Offsets are bytes; lines and columns are for people and start at 1, columns count characters.

use std::sync::Arc;

/// A named text. Cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file name shown to people.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

/// A range of bytes in a [`Source`], the end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// From byte offsets. Sources are far below 4 GiB, so saturation never happens in practice.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// From the beginning of this one to the end of the other.
    pub fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end.max(self.start) }
    }

    /// The smallest that contains both.
    pub fn around(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The range as `usize`.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Source {
    /// Names a text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The text at a span, empty when the span is not of this source.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Line and column of a byte offset, both from 1.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let offset = (offset as usize).min(self.text.len());
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX - 1) + 1;
        (count(lines), count(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_start_at_one_and_count_characters() {
        let source = Source::new("x", "a\nßb\n");
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(2), (2, 1));
        assert_eq!(source.line_column(4), (2, 2));
        assert_eq!(source.line_column(99), (3, 1));
        assert_eq!(source.slice(Span::new(2, 4)), "ß");
        assert_eq!(source.slice(Span::new(3, 4)), "");
    }
}
