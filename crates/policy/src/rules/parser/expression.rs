//! Expressions: a Pratt parser over the language's operators, with paths as operands.

use base::Value;

use super::{ERRORS_TOLD_MAX, EXPRESSION_DEPTH_MAX, Parser};
use crate::diagnostic::Diagnostic;
use crate::ir::Binary;
use crate::rules::ast::{Expr, Kind, Name, PathPart};
use crate::rules::lexer::{self, Token};
use crate::source::Span;
use crate::syntax::Power;

impl Parser<'_> {
    fn make(&mut self, kind: Kind, span: Span, at: Span) -> Expr {
        let depth = 1 + children(&kind).map(|child| child.depth).max().unwrap_or(0);
        if depth > EXPRESSION_DEPTH_MAX {
            self.error("too-complex", span, "Expression is too complex to evaluate safely.");
            return Expr { kind: Kind::Broken, span, at, depth: 1 };
        }
        Expr { kind, span, at, depth }
    }

    fn broken(&mut self) -> Expr {
        Expr { kind: Kind::Broken, span: self.span, at: self.span, depth: 1 }
    }

    /// A whole expression.
    pub(super) fn expression(&mut self) -> Expr {
        if self.levels >= EXPRESSION_DEPTH_MAX {
            self.error("too-complex", self.span, "Expression is too complex to evaluate safely.");
            self.stop();
            return self.broken();
        }
        self.levels += 1;
        let test = self.infix(0);
        let result = if self.is_sign("?") {
            let at = self.span;
            self.advance();
            let yes = self.expression();
            self.expect_sign(":");
            let no = self.expression();
            let span = test.span.to(no.span);
            self.make(Kind::Condition(Box::new(test), Box::new(yes), Box::new(no)), span, at)
        } else {
            test
        };
        self.levels -= 1;
        result
    }

    fn infix_operator(&self) -> Option<(Infix, Power)> {
        let found = match &self.token {
            Token::Sign(sign) => INFIX.iter().find(|(text, ..)| text == sign),
            Token::Word => INFIX.iter().find(|(text, ..)| *text == self.slice(self.span)),
            _ => None,
        };
        found.map(|(_, infix, power)| (*infix, *power))
    }

    fn infix(&mut self, least: u8) -> Expr {
        let mut left = self.prefix();
        while let Some((infix, power)) = self.infix_operator() {
            if power.left < least {
                break;
            }
            let at = self.span;
            self.advance();
            let (kind, span) = match infix {
                Infix::Is => {
                    let Some(name) = self.name() else { return left };
                    let span = left.span.to(name.span);
                    (Kind::Is(Box::new(left), name), span)
                }
                Infix::And | Infix::Or => {
                    let right = self.infix(power.right);
                    let span = left.span.to(right.span);
                    // Chains become one node, so that a long one is not a deep one; their value is the same.
                    let kind = match (infix, left.kind) {
                        (Infix::And, Kind::And(mut operands)) => {
                            operands.push(right);
                            Kind::And(operands)
                        }
                        (Infix::Or, Kind::Or(mut operands)) => {
                            operands.push(right);
                            Kind::Or(operands)
                        }
                        (_, kind) => {
                            let operands = vec![Expr { kind, ..left }, right];
                            if infix == Infix::And { Kind::And(operands) } else { Kind::Or(operands) }
                        }
                    };
                    (kind, span)
                }
                Infix::Binary(op) => {
                    let right = self.infix(power.right);
                    let span = left.span.to(right.span);
                    (Kind::Binary(op, Box::new(left), Box::new(right)), span)
                }
            };
            left = self.make(kind, span, at);
        }
        left
    }

    fn prefix(&mut self) -> Expr {
        let not = self.is_sign("!");
        if !not && !self.is_sign("-") {
            return self.postfix();
        }
        if self.levels >= EXPRESSION_DEPTH_MAX {
            self.error("too-complex", self.span, "Expression is too complex to evaluate safely.");
            self.stop();
            return self.broken();
        }
        self.levels += 1;
        let at = self.span;
        self.advance();
        let operand = Box::new(self.prefix());
        self.levels -= 1;
        let span = at.to(operand.span);
        self.make(if not { Kind::Not(operand) } else { Kind::Negate(operand) }, span, at)
    }

    fn postfix(&mut self) -> Expr {
        let first = self.span;
        let mut expr = self.primary();
        loop {
            if self.eat_sign(".") {
                let Some(name) = self.name() else { return expr };
                let span = first.to(name.span);
                expr = self.make(Kind::Member(Box::new(expr), name), span, first);
            } else if self.is_sign("(") {
                let at = match &expr.kind {
                    Kind::Member(_, name) => name.span,
                    Kind::Variable(_) => expr.at,
                    _ => {
                        self.unexpected();
                        self.span
                    }
                };
                self.advance();
                let arguments = self.items(")");
                let span = first.to(self.previous);
                expr = self.make(Kind::Call(Box::new(expr), arguments), span, at);
            } else if self.eat_sign("[") {
                let index = self.expression();
                let kind = if self.eat_sign(":") {
                    let end = self.expression();
                    Kind::Slice(Box::new(expr), Box::new(index), Box::new(end))
                } else {
                    Kind::Index(Box::new(expr), Box::new(index))
                };
                self.expect_sign("]");
                let span = first.to(self.previous);
                expr = self.make(kind, span, first);
            } else {
                return expr;
            }
        }
    }

    /// Expressions separated by commas up to a closing sign, which is taken.
    fn items(&mut self, close: &str) -> Vec<Expr> {
        let mut items = Vec::new();
        while !self.is_sign(close) && self.token != Token::End {
            items.push(self.expression());
            if !self.eat_sign(",") {
                break;
            }
        }
        self.expect_sign(close);
        items
    }

    fn primary(&mut self) -> Expr {
        let at = self.span;
        let kind = match &self.token {
            Token::Int(value) => Kind::Literal(Value::Integer(*value)),
            Token::Float(value) => Kind::Literal(Value::Double(*value)),
            Token::Text(text) => Kind::Literal(Value::String(text.clone())),
            Token::Word => match self.slice(self.span) {
                "true" => Kind::Literal(Value::Bool(true)),
                "false" => Kind::Literal(Value::Bool(false)),
                "null" => Kind::Literal(Value::Null),
                "match" | "allow" | "function" | "service" | "return" | "let" | "if" | "in" | "is" => {
                    self.unexpected();
                    return self.broken();
                }
                name => Kind::Variable(name.to_owned()),
            },
            Token::Sign("(") => {
                self.advance();
                let mut inner = self.expression();
                self.expect_sign(")");
                inner.span = at.to(self.previous);
                return inner;
            }
            Token::Sign("[") => {
                self.advance();
                let items = self.items("]");
                return self.make(Kind::List(items), at.to(self.previous), at);
            }
            Token::Sign("{") => return self.map(),
            Token::Sign("/") => return self.path(),
            _ => {
                self.unexpected();
                if !matches!(self.token, Token::Sign(";" | "}" | ")" | "]" | ",") | Token::End) {
                    self.advance();
                }
                return self.broken();
            }
        };
        self.advance();
        Expr { kind, span: at, at, depth: 1 }
    }

    fn map(&mut self) -> Expr {
        let at = self.span;
        self.advance();
        let mut entries = Vec::new();
        while !self.is_sign("}") && self.token != Token::End {
            let key = match &self.token {
                Token::Text(text) => {
                    let key = Name { text: text.clone(), span: self.span };
                    self.advance();
                    Some(key)
                }
                _ => self.name(),
            };
            let Some(key) = key else { break };
            self.expect_sign(":");
            entries.push((key, self.expression()));
            if !self.eat_sign(",") {
                break;
            }
        }
        self.expect_sign("}");
        self.make(Kind::Map(entries), at.to(self.previous), at)
    }

    /// A path literal; the current token is its first `/`.
    fn path(&mut self) -> Expr {
        let at = self.span;
        let start = at.start as usize;
        self.cursor.go_to(start);
        let mut parts = Vec::new();
        while self.cursor.eat("/") {
            if self.cursor.eat("$(") {
                self.advance();
                parts.push(PathPart::Value(self.expression()));
                if !self.is_sign(")") {
                    self.unexpected();
                    break;
                }
                // The token `)` was just read: the cursor stands behind it.
            } else if let Some(text) = self.raw_segment() {
                parts.push(PathPart::Text(text));
            } else {
                let end = self.cursor.offset();
                let mut diagnostic = Diagnostic::error(
                    "bad-path",
                    Span::new(end.saturating_sub(1), end),
                    "a path needs a segment after each '/'",
                );
                if self.cursor.peek() == Some('{') {
                    diagnostic = diagnostic.help("wildcards stand in `match` only; here write `$(variable)`");
                }
                if self.diagnostics.len() < ERRORS_TOLD_MAX {
                    self.diagnostics.push(diagnostic);
                }
                if !self.cursor.eat("{") {
                    break;
                }
                // Told once: the rest of the path is read as if it were right.
                self.cursor.eat_while(|character| lexer::is_word(character) || "=*".contains(character));
                self.cursor.eat("}");
            }
        }
        let span = self.cursor.span_since(start);
        self.advance();
        self.make(Kind::Path(parts), span, at)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Infix {
    And,
    Or,
    Is,
    Binary(Binary),
}

/// Loosest first, as the language defines it.
const INFIX: &[(&str, Infix, Power)] = &[
    ("||", Infix::Or, Power::left(1)),
    ("&&", Infix::And, Power::left(2)),
    ("==", Infix::Binary(Binary::Equal), Power::left(3)),
    ("!=", Infix::Binary(Binary::NotEqual), Power::left(3)),
    ("is", Infix::Is, Power::left(4)),
    ("in", Infix::Binary(Binary::In), Power::left(5)),
    ("<", Infix::Binary(Binary::Less), Power::left(6)),
    ("<=", Infix::Binary(Binary::LessOrEqual), Power::left(6)),
    (">", Infix::Binary(Binary::Greater), Power::left(6)),
    (">=", Infix::Binary(Binary::GreaterOrEqual), Power::left(6)),
    ("+", Infix::Binary(Binary::Add), Power::left(7)),
    ("-", Infix::Binary(Binary::Subtract), Power::left(7)),
    ("*", Infix::Binary(Binary::Multiply), Power::left(8)),
    ("/", Infix::Binary(Binary::Divide), Power::left(8)),
    ("%", Infix::Binary(Binary::Remainder), Power::left(8)),
];

/// The expressions directly within one.
pub fn children(kind: &Kind) -> Box<dyn Iterator<Item = &Expr> + '_> {
    match kind {
        Kind::Literal(_) | Kind::Variable(_) | Kind::Broken => Box::new(std::iter::empty()),
        Kind::Member(only, _) | Kind::Not(only) | Kind::Negate(only) | Kind::Is(only, _) => {
            Box::new(std::iter::once(&**only))
        }
        Kind::Index(a, b) | Kind::Binary(_, a, b) => Box::new([&**a, &**b].into_iter()),
        Kind::Slice(a, b, c) | Kind::Condition(a, b, c) => Box::new([&**a, &**b, &**c].into_iter()),
        Kind::Call(callee, arguments) => Box::new(std::iter::once(&**callee).chain(arguments)),
        Kind::And(items) | Kind::Or(items) | Kind::List(items) => Box::new(items.iter()),
        Kind::Map(entries) => Box::new(entries.iter().map(|(_, value)| value)),
        Kind::Path(parts) => Box::new(parts.iter().filter_map(|part| match part {
            PathPart::Text(_) => None,
            PathPart::Value(value) => Some(value),
        })),
    }
}
