//! Text and bytes between quotes.
//!
//! Escapes: `\b \f \n \r \t \\ \' \"`, `\x41`, `\u0041` (a UTF-16 unit) and `\101` (octal, to `\377`).

use super::lexer::Token;
use crate::syntax::cursor::Cursor;

/// What stands for itself or is escaped.
#[derive(Clone, Copy)]
enum Piece {
    Character(char),
    /// A UTF-16 unit.
    Unit(u16),
    /// A code point or byte below 256.
    Byte(u8),
}

/// How reading ended.
#[derive(PartialEq)]
enum End {
    Closed,
    /// A line or the file ends, or an escape there is not.
    Broken,
}

/// A text; the cursor is at its quote. Behind one that is not right the cursor is where the official compiler goes on.
pub fn text(cursor: &mut Cursor<'_>) -> Token {
    let Some(quote) = cursor.bump() else { return Token::End };
    let (pieces, end) = read(cursor, quote);
    if end == End::Broken {
        return Token::Unpaired(quote);
    }
    let mut units: Vec<u16> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::Character(character) => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            Piece::Unit(unit) => units.push(unit),
            Piece::Byte(byte) => units.push(u16::from(byte)),
        }
    }
    // Half a surrogate pair is no text; the official compiler has `?` for it.
    Token::Text(char::decode_utf16(units).map(|unit| unit.unwrap_or('?')).collect())
}

/// Whether there are bytes at the beginning of this text; what is not closed is a name and a text.
pub fn bytes_ahead(rest: &str) -> bool {
    let mut cursor = Cursor::new(rest);
    cursor.bump();
    cursor.bump().is_some_and(|quote| read(&mut cursor, quote).1 == End::Closed)
}

/// Bytes; the cursor is at their `b`.
pub fn bytes(cursor: &mut Cursor<'_>) -> Token {
    cursor.bump();
    let Some(quote) = cursor.bump() else { return Token::End };
    let mut bytes = Vec::new();
    let mut is_bytes = true;
    for piece in read(cursor, quote).0 {
        match piece {
            Piece::Character(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Piece::Byte(byte) => bytes.push(byte),
            Piece::Unit(_) => is_bytes = false,
        }
    }
    if is_bytes { Token::Bytes(bytes) } else { Token::Bad("`\\u` is for text") }
}

/// Reads to the closing quote, which is taken.
fn read(cursor: &mut Cursor<'_>, quote: char) -> (Vec<Piece>, End) {
    let mut pieces = Vec::new();
    loop {
        match cursor.peek() {
            None | Some('\n' | '\r' | '\u{8}' | '\u{c}') => return (pieces, End::Broken),
            Some('\\') => {
                cursor.bump();
                match escape(cursor) {
                    Some(piece) => pieces.push(piece),
                    None => return (pieces, End::Broken),
                }
            }
            Some(character) => {
                cursor.bump();
                if character == quote {
                    return (pieces, End::Closed);
                }
                pieces.push(Piece::Character(character));
            }
        }
    }
}

/// What follows a backslash; the cursor does not move when it is no escape.
fn escape(cursor: &mut Cursor<'_>) -> Option<Piece> {
    let rest = cursor.rest();
    let digits = |from: usize, count: usize, radix: u32| {
        let digits = rest.get(from..from + count)?;
        let fits = digits.chars().all(|digit| digit.is_digit(radix));
        u16::from_str_radix(digits, radix).ok().filter(|_| fits)
    };
    let (piece, len) = match rest.chars().next()? {
        'b' => (Piece::Character('\u{8}'), 1),
        'f' => (Piece::Character('\u{c}'), 1),
        'n' => (Piece::Character('\n'), 1),
        'r' => (Piece::Character('\r'), 1),
        't' => (Piece::Character('\t'), 1),
        plain @ ('\\' | '\'' | '"') => (Piece::Character(plain), 1),
        'x' => (Piece::Byte(u8::try_from(digits(1, 2, 16)?).ok()?), 3),
        'u' => (Piece::Unit(digits(1, 4, 16)?), 5),
        _ => (Piece::Byte(u8::try_from(digits(0, 3, 8)?).ok()?), 3),
    };
    cursor.go_to(cursor.offset() + len);
    Some(piece)
}
