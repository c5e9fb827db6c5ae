//! The parser of the rules language: always a tree, and diagnostics for what does not fit.
//!
//! Source: the production compiler's texts (an ANTLR grammar) for the messages.

mod expression;

use super::ast::{Allow, File, Function, Match, Name, Segment, ServiceBlock, Version};
use super::lexer::{self, Token};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::cursor::Cursor;

/// Levels of expressions within expressions.
pub const EXPRESSION_DEPTH_MAX: u16 = 100;
/// Levels of `match` blocks that are still read; far fewer are allowed.
const MATCH_LEVELS_READ_MAX: u16 = 50;
/// Errors told about one text.
const ERRORS_TOLD_MAX: usize = 100;

const METHOD_WORDS: [&str; 7] = ["read", "write", "get", "list", "create", "update", "delete"];

/// Reads a text.
pub fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    let mut parser = Parser {
        text,
        cursor: Cursor::new(text),
        token: Token::End,
        span: Span::default(),
        previous: Span::default(),
        diagnostics: Vec::new(),
        levels: 0,
        match_levels: 0,
        stopped: false,
    };
    parser.advance();
    let file = parser.file();
    (file, parser.diagnostics)
}

struct Parser<'s> {
    text: &'s str,
    cursor: Cursor<'s>,
    token: Token,
    span: Span,
    previous: Span,
    diagnostics: Vec<Diagnostic>,
    levels: u16,
    match_levels: u16,
    /// The rest was given up: what is missing there is no news.
    stopped: bool,
}

/// What may stand in a block.
#[derive(Default)]
struct Block {
    functions: Vec<Function>,
    matches: Vec<Match>,
    allows: Vec<Allow>,
}

