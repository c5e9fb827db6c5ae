//! Reads a rule expression: one JavaScript expression of a small subset.
//!
//! Reading stops at the first error, because a rule with an error has no meaning to look at. Nesting is bounded.

use super::ast::{Expr, Kind};
use super::json::Text;
use crate::diagnostic::Diagnostic;
use crate::ir::Binary;
use crate::source::Span;
use crate::syntax::Power;
use crate::syntax::cursor::Cursor;

/// Deepest nesting of an expression, chains of calls and of operators other than `&&` and `||` included.
pub const NEST_LEVELS_MAX: u32 = 100;

#[derive(Clone, Copy, PartialEq)]
enum Infix {
    Binary(Binary),
    And,
    Or,
}

/// Longer signs first: the first that fits is taken. What is no operator here is refused by name.
const INFIX: [(&str, Option<(Infix, u8)>); 27] = [
    (">>>", None),
    ("===", Some((Infix::Binary(Binary::Equal), 3))),
    ("!==", Some((Infix::Binary(Binary::NotEqual), 3))),
    ("**", None),
    ("&&", Some((Infix::And, 2))),
    ("||", Some((Infix::Or, 1))),
    ("==", Some((Infix::Binary(Binary::Equal), 3))),
    ("!=", Some((Infix::Binary(Binary::NotEqual), 3))),
    ("<<", None),
    (">>", None),
    ("<=", Some((Infix::Binary(Binary::LessOrEqual), 4))),
    (">=", Some((Infix::Binary(Binary::GreaterOrEqual), 4))),
    ("++", None),
    ("--", None),
    ("=>", None),
    ("??", None),
    ("?.", None),
    ("<", Some((Infix::Binary(Binary::Less), 4))),
    (">", Some((Infix::Binary(Binary::Greater), 4))),
    ("+", Some((Infix::Binary(Binary::Add), 5))),
    ("-", Some((Infix::Binary(Binary::Subtract), 5))),
    ("*", Some((Infix::Binary(Binary::Multiply), 6))),
    ("/", Some((Infix::Binary(Binary::Divide), 6))),
    ("%", Some((Infix::Binary(Binary::Remainder), 6))),
    ("&", None),
    ("|", None),
    ("^", None),
];

const ASSIGNMENTS: [&str; 6] = ["+=", "-=", "*=", "/=", "%=", "="];

/// Parses the text of a rule.
pub fn parse(text: &Text) -> Parsed<Expr> {
    let mut parser = Parser { cursor: Cursor::new(&text.value), text, level: 0 };
    let expr = parser.expression(0)?;
    parser.blank()?;
    if parser.cursor.eat(";") {
        parser.blank()?;
    }
    match parser.cursor.peek() {
        None => Ok(expr),
        Some(_) => {
            let start = parser.cursor.offset();
            let message = if is_word_start(parser.cursor.peek()) {
                "missing ; before statement"
            } else {
                "syntax error"
            };
            parser.cursor.bump();
            Err(parser.error(start, message))
        }
    }
}

/// Whether a character begins a name.
fn is_word_start(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_alphabetic() || matches!(character, '_' | '$'))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    text: &'t Text,
    level: u32,
}

/// The error is boxed: the stack would otherwise hold room for one at each level.
type Parsed<T> = Result<T, Box<Diagnostic>>;

