//! Tokens of the rules language, made on demand. A `/` with text right behind it is a segment of a path, so `a/b` is no
//! division.
//!
//! Source: the official compiler's answers to generated texts (`suites/differential/compile.py`).

use super::literal;
use crate::source::Span;
use crate::syntax::cursor::Cursor;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or keyword.
    Word,
    /// A whole number.
    Int(i64),
    /// 2^63, which is a number only behind a minus.
    IntMin,
    /// A number with a point.
    Float(f64),
    /// Text, unescaped.
    Text(String),
    /// `b'…'`
    Bytes(Vec<u8>),
    /// `/name`, decoded.
    Segment(String),
    /// Punctuation or an operator.
    Sign(&'static str),
    /// The end of the file.
    End,
    /// Text that is never closed, or that has an escape there is not; its quote.
    Unpaired(char),
    /// Something that is no token; the reason.
    Bad(&'static str),
}

/// Longer signs first: the first that fits is taken.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "**", "--", "++", "{", "}", "(", ")", "[", "]", ":", ";", ",", ".",
    "=", "<", ">", "+", "-", "*", "/", "%", "!", "?", "$",
];

/// Words that are no names.
const RESERVED: [&str; 28] = [
    "allow",
    "break",
    "case",
    "continue",
    "default",
    "do",
    "else",
    "extends",
    "false",
    "for",
    "function",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "let",
    "match",
    "not",
    "null",
    "package",
    "return",
    "rules_version",
    "service",
    "switch",
    "true",
    "var",
    "while",
];

/// Whether a word cannot be a name.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Whether a word cannot even be a member's name: these two switch the official compiler to other tokens.
pub fn is_reserved_member(word: &str) -> bool {
    matches!(word, "service" | "rules_version")
}

/// The next token and its place. Blanks and comments before it are skipped.
pub fn next(cursor: &mut Cursor<'_>) -> (Token, Span) {
    skip_blank(cursor);
    let start = cursor.offset();
    let mut quoted = cursor.rest().chars();
    let token = match cursor.peek() {
        None => Token::End,
        Some('b' | 'B')
            if matches!(quoted.nth(1), Some('\'' | '"')) && literal::bytes_ahead(cursor.rest()) =>
        {
            literal::bytes(cursor)
        }
        Some(first) if begins_word(first) => {
            cursor.eat_while(is_word);
            if cursor.since(start) == "$" { Token::Sign("$") } else { Token::Word }
        }
        Some('0'..='9') => number(cursor),
        Some('.') if quoted.nth(1).is_some_and(|next| next.is_ascii_digit()) => number(cursor),
        Some('\'' | '"') => literal::text(cursor),
        Some('/') => slash(cursor),
        Some(_) => match SIGNS.iter().find(|sign| cursor.eat(sign)) {
            Some(sign) => Token::Sign(sign),
            None => {
                // Half an operator takes what is behind it along.
                if matches!(cursor.bump(), Some('&' | '|')) {
                    cursor.bump();
                }
                Token::Bad("")
            }
        },
    };
    (token, cursor.span_since(start))
}

/// Skips blanks and comments. `/*` without an end is no comment.
fn skip_blank(cursor: &mut Cursor<'_>) {
    loop {
        cursor.eat_while(|character| matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
        let rest = cursor.rest();
        if rest.starts_with("//") {
            cursor.eat_while(|character| character != '\n');
        } else if let Some(length) = rest.strip_prefix("/*").and_then(|inner| inner.find("*/")) {
            cursor.go_to(cursor.offset() + length + 4);
        } else {
            return;
        }
    }
}

fn begins_word(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '_' | '$')
}

/// Whether a character continues a name.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$')
}

/// `/`, or `/` with the segment behind it: `/name`, `/(default)`.
fn slash(cursor: &mut Cursor<'_>) -> Token {
    cursor.bump();
    let start = cursor.offset();
    let closed = cursor.rest().strip_prefix('(').and_then(|inner| Some((inner, inner.find(')')?)));
    if let Some((inner, length)) = closed
        && length > 0
        && segment_len(inner) == length
    {
        cursor.go_to(start + length + 2);
        return Token::Segment(decode(cursor.since(start)));
    }
    cursor.go_to(start + segment_len(cursor.rest()));
    if cursor.offset() == start {
        return Token::Sign("/");
    }
    Token::Segment(decode(cursor.since(start)))
}

/// Bytes that a segment's text has. A `%` belongs to it with two digits behind it.
fn segment_len(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut len = 0;
    while let Some(byte) = bytes.get(len) {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        len += match byte {
            b'%' if hex(len + 1) && hex(len + 2) => 3,
            b'_' | b'-' | b'~' | b'&' | b'\'' | b'.' | b':' | b'@' | b'+' | b'*' => 1,
            byte if byte.is_ascii_alphanumeric() => 1,
            _ => break,
        };
    }
    len
}

/// A number: `0`, `12`, `1.5`, `1.`, `.5`. There is neither an exponent nor a leading zero.
fn number(cursor: &mut Cursor<'_>) -> Token {
    let start = cursor.offset();
    let digit = |character: char| character.is_ascii_digit();
    if !cursor.eat("0") {
        cursor.eat_while(digit);
    }
    if cursor.eat(".") {
        cursor.eat_while(digit);
        return cursor.since(start).parse().map_or(Token::Bad("this is not a number"), Token::Float);
    }
    match cursor.since(start).parse::<u64>() {
        Ok(value) if value == 1 << 63 => Token::IntMin,
        Ok(value) => i64::try_from(value).map_or(Token::Bad("this number does not fit 64 bits"), Token::Int),
        Err(_) => Token::Bad("this number does not fit 64 bits"),
    }
}

/// Undoes the encoding of URLs, in which `+` is a blank; what is no encoding stays as it is.
pub fn decode(raw: &str) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [high, low, after @ ..]) = (first, tail) {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                out.push(high * 16 + low);
                rest = after;
                continue;
            }
        }
        out.push(if *first == b'+' { b' ' } else { *first });
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted() {
        assert!(RESERVED.is_sorted());
    }
}