impl Parser<'_> {
    fn advance(&mut self) {
        self.previous = self.span;
        (self.token, self.span) = lexer::next(&mut self.cursor);
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.token, Token::Sign(this) if this == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        self.token == Token::Word && self.slice(self.span) == word
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        if !self.stopped && self.diagnostics.len() < ERRORS_TOLD_MAX {
            self.diagnostics.push(Diagnostic::error(code, span, message));
        }
    }

    fn unexpected(&mut self) {
        let text = self.slice(self.span).to_owned();
        let message = match &self.token {
            Token::End => "Unexpected end of file.".to_owned(),
            Token::Bad(reason) if !reason.is_empty() => format!("Unexpected '{text}': {reason}."),
            _ => format!("Unexpected '{text}'."),
        };
        self.error("unexpected-token", self.span, message);
    }

    fn expect_sign(&mut self, sign: &str) -> bool {
        if self.eat_sign(sign) {
            return true;
        }
        let text = match self.token {
            Token::End => "<EOF>".to_owned(),
            _ => self.slice(self.span).to_owned(),
        };
        self.error("missing-token", self.span, format!("missing '{sign}' at '{text}'"));
        false
    }

    fn name(&mut self) -> Option<Name> {
        if self.token != Token::Word {
            self.unexpected();
            return None;
        }
        let name = Name { text: self.slice(self.span).to_owned(), span: self.span };
        self.advance();
        Some(name)
    }

    /// Goes on to where a statement may begin.
    fn recover(&mut self) {
        loop {
            match self.token {
                Token::End | Token::Sign("}") => return,
                Token::Sign(";") => return self.advance(),
                Token::Word if ["match", "allow", "function", "service"].contains(&self.slice(self.span)) => {
                    return;
                }
                _ => self.advance(),
            }
        }
    }

    /// Goes on to what may begin at the top of a file, outside of the braces that are opened on the way.
    fn skip_to_top(&mut self) {
        let mut open = 0_usize;
        loop {
            self.advance();
            match self.token {
                Token::End => return,
                Token::Sign("{") => open += 1,
                Token::Sign("}") => open = open.saturating_sub(1),
                Token::Word if open == 0 && ["function", "service"].contains(&self.slice(self.span)) => {
                    return;
                }
                _ => {}
            }
        }
    }

    /// Gives up on the rest of the text.
    fn stop(&mut self) {
        self.stopped = true;
        self.cursor.go_to(self.text.len());
        self.advance();
    }

    fn file(&mut self) -> File {
        let mut file = File::default();
        if self.is_word("rules_version") {
            file.version = self.version();
        }
        loop {
            let before = self.span;
            if self.token == Token::End {
                break;
            } else if self.is_word("function") {
                if !file.services.is_empty() {
                    self.unexpected();
                }
                file.functions.extend(self.function());
            } else if self.is_word("service") {
                file.services.extend(self.service());
            } else if self.is_word("import") {
                self.error(
                    "no-imports",
                    self.span,
                    "Unexpected 'import'. Imports do not exist (yet) in rules.",
                );
                self.skip_to_top();
            } else if self.is_word("match") || self.is_word("allow") {
                self.unexpected();
                if let Some(diagnostic) = self.diagnostics.last_mut() {
                    diagnostic.help = Some("rules stand inside `service cloud.firestore { … }`".to_owned());
                }
                self.skip_to_top();
            } else if self.is_word("rules_version") {
                self.unexpected();
                self.skip_to_top();
            } else {
                let text = self.slice(self.span).to_owned();
                let expected = "expecting {'function', 'import', 'service', 'rules_version'}";
                self.error("unexpected-token", self.span, format!("mismatched input '{text}' {expected}"));
                self.skip_to_top();
            }
            if self.span == before && self.token != Token::End {
                self.advance();
            }
        }
        if file.services.is_empty() && self.diagnostics.is_empty() {
            self.error(
                "no-service",
                self.span,
                "mismatched input '<EOF>' expecting {'function', 'import', 'service'}",
            );
        }
        file
    }

    fn version(&mut self) -> Option<(Version, Span)> {
        self.advance();
        self.expect_sign("=");
        let version = match &self.token {
            Token::Text(text) if text == "1" => Version::One,
            Token::Text(text) if text == "2" => Version::Two,
            _ => {
                self.error("unknown-version", self.span, "rules_version must be '1' or '2'");
                self.recover();
                return None;
            }
        };
        let span = self.span;
        self.advance();
        self.eat_sign(";");
        Some((version, span))
    }

    fn service(&mut self) -> Option<ServiceBlock> {
        self.advance();
        let mut name = self.name()?;
        while self.eat_sign(".") {
            let part = self.name()?;
            name.text = format!("{}.{}", name.text, part.text);
            name.span = name.span.to(part.span);
        }
        let block = self.block(false);
        Some(ServiceBlock { name, functions: block.functions, matches: block.matches })
    }

    fn block(&mut self, allows: bool) -> Block {
        let mut block = Block::default();
        if !self.expect_sign("{") {
            self.recover();
            return block;
        }
        while !self.is_sign("}") {
            let before = self.span;
            if self.token == Token::End {
                self.unexpected();
                return block;
            } else if self.is_word("function") {
                block.functions.extend(self.function());
            } else if self.eat_word("match") {
                block.matches.extend(self.match_block());
            } else if self.is_word("allow") && allows {
                block.allows.extend(self.allow());
            } else if self.is_sign("/") {
                self.error("missing-match", self.span, "Missing 'match' keyword before path.");
                block.matches.extend(self.match_block());
            } else {
                self.unexpected();
                self.advance();
                self.recover();
            }
            if self.span == before && self.token != Token::End {
                self.advance();
            }
        }
        self.advance();
        block
    }

    /// A pattern and its block; `match` was read.
    fn match_block(&mut self) -> Option<Match> {
        if self.match_levels >= MATCH_LEVELS_READ_MAX {
            self.error("nested-too-deeply", self.span, "match blocks are nested too deeply");
            self.stop();
            return None;
        }
        self.match_levels += 1;
        let pattern = self.pattern();
        let block = self.block(true);
        self.match_levels -= 1;
        let (pattern, pattern_span) = pattern?;
        Some(Match {
            pattern,
            pattern_span,
            functions: block.functions,
            matches: block.matches,
            allows: block.allows,
        })
    }

    /// The pattern after `match`; the current token is its first `/`.
    fn pattern(&mut self) -> Option<(Vec<Segment>, Span)> {
        if !self.is_sign("/") {
            let text = self.slice(self.span).to_owned();
            let message = format!("mismatched input '{text}' expecting {{'{{', '/', PATH_SEGMENT}}");
            self.error("bad-pattern", self.span, message);
            while !matches!(self.token, Token::Sign("{" | "}" | ";") | Token::End) {
                self.advance();
            }
            return None;
        }
        let start = self.span.start as usize;
        self.cursor.go_to(start);
        let mut segments = Vec::new();
        while self.cursor.eat("/") {
            if let Some(segment) = self.pattern_segment() {
                segments.push(segment);
            } else {
                let at = Span::new(self.cursor.offset().saturating_sub(1), self.cursor.offset());
                let message = "Forward slash '/' found where identifier or binding expected.";
                self.error("bad-pattern", at, message);
            }
        }
        let span = self.cursor.span_since(start);
        self.advance();
        Some((segments, span))
    }

    fn pattern_segment(&mut self) -> Option<Segment> {
        if !self.cursor.eat("{") {
            return self.raw_segment().map(Segment::Text);
        }
        let skip = |cursor: &mut Cursor<'_>| {
            cursor.eat_while(char::is_whitespace);
        };
        skip(&mut self.cursor);
        let start = self.cursor.offset();
        let text = self.cursor.eat_while(lexer::is_word).to_owned();
        let name = Name { text, span: self.cursor.span_since(start) };
        skip(&mut self.cursor);
        let mut glob = false;
        if self.cursor.eat("=") {
            skip(&mut self.cursor);
            glob = self.cursor.eat("**");
            let _ = glob || self.cursor.eat("*");
            skip(&mut self.cursor);
        }
        let begins_well = name.text.starts_with(|first: char| !first.is_ascii_digit());
        if !self.cursor.eat("}") || !begins_well {
            let end = self.cursor.offset();
            let text = self.cursor.peek().map(String::from).unwrap_or_default();
            self.error("bad-pattern", Span::new(start, end.max(start + 1)), format!("Unexpected '{text}'."));
        }
        Some(if glob { Segment::Glob(name) } else { Segment::One(name) })
    }

    /// Text between slashes, decoded; `None` when there is none.
    fn raw_segment(&mut self) -> Option<String> {
        if self.cursor.eat("(default)") {
            return Some("(default)".to_owned());
        }
        let raw = self
            .cursor
            .eat_while(|character| character.is_ascii_alphanumeric() || "_%-~&'.:".contains(character));
        (!raw.is_empty()).then(|| decode(raw))
    }

    fn allow(&mut self) -> Option<Allow> {
        let start = self.span;
        self.advance();
        let mut verbs = Vec::new();
        loop {
            let verb = self.name()?;
            if !METHOD_WORDS.contains(&verb.text.as_str()) {
                self.error("unknown-method-word", verb.span, format!("Unexpected '{}'.", verb.text));
            }
            verbs.push(verb);
            if !self.eat_sign(",") {
                break;
            }
        }
        let mut condition = None;
        if self.eat_sign(":") {
            if !self.eat_word("if") {
                self.unexpected();
            }
            condition = Some(self.expression());
        }
        let span = start.to(self.previous);
        self.end_statement();
        Some(Allow { verbs, condition, span })
    }

    /// `;`, which may be missing before `}`. Before another statement it may be missing too: published samples do without.
    fn end_statement(&mut self) {
        if self.token == Token::Word && ["allow", "match", "function"].contains(&self.slice(self.span)) {
            let (end, next) = (self.previous.end as usize, self.slice(self.span).to_owned());
            let message = format!("missing ';' at '{next}'");
            self.diagnostics.push(
                Diagnostic::warning("missing-semicolon", Span::new(end.saturating_sub(1), end), message)
                    .help("end the statement before it with `;`"),
            );
        } else if !self.is_sign("}") && !self.expect_sign(";") {
            self.recover();
        }
    }

    fn function(&mut self) -> Option<Function> {
        self.advance();
        let Some(name) = self.name() else {
            self.recover();
            return None;
        };
        let mut parameters = Vec::new();
        self.expect_sign("(");
        while !self.is_sign(")") && self.token == Token::Word {
            parameters.extend(self.name());
            if !self.eat_sign(",") {
                break;
            }
        }
        self.expect_sign(")");
        let mut function = Function { name, parameters, lets: Vec::new(), body: None };
        if !self.expect_sign("{") {
            self.recover();
            return Some(function);
        }
        while self.eat_word("let") {
            let Some(name) = self.name() else {
                self.recover();
                continue;
            };
            self.expect_sign("=");
            let value = self.expression();
            self.expect_sign(";");
            function.lets.push((name, value));
        }
        if self.eat_word("return") {
            function.body = Some(self.expression());
            self.end_statement();
        } else {
            self.unexpected();
            self.recover();
        }
        if !self.expect_sign("}") {
            while !matches!(self.token, Token::Sign("}") | Token::End) {
                self.advance();
            }
            self.eat_sign("}");
        }
        Some(function)
    }
}

/// Undoes percent-encoding; what is no encoding stays as it is.
pub fn decode(raw: &str) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [high, low, after @ ..]) = (first, tail) {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            if let (Some(high), Some(low)) = (digit(high), digit(low)) {
                out.push(high * 16 + low);
                rest = after;
                continue;
            }
        }
        out.push(*first);
    }
    String::from_utf8(out).unwrap_or_else(|_| raw.to_owned())
}
