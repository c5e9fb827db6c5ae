//! The JSON dialect of rules files, read with the place of every part.
//!
//! It is JSON with `//` and `/* */` comments, raw line breaks inside text, and duplicate keys (the last one counts).
//! A comma too many and a raw tab are accepted with a warning; a comma too few is an error that says where it belongs.
//!
//! Invariant: reading never fails. It gives the tree that can be made out, and diagnostics.

use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};
use crate::syntax::cursor::Cursor;

/// Deepest nesting of objects and arrays.
pub const NEST_LEVELS_MAX: u32 = 64;
/// Errors reported about one text.
const ERRORS_MAX: usize = 50;

/// A value and its place.
#[derive(Debug)]
pub struct Json {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub span: Span,
}

/// What a value is.
#[derive(Debug)]
pub enum Kind {
    /// `{ … }`, in the order of the text, duplicates included.
    Object(Vec<Member>),
    /// `[ … ]`
    Array(Vec<Json>),
    /// `"…"`
    Text(Text),
    /// `true` or `false`
    Bool(bool),
    /// A number, as written.
    Number,
    /// `null`
    Null,
    /// Not readable; an error has been told.
    Broken,
}

/// `"key": value`
#[derive(Debug)]
pub struct Member {
    /// The key.
    pub key: Text,
    /// The value.
    pub value: Json,
}

/// Text between quotes, with escapes resolved, and the way back to the file.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// The text.
    pub value: String,
    /// The quotes and what is between them.
    pub span: Span,
    /// Where, from an offset in `value` on, the file's offset is a different one: (in the value, in the file).
    shifts: Vec<(u32, u32)>,
}

impl Text {
    /// The place in the file of a place in the text.
    pub fn locate(&self, within: Span) -> Span {
        Span { start: self.offset(within.start), end: self.offset(within.end) }
    }

    fn offset(&self, offset: u32) -> u32 {
        let known = self.shifts.partition_point(|(value, _)| *value <= offset);
        let (value, file) = known
            .checked_sub(1)
            .and_then(|index| self.shifts.get(index).copied())
            .unwrap_or((0, self.span.start.saturating_add(1)));
        file.saturating_add(offset - value)
    }
}

impl Json {
    /// The members of an object that count: of equal keys the last.
    pub fn members(&self) -> Option<Vec<&Member>> {
        let Kind::Object(all) = &self.kind else { return None };
        let mut seen = std::collections::HashSet::new();
        let mut kept: Vec<&Member> =
            all.iter().rev().filter(|member| seen.insert(member.key.value.as_str())).collect();
        kept.reverse();
        Some(kept)
    }
}

