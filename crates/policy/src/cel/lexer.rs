//! Tokens of CEL.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::cursor::Cursor;

use super::literal;
use super::value::Constant;

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub span: Span,
}

/// The kinds of tokens.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A name.
    Name(String),
    /// A name in back-ticks, which only follows a dot.
    Quoted(String),
    /// Decimal or hexadecimal digits of a signed number: the sign is the parser's.
    Int(u64),
    /// A literal.
    Literal(Constant),
    /// Punctuation.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// Longest first.
const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")",
    "[", "]", "{", "}", "=",
];

/// Reads a whole text. What is no token is told and left out.
pub fn read(text: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    let mut cursor = Cursor::new(text);
    let mut tokens = Vec::new();
    loop {
        skip_blank(&mut cursor);
        let start = cursor.offset();
        let Some(first) = cursor.peek() else {
            tokens.push(Token { kind: Kind::End, span: cursor.span_since(start) });
            return tokens;
        };
        let kind = match literal::text(&mut cursor) {
            Some(read) => read.map(Kind::Literal),
            None if first.is_ascii_alphabetic() || first == '_' => {
                Ok(Kind::Name(cursor.eat_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned()))
            }
            None if first == '`' => quoted(&mut cursor),
            None if first.is_ascii_digit() || (first == '.' && second_is_digit(&cursor)) => {
                literal::number(&mut cursor)
            }
            None => match SIGNS.iter().find(|sign| cursor.eat(sign)) {
                Some(sign) => Ok(Kind::Sign(sign)),
                None => {
                    cursor.bump();
                    Err(format!("Syntax error: token recognition error at: '{first}'"))
                }
            },
        };
        let span = cursor.span_since(start);
        match kind {
            Ok(kind) => tokens.push(Token { kind, span }),
            Err(message) => diagnostics.push(Diagnostic::error("syntax", span, message)),
        }
    }
}

/// CEL has white space and `//` comments.
fn skip_blank(cursor: &mut Cursor<'_>) {
    loop {
        cursor.eat_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
        if !cursor.eat("//") {
            return;
        }
        cursor.eat_while(|c| c != '\n');
    }
}

fn second_is_digit(cursor: &Cursor<'_>) -> bool {
    cursor.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit())
}

fn quoted(cursor: &mut Cursor<'_>) -> Result<Kind, String> {
    cursor.bump();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ' ');
    let name = cursor.eat_while(fits).to_owned();
    if cursor.eat("`") && !name.is_empty() {
        return Ok(Kind::Quoted(name));
    }
    Err("Syntax error: a name in back-ticks has letters, digits and `_.-/ ` only".to_owned())
}
