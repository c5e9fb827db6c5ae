//! Expressions: a Pratt parser over the language's operators.

use base::Value;

use super::depth;
use super::{EXPRESSION_DEPTH_MAX, PARSE_LEVELS_MAX, Parser};
use crate::ir::Binary;
use crate::rules::ast::{Expr, Kind, Name};
use crate::rules::lexer::{self, Token};
use crate::rules::names::Type;
use crate::source::Span;
use crate::syntax::{Power, nearest};

/// What the official compiler says that it expects where an operand is missing.
const OPERAND: &str = "{'--', '++', '{', '[', '(', '-', '!', '/', 'false', 'null', 'true', PATH_SEGMENT, IDENTIFIER, \
                       NUM_INT, NUM_FLOAT, UNPAIRED_DOUBLE_QUOTE, UNPAIRED_SINGLE_QUOTE, STRING, BYTES}";
/// The same behind `-`.
const NEGATED: &str = "{'{', '[', '(', '/', 'false', 'null', 'true', PATH_SEGMENT, IDENTIFIER, NUM_INT, NUM_FLOAT, \
                       UNPAIRED_DOUBLE_QUOTE, UNPAIRED_SINGLE_QUOTE, STRING, BYTES}";
const STEP: &str = "Increment (++) and decrement (--) operators are not supported.";
/// And where the `:` of a condition is missing.
const COLON: &str = "{'&&', ':', '.', '==', '>', '>=', '[', '<', '<=', '-', '%', '!=', '||', '+', '/', '*', '?', 'in', \
                     'is'}";

/// The types, in the official compiler's order.
const TYPES: [&str; 16] = [
    "bool",
    "bytes",
    "constraint",
    "duration",
    "float",
    "int",
    "latlng",
    "list",
    "vector",
    "set",
    "number",
    "map",
    "string",
    "timestamp",
    "path",
    "map_diff",
];

/// What an operand stands behind, which decides the words for a missing one.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Behind {
    /// `if`
    If,
    /// An operator, `return` or `=`.
    Operator,
    /// `-`
    Minus,
    /// A bracket, a comma or the colon of an entry.
    Bracket,
}