/// Reads a text.
pub fn read(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Json {
    let mut reader = Reader { source, cursor: Cursor::new(&source.text), diagnostics, errors: 0, level: 0 };
    reader.blank();
    let json = reader.value();
    reader.blank();
    if reader.cursor.peek().is_some() && reader.errors == 0 {
        let span = reader.here();
        reader.error("json-syntax", span, "Expected the end of the file.");
    }
    json
}

struct Reader<'s, 'd> {
    source: &'s Source,
    cursor: Cursor<'s>,
    diagnostics: &'d mut Vec<Diagnostic>,
    errors: usize,
    level: u32,
}

impl Reader<'_, '_> {
    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.errors += 1;
        if self.errors <= ERRORS_MAX {
            self.diagnostics.push(Diagnostic::error(code, span, message));
        }
    }

    fn here(&self) -> Span {
        let start = self.cursor.offset();
        Span::new(start, start + self.cursor.peek().map_or(0, char::len_utf8))
    }

    fn blank(&mut self) {
        if let Err(unclosed) = self.cursor.skip_blank() {
            let opening = Span { start: unclosed.0.start, end: unclosed.0.start + 2 };
            self.error("unclosed-comment", opening, "This comment is never closed.");
        }
    }

    fn value(&mut self) -> Json {
        let start = self.cursor.offset();
        let kind = match self.cursor.peek() {
            Some('{' | '[') if self.level >= NEST_LEVELS_MAX => {
                let span = self.here();
                self.error("json-too-deep", span, format!("Rules nest at most {NEST_LEVELS_MAX} levels."));
                // What is inside is not looked at, so that what seems to be missing after it is no news.
                self.errors = self.errors.max(ERRORS_MAX);
                self.cursor.go_to(self.source.text.len());
                Kind::Broken
            }
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some('"') => Kind::Text(self.text()),
            Some('-' | '0'..='9') => {
                self.cursor.eat_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
                match self.cursor.since(start).parse::<f64>() {
                    Ok(_) => Kind::Number,
                    Err(_) => {
                        let span = self.cursor.span_since(start);
                        self.error("json-syntax", span, "This is not a number.");
                        Kind::Broken
                    }
                }
            }
            _ => self.word(start),
        };
        Json { kind, span: self.cursor.span_since(start) }
    }

    fn word(&mut self, start: usize) -> Kind {
        match self.cursor.eat_while(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            "" => {
                let span = self.here();
                let message = match self.cursor.peek() {
                    None => "Unexpected end of the file.".to_owned(),
                    Some(found) => format!("Expected a value, not `{found}`."),
                };
                // A bracket belongs to whoever opened it.
                if !matches!(self.cursor.peek(), None | Some('}' | ']' | ',')) {
                    self.cursor.bump();
                }
                self.error("json-syntax", span, message);
                Kind::Broken
            }
            word => {
                let message = format!("Expected a value, not `{word}`: text is written in double quotes.");
                let span = self.cursor.span_since(start);
                self.error("json-syntax", span, message);
                Kind::Broken
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Kind) -> Kind {
        self.level += 1;
        self.cursor.bump();
        let kind = read(self);
        self.level -= 1;
        kind
    }

    fn object(&mut self) -> Kind {
        let opening = self.cursor.offset().saturating_sub(1);
        let mut members = Vec::new();
        loop {
            self.blank();
            if self.cursor.eat("}") {
                return Kind::Object(members);
            }
            if self.cursor.peek() != Some('"') {
                let span = self.here();
                match self.cursor.peek() {
                    None => {
                        self.error(
                            "unclosed-brace",
                            Span::new(opening, opening + 1),
                            "This `{` is never closed.",
                        );
                    }
                    Some(found) => {
                        self.error(
                            "json-syntax",
                            span,
                            format!("Expected a key in double quotes, not `{found}`."),
                        );
                        self.skip_to_line_end();
                    }
                }
                if self.cursor.peek().is_none() {
                    return Kind::Object(members);
                }
                continue;
            }
            let key = self.text();
            self.blank();
            if !self.cursor.eat(":") {
                let span = self.here();
                self.error("json-syntax", span, "Expected ':' after the key.");
            }
            self.blank();
            let value = self.value();
            members.push(Member { key, value });
            self.separator("}");
        }
    }

    fn array(&mut self) -> Kind {
        let opening = self.cursor.offset().saturating_sub(1);
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.cursor.eat("]") {
                return Kind::Array(items);
            }
            if matches!(self.cursor.peek(), None | Some('}')) {
                self.error("unclosed-bracket", Span::new(opening, opening + 1), "This `[` is never closed.");
                return Kind::Array(items);
            }
            items.push(self.value());
            self.separator("]");
        }
    }

    /// What comes after a member: a comma and another one, or the end.
    fn separator(&mut self, close: &'static str) {
        let end = self.cursor.offset();
        self.blank();
        let comma = self.here();
        if self.cursor.eat(",") {
            self.blank();
            if self.cursor.rest().starts_with(close) {
                let message = format!("There is a comma before `{close}`.");
                self.diagnostics.push(
                    Diagnostic::warning("trailing-comma", comma, message)
                        .help("the Firebase CLI refuses it: remove it"),
                );
            }
            while self.cursor.peek() == Some(',') {
                let span = self.here();
                self.error("json-syntax", span, "There is one comma too many.");
                self.cursor.bump();
                self.blank();
            }
            return;
        }
        // The bracket itself is the caller's, and so is the end of the file.
        if self.cursor.rest().starts_with(close) || self.cursor.peek().is_none() {
            return;
        }
        let span = self.here();
        let last = Span::new(end.saturating_sub(1), end);
        let (line, _) = self.source.line_column(last.start);
        let before = match self.source.slice(last) {
            bracket @ ("}" | "]") => format!("`{bracket}`"),
            _ => "the value".to_owned(),
        };
        let starts_member = matches!(self.cursor.peek(), Some('"' | '{' | '['));
        let message = if starts_member {
            format!("Expected ',' or '{close}': did you forget a comma after {before} on line {line}?")
        } else {
            format!("Expected ',' or '{close}'.")
        };
        self.errors += 1;
        if self.errors <= ERRORS_MAX {
            let diagnostic = Diagnostic::error("missing-comma", span, message);
            self.diagnostics.push(if starts_member {
                diagnostic.label(Span::new(end, end), "a comma belongs here")
            } else {
                diagnostic
            });
        }
        if !starts_member {
            self.skip_to_line_end();
        }
    }

    /// Goes past what makes no sense, so that the rest is still looked at.
    fn skip_to_line_end(&mut self) {
        let before = self.cursor.offset();
        self.cursor.eat_while(|character| !matches!(character, '\n' | '}' | ']' | ',' | '"'));
        self.cursor.eat(",");
        if self.cursor.offset() == before {
            self.cursor.bump();
        }
    }

    fn text(&mut self) -> Text {
        let start = self.cursor.offset();
        self.cursor.bump();
        let mut text = Text::default();
        let mut tab = None;
        loop {
            let at = self.cursor.offset();
            match self.cursor.bump() {
                None => {
                    let opening = Span::new(start, start + 1);
                    self.error("unclosed-text", opening, "This text is never closed.");
                    break;
                }
                Some('"') => break,
                Some('\\') => {
                    match self.escape(at) {
                        Some(character) => text.value.push(character),
                        None => {
                            let span = self.cursor.span_since(at);
                            self.error("json-syntax", span, "There is no such escape in JSON.");
                        }
                    }
                    let offset = Span::new(text.value.len(), self.cursor.offset());
                    text.shifts.push((offset.start, offset.end));
                }
                Some('\t') => {
                    tab.get_or_insert(at);
                    text.value.push('\t');
                }
                Some(character) if character < ' ' && !matches!(character, '\n' | '\r') => {
                    let span = self.cursor.span_since(at);
                    self.error("json-syntax", span, "Control characters must be escaped in text.");
                    let offset = Span::new(text.value.len(), self.cursor.offset());
                    text.shifts.push((offset.start, offset.end));
                }
                Some(character) => text.value.push(character),
            }
        }
        if let Some(at) = tab {
            let message = "There is a tab inside this text.";
            self.diagnostics.push(
                Diagnostic::warning("tab-in-text", Span::new(at, at + 1), message)
                    .help("the Firebase CLI refuses it: use spaces"),
            );
        }
        text.span = self.cursor.span_since(start);
        text
    }

    fn escape(&mut self, at: usize) -> Option<char> {
        Some(match self.cursor.bump()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            character @ ('"' | '\\' | '/') => character,
            'u' => {
                let high = self.hex4()?;
                if !(0xD800..0xDC00).contains(&high) {
                    // A lone surrogate is no character.
                    return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let resume = self.cursor.offset();
                let low = if self.cursor.eat("\\u") { self.hex4() } else { None };
                match low {
                    Some(low) if (0xDC00..0xE000).contains(&low) => {
                        char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))?
                    }
                    _ => {
                        self.cursor.go_to(resume);
                        char::REPLACEMENT_CHARACTER
                    }
                }
            }
            _ => {
                self.cursor.go_to(at + 1);
                self.cursor.bump();
                return None;
            }
        })
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits =
            self.cursor.rest().get(..4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.cursor.go_to(self.cursor.offset() + 4);
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostics(text: &str) -> Vec<String> {
        let source = Source::new("rules", text);
        let mut found = Vec::new();
        read(&source, &mut found);
        found
            .iter()
            .map(|d| {
                let r = d.report(&source);
                format!("{}:{} {} {}", r.line, r.column, r.code, r.message)
            })
            .collect()
    }

    #[test]
    fn the_dialect_is_accepted() {
        assert_eq!(
            diagnostics("// a\n{ \"a\": /* b */ \"x\n y\", \"a\": [1, -2.5e3, true, null, {}] } // end"),
            [""; 0]
        );
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        for (text, expected) in [
            (
                "{\n \"a\": {}\n \"b\": 1 }",
                "3:2 missing-comma Expected ',' or '}': did you forget a comma after `}` on line 2?",
            ),
            ("{\"a\": 1,}", "1:8 trailing-comma There is a comma before `}`."),
            ("{\"a\": [1 2]}", "1:10 missing-comma Expected ',' or ']'."),
            ("{\"a\": \"x\ty\"}", "1:9 tab-in-text There is a tab inside this text."),
            ("{\"a\": \"\\q\"}", "1:8 json-syntax There is no such escape in JSON."),
            ("{\"a\": 'x'}", "1:7 json-syntax Expected a value, not `'`."),
            ("{\"a\": {", "1:7 unclosed-brace This `{` is never closed."),
            ("{} x", "1:4 json-syntax Expected the end of the file."),
            ("/* {}", "1:1 unclosed-comment This comment is never closed."),
        ] {
            assert_eq!(diagnostics(text).first().map(String::as_str), Some(expected), "{text}");
        }
    }

    #[test]
    fn places_in_text_lead_back_to_the_file() {
        let source = Source::new("rules", r#"{"a": "x\ny\"ß\u0041z"}"#);
        let json = read(&source, &mut Vec::new());
        let members = json.members().unwrap();
        let Kind::Text(text) = &members[0].value.kind else { panic!("no text") };
        assert_eq!(text.value, "x\ny\"ßAz");
        let z = text.value.find('z').unwrap();
        assert_eq!(source.slice(text.locate(Span::new(z, z + 1))), "z");
        let y = text.value.find('y').unwrap();
        assert_eq!(source.slice(text.locate(Span::new(y, y + 1))), "y");
    }
}
