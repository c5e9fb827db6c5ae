//! Numbers, texts, regular expressions, lists.

use std::rc::Rc;

use super::Parser;
use crate::bolt::ast::{Exp, Kind, Node};

impl Parser<'_> {
    pub(super) fn literal(&mut self) -> Option<Exp> {
        let start = self.at;
        let kind = if self.eat("null") {
            Kind::Null
        } else if self.eat("true") {
            Kind::Boolean(true)
        } else if self.eat("false") {
            Kind::Boolean(false)
        } else if let Some(number) = self.number() {
            Kind::Number(number)
        } else if let Some(text) = self.string() {
            Kind::Text(text)
        } else if let Some(elements) = self.array() {
            Kind::Array(elements)
        } else {
            self.regexp()?
        };
        self.checked(Node::value(kind, self.span(start)))
    }

    fn number(&mut self) -> Option<f64> {
        let start = self.at;
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let number = self.hexadecimal().or_else(|| self.decimal());
        if number.is_none() {
            self.at = start;
        }
        number.map(|number| if negative { -number } else { number })
    }

    fn hexadecimal(&mut self) -> Option<f64> {
        let start = self.at;
        if self.eat("0x") || self.eat("0X") {
            let digits = self.eat_while(|character| character.is_ascii_hexdigit());
            if !digits.is_empty() {
                let digit = |character: char| f64::from(character.to_digit(16).unwrap_or(0));
                let number = u128::from_str_radix(digits, 16).map_or_else(
                    |_| digits.chars().fold(0.0, |number, character| number * 16.0 + digit(character)),
                    |number| number as f64,
                );
                return Some(number);
            }
        }
        self.at = start;
        None
    }

    fn decimal(&mut self) -> Option<f64> {
        let start = self.at;
        let digit = |character: char| character.is_ascii_digit();
        let whole = self.eat("0") || !self.eat_while(digit).is_empty();
        let fraction = self.eat(".") && !self.eat_while(digit).is_empty();
        if !whole && !fraction {
            self.at = start;
            return None;
        }
        let before_exponent = self.at;
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("-") || self.eat("+");
            if self.eat_while(digit).is_empty() {
                self.at = before_exponent;
            }
        }
        self.text.get(start..self.at)?.parse().ok()
    }

    /// A quoted text, unescaped.
    pub(super) fn string(&mut self) -> Option<Rc<str>> {
        let start = self.at;
        let quote = self.peek().filter(|character| matches!(character, '\'' | '"'))?;
        self.bump();
        let mut units: Vec<u16> = Vec::new();
        let closed = loop {
            match self.bump() {
                Some(character) if character == quote => break true,
                None | Some('\n' | '\r') => break false,
                Some('\\') => {
                    if self.escape(&mut units).is_none() {
                        break false;
                    }
                }
                Some(character) => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            }
        };
        if !closed {
            self.at = start;
            return None;
        }
        match String::from_utf16(&units) {
            Ok(text) => Some(text.into()),
            Err(_) => {
                self.stop("bolt-text", "a `\\u` escape in this text is half of a character");
                None
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, units: &mut Vec<u16>) -> Option<()> {
        let hex = |parser: &mut Self, count: usize| {
            let digits = parser.rest().get(..count)?;
            let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let unit = u16::from_str_radix(digits, 16).ok().filter(|_| all)?;
            parser.at += count;
            Some(unit)
        };
        let unit = match self.bump()? {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'x' => hex(self, 2)?,
            'u' => hex(self, 4)?,
            '0' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => 0,
            '0'..='9' => return None,
            other => {
                units.extend_from_slice(other.encode_utf16(&mut [0; 2]));
                return Some(());
            }
        };
        units.push(unit);
        Some(())
    }

    fn array(&mut self) -> Option<Vec<Exp>> {
        let start = self.at;
        if !self.eat("[") {
            return None;
        }
        self.blank();
        let elements = self.list().unwrap_or_default();
        self.blank();
        if !self.eat("]") {
            self.at = start;
            return None;
        }
        Some(elements)
    }

    fn regexp(&mut self) -> Option<Kind> {
        let start = self.at;
        if !self.eat("/") {
            return None;
        }
        let begin = self.at;
        loop {
            match self.bump() {
                Some('/') => break,
                Some('\\') if self.bump().is_some() => {}
                Some(character) if character != '\\' => {}
                _ => {
                    self.at = start;
                    return None;
                }
            }
        }
        let pattern = self.text.get(begin..self.at.saturating_sub(1)).unwrap_or("");
        let modifiers = self.eat_while(|character| character.is_ascii_lowercase());
        if !matches!(modifiers, "" | "i") {
            self.stop("bolt-generate", format!("Unsupported RegExp modifier: {modifiers}"));
            return None;
        }
        let pattern = if pattern.is_empty() { "null" } else { pattern };
        Some(Kind::Regexp { pattern: pattern.into(), modifiers: modifiers.into() })
    }
}
