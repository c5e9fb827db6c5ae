//! Statements: `allow` and functions.

use super::Parser;
use super::expression::Behind;
use crate::rules::ast::{Allow, Function, Name};
use crate::rules::lexer::Token;

impl Parser<'_> {
    pub(super) fn allow(&mut self) -> Option<Allow> {
        let start = self.span;
        self.advance();
        let mut verbs = Vec::new();
        if !self.is_name() {
            self.error("no-method", self.span, "Expected at least one 'operation' after 'allow'.");
            self.recover();
            return None;
        }
        loop {
            verbs.push(self.word());
            if !self.is_sign(",") {
                break;
            }
            let comma = self.span;
            self.advance();
            if !self.is_name() {
                self.error("unexpected-token", comma, "Unexpected ','.");
                break;
            }
        }
        let mut condition = None;
        if self.is_word("if") {
            self.error("missing-token", self.span, "Missing ':' before 'if' condition.");
            self.advance();
            condition = Some(self.whole_expression(Behind::If));
        } else if self.eat_sign(":") {
            let is_if = self.eat_word("if");
            if !is_if && (self.is_name() || self.is_word("true") || self.is_word("false")) {
                self.error("missing-token", self.span, "Missing 'if' before conditional expression.");
            } else if !is_if {
                self.unexpected();
                self.recover();
                return None;
            }
            condition = Some(self.whole_expression(Behind::If));
        }
        let span = start.to(self.previous);
        self.end_statement();
        Some(Allow { verbs, condition, span })
    }

    /// `;`, which may be left out.
    fn end_statement(&mut self) {
        let next =
            self.token == Token::Word && ["allow", "match", "function"].contains(&self.slice(self.span));
        let path = self.is_sign("/") || matches!(self.token, Token::Segment(_));
        if !self.eat_sign(";") && !next && !path && !self.is_sign("}") {
            self.unexpected();
            self.recover();
        }
    }

    pub(super) fn function(&mut self) -> Option<Function> {
        self.advance();
        if self.is_sign("(") {
            self.error("unexpected-token", self.span, "Missing 'function' id");
            self.recover();
            return None;
        }
        let Some(name) = self.name() else {
            self.recover();
            return None;
        };
        let mut function = Function { name, parameters: Vec::new(), lets: Vec::new(), body: None };
        if self.is_sign("{") {
            self.error("missing-token", self.span, "Missing 'function' signature");
        } else if !self.eat_sign("(") || !self.parameters(&mut function.parameters) {
            self.unexpected();
            self.recover();
            return Some(function);
        }
        if !self.eat_sign("{") {
            self.unexpected();
            self.recover();
            return Some(function);
        }
        self.body(&mut function);
        if !self.demand_sign("}") {
            while !matches!(self.token, Token::Sign("}") | Token::End) {
                self.advance();
            }
            self.eat_sign("}");
        }
        Some(function)
    }

    /// Names up to `)`, which is taken; whether all is right.
    fn parameters(&mut self, parameters: &mut Vec<Name>) -> bool {
        if self.eat_sign(")") {
            return true;
        }
        loop {
            if !self.is_name() {
                return false;
            }
            parameters.push(self.word());
            if self.eat_sign(")") {
                return true;
            }
            if !self.eat_sign(",") {
                return false;
            }
        }
    }

    /// What is between the braces of a function.
    fn body(&mut self, function: &mut Function) {
        if self.is_sign("}") {
            return self.error("unexpected-token", self.span, "Missing 'function' body");
        }
        while self.eat_word("let") {
            if !self.is_name() {
                let message = format!("mismatched input '{}' expecting IDENTIFIER", self.token_text());
                self.error("unexpected-token", self.span, message);
                self.recover();
                continue;
            }
            let name = self.word();
            if !self.demand_sign("=") {
                self.recover();
                continue;
            }
            let value = self.whole_expression(Behind::Operator);
            self.expect_sign(";");
            function.lets.push((name, value));
        }
        if self.eat_word("return") {
            function.body = Some(self.whole_expression(Behind::Operator));
            self.eat_sign(";");
        } else {
            self.unexpected();
            self.recover();
        }
    }
}