impl Parser<'_> {
    fn error(&self, start: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let span = self.text.locate(self.cursor.span_since(start));
        Box::new(Diagnostic::error("expression-syntax", span, message))
    }

    fn blank(&mut self) -> Parsed<()> {
        self.cursor.skip_blank().map_err(|unclosed| {
            let span = self.text.locate(unclosed.0);
            Box::new(Diagnostic::error("unclosed-comment", span, "This comment is never closed."))
        })
    }

    fn span_since(&self, start: usize) -> Span {
        self.text.locate(self.cursor.span_since(start))
    }

    /// Goes a level deeper. Chains count as levels: the tree they make is as deep.
    fn deeper(&mut self) -> Parsed<()> {
        self.level += 1;
        if self.level > NEST_LEVELS_MAX {
            let message = format!("An expression nests at most {NEST_LEVELS_MAX} levels.");
            return Err(self.error(self.cursor.offset(), message));
        }
        Ok(())
    }

    /// An expression of operators that bind at least so tightly; 0 takes `? :` too.
    fn expression(&mut self, power: u8) -> Parsed<Expr> {
        let level = self.level;
        self.deeper()?;
        self.blank()?;
        let start = self.cursor.offset();
        let mut left = self.unary()?;
        let mut end;
        loop {
            end = self.cursor.offset();
            self.blank()?;
            let at = self.cursor.offset();
            let Some((infix, level)) = self.infix()? else { break };
            let binding = Power::left(level);
            if binding.left < power {
                self.cursor.go_to(at);
                break;
            }
            let at = self.span_since(at);
            let right = self.expression(binding.right)?;
            // A chain of `&&` or `||` is one node; every other operator makes the tree a level deeper.
            let kind = match (infix, left.kind) {
                (Infix::And, Kind::And(mut all)) => {
                    all.push(right);
                    Kind::And(all)
                }
                (Infix::Or, Kind::Or(mut all)) => {
                    all.push(right);
                    Kind::Or(all)
                }
                (infix, kind) => {
                    self.deeper()?;
                    left.kind = kind;
                    match infix {
                        Infix::And => Kind::And(vec![left, right]),
                        Infix::Or => Kind::Or(vec![left, right]),
                        Infix::Binary(op) => Kind::Binary(op, Box::new(left), Box::new(right)),
                    }
                }
            };
            left = Expr { kind, span: self.span_since(start), at };
        }
        if power == 0 && self.cursor.rest().starts_with('?') {
            let at = self.cursor.offset();
            self.cursor.bump();
            let at = self.span_since(at);
            let yes = self.expression(0)?;
            self.blank()?;
            if !self.cursor.eat(":") {
                return Err(self.unexpected());
            }
            let no = self.expression(0)?;
            let kind = Kind::Condition(Box::new(left), Box::new(yes), Box::new(no));
            left = Expr { kind, span: self.span_since(start), at };
        } else {
            // Blanks after it are not its own.
            self.cursor.go_to(end);
        }
        self.level = level;
        Ok(left)
    }

    fn infix(&mut self) -> Parsed<Option<(Infix, u8)>> {
        let start = self.cursor.offset();
        let known = INFIX.iter().find(|(sign, _)| self.cursor.eat(sign));
        let equals = self.cursor.rest().starts_with('=');
        match known {
            // `a *= b`; `===` and `<=` have been taken whole.
            Some((sign, _)) if equals && ASSIGNMENTS.iter().any(|op| op.strip_suffix('=') == Some(sign)) => {
                self.cursor.bump();
                Err(self.error(start, "Rule expressions may not contain assignments."))
            }
            Some((sign, None)) => {
                Err(self.error(start, format!("Rule expressions may not contain the operator {sign}.")))
            }
            Some((_, found)) => Ok(*found),
            None if equals => {
                self.cursor.bump();
                Err(self.error(start, "Rule expressions may not contain assignments."))
            }
            None => {
                let rest = self.cursor.rest();
                for word in ["instanceof", "in"] {
                    if rest.strip_prefix(word).is_some_and(|after| !after.starts_with(is_word)) {
                        self.cursor.eat(word);
                        let message = format!("Rule expressions may not contain the operator {word}.");
                        return Err(self.error(start, message));
                    }
                }
                Ok(None)
            }
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.cursor.offset();
        let Some(sign @ ('!' | '-' | '+' | '~')) = self.cursor.peek() else { return self.postfix() };
        self.cursor.bump();
        if matches!(sign, '+' | '~') || self.cursor.rest().starts_with('-') && sign == '-' {
            return Err(self.error(start, format!("Rule expressions may not contain the operator {sign}.")));
        }
        let at = self.span_since(start);
        let level = self.level;
        self.deeper()?;
        self.blank()?;
        let operand = Box::new(self.unary()?);
        self.level = level;
        let kind = if sign == '!' { Kind::Not(operand) } else { Kind::Negate(operand) };
        Ok(Expr { kind, span: self.span_since(start), at })
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.cursor.offset();
        let level = self.level;
        let mut expr = self.primary()?;
        loop {
            let end = self.cursor.offset();
            self.blank()?;
            let at = self.cursor.offset();
            if self.cursor.eat(".") {
                self.blank()?;
                let name_at = self.cursor.offset();
                if !is_word_start(self.cursor.peek()) {
                    return Err(self.unexpected());
                }
                let name = self.cursor.eat_while(is_word).to_owned();
                let at = self.span_since(name_at);
                expr = Expr { kind: Kind::Member(Box::new(expr), name), span: self.span_since(start), at };
            } else if self.cursor.eat("[") {
                let index = self.expression(0)?;
                self.close("]")?;
                let at = index.span;
                let kind = Kind::Index(Box::new(expr), Box::new(index));
                expr = Expr { kind, span: self.span_since(start), at };
            } else if self.cursor.eat("(") {
                let arguments = self.list(")")?;
                let at = if matches!(expr.kind, Kind::Member(..) | Kind::Index(..)) {
                    expr.at
                } else {
                    self.text.locate(Span::new(at, at + 1))
                };
                expr = Expr { kind: Kind::Call(Box::new(expr), arguments), span: self.span_since(start), at };
            } else {
                // Blanks after it are not its own.
                self.cursor.go_to(end);
                self.level = level;
                return Ok(expr);
            }
            self.deeper()?;
        }
    }

    fn close(&mut self, sign: &str) -> Parsed<()> {
        self.blank()?;
        if self.cursor.eat(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        self.blank()?;
        if self.cursor.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(self.expression(0)?);
            self.blank()?;
            if self.cursor.eat(close) {
                return Ok(items);
            }
            if !self.cursor.eat(",") {
                return Err(self.unexpected());
            }
            // In JavaScript a list may end with a comma; arguments may not.
            self.blank()?;
            if close == "]" && self.cursor.eat(close) {
                return Ok(items);
            }
        }
    }

    fn unexpected(&mut self) -> Box<Diagnostic> {
        let start = self.cursor.offset();
        match self.cursor.bump() {
            None => {
                let end = self.text.locate(Span::new(start, start));
                Box::new(Diagnostic::error("expression-syntax", end, "Unexpected end of expression"))
            }
            Some(_) => self.error(start, "syntax error"),
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.cursor.offset();
        let kind = match self.cursor.peek() {
            Some('(') => {
                self.cursor.bump();
                let mut inner = self.expression(0)?;
                self.close(")")?;
                inner.span = self.span_since(start);
                return Ok(inner);
            }
            Some('[') => {
                self.cursor.bump();
                Kind::List(self.list("]")?)
            }
            Some(quote @ ('\'' | '"')) => {
                self.cursor.bump();
                Kind::Text(self.quoted(start, quote)?)
            }
            Some('/') => self.pattern(start)?,
            Some('0'..='9' | '.') => Kind::Number(self.number(start)?),
            Some(character) if is_word_start(Some(character)) => match self.cursor.eat_while(is_word) {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                "null" => Kind::Null,
                word @ ("var" | "let" | "const" | "function" | "new" | "typeof" | "void" | "delete"
                | "this" | "if" | "return" | "for" | "while") => {
                    let message = format!("Rule expressions may not contain `{word}`.");
                    return Err(self.error(start, message));
                }
                name => Kind::Variable(name.to_owned()),
            },
            _ => return Err(self.unexpected()),
        };
        let span = self.span_since(start);
        Ok(Expr { kind, span, at: span })
    }

    fn number(&mut self, start: usize) -> Parsed<f64> {
        if self.cursor.eat("0x") || self.cursor.eat("0X") {
            let digits = self.cursor.eat_while(|character| character.is_ascii_hexdigit());
            #[expect(clippy::cast_precision_loss, reason = "numbers of the language are doubles")]
            return u64::from_str_radix(digits, 16)
                .map(|number| number as f64)
                .map_err(|_| self.error(start, "missing hexadecimal digits after '0x'"));
        }
        let digit = |character: char| character.is_ascii_digit();
        self.cursor.eat_while(digit);
        if self.cursor.eat(".") {
            self.cursor.eat_while(digit);
        }
        let mantissa = self.cursor.offset();
        if self.cursor.eat("e") || self.cursor.eat("E") {
            let _ = self.cursor.eat("+") || self.cursor.eat("-");
            if self.cursor.eat_while(digit).is_empty() {
                self.cursor.go_to(mantissa);
            }
        }
        let parsed = self.cursor.since(start).parse();
        if is_word_start(self.cursor.peek()) {
            return Err(self.unexpected());
        }
        parsed.map_err(|_| self.error(start, "syntax error"))
    }

    fn quoted(&mut self, start: usize, quote: char) -> Parsed<String> {
        let mut out = String::new();
        loop {
            match self.cursor.bump() {
                None => return Err(self.error(start, "unterminated string literal")),
                Some(character) if character == quote => return Ok(out),
                Some('\\') => {
                    if let Some(character) = self.escape(start)? {
                        out.push(character);
                    }
                }
                // The raw line breaks that the file allows are not allowed inside a text of the language.
                Some('\n' | '\r') => return Err(self.error(start, "unterminated string literal")),
                Some(character) => out.push(character),
            }
        }
    }

    /// A JavaScript escape; `None` for a line that goes on.
    fn escape(&mut self, start: usize) -> Parsed<Option<char>> {
        let Some(character) = self.cursor.bump() else {
            return Err(self.error(start, "unterminated string literal"));
        };
        Ok(Some(match character {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' if !matches!(self.cursor.peek(), Some('0'..='9')) => '\0',
            '\n' => return Ok(None),
            'x' | 'u' => {
                let length = if character == 'x' { 2 } else { 4 };
                let digits = self
                    .cursor
                    .rest()
                    .get(..length)
                    .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
                    return Err(self.error(start, "malformed Unicode character escape sequence"));
                };
                self.cursor.go_to(self.cursor.offset() + length);
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        }))
    }

    fn pattern(&mut self, start: usize) -> Parsed<Kind> {
        self.cursor.bump();
        let body = self.cursor.offset();
        let mut in_set = false;
        loop {
            match self.cursor.bump() {
                None | Some('\n') => return Err(self.error(start, "unterminated regular expression literal")),
                Some('\\') => {
                    self.cursor.bump();
                }
                Some('[') => in_set = true,
                Some(']') => in_set = false,
                Some('/') if !in_set => break,
                Some(_) => {}
            }
        }
        let text = self.cursor.since(body);
        let text = text.strip_suffix('/').unwrap_or(text).to_owned();
        let flags = self.cursor.eat_while(is_word).to_owned();
        Ok(Kind::Pattern(text, flags))
    }
}
