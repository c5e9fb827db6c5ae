//! Tokens of the rules language, made on demand: whether `/` divides or begins a path is the parser's knowledge.

use crate::source::Span;
use crate::syntax::cursor::Cursor;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or keyword.
    Word,
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Text, unescaped.
    Text(String),
    /// Punctuation or an operator.
    Sign(&'static str),
    /// The end of the file.
    End,
    /// Something that is no token; the reason.
    Bad(&'static str),
}

/// Longer signs first: the first that fits is taken.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "{", "}", "(", ")", "[", "]", ":", ";", ",", ".", "=", "<", ">", "+",
    "-", "*", "/", "%", "!", "?", "$",
];

/// The next token and its place. Blanks and comments before it are skipped.
pub fn next(cursor: &mut Cursor<'_>) -> (Token, Span) {
    if let Err(unclosed) = cursor.skip_blank() {
        return (Token::Bad("this comment is never closed"), unclosed.0);
    }
    let start = cursor.offset();
    let token = match cursor.peek() {
        None => Token::End,
        Some('a'..='z' | 'A'..='Z' | '_') => {
            cursor.eat_while(is_word);
            Token::Word
        }
        Some('0'..='9') => number(cursor),
        Some(quote @ ('\'' | '"')) => {
            cursor.bump();
            text(cursor, quote)
        }
        Some(_) => match SIGNS.iter().find(|sign| cursor.eat(sign)) {
            Some(sign) => Token::Sign(sign),
            None => {
                cursor.bump();
                Token::Bad("")
            }
        },
    };
    (token, cursor.span_since(start))
}

/// Whether a character continues a name.
pub fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn number(cursor: &mut Cursor<'_>) -> Token {
    let start = cursor.offset();
    let digit = |character: char| character.is_ascii_digit();
    cursor.eat_while(digit);
    let mut whole = true;
    let before_dot = cursor.offset();
    if cursor.eat(".") {
        if cursor.eat_while(digit).is_empty() {
            cursor.go_to(before_dot);
        } else {
            whole = false;
        }
    }
    let before_exponent = cursor.offset();
    if cursor.eat("e") || cursor.eat("E") {
        let _ = cursor.eat("+") || cursor.eat("-");
        if cursor.eat_while(digit).is_empty() {
            cursor.go_to(before_exponent);
        } else {
            whole = false;
        }
    }
    let text = cursor.since(start);
    if whole {
        text.parse().map_or(Token::Bad("this number does not fit 64 bits"), Token::Int)
    } else {
        text.parse().map_or(Token::Bad("this is not a number"), Token::Float)
    }
}

fn text(cursor: &mut Cursor<'_>, quote: char) -> Token {
    let mut text = String::new();
    let mut bad = None;
    loop {
        match cursor.peek() {
            None | Some('\n') => return Token::Bad("this text is never closed"),
            Some(character) if character == quote => {
                cursor.bump();
                return bad.map_or(Token::Text(text), Token::Bad);
            }
            Some('\\') => {
                cursor.bump();
                match cursor.bump() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some(plain @ ('\\' | '\'' | '"' | '/')) => text.push(plain),
                    _ => {
                        bad = Some(
                            "only \\\\ \\' \\\" \\n \\r \\t \\/ may follow a backslash; write a regular expression's backslash twice",
                        );
                    }
                }
            }
            Some(character) => {
                text.push(character);
                cursor.bump();
            }
        }
    }
}
