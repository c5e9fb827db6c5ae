//! Expressions, by precedence.

use super::Parser;
use crate::bolt::EXPRESSION_DEPTH_MAX;
use crate::bolt::ast::{Exp, Node, Operator};

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Option<Exp> {
        self.nested(|parser| {
            let start = parser.at;
            let condition = parser.binary(0)?;
            let before = parser.at;
            let Some([yes, no]) = parser.branches() else {
                parser.at = before;
                return Some(condition);
            };
            let span = parser.span(start);
            parser.checked(Node::operation(Operator::Conditional, vec![condition, yes, no], span))
        })
    }

    fn branches(&mut self) -> Option<[Exp; 2]> {
        if !self.blank_then("?") {
            return None;
        }
        self.blank();
        let yes = self.expression()?;
        self.blank();
        if !self.eat(":") {
            return None;
        }
        self.blank();
        let no = self.expression()?;
        Some([yes, no])
    }

    /// Operators that bind at least so tightly. All are left-associative.
    fn binary(&mut self, level_min: u8) -> Option<Exp> {
        let start = self.at;
        let mut left = self.unary()?;
        loop {
            let before = self.at;
            self.blank();
            let operator_at = self.at;
            let operator =
                if self.dead_operator == Some(operator_at) { None } else { self.operator(level_min) };
            let Some((operator, level)) = operator else {
                self.at = before;
                return Some(left);
            };
            self.blank();
            let Some(right) = self.binary(level + 1) else {
                self.dead_operator = Some(operator_at);
                self.at = before;
                return Some(left);
            };
            let span = self.span(start);
            left = self.checked(Node::operation(operator, vec![left, right], span))?;
        }
    }

    fn operator(&mut self, level_min: u8) -> Option<(Operator, u8)> {
        /// Longer signs before their beginnings.
        const SIGNS: &[(&str, Operator, u8)] = &[
            ("*", Operator::Multiply, 5),
            ("/", Operator::Divide, 5),
            ("%", Operator::Remainder, 5),
            ("+", Operator::Add, 4),
            ("-", Operator::Subtract, 4),
            ("<=", Operator::LessOrEqual, 3),
            (">=", Operator::GreaterOrEqual, 3),
            ("<", Operator::Less, 3),
            (">", Operator::Greater, 3),
            ("===", Operator::Equal, 2),
            ("==", Operator::Equal, 2),
            ("=", Operator::Equal, 2),
            ("!==", Operator::NotEqual, 2),
            ("!=", Operator::NotEqual, 2),
            ("&&", Operator::And, 1),
            ("and", Operator::And, 1),
            ("||", Operator::Or, 0),
            ("or", Operator::Or, 0),
        ];
        let start = self.at;
        let rest = self.rest();
        let (sign, operator, level) =
            SIGNS.iter().find(|(sign, _, level)| *level >= level_min && rest.starts_with(sign))?;
        self.at += sign.len();
        if *sign == "=" {
            self.error(start, "Equality operator should be written as ==, not =.");
        }
        Some((*operator, *level))
    }

    fn unary(&mut self) -> Option<Exp> {
        if !self.step() {
            return None;
        }
        let start = self.at;
        if let Some(exp) = self.postfix() {
            return Some(exp);
        }
        self.at = start;
        let operator = match self.bump()? {
            '+' => None,
            '-' => Some(Operator::Negate),
            '!' => Some(Operator::Not),
            _ => {
                self.at = start;
                return None;
            }
        };
        let Some(operand) = self.nested(Self::unary) else {
            self.at = start;
            return None;
        };
        match operator {
            None => Some(operand),
            Some(operator) => {
                let span = self.span(start);
                self.checked(Node::operation(operator, vec![operand], span))
            }
        }
    }

    /// Members and calls. The first call must follow its function at once, later ones may stand apart.
    fn postfix(&mut self) -> Option<Exp> {
        let start = self.at;
        let mut exp = self.primary()?;
        let mut called = false;
        loop {
            let before = self.at;
            let next = if called || self.rest().starts_with('(') {
                self.arguments().map(|arguments| {
                    called = true;
                    Node::call(exp.clone(), arguments, self.span(start))
                })
            } else {
                None
            };
            let next = match next {
                Some(call) => Some(call),
                None => {
                    self.at = before;
                    self.accessor().map(|accessor| Node::member(exp.clone(), accessor, self.span(start)))
                }
            };
            match next {
                Some(next) => exp = self.checked(next)?,
                None => {
                    self.at = before;
                    return Some(exp);
                }
            }
        }
    }

    fn accessor(&mut self) -> Option<Exp> {
        self.blank();
        if self.eat("[") {
            self.blank();
            let exp = self.expression()?;
            self.blank();
            self.eat("]").then_some(exp)
        } else if self.eat(".") {
            self.blank();
            let name = self.identifier()?;
            // A name is not an expression of its own: it stands at an empty place.
            Some(Node::text(name, self.span(self.at)))
        } else {
            None
        }
    }

    fn arguments(&mut self) -> Option<Vec<Exp>> {
        self.blank();
        if !self.eat("(") {
            return None;
        }
        self.blank();
        let list = self.list().unwrap_or_default();
        self.blank();
        self.eat(")").then_some(list)
    }

    /// One expression or more, with commas.
    pub(super) fn list(&mut self) -> Option<Vec<Exp>> {
        let start = self.at;
        let Some(head) = self.expression() else {
            self.at = start;
            return None;
        };
        let mut list = vec![head];
        loop {
            let before = self.at;
            if self.blank_then(",") {
                self.blank();
                if let Some(next) = self.expression() {
                    list.push(next);
                    continue;
                }
            }
            self.at = before;
            return Some(list);
        }
    }

    fn primary(&mut self) -> Option<Exp> {
        let start = self.at;
        if let Some(literal) = self.literal() {
            return Some(literal);
        }
        self.at = start;
        if let Some(name) = self.identifier() {
            let variable = Node::variable(name, self.span(start));
            self.blank();
            return Some(variable);
        }
        if !self.eat("(") {
            return None;
        }
        self.blank();
        let exp = self.expression()?;
        self.blank();
        self.eat(")").then_some(exp)
    }

    /// The expression, unless it is too deep to be walked.
    pub(super) fn checked(&mut self, exp: Exp) -> Option<Exp> {
        if exp.depth > EXPRESSION_DEPTH_MAX {
            self.stop("bolt-limit", format!("an expression has at most {EXPRESSION_DEPTH_MAX} levels"));
            return None;
        }
        Some(exp)
    }
}
