//! A policy's text and places in it, so that whatever is said about a policy can point at it.
//!
//! Offsets are bytes; lines and columns are for people and start at 1, columns count characters.

use std::sync::Arc;

use sha2::{Digest, Sha256};

/// A named text. Cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file name shown to people.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
    /// Where every line but the first begins; `None` when there is only one.
    lines: Option<Arc<[u32]>>,
    /// Line and column of the first character, where the text is a part of a file.
    origin: (u32, u32),
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
        let text = text.into();
        let begins = |(newline, _)| Span::new(newline + 1, newline + 1).start;
        let lines: Vec<u32> = text.match_indices('\n').map(begins).collect();
        let lines = (!lines.is_empty()).then(|| lines.into());
        Self { name: name.into(), text, lines, origin: (1, 1) }
    }

    /// The same as a part of a file: places in it are those of the file, where its first character is at this line and column.
    #[must_use]
    pub fn placed(self, line: u32, column: u32) -> Self {
        Self { origin: (line, column), ..self }
    }

    /// What tells this text from every other: the first 64 bits of its SHA-256, in hex. The name does not matter.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.text.as_bytes());
        hex::encode(digest.first_chunk::<8>().unwrap_or(&[0; 8]))
    }

    /// The text at a span, empty when the span is not of this source.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// The text at a span with every stretch of white space as one space.
    pub fn on_one_line(&self, span: Span) -> String {
        let mut out = String::with_capacity(self.slice(span).len());
        self.push_on_one_line(&mut out, span);
        out
    }

    /// Appends what [`Source::on_one_line`] gives.
    pub fn push_on_one_line(&self, out: &mut String, span: Span) {
        let text = self.slice(span);
        // Most expressions are on one line already.
        let mut before = b' ';
        let is_plain = text.bytes().all(|byte| {
            let fits = byte.is_ascii_graphic() || byte == b' ' && before != b' ';
            before = byte;
            fits
        });
        if is_plain && before != b' ' {
            return out.push_str(text);
        }
        for (index, word) in text.split_whitespace().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
    }

    /// Line and column of a byte offset, both from 1. The cost grows with the length of the line, not of the text.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let whole = Span::new(0, self.text.len()).end;
        let offset = if self.text.is_char_boundary(offset as usize) { offset } else { whole };
        let starts = self.lines.as_deref().unwrap_or_default();
        let before = starts.partition_point(|start| *start <= offset);
        let line_start = before.checked_sub(1).and_then(|line| starts.get(line)).copied().unwrap_or(0);
        let column = self.slice(Span { start: line_start, end: offset }).chars().count();
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX - 1);
        let (line, first) = self.origin;
        let column = count(column).saturating_add(if before == 0 { first } else { 1 });
        (count(before).saturating_add(line), column)
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
        let placed = source.clone().placed(10, 7);
        assert_eq!((placed.line_column(0), placed.line_column(2)), ((10, 7), (11, 1)));
        assert_eq!(source.slice(Span::new(3, 4)), "");
    }

    #[test]
    fn white_space_becomes_one_space() {
        let texts = [
            ("a == b", "a == b"),
            (" a ==  b ", "a == b"),
            ("a\n\t&& b", "a && b"),
            ("a ß\u{2003}b", "a ß b"),
        ];
        for (text, line) in [("", ""), (" ", "")].into_iter().chain(texts) {
            assert_eq!(Source::new("x", text).on_one_line(Span::new(0, text.len())), line);
        }
    }
}
