//! JSON's grammar: where values, names and texts begin and end, and how deep they nest.
//!
//! Faults read as Google's stream parser words them: the text around the place, and a caret below.

use std::borrow::Cow;

use super::{JsonError, NESTING_LEVELS_MAX};

/// How much of the text an error shows on either side of the place.
const CONTEXT_BYTES: usize = 20;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    List,
    String,
    Number,
    True,
    False,
    Null,
}

/// A value that holds no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// As written: the grammar of JSON numbers, any size.
    Number(&'a str),
    String(Cow<'a, str>),
}

/// A place in a JSON text.
pub(super) struct Syntax<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The name read last, for the one error that tells it.
    name: &'a str,
}

impl<'a> Syntax<'a> {
    pub(super) fn new(text: &'a [u8]) -> Result<Self, JsonError> {
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { text, at: 0, depth: 0, name: "" }),
            Err(_) => Err(JsonError::new(
                "Invalid JSON payload received. Encountered non UTF-8 code points.".to_owned(),
            )),
        }
    }

    /// The text from an earlier place up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn failure(&self, reason: &str) -> JsonError {
        let from = self.text.floor_char_boundary(self.at.saturating_sub(CONTEXT_BYTES));
        let to = self.text.ceil_char_boundary((self.at + CONTEXT_BYTES).min(self.text.len()));
        let context = self.text.get(from..to).unwrap_or_default();
        let column = self.text.get(from..self.at).unwrap_or_default().chars().count();
        JsonError::new(format!("Invalid JSON payload received. {reason}\n{context}\n{:column$}^", ""))
    }

    fn expected(&self, reason: &str) -> JsonError {
        if self.at >= self.text.len() {
            self.failure(&format!("Unexpected end of string. {reason}"))
        } else {
            self.failure(reason)
        }
    }

    /// What kind of value comes next; white space before it is passed over.
    pub(super) fn kind(&mut self) -> Result<Kind, JsonError> {
        let rest = |syntax: &Self, word: &str| {
            syntax.text.get(syntax.at..).is_some_and(|rest| {
                rest.strip_prefix(word)
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            })
        };
        Ok(match self.next() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't') if rest(self, "true") => Kind::True,
            Some(b'f') if rest(self, "false") => Kind::False,
            Some(b'n') if rest(self, "null") => Kind::Null,
            Some(b'}' | b']' | b',' | b':' | b'_' | b'$' | b'a'..=b'z' | b'A'..=b'Z') => {
                return Err(self.failure("Unexpected token."));
            }
            _ => return Err(self.expected("Expected a value.")),
        })
    }

    /// Reads a value that is neither object nor list; `None`, unread, for those.
    pub(super) fn scalar(&mut self) -> Result<Option<Scalar<'a>>, JsonError> {
        let (scalar, length) = match self.kind()? {
            Kind::Object | Kind::List => return Ok(None),
            Kind::String => return Ok(Some(Scalar::String(self.string()?))),
            Kind::Number => return Ok(Some(Scalar::Number(self.number()?))),
            Kind::True => (Scalar::Bool(true), 4),
            Kind::False => (Scalar::Bool(false), 5),
            Kind::Null => (Scalar::Null, 4),
        };
        self.at += length;
        Ok(Some(scalar))
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        if self.depth == NESTING_LEVELS_MAX {
            return Err(JsonError::new(format!(
                "Invalid JSON payload received. Message too deep. Max recursion depth reached for key '{}'",
                super::reader::echo(self.name)
            )));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Enters an object, which must come next; gives its first name, if it has any.
    pub(super) fn open_object(&mut self) -> Result<Option<Cow<'a, str>>, JsonError> {
        self.enter()?;
        if self.next() == Some(b'}') {
            self.leave();
            return Ok(None);
        }
        self.name().map(Some)
    }

    /// After a value of an object: its next name, or its end.
    pub(super) fn next_name(&mut self) -> Result<Option<Cow<'a, str>>, JsonError> {
        match self.next() {
            Some(b',') => {
                self.at += 1;
                self.next();
                self.name().map(Some)
            }
            Some(b'}') => {
                self.leave();
                Ok(None)
            }
            _ => Err(self.expected("Expected , or } after key:value pair.")),
        }
    }

    fn name(&mut self) -> Result<Cow<'a, str>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("Expected an object key or }."));
        }
        let start = self.at + 1;
        let name = self.string()?;
        self.name = self.text.get(start..self.at - 1).unwrap_or_default();
        self.next();
        if !self.take(b':') {
            return Err(self.expected("Expected : between key:value pair."));
        }
        Ok(name)
    }

    /// Enters a list, which must come next; `true` when it has elements.
    pub(super) fn open_list(&mut self) -> Result<bool, JsonError> {
        self.enter()?;
        match self.next() {
            Some(b']') => {
                self.leave();
                Ok(false)
            }
            Some(_) => Ok(true),
            None => Err(self.expected("Expected a value or ] within an array.")),
        }
    }

    /// After an element of a list: whether another follows.
    pub(super) fn next_element(&mut self) -> Result<bool, JsonError> {
        match self.next() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.leave();
                Ok(false)
            }
            _ => Err(self.expected("Expected , or ] after array value.")),
        }
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Passes over a value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), JsonError> {
        match self.kind()? {
            Kind::Object => {
                let mut name = self.open_object()?;
                while name.is_some() {
                    self.skip()?;
                    name = self.next_name()?;
                }
            }
            Kind::List => {
                let mut more = self.open_list()?;
                while more {
                    self.skip()?;
                    more = self.next_element()?;
                }
            }
            _ => {
                self.scalar()?;
            }
        }
        Ok(())
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        match self.next() {
            None => Ok(()),
            Some(_) => Err(self.failure("Parsing terminated before end of input.")),
        }
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9' | b'x' | b'X')) {
                return Err(self.failure("Octal/hex numbers are not valid JSON values."));
            }
        } else if !self.digits() {
            return Err(self.failure("Unable to parse number."));
        }
        if self.take(b'.') && !self.digits() {
            return Err(self.failure("Unable to parse number."));
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            if !self.digits() {
                return Err(self.failure("Unable to parse number."));
            }
        }
        Ok(self.since(start))
    }

    /// Reads a string, whose opening quote comes next. Control characters are taken as they are.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let start = self.at;
            let rest = self.text.as_bytes().get(start..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                self.at = self.text.len();
                return Err(self.failure("Closing quote expected in string."));
            };
            self.at += plain;
            let plain = self.since(start);
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            if self.take(b'"') {
                return Ok(text);
            }
            let character = self.escape()?;
            text.to_mut().push(character);
        }
    }

    /// Reads an escape, whose backslash comes next.
    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.failure("Closing quote expected in string."));
        };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(),
            _ => {
                self.at -= 1;
                return Err(self.failure("Invalid escape sequence."));
            }
        })
    }

    fn code_point(&mut self) -> Result<char, JsonError> {
        let high = self.hex()?;
        let code = match high {
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    return Err(self.failure("Missing low surrogate."));
                }
                let low = self.hex()?;
                if !(0xDC00..=0xDFFF).contains(&low) {
                    return Err(self.failure("Invalid low surrogate."));
                }
                0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            }
            _ => high,
        };
        char::from_u32(code).ok_or_else(|| self.failure("Invalid unicode code point."))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.failure("Illegal hex string."));
        };
        self.at += 4;
        Ok(code)
    }
}
