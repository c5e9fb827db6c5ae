//! Reads a CEL text: a tree, and diagnostics in cel-go's words.

use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Power;

use super::ast::{Expr, Item, Kind};
use super::lexer::{self, Kind as Lexeme, Token};
use super::value::Constant;

/// Levels of expressions within each other.
pub const EXPR_LEVELS_MAX: u32 = 200;
/// Bytes of one expression's text.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Names that CEL keeps for languages it may be put into.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

const OR: u8 = 1;
const AND: u8 = 2;

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    level: u32,
    diagnostics: Vec<Diagnostic>,
}

/// Reads one expression.
pub fn parse(text: &str) -> (Expr, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    if text.len() > SOURCE_BYTES_MAX {
        let message = format!("expression of more than {SOURCE_BYTES_MAX} bytes");
        let span = Span::new(0, text.len());
        return (broken(span), vec![Diagnostic::error("source-too-large", span, message)]);
    }
    let tokens = lexer::read(text, &mut diagnostics);
    let mut parser = Parser { tokens, next: 0, level: 0, diagnostics };
    let expr = parser.expr();
    if !matches!(parser.peek(), Lexeme::End) {
        parser.unexpected("<EOF>");
    }
    (expr, parser.diagnostics)
}

fn broken(span: Span) -> Expr {
    Expr { span, at: span.start, levels: 1, kind: Kind::Broken }
}

/// A binary operator: its function and how tightly it binds.
fn infix(lexeme: &Lexeme) -> Option<(&'static str, u8)> {
    Some(match lexeme {
        Lexeme::Sign("||") => ("_||_", OR),
        Lexeme::Sign("&&") => ("_&&_", AND),
        Lexeme::Sign("<") => ("_<_", 3),
        Lexeme::Sign("<=") => ("_<=_", 3),
        Lexeme::Sign(">") => ("_>_", 3),
        Lexeme::Sign(">=") => ("_>=_", 3),
        Lexeme::Sign("==") => ("_==_", 3),
        Lexeme::Sign("!=") => ("_!=_", 3),
        Lexeme::Name(name) if name == "in" => ("@in", 3),
        Lexeme::Sign("+") => ("_+_", 4),
        Lexeme::Sign("-") => ("_-_", 4),
        Lexeme::Sign("*") => ("_*_", 5),
        Lexeme::Sign("/") => ("_/_", 5),
        Lexeme::Sign("%") => ("_%_", 5),
        _ => return None,
    })
}

