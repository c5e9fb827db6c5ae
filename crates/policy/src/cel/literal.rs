//! Literals of CEL: numbers, text, bytes, and what escapes in them mean.

use crate::syntax::cursor::Cursor;

use super::lexer::Kind;
use super::value::Constant;

/// A number. Its sign is not part of it.
pub fn number(cursor: &mut Cursor<'_>) -> Result<Kind, String> {
    let start = cursor.offset();
    let too_large = |text: &str| format!("invalid number literal `{text}`");
    if cursor.eat("0x") || cursor.eat("0X") {
        let digits = cursor.eat_while(|c| c.is_ascii_hexdigit());
        let value = u64::from_str_radix(digits, 16).map_err(|_| too_large(cursor.since(start)))?;
        let unsigned = cursor.eat("u") || cursor.eat("U");
        return Ok(if unsigned { Kind::Literal(Constant::Uint(value)) } else { Kind::Int(value) });
    }
    cursor.eat_while(|c| c.is_ascii_digit());
    let mut fraction = false;
    // A dot belongs to the number only when a digit follows: `1.f()` is a call.
    if cursor.peek() == Some('.') && cursor.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) {
        fraction = true;
        cursor.bump();
        cursor.eat_while(|c| c.is_ascii_digit());
    }
    let before = cursor.offset();
    if cursor.eat("e") || cursor.eat("E") {
        let _sign = cursor.eat("+") || cursor.eat("-");
        if cursor.eat_while(|c| c.is_ascii_digit()).is_empty() {
            cursor.go_to(before);
        } else {
            fraction = true;
        }
    }
    let text = cursor.since(start);
    if fraction {
        let value: f64 = text.parse().map_err(|_| too_large(text))?;
        return if value.is_finite() {
            Ok(Kind::Literal(Constant::Double(value)))
        } else {
            Err(too_large(text))
        };
    }
    let value: u64 = text.parse().map_err(|_| too_large(text))?;
    let unsigned = cursor.eat("u") || cursor.eat("U");
    Ok(if unsigned { Kind::Literal(Constant::Uint(value)) } else { Kind::Int(value) })
}

/// Text or bytes, when one begins here.
pub fn text(cursor: &mut Cursor<'_>) -> Option<Result<Constant, String>> {
    let start = cursor.offset();
    let (mut raw, mut bytes) = (false, false);
    loop {
        if !raw && (cursor.eat("r") || cursor.eat("R")) {
            raw = true;
        } else if !bytes && (cursor.eat("b") || cursor.eat("B")) {
            bytes = true;
        } else {
            break;
        }
    }
    let delimiter = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|delimiter| cursor.eat(delimiter));
    let Some(delimiter) = delimiter else {
        cursor.go_to(start);
        return None;
    };
    Some(body(cursor, delimiter, raw, bytes))
}

fn body(cursor: &mut Cursor<'_>, delimiter: &str, raw: bool, bytes: bool) -> Result<Constant, String> {
    let mut out = Vec::new();
    let mut wrong = None;
    let mut character_out = [0; 4];
    while !cursor.eat(delimiter) {
        let Some(character) = cursor.peek() else {
            return Err("Syntax error: a text that is never closed".to_owned());
        };
        if delimiter.len() == 1 && matches!(character, '\n' | '\r') {
            return Err("Syntax error: a text that is not closed on its line".to_owned());
        }
        cursor.bump();
        if character != '\\' {
            out.extend_from_slice(character.encode_utf8(&mut character_out).as_bytes());
        } else if raw {
            out.push(b'\\');
            // A quotation mark after a back-slash does not close the text.
            if let Some(next @ ('\'' | '"' | '\\')) = cursor.peek() {
                cursor.bump();
                out.extend_from_slice(next.encode_utf8(&mut character_out).as_bytes());
            }
        } else if let Err(message) = escape(cursor, bytes, &mut out) {
            wrong.get_or_insert(message);
        }
    }
    match (wrong, bytes) {
        (Some(message), _) => Err(message),
        (None, true) => Ok(Constant::Bytes(out.into())),
        (None, false) => String::from_utf8(out)
            .map(|text| Constant::Str(text.into()))
            .map_err(|_| "Syntax error: not text".to_owned()),
    }
}

fn escape(cursor: &mut Cursor<'_>, bytes: bool, out: &mut Vec<u8>) -> Result<(), String> {
    let wrong = || "Syntax error: an escape that means nothing".to_owned();
    let character = cursor.bump().ok_or_else(wrong)?;
    let code = match character {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '\\' | '?' | '"' | '\'' | '`' => u32::from(character),
        'x' | 'X' => digits(cursor, 2, 16).ok_or_else(wrong)?,
        'u' if !bytes => digits(cursor, 4, 16).ok_or_else(wrong)?,
        'U' if !bytes => digits(cursor, 8, 16).ok_or_else(wrong)?,
        '0'..='3' => {
            let high = character.to_digit(8).ok_or_else(wrong)?;
            high * 64 + digits(cursor, 2, 8).ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    if bytes {
        out.push(u8::try_from(code).map_err(|_| wrong())?);
    } else {
        let character = char::from_u32(code).ok_or_else(wrong)?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(())
}

fn digits(cursor: &mut Cursor<'_>, count: usize, radix: u32) -> Option<u32> {
    let text = cursor.rest().get(..count)?;
    if !text.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    for _ in 0..count {
        cursor.bump();
    }
    u32::from_str_radix(text, radix).ok()
}
