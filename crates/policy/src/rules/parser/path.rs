//! Paths, in expressions and behind `match`: segments of text, wildcards, and values in expressions.

use super::Parser;
use super::expression::Behind;
use crate::rules::ast::{Expr, Kind, Name, PathPart, Segment};
use crate::rules::lexer::{self, Token};
use crate::source::Span;

/// What is missing behind a `/`.
const NO_SEGMENT: &str = "Forward slash '/' found where identifier or binding expected.";

/// What stands behind a `/` that is a token of its own.
#[derive(PartialEq)]
enum Ahead {
    /// `$(`
    Value,
    /// `{name}`, `{name=*}`, `{name=**}`
    Wildcard,
    Nothing,
}

impl Parser<'_> {
    /// A path in an expression; the current token is its first segment or `/`.
    pub(super) fn path(&mut self) -> Expr {
        let at = self.span;
        let mut parts = Vec::new();
        loop {
            if let Token::Segment(text) = &self.token {
                parts.push(PathPart::Text(text.clone()));
                self.advance();
                continue;
            }
            if !self.is_sign("/") {
                break;
            }
            match self.ahead() {
                Ahead::Value => {
                    self.advance();
                    self.advance();
                    self.advance();
                    self.brackets += 1;
                    parts.push(PathPart::Value(self.expression(Behind::Bracket)));
                    self.brackets -= 1;
                    if !self.eat_sign(")") {
                        self.unexpected();
                        break;
                    }
                }
                Ahead::Wildcard => {
                    self.advance();
                    let (name, glob) = self.wildcard();
                    parts.push(PathPart::Variable { name: name.text, glob });
                }
                // Behind a segment it divides, unless nothing can be divided by.
                Ahead::Nothing if !parts.is_empty() && self.operand_follows() => break,
                Ahead::Nothing => {
                    self.error("bad-path", self.span, NO_SEGMENT);
                    self.help("a path needs a segment after each '/'");
                    self.advance();
                    break;
                }
            }
        }
        let span = at.to(self.previous);
        self.make(Kind::Path(parts), span, at)
    }

    /// The pattern behind `match`; the current token is its first segment or `/`.
    pub(super) fn pattern(&mut self) -> Option<(Vec<Segment>, Span)> {
        if !self.is_sign("/") && !matches!(self.token, Token::Segment(_)) {
            self.unexpected();
            while !matches!(self.token, Token::Sign("{" | "}" | ";") | Token::End) {
                self.advance();
            }
            return None;
        }
        let start = self.span;
        let mut segments = Vec::new();
        loop {
            if let Token::Segment(text) = &self.token {
                segments.push(Segment::Text(text.clone()));
                self.advance();
            } else if self.is_sign("/") {
                if self.ahead() == Ahead::Wildcard {
                    self.advance();
                    let (name, glob) = self.wildcard();
                    segments.push(if glob { Segment::Glob(name) } else { Segment::One(name) });
                } else {
                    self.bad_segment();
                }
            } else {
                break;
            }
        }
        Some((segments, start.to(self.previous)))
    }

    /// A `/` with no segment behind it, or with `{…}` that is no wildcard.
    fn bad_segment(&mut self) {
        let slash = self.span;
        let [(first, _), (second, word)] = self.next_tokens::<2>();
        let name = self.slice(word).to_owned();
        let named = second == Token::Word && !lexer::is_reserved(&name);
        if first == Token::Sign("{") && named {
            // In the official compiler's words.
            self.error("bad-pattern", word, format!("mismatched input '{name}' expecting '}}'"));
            self.help("a wildcard is `{name}`, `{name=*}` or `{name=**}`");
        } else {
            self.error("bad-pattern", slash, NO_SEGMENT);
        }
        self.advance();
        self.pass_over_bad_wildcard();
    }

    /// `{…}` that is no wildcard, the block behind it left alone: told once.
    fn pass_over_bad_wildcard(&mut self) {
        let mut cursor = self.cursor.clone();
        if !self.is_sign("{") {
            return;
        }
        for _ in 0..4 {
            let (token, _) = lexer::next(&mut cursor);
            match token {
                Token::Sign("}") => {
                    self.cursor = cursor;
                    return self.advance();
                }
                Token::Word | Token::Int(_) | Token::Sign("=" | "*" | "**" | "-") | Token::Text(_) => {}
                _ => return,
            }
        }
    }

    /// Tokens behind the current one.
    fn next_tokens<const N: usize>(&self) -> [(Token, Span); N] {
        let mut cursor = self.cursor.clone();
        std::array::from_fn(|_| lexer::next(&mut cursor))
    }

    fn ahead(&self) -> Ahead {
        let [(first, _), (second, word), (third, _), (fourth, _), (fifth, _)] = self.next_tokens::<5>();
        if first == Token::Sign("$") && second == Token::Sign("(") {
            return Ahead::Value;
        }
        let named = second == Token::Word && !lexer::is_reserved(self.slice(word));
        if first != Token::Sign("{") || !named {
            return Ahead::Nothing;
        }
        match (third, fourth, fifth) {
            (Token::Sign("}"), ..) | (Token::Sign("="), Token::Sign("*" | "**"), Token::Sign("}")) => {
                Ahead::Wildcard
            }
            _ => Ahead::Nothing,
        }
    }

    fn operand_follows(&self) -> bool {
        let [(first, word)] = self.next_tokens::<1>();
        match first {
            Token::Word => {
                let word = self.slice(word);
                !lexer::is_reserved(word) || matches!(word, "true" | "false" | "null")
            }
            Token::Sign("[") => !self.index_follows(),
            Token::Sign(sign) => matches!(sign, "(" | "{" | "!"),
            Token::Segment(_) | Token::End | Token::Bad(_) => false,
            _ => true,
        }
    }

    /// Whether the brackets behind the current token hold one thing, as those of an index do.
    fn index_follows(&self) -> bool {
        let mut cursor = self.cursor.clone();
        let (mut open, mut tokens) = (0_usize, 0_usize);
        loop {
            let (token, _) = lexer::next(&mut cursor);
            match token {
                Token::Sign("[" | "(" | "{") => open += 1,
                Token::Sign("]" | ")" | "}") if open <= 1 => return tokens > 0,
                Token::Sign("]" | ")" | "}") => open -= 1,
                Token::Sign(",") if open == 1 => return false,
                Token::End => return false,
                _ => {}
            }
            tokens += usize::from(open > 1 || open == 1 && token != Token::Sign("["));
        }
    }

    /// `{name}`, `{name=*}` or `{name=**}`, which was seen to be there; the name, and whether it is a glob.
    fn wildcard(&mut self) -> (Name, bool) {
        self.advance();
        let name = Name { text: self.slice(self.span).to_owned(), span: self.span };
        self.advance();
        let mut glob = false;
        if self.eat_sign("=") {
            glob = self.is_sign("**");
            self.advance();
        }
        self.advance();
        (name, glob)
    }
}
