//! A position in a text, moved forward character by character.

use crate::source::Span;

/// A position in a text.
#[derive(Clone, Debug)]
pub struct Cursor<'s> {
    text: &'s str,
    offset: usize,
}

/// A comment that is never closed, from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnclosedComment(pub Span);

impl<'s> Cursor<'s> {
    /// At the beginning of a text.
    pub fn new(text: &'s str) -> Self {
        Self { text, offset: 0 }
    }

    /// The byte offset.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Goes to a byte offset, which must be one this cursor has been at.
    pub fn go_to(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// What is left.
    pub fn rest(&self) -> &'s str {
        self.text.get(self.offset..).unwrap_or("")
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, taken.
    pub fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.offset += next.len_utf8();
        Some(next)
    }

    /// Takes the text if it comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.offset += text.len();
        }
        found
    }

    /// Takes characters as long as they fit.
    pub fn eat_while(&mut self, fits: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|character| !fits(character)).unwrap_or(rest.len());
        self.offset += length;
        rest.get(..length).unwrap_or("")
    }

    /// The text since an offset.
    pub fn since(&self, start: usize) -> &'s str {
        self.text.get(start..self.offset).unwrap_or("")
    }

    /// The span since an offset.
    pub fn span_since(&self, start: usize) -> Span {
        Span::new(start, self.offset)
    }

    /// Skips white space, `//` comments and `/* */` comments.
    pub fn skip_blank(&mut self) -> Result<(), UnclosedComment> {
        loop {
            self.eat_while(char::is_whitespace);
            let start = self.offset;
            if self.eat("//") {
                self.eat_while(|character| character != '\n');
            } else if self.eat("/*") {
                match self.rest().find("*/") {
                    Some(length) => self.offset += length + 2,
                    None => {
                        self.offset = self.text.len();
                        return Err(UnclosedComment(self.span_since(start)));
                    }
                }
            } else {
                return Ok(());
            }
        }
    }
}
