//! Places as the rules services name them: lines and columns from 1, offsets from 0, both counted in characters, and
//! the end on the last character.

use serde::Serialize;

use crate::source::{Source, Span};

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourcePosition {
    /// The file, where there may be several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// The line of the first character.
    pub line: u32,
    /// The column of the first character.
    pub column: u32,
    /// The first character.
    pub current_offset: u32,
    /// The last character; before the first where the place is empty.
    pub end_offset: u32,
}

/// Finds places in one source without counting from its beginning each time.
#[derive(Clone, Debug)]
pub struct Positions {
    source: Source,
    /// Where each line begins: in bytes and in characters.
    lines: Vec<(u32, u32)>,
}

impl Positions {
    /// Reads the lines of a source.
    pub fn new(source: &Source) -> Self {
        let mut lines = vec![(0, 0)];
        let mut characters = 0;
        for (offset, character) in source.text.char_indices() {
            characters += 1;
            if character == '\n' {
                lines.push((Span::new(offset + 1, 0).start, characters));
            }
        }
        Self { source: source.clone(), lines }
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The line that a byte is on, from 0.
    pub fn line(&self, offset: u32) -> usize {
        self.lines.partition_point(|(start, _)| *start <= offset).saturating_sub(1)
    }

    /// Line and column, both from 1, and the character's offset from 0.
    fn locate(&self, offset: u32) -> (u32, u32, u32) {
        let line = self.line(offset);
        let (start, characters) = self.lines.get(line).copied().unwrap_or_default();
        let before = self.source.slice(Span { start, end: offset });
        let column = if before.is_ascii() { before.len() } else { before.chars().count() };
        let column = Span::new(column, 0).start;
        (Span::new(line, 0).start + 1, column + 1, characters + column)
    }

    /// A place without its file.
    pub fn of(&self, span: Span) -> SourcePosition {
        let (line, column, current_offset) = self.locate(span.start);
        let (.., end) = self.locate(span.end);
        SourcePosition { file_name: None, line, column, current_offset, end_offset: end.saturating_sub(1) }
    }

    /// A place with its file.
    pub fn in_file(&self, span: Span) -> SourcePosition {
        SourcePosition { file_name: Some(self.source.name.to_string()), ..self.of(span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_the_end_is_inclusive() {
        let source = Source::new("x.rules", "a\nß😀 bc\n");
        let positions = Positions::new(&source);
        let span = |text: &str| {
            let start = source.text.find(text).unwrap_or_default();
            Span::new(start, start + text.len())
        };
        let place = positions.in_file(span("bc"));
        assert_eq!(place.file_name.as_deref(), Some("x.rules"));
        assert_eq!((place.line, place.column, place.current_offset, place.end_offset), (2, 4, 5, 6));
        let place = positions.of(span("😀"));
        assert_eq!((place.line, place.column, place.current_offset, place.end_offset), (2, 2, 3, 3));
        assert_eq!(positions.of(Span::new(0, 1)).line, 1);
        assert_eq!(positions.lines(), 3);
    }
}
