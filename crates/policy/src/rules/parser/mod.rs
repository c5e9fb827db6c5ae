//! The parser of the rules language: always a tree, and diagnostics for what does not fit.
//!
//! Source: the production compiler's texts (an ANTLR grammar) for the messages.

mod depth;
mod expression;
mod path;
mod statement;

use super::ast::{Allow, File, Function, Match, Name, ServiceBlock, Version};
use super::lexer::{self, Token};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::cursor::Cursor;

/// Levels of the tree of an expression: the official compiler does not count members of members.
const EXPRESSION_DEPTH_MAX: u16 = 200;
/// Expressions within expressions that are still read; fewer are allowed.
const PARSE_LEVELS_MAX: u16 = 150;
/// Levels of `match` blocks that are still read; far fewer are allowed.
const MATCH_LEVELS_READ_MAX: u16 = 50;
/// Errors told about one text.
const ERRORS_TOLD_MAX: usize = 100;

/// What to do about an escape that there is not.
const ESCAPES: &str = r#"the escapes are \\ \' \" \b \f \n \r \t \x41 \u0041 \101; write a regular expression's backslash twice"#;

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
        brackets: 0,
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
    /// Brackets around what is read, in one expression: within them the official compiler tells of a token that does not
    /// fit, outside of them also of what would.
    brackets: u16,
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

    /// Adds what to do about the error that was just reported.
    fn help(&mut self, help: &str) {
        if let Some(diagnostic) = self.diagnostics.last_mut().filter(|_| !self.stopped) {
            diagnostic.help = Some(help.to_owned());
        }
    }

    /// Adds another place to the error that was just reported.
    fn label(&mut self, place: Span, text: &str) {
        if let Some(diagnostic) = self.diagnostics.last_mut().filter(|_| !self.stopped) {
            diagnostic.labels.push((place, text.to_owned()));
        }
    }

    /// The current token as messages show it.
    fn token_text(&self) -> String {
        if self.token == Token::End { "<EOF>".to_owned() } else { self.slice(self.span).to_owned() }
    }

    /// Half an operator: the official compiler passes over it and tells of what is behind it.
    fn pass_over_half(&mut self) -> Option<Span> {
        let half = self.span;
        let is_half = self.token == Token::Bad("") && self.slice(half).starts_with(['&', '|']);
        is_half.then(|| {
            self.advance();
            half
        })
    }

    fn unexpected(&mut self) {
        if let Token::Unpaired(quote) = self.token {
            return self.unpaired(quote);
        }
        if let Some(half) = self.pass_over_half() {
            self.error("unexpected-token", self.span, format!("Unexpected '{}'.", self.token_text()));
            return self.label(half, "an operator is `&&` or `||`");
        }
        let text = self.token_text();
        let message = match &self.token {
            Token::Bad(_) => format!("token recognition error at: '{text}'"),
            _ => format!("Unexpected '{text}'."),
        };
        self.error("unexpected-token", self.span, message);
    }

    /// A text that is not closed, or has an escape that there is not. The official compiler points behind it.
    fn unpaired(&mut self, quote: char) {
        let opened = self.span;
        let escape = self.slice(opened).ends_with('\\');
        self.advance();
        let message = match self.brackets {
            0 => format!("Missing a closing {quote}"),
            _ => format!("Unexpected '{}'.", self.token_text()),
        };
        self.error("unclosed-text", self.span, message);
        if escape {
            self.help(ESCAPES);
        }
        self.label(opened, "this text");
        let rest = self.text.get(opened.end as usize..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        match line.find(quote).filter(|_| escape) {
            Some(length) => {
                self.cursor.go_to(opened.end as usize + length + 1);
                self.advance();
            }
            // What follows was meant as text: reading it as rules would only confuse.
            None => self.stop(),
        }
    }

    /// A sign that may be missed: what is behind it is read all the same.
    fn expect_sign(&mut self, sign: &str) -> bool {
        if self.eat_sign(sign) {
            return true;
        }
        if let Token::Unpaired(quote) = self.token {
            self.unpaired(quote);
        } else {
            let text = self.token_text();
            self.error("missing-token", self.span, format!("missing '{sign}' at '{text}'"));
        }
        false
    }

    /// A sign without which the statement has no meaning.
    fn demand_sign(&mut self, sign: &str) -> bool {
        if self.eat_sign(sign) {
            return true;
        }
        let text = self.token_text();
        self.error("missing-token", self.span, format!("mismatched input '{text}' expecting '{sign}'"));
        false
    }

    fn is_name(&self) -> bool {
        self.token == Token::Word && !lexer::is_reserved(self.slice(self.span))
    }

    fn name(&mut self) -> Option<Name> {
        if !self.is_name() {
            self.unexpected();
            return None;
        }
        Some(self.word())
    }

    /// A name behind a dot: most reserved words are names there.
    fn member_name(&mut self) -> Option<Name> {
        if self.token != Token::Word || lexer::is_reserved_member(self.slice(self.span)) {
            self.unexpected();
            return None;
        }
        Some(self.word())
    }

    fn word(&mut self) -> Name {
        let name = Name { text: self.slice(self.span).to_owned(), span: self.span };
        self.advance();
        name
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
                file.functions.extend(self.function());
            } else if self.is_word("service") {
                file.services.extend(self.service());
            } else {
                self.no_declaration(&file);
                self.skip_to_top();
            }
            if self.span == before && self.token != Token::End {
                self.advance();
            }
        }
        if file.services.is_empty() && file.functions.is_empty() && self.diagnostics.is_empty() {
            let message = if self.text.is_empty() {
                "Rules content empty. Compilation aborted."
            } else if file.version.is_some() {
                "mismatched input '<EOF>' expecting {'function', 'import', 'service'}"
            } else {
                "mismatched input '<EOF>' expecting {'function', 'import', 'service', 'rules_version'}"
            };
            self.error("no-service", self.span, message);
        }
        file
    }

    /// Whether something begins behind the current token, which the official parser then passes over.
    fn declaration_is_next(&self) -> bool {
        let (token, span) = lexer::next(&mut self.cursor.clone());
        token == Token::Word && ["function", "service", "import"].contains(&self.slice(span))
    }

    /// What cannot begin anything at the top of a file.
    fn no_declaration(&mut self, file: &File) {
        let first = file.services.is_empty() && file.functions.is_empty() && self.diagnostics.is_empty();
        let misplaced = self.is_word("match") || self.is_word("allow");
        let plain = !matches!(self.token, Token::Bad(_) | Token::Unpaired(_) | Token::Sign(";"));
        if first && self.is_word("import") {
            self.error("no-imports", self.span, "Import statements are not allowed.");
        } else if first && plain && !self.declaration_is_next() {
            let text = self.token_text();
            let version = if file.version.is_none() { ", 'rules_version'" } else { "" };
            let expected = format!("expecting {{'function', 'import', 'service'{version}}}");
            self.error("unexpected-token", self.span, format!("mismatched input '{text}' {expected}"));
        } else {
            self.unexpected();
        }
        if misplaced {
            self.help("rules stand inside `service cloud.firestore { … }`");
        }
    }

    fn version(&mut self) -> Option<(Version, Span)> {
        let keyword = self.span;
        self.advance();
        self.expect_sign("=");
        let version = match &self.token {
            Token::Text(text) if text == "1" => Version::One,
            Token::Text(text) if text == "2" => Version::Two,
            Token::Text(text) => {
                let message = format!("Unsupported rules version {text}.");
                return self.no_version(keyword, message);
            }
            _ => {
                let message = format!("mismatched input '{}' expecting STRING", self.token_text());
                return self.no_version(self.span, message);
            }
        };
        let span = self.span;
        self.advance();
        self.eat_sign(";");
        Some((version, span))
    }

    fn no_version(&mut self, span: Span, message: String) -> Option<(Version, Span)> {
        self.error("unknown-version", span, message);
        self.help("rules_version must be '1' or '2'");
        self.recover();
        None
    }

    fn service(&mut self) -> Option<ServiceBlock> {
        self.advance();
        if self.token != Token::Word {
            self.unexpected();
            return None;
        }
        let mut name = self.word();
        while self.eat_sign(".") {
            if self.token != Token::Word {
                self.unexpected();
                return None;
            }
            let part = self.word();
            name.text = format!("{}.{}", name.text, part.text);
            name.span = name.span.to(part.span);
        }
        let block = self.block("service");
        Some(ServiceBlock { name, functions: block.functions, matches: block.matches })
    }

    /// The block of a `service` or a `match`.
    fn block(&mut self, of: &str) -> Block {
        let mut block = Block::default();
        if !self.expect_sign("{") {
            self.recover();
            return block;
        }
        if self.is_sign("}") {
            let message = format!("The '{of}' body must contain at least one declaration.");
            self.error("empty-block", self.span, message);
        }
        while !self.is_sign("}") {
            let before = self.span;
            if self.token == Token::End {
                self.unexpected();
                return block;
            } else if self.is_word("function") {
                block.functions.extend(self.function());
            } else if self.is_word("match") {
                let keyword = self.span;
                self.advance();
                block.matches.extend(self.match_block(keyword));
            } else if self.is_word("allow") && of == "match" {
                block.allows.extend(self.allow());
            } else if self.is_sign("/") || matches!(self.token, Token::Segment(_)) {
                self.error("missing-match", self.span, "Missing 'match' keyword before path.");
                block.matches.extend(self.match_block(self.span));
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
    fn match_block(&mut self, keyword: Span) -> Option<Match> {
        if self.match_levels >= MATCH_LEVELS_READ_MAX {
            self.error("nested-too-deeply", self.span, "match blocks are nested too deeply");
            self.stop();
            return None;
        }
        self.match_levels += 1;
        let pattern = self.pattern();
        let block = self.block("match");
        self.match_levels -= 1;
        let (pattern, pattern_span) = pattern?;
        let Block { functions, matches, allows } = block;
        Some(Match { pattern, pattern_span, keyword, functions, matches, allows })
    }
}