impl Parser {
    fn peek(&self) -> &Lexeme {
        self.tokens.get(self.next).map_or(&Lexeme::End, |token| &token.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(Span::default(), |token| token.span)
    }

    fn last_span(&self) -> Span {
        self.tokens.get(self.next.saturating_sub(1)).map_or(Span::default(), |token| token.span)
    }

    fn take(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len());
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Lexeme::Sign(next) if *next == sign);
        if found {
            self.take();
        }
        found
    }

    fn expect(&mut self, sign: &str) {
        if !self.eat(sign) {
            self.unexpected(&format!("'{sign}'"));
        }
    }

    /// Tells once what stands where something else should, then goes to the end: what follows means little.
    fn unexpected(&mut self, expecting: &str) {
        let span = self.span();
        let what = match self.peek() {
            Lexeme::End => "<EOF>".to_owned(),
            Lexeme::Sign(sign) => (*sign).to_owned(),
            Lexeme::Name(name) | Lexeme::Quoted(name) => name.clone(),
            Lexeme::Int(value) => value.to_string(),
            Lexeme::Literal(_) => "a literal".to_owned(),
        };
        let message = format!("Syntax error: mismatched input '{what}' expecting {expecting}");
        self.fail(Diagnostic::error("syntax", span, message));
    }

    fn fail(&mut self, diagnostic: Diagnostic) {
        // Every later error is a consequence of the first.
        if self.diagnostics.is_empty() {
            self.diagnostics.push(diagnostic);
        }
        self.next = self.tokens.len().saturating_sub(1);
    }

    fn make(&mut self, span: Span, at: u32, kind: Kind, parts: &[u32]) -> Expr {
        let levels = 1 + parts.iter().copied().max().unwrap_or(0);
        if levels > EXPR_LEVELS_MAX {
            self.too_deep(span);
            return broken(span);
        }
        Expr { span, at, levels, kind }
    }

    fn too_deep(&mut self, span: Span) {
        let message = format!("expression recursion limit exceeded: {EXPR_LEVELS_MAX}");
        self.fail(Diagnostic::error("too-deep", span, message));
    }

    fn expr(&mut self) -> Expr {
        self.level += 1;
        let expr = if self.level > EXPR_LEVELS_MAX {
            let span = self.span();
            self.too_deep(span);
            broken(span)
        } else {
            self.conditional()
        };
        self.level -= 1;
        expr
    }

    fn conditional(&mut self) -> Expr {
        let condition = self.binary(0);
        let at = self.span().start;
        if !self.eat("?") {
            return condition;
        }
        let yes = self.binary(0);
        self.expect(":");
        let no = self.expr();
        let span = condition.span.to(no.span);
        let levels = [condition.levels, yes.levels, no.levels];
        self.make(span, at, Kind::Operator("_?_:_", vec![condition, yes, no]), &levels)
    }

    fn binary(&mut self, least: u8) -> Expr {
        self.level += 1;
        let expr = if self.level > EXPR_LEVELS_MAX {
            let span = self.span();
            self.too_deep(span);
            broken(span)
        } else {
            self.operators(least)
        };
        self.level -= 1;
        expr
    }

    fn operators(&mut self, least: u8) -> Expr {
        let mut left = self.unary();
        while let Some((name, level)) = infix(self.peek()) {
            let power = Power::left(level);
            if power.left < least {
                break;
            }
            let at = self.span().start;
            self.take();
            let right = self.binary(power.right);
            let span = left.span.to(right.span);
            left = match (level, left.kind) {
                (AND, Kind::And(mut parts)) | (OR, Kind::Or(mut parts)) => {
                    let levels = [left.levels - 1, right.levels];
                    parts.push(right);
                    let kind = if level == AND { Kind::And(parts) } else { Kind::Or(parts) };
                    self.make(span, at, kind, &levels)
                }
                (_, kind) => {
                    let left = Expr { kind, ..left };
                    let levels = [left.levels, right.levels];
                    let kind = match level {
                        AND => Kind::And(vec![left, right]),
                        OR => Kind::Or(vec![left, right]),
                        _ => Kind::Operator(name, vec![left, right]),
                    };
                    self.make(span, at, kind, &levels)
                }
            };
        }
        left
    }

    fn unary(&mut self) -> Expr {
        let mut signs: Vec<(&'static str, Span)> = Vec::new();
        while let Lexeme::Sign(sign @ ("!" | "-")) = self.peek() {
            let sign = *sign;
            if signs.first().is_some_and(|(first, _)| *first != sign) {
                break;
            }
            signs.push((sign, self.span()));
            self.take();
        }
        // The least number has no positive twin: its sign belongs to the literal.
        let mut expr = match (signs.last().copied(), self.peek()) {
            (Some(("-", span)), Lexeme::Int(value)) => {
                let value = 0_i64.checked_sub_unsigned(*value);
                signs.pop();
                self.int(value, span)
            }
            (Some(("-", span)), Lexeme::Literal(Constant::Double(value))) => {
                let value = -*value;
                signs.pop();
                let span = span.to(self.span());
                self.take();
                let literal =
                    Expr { span, at: span.start, levels: 1, kind: Kind::Literal(Constant::Double(value)) };
                self.members(literal)
            }
            _ => self.member(),
        };
        // Two of the same sign undo each other only for values that allow one, so each is kept.
        for (sign, span) in signs.into_iter().rev() {
            let name = if sign == "!" { "!_" } else { "-_" };
            let levels = [expr.levels];
            expr = self.make(span.to(expr.span), span.start, Kind::Operator(name, vec![expr]), &levels);
        }
        expr
    }

    fn int(&mut self, value: Option<i64>, start: Span) -> Expr {
        let span = start.to(self.span());
        self.take();
        let Some(value) = value else {
            self.fail(Diagnostic::error("syntax", span, "invalid int literal"));
            return broken(span);
        };
        let kind = Kind::Literal(Constant::Int(value));
        let literal = Expr { span, at: span.start, levels: 1, kind };
        self.members(literal)
    }

    fn member(&mut self) -> Expr {
        let expr = self.primary();
        self.members(expr)
    }

    fn members(&mut self, mut expr: Expr) -> Expr {
        loop {
            let at = self.span().start;
            let start = expr.span;
            if self.eat(".") {
                let optional = self.eat("?");
                let (name, quoted) = match self.peek() {
                    Lexeme::Name(name) => (name.clone(), false),
                    Lexeme::Quoted(name) => (name.clone(), true),
                    _ => {
                        self.unexpected("a name");
                        return expr;
                    }
                };
                if name == "in" && !quoted {
                    self.unexpected("a name");
                    return expr;
                }
                self.take();
                let open = self.span().start;
                if !optional && !quoted && self.eat("(") {
                    let arguments = self.expressions(")");
                    let mut levels: Vec<u32> = arguments.iter().map(|argument| argument.levels).collect();
                    levels.push(expr.levels);
                    let span = start.to(self.last_span());
                    let kind = Kind::Call { receiver: Some(Box::new(expr)), name, arguments };
                    expr = self.make(span, open, kind, &levels);
                } else {
                    let levels = [expr.levels];
                    let span = start.to(self.last_span());
                    expr =
                        self.make(span, at, Kind::Field { object: Box::new(expr), name, optional }, &levels);
                }
            } else if self.eat("[") {
                let optional = self.eat("?");
                let index = self.expr();
                self.expect("]");
                let levels = [expr.levels, index.levels];
                let span = start.to(self.last_span());
                let kind = Kind::Index { object: Box::new(expr), index: Box::new(index), optional };
                expr = self.make(span, at, kind, &levels);
            } else if matches!(self.peek(), Lexeme::Sign("{"))
                && matches!(expr.kind, Kind::Name(..) | Kind::Field { .. })
            {
                let span = start.to(self.span());
                let message = "messages cannot be made here; a map is written {'name': value}";
                self.fail(Diagnostic::error("message", span, message));
                return broken(span);
            } else {
                return expr;
            }
        }
    }

    fn primary(&mut self) -> Expr {
        let span = self.span();
        match self.peek().clone() {
            Lexeme::Int(value) => {
                let value = i64::try_from(value).ok();
                self.int(value, span)
            }
            Lexeme::Literal(constant) => {
                self.take();
                Expr { span, at: span.start, levels: 1, kind: Kind::Literal(constant) }
            }
            Lexeme::Name(_) => self.name(span, false),
            Lexeme::Sign(".") => {
                self.take();
                self.name(span, true)
            }
            Lexeme::Sign("(") => {
                self.take();
                let expr = self.expr();
                self.expect(")");
                // The parentheses belong to the text, and end a chain of `&&` or `||`.
                let span = span.to(self.last_span());
                match expr.kind {
                    Kind::And(_) | Kind::Or(_) => expr,
                    _ => Expr { span, ..expr },
                }
            }
            Lexeme::Sign("[") => {
                self.take();
                let mut items = Vec::new();
                while !self.eat("]") {
                    items.push(self.item());
                    if !self.eat(",") {
                        self.expect("]");
                        break;
                    }
                }
                let levels: Vec<u32> = items.iter().map(|item| item.expr.levels).collect();
                let whole = span.to(self.last_span());
                self.make(whole, span.start, Kind::List(items), &levels)
            }
            Lexeme::Sign("{") => {
                self.take();
                let mut entries = Vec::new();
                while !self.eat("}") {
                    let key = self.item();
                    self.expect(":");
                    entries.push((key, self.expr()));
                    if !self.eat(",") {
                        self.expect("}");
                        break;
                    }
                }
                let levels: Vec<u32> =
                    entries.iter().map(|(key, value)| key.expr.levels.max(value.levels)).collect();
                let whole = span.to(self.last_span());
                self.make(whole, span.start, Kind::Map(entries), &levels)
            }
            _ => {
                self.unexpected("an expression");
                broken(span)
            }
        }
    }

    fn name(&mut self, start: Span, dotted: bool) -> Expr {
        let Lexeme::Name(name) = self.peek().clone() else {
            self.unexpected("a name");
            return broken(start);
        };
        let span = start.to(self.span());
        let constant = match name.as_str() {
            "true" => Some(Constant::Bool(true)),
            "false" => Some(Constant::Bool(false)),
            "null" => Some(Constant::Null),
            _ => None,
        };
        if let Some(constant) = constant.filter(|_| !dotted) {
            self.take();
            return Expr { span, at: span.start, levels: 1, kind: Kind::Literal(constant) };
        }
        if name == "in" {
            self.unexpected("an expression");
            return broken(span);
        }
        if RESERVED.contains(&name.as_str()) {
            self.fail(Diagnostic::error("reserved", span, format!("reserved identifier: {name}")));
            return broken(span);
        }
        self.take();
        let open = self.span().start;
        if self.eat("(") {
            let arguments = self.expressions(")");
            let levels: Vec<u32> = arguments.iter().map(|argument| argument.levels).collect();
            let span = span.to(self.last_span());
            let name = if dotted { format!(".{name}") } else { name };
            return self.make(span, open, Kind::Call { receiver: None, name, arguments }, &levels);
        }
        Expr { span, at: span.start, levels: 1, kind: Kind::Name(name, dotted) }
    }

    fn item(&mut self) -> Item {
        let optional = self.eat("?");
        Item { optional, expr: self.expr() }
    }

    fn expressions(&mut self, close: &str) -> Vec<Expr> {
        let mut list = Vec::new();
        if self.eat(close) {
            return list;
        }
        loop {
            list.push(self.expr());
            if !self.eat(",") {
                self.expect(close);
                return list;
            }
        }
    }
}