impl Parser<'_> {
    pub(super) fn make(&mut self, kind: Kind, span: Span, at: Span) -> Expr {
        let (depth, levels) = depth::of(&kind);
        if depth > EXPRESSION_DEPTH_MAX {
            self.error("too-complex", span, "Expression is too complex to evaluate safely.");
            return Expr { kind: Kind::Broken, span, at, depth: 1, levels: 1, in_parens: false };
        }
        Expr { kind, span, at, depth, levels, in_parens: false }
    }

    pub(super) fn broken(&mut self) -> Expr {
        Expr { kind: Kind::Broken, span: self.span, at: self.span, depth: 1, levels: 1, in_parens: false }
    }

    /// A whole expression, as a condition, a `let` or a `return` has it.
    pub(super) fn whole_expression(&mut self, behind: Behind) -> Expr {
        self.brackets = 0;
        let expr = self.expression(behind);
        if let Some(span) = depth::too_deep(&expr) {
            self.error("too-complex", span, "Expression is too complex to evaluate safely.");
        }
        expr
    }

    fn enter(&mut self) -> bool {
        if self.levels >= PARSE_LEVELS_MAX {
            self.error("too-complex", self.span, "Expression is too complex to evaluate safely.");
            self.stop();
            return false;
        }
        self.levels += 1;
        true
    }

    pub(super) fn expression(&mut self, behind: Behind) -> Expr {
        if !self.enter() {
            return self.broken();
        }
        let test = self.infix(0, behind);
        let result = if self.is_sign("?") { self.condition(test) } else { test };
        self.levels -= 1;
        result
    }

    /// `? yes : no`
    fn condition(&mut self, test: Expr) -> Expr {
        let at = self.span;
        self.advance();
        let yes = self.expression(Behind::Operator);
        self.pass_over_half();
        if !self.eat_sign(":") {
            let text = self.token_text();
            self.error("missing-token", self.span, format!("mismatched input '{text}' expecting {COLON}"));
        }
        let no = self.expression(Behind::Operator);
        let span = test.span.to(no.span);
        self.make(Kind::Condition(Box::new(test), Box::new(yes), Box::new(no)), span, at)
    }

    fn infix_operator(&self) -> Option<(Infix, Power)> {
        let found = match &self.token {
            Token::Sign(sign) => INFIX.iter().find(|(text, ..)| text == sign),
            Token::Word => INFIX.iter().find(|(text, ..)| *text == self.slice(self.span)),
            _ => None,
        };
        found.map(|(_, infix, power)| (*infix, *power))
    }

    /// The operator at hand. What is no operator, `--` and `++`, is passed over.
    fn infix_or_step(&mut self) -> Option<(Infix, Power)> {
        while self.is_sign("--") || self.is_sign("++") {
            self.advance();
            self.error("unexpected-token", self.span, STEP);
        }
        self.infix_operator()
    }

    fn infix(&mut self, least: u8, behind: Behind) -> Expr {
        let mut left = self.prefix(behind);
        while let Some((infix, power)) = self.infix_or_step() {
            if power.left < least {
                break;
            }
            let at = self.span;
            self.advance();
            let (kind, span) = match infix {
                Infix::Is => {
                    let Some(name) = self.type_name() else { return left };
                    let span = left.span.to(name.span);
                    (Kind::Is(Box::new(left), name), span)
                }
                Infix::And | Infix::Or => {
                    let right = self.infix(power.right, Behind::Operator);
                    left = self.chain(infix, left, right, at);
                    continue;
                }
                Infix::Binary(op) => {
                    let right = self.infix(power.right, Behind::Operator);
                    let span = left.span.to(right.span);
                    (Kind::Binary(op, Box::new(left), Box::new(right)), span)
                }
            };
            left = self.make(kind, span, at);
        }
        left
    }

    /// Chains become one node, so that a long one is not a deep one; their value is the same. The language counts each of
    /// their operators as a level.
    fn chain(&mut self, infix: Infix, left: Expr, right: Expr, at: Span) -> Expr {
        let levels = 1 + left.levels.max(right.levels);
        let span = left.span.to(right.span);
        let bare = !left.in_parens;
        let kind = match (infix, left.kind) {
            (Infix::And, Kind::And(mut operands)) if bare => {
                operands.push(right);
                Kind::And(operands)
            }
            (Infix::Or, Kind::Or(mut operands)) if bare => {
                operands.push(right);
                Kind::Or(operands)
            }
            (_, kind) => {
                let operands = vec![Expr { kind, ..left }, right];
                if infix == Infix::And { Kind::And(operands) } else { Kind::Or(operands) }
            }
        };
        Expr { levels, ..self.make(kind, span, at) }
    }

    /// The type behind `is`. The official compiler tells of an unknown one at the token behind it.
    fn type_name(&mut self) -> Option<Name> {
        let text = self.token_text();
        if !self.is_name() {
            self.error(
                "unexpected-token",
                self.span,
                format!("mismatched input '{text}' expecting IDENTIFIER"),
            );
            return None;
        }
        let name = self.word();
        if Type::named(&name.text).is_none() {
            self.pass_over_half();
            let known = TYPES.join(",");
            let message = format!(
                "An unsupported type identifier was used with the 'is' operator. Received {text}. Expected one of {known}"
            );
            self.error("unknown-type", self.span, message);
            if let Some(near) = nearest(&name.text, TYPES.iter().copied()) {
                self.help(&format!("did you mean `{near}`?"));
            }
            self.label(name.span, "this is no type");
        }
        Some(name)
    }

    fn prefix(&mut self, behind: Behind) -> Expr {
        let at = self.span;
        if self.is_sign("--") || self.is_sign("++") {
            self.advance();
            self.error("unexpected-token", self.span, STEP);
            return self.postfix(Behind::Operator);
        }
        let not = self.is_sign("!");
        if !not && !self.is_sign("-") {
            return self.postfix(behind);
        }
        if !self.enter() {
            return self.broken();
        }
        self.advance();
        let expr = if not {
            let operand = Box::new(self.prefix(Behind::Operator));
            let span = at.to(operand.span);
            self.make(Kind::Not(operand), span, at)
        } else if self.token == Token::IntMin {
            let (span, number) = (at.to(self.span), self.span);
            self.advance();
            if self.is_sign(".") || self.is_sign("[") {
                // The minus is of what follows, and the number without it is too large.
                let message = format!("Invalid number literal {}.", self.slice(number));
                self.error("number-too-large", number, message);
            }
            self.make(Kind::Literal(Value::Integer(i64::MIN)), span, at)
        } else {
            // A sign has no second one behind it.
            let operand = Box::new(self.postfix(Behind::Minus));
            let span = at.to(operand.span);
            self.make(Kind::Negate(operand), span, at)
        };
        self.levels -= 1;
        expr
    }

    fn postfix(&mut self, behind: Behind) -> Expr {
        let first = self.span;
        let mut expr = self.primary(behind);
        loop {
            if self.eat_sign(".") {
                let Some(name) = self.member_name() else { return expr };
                let span = first.to(name.span);
                expr = self.make(Kind::Member(Box::new(expr), name), span, first);
            } else if self.is_sign("(") && is_callee(&expr) {
                let at = match &expr.kind {
                    Kind::Member(_, name) => name.span,
                    _ => expr.span,
                };
                self.advance();
                let arguments = self.items(")");
                let span = first.to(self.previous);
                expr = self.make(Kind::Call(Box::new(expr), arguments), span, at);
            } else if self.is_sign("[") {
                expr = self.index(expr, first);
            } else {
                return expr;
            }
        }
    }

    /// `[index]`, `[start:end]`
    fn index(&mut self, object: Expr, first: Span) -> Expr {
        self.advance();
        let object = Box::new(object);
        let bound = |parser: &mut Self| Box::new(parser.expression(Behind::Bracket));
        self.brackets += 1;
        let start = (!self.is_sign(":")).then(|| bound(self));
        let kind = if self.eat_sign(":") {
            let end = (!self.is_sign("]")).then(|| bound(self));
            Kind::Slice(object, start, end)
        } else if let Some(index) = start {
            Kind::Index(object, index)
        } else {
            Kind::Broken
        };
        self.close("]");
        let span = first.to(self.previous);
        self.make(kind, span, first)
    }

    /// A closing sign, or what is there instead of it.
    fn close(&mut self, sign: &str) {
        self.brackets = self.brackets.saturating_sub(1);
        if !self.eat_sign(sign) {
            self.unexpected();
        }
    }

    /// Expressions separated by commas up to a closing sign, which is taken.
    fn items(&mut self, close: &str) -> Vec<Expr> {
        self.brackets += 1;
        let mut items = Vec::new();
        while !self.is_sign(close) && self.token != Token::End {
            items.push(self.expression(Behind::Bracket));
            if !self.eat_sign(",") {
                break;
            }
        }
        self.close(close);
        items
    }

    fn primary(&mut self, behind: Behind) -> Expr {
        let at = self.span;
        let kind = match &self.token {
            Token::Int(value) => Kind::Literal(Value::Integer(*value)),
            Token::Float(value) => Kind::Literal(Value::Double(*value)),
            Token::Text(text) => Kind::Literal(Value::String(text.clone())),
            Token::Bytes(bytes) => Kind::Literal(Value::Bytes(bytes.clone())),
            Token::Word => match self.slice(self.span) {
                "true" => Kind::Literal(Value::Bool(true)),
                "false" => Kind::Literal(Value::Bool(false)),
                "null" => Kind::Literal(Value::Null),
                word if lexer::is_reserved(word) => return self.no_operand(behind),
                name => Kind::Variable(name.to_owned()),
            },
            Token::Sign("(") => {
                self.advance();
                self.brackets += 1;
                let mut inner = self.expression(Behind::Bracket);
                self.close(")");
                inner.span = at.to(self.previous);
                inner.levels += 1;
                inner.in_parens = true;
                return inner;
            }
            Token::Sign("[") => {
                self.advance();
                let items = self.items("]");
                return self.make(Kind::List(items), at.to(self.previous), at);
            }
            Token::Sign("{") => return self.map(),
            Token::Sign("/") | Token::Segment(_) => return self.path(),
            _ => return self.no_operand(behind),
        };
        self.advance();
        Expr { kind, span: at, at, depth: 1, levels: 1, in_parens: false }
    }

    /// There is no operand where one has to be.
    fn no_operand(&mut self, behind: Behind) -> Expr {
        let broken = self.broken();
        let text = self.token_text();
        match &self.token {
            Token::Unpaired(quote) => {
                let quote = *quote;
                self.unpaired(quote);
                return broken;
            }
            Token::IntMin => {
                self.error("number-too-large", self.span, format!("Invalid number literal {text}."));
                self.advance();
                return broken;
            }
            Token::Bad(reason) if !reason.is_empty() => {
                let kind = if text.starts_with(['b', 'B']) { "bytes" } else { "number" };
                let help = *reason;
                self.error("bad-literal", self.span, format!("Invalid {kind} literal {text}."));
                self.help(help);
                self.advance();
                return broken;
            }
            Token::Bad(_) => self.unexpected(),
            _ if behind == Behind::If => {
                self.error("unexpected-token", self.span, "Missing conditional expression after 'if'.");
            }
            // The official parser passes over one token when an operand is behind it.
            _ if self.brackets > 0 || self.operand_is_next(behind) => self.unexpected(),
            _ => {
                let expected = if behind == Behind::Minus { NEGATED } else { OPERAND };
                self.error(
                    "unexpected-token",
                    self.span,
                    format!("mismatched input '{text}' expecting {expected}"),
                );
            }
        }
        if !matches!(self.token, Token::Sign(";" | "}" | ")" | "]" | ",") | Token::End) {
            self.advance();
        }
        broken
    }

    /// Whether an operand begins behind the current token; a sign has no second one behind it.
    fn operand_is_next(&self, behind: Behind) -> bool {
        let (token, span) = lexer::next(&mut self.cursor.clone());
        match token {
            Token::Word => {
                let word = self.slice(span);
                !lexer::is_reserved(word) || matches!(word, "true" | "false" | "null")
            }
            Token::Sign("-" | "!" | "--" | "++") => behind != Behind::Minus,
            Token::Sign(sign) => matches!(sign, "(" | "[" | "{" | "/"),
            Token::End | Token::Bad(_) => false,
            _ => true,
        }
    }

    fn map(&mut self) -> Expr {
        let at = self.span;
        self.advance();
        self.brackets += 1;
        let mut entries = Vec::new();
        while !self.is_sign("}") && self.token != Token::End {
            let key = self.expression(Behind::Bracket);
            if !self.eat_sign(":") {
                self.unexpected();
            }
            entries.push((key, self.expression(Behind::Bracket)));
            if !self.eat_sign(",") {
                break;
            }
        }
        self.close("}");
        self.make(Kind::Map(entries), at.to(self.previous), at)
    }
}

/// Only names and members are called.
fn is_callee(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Variable(_) | Kind::Member(..)) && !expr.in_parens
}

#[derive(Clone, Copy, PartialEq)]
enum Infix {
    And,
    Or,
    Is,
    Binary(Binary),
}

/// Loosest first. Membership is looser than all comparisons: `a in b == c` is `a in (b == c)`.
const INFIX: &[(&str, Infix, Power)] = &[
    ("||", Infix::Or, Power::left(1)),
    ("&&", Infix::And, Power::left(2)),
    ("in", Infix::Binary(Binary::In), Power::left(3)),
    ("is", Infix::Is, Power::left(4)),
    ("==", Infix::Binary(Binary::Equal), Power::left(5)),
    ("!=", Infix::Binary(Binary::NotEqual), Power::left(5)),
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
