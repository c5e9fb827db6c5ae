//! Writing messages: straight into the buffer, with no tree between.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Json;

/// How JSON is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// Enums as numbers instead of names (`$alt=json;enum-encoding=int`).
    pub enum_numbers: bool,
    /// Everything outside ASCII as `\uXXXX`, so that bytes, characters and UTF-16 units are the same
    /// in number; WebChannel counts in the last.
    pub ascii: bool,
}

/// Appends JSON to a text.
pub struct Writer<'o> {
    out: &'o mut String,
    options: JsonOptions,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut String, options: JsonOptions) -> Self {
        Self { out, options }
    }

    pub(super) fn display(&mut self, value: impl fmt::Display) {
        let _infallible = write!(self.out, "{value}");
    }

    /// A value that is text of a known harmless alphabet.
    pub(super) fn quoted(&mut self, value: impl fmt::Display) {
        self.out.push('"');
        self.display(value);
        self.out.push('"');
    }

    pub(super) fn message<M: Json>(&mut self, message: &M) {
        self.out.push('{');
        message.write_fields(self);
        self.out.push('}');
    }

    /// A field's name; its value must follow.
    pub(super) fn name(&mut self, name: &'static str) {
        self.comma('{');
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    /// A comma, unless what opened the object or list comes directly before.
    fn comma(&mut self, open: char) {
        if !self.out.ends_with(open) {
            self.out.push(',');
        }
    }

    pub(super) fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.out.push('[');
        for value in values {
            self.comma('[');
            write(self, value);
        }
        self.out.push(']');
    }

    pub(super) fn map<T>(&mut self, values: &BTreeMap<String, T>, mut write: impl FnMut(&mut Self, &T)) {
        self.out.push('{');
        for (key, value) in values {
            self.comma('{');
            self.string(key);
            self.out.push(':');
            write(self, value);
        }
        self.out.push('}');
    }

    pub(super) fn null(&mut self) {
        self.out.push_str("null");
    }

    pub(super) fn bool(&mut self, value: &bool) {
        self.out.push_str(if *value { "true" } else { "false" });
    }

    pub(super) fn int32(&mut self, value: &i32) {
        self.display(value);
    }

    pub(super) fn int64(&mut self, value: &i64) {
        self.quoted(value);
    }

    pub(super) fn double(&mut self, value: &f64) {
        if value.is_nan() {
            self.out.push_str("\"NaN\"");
        } else if value.is_infinite() {
            self.out.push_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
        } else {
            // The shortest digits that read back the same, with an exponent where it is shorter.
            let _infallible = write!(self.out, "{value:?}");
            if self.out.ends_with(".0") {
                self.out.truncate(self.out.len() - 2);
            }
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.out.push('"');
        STANDARD.encode_string(value, self.out);
        self.out.push('"');
    }

    pub(super) fn enumeration<E: TryFrom<i32>>(&mut self, number: &i32, name: fn(&E) -> &'static str) {
        match E::try_from(*number) {
            Ok(known) if !self.options.enum_numbers => self.quoted(name(&known)),
            _ => self.display(number),
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push('"');
        if self.options.ascii && !text.is_ascii() {
            for character in text.chars() {
                if character.is_ascii() {
                    self.escape_ascii(character);
                } else {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _infallible = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        } else {
            let mut plain = 0;
            for (at, byte) in text.bytes().enumerate() {
                if matches!(byte, 0..0x20 | b'"' | b'\\') {
                    self.out.push_str(text.get(plain..at).unwrap_or_default());
                    self.escape_ascii(char::from(byte));
                    plain = at + 1;
                }
            }
            self.out.push_str(text.get(plain..).unwrap_or_default());
        }
        self.out.push('"');
    }

    fn escape_ascii(&mut self, character: char) {
        match character {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\0'..'\u{20}' => {
                let _infallible = write!(self.out, "\\u{:04x}", u32::from(character));
            }
            _ => self.out.push(character),
        }
    }
}
