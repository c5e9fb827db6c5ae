//! Reads a Bolt file the way `firebase-bolt` does: ordered choices that give back what they took when they fail.
//!
//! The original's grammar is copied in its habits, since files depend on them: keywords need no end (`nullable` is
//! `null` and a rest), a broken statement is reported and skipped, and only a statement that cannot even begin is a
//! syntax error. Its remarks stand where it puts them.

mod expression;
mod kind;
mod literal;
mod statement;
mod template;

use super::ast::File;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// Constructs within constructs.
const NESTING_DEPTH_MAX: usize = 60;
/// Items and operands looked at, those given back and read again included: for the smallest file, more for each byte, and
/// for the largest. Broken files nested in each other are read again and again.
const PARSE_STEPS_MIN: usize = 20_000;
const PARSE_STEPS_PER_BYTE: usize = 8;
const PARSE_STEPS_MAX: usize = 400_000;
/// Remarks kept about one file.
const REMARKS_MAX: usize = 200;

/// Where an operator that turned out to have no right side stands: it is not tried again.
type DeadOperator = Option<usize>;

/// What was read, and what there is to say about it.
pub struct Parsed {
    pub file: File,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file. With an error among the diagnostics the file is not complete.
pub fn parse(source: &Source) -> Parsed {
    let mut parser = Parser::new(&source.text);
    parser.file();
    let Parser { file, diagnostics, .. } = parser;
    Parsed { file, diagnostics }
}

struct Parser<'s> {
    text: &'s str,
    at: usize,
    /// Set once for good by a limit: from then on nothing fits.
    stopped: bool,
    steps: usize,
    nesting: usize,
    dead_operator: DeadOperator,
    path: Vec<super::ast::Part>,
    file: File,
    diagnostics: Vec<Diagnostic>,
}

impl<'s> Parser<'s> {
    fn new(text: &'s str) -> Self {
        Self {
            text,
            at: 0,
            stopped: false,
            steps: 0,
            nesting: 0,
            dead_operator: None,
            path: Vec::new(),
            file: File::default(),
            diagnostics: Vec::new(),
        }
    }

    fn rest(&self) -> &'s str {
        if self.stopped { "" } else { self.text.get(self.at..).unwrap_or("") }
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn eat_while(&mut self, fits: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let length = rest.find(|character| !fits(character)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or("")
    }

    /// White space and comments. An unclosed comment is none. Tells whether there was anything.
    fn blank(&mut self) -> bool {
        let start = self.at;
        loop {
            self.eat_while(|character| matches!(character, ' ' | '\t' | '\r' | '\n'));
            let rest = self.rest();
            if rest.starts_with("//") {
                self.eat_while(|character| !matches!(character, '\n' | '\r'));
            } else if let Some(length) = rest.strip_prefix("/*").and_then(|inside| inside.find("*/")) {
                self.at += length + 4;
            } else {
                return self.at > start;
            }
        }
    }

    /// An optional blank before something that may follow.
    fn blank_then(&mut self, sign: &str) -> bool {
        let start = self.at;
        self.blank();
        let found = self.eat(sign);
        if !found {
            self.at = start;
        }
        found
    }

    fn identifier(&mut self) -> Option<&'s str> {
        let begins = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '$');
        self.peek().filter(|character| begins(*character))?;
        Some(self.eat_while(|character| begins(character) || character.is_ascii_digit()))
    }

    fn span(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// From there to here, without the blank at the end.
    fn span_trimmed(&self, start: usize) -> Span {
        let text = self.text.get(start..self.at).unwrap_or("");
        Span::new(start, start + text.trim_end().len())
    }

    /// Counts a step of work; false when there were too many.
    fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps > (PARSE_STEPS_MIN + PARSE_STEPS_PER_BYTE * self.text.len()).min(PARSE_STEPS_MAX) {
            self.stop("bolt-limit", "this file is too tangled to be read");
        }
        !self.stopped
    }

    /// Goes one level down, if that is not too deep.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.nesting >= NESTING_DEPTH_MAX {
            self.stop("bolt-limit", format!("this is nested more than {NESTING_DEPTH_MAX} levels deep"));
            return None;
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    /// Reports an error after which nothing more is read.
    fn stop(&mut self, code: &'static str, message: impl Into<String>) {
        if !self.stopped {
            self.diagnostics.push(Diagnostic::error(code, self.span(self.at), message));
            self.stopped = true;
        }
    }

    /// Reports an error where Bolt reports it.
    fn error(&mut self, start: usize, message: impl Into<String>) {
        let span = self.span(start);
        self.tell(Diagnostic::error("bolt-parse", span, message));
    }

    fn warn(&mut self, start: usize, message: impl Into<String>) {
        let span = self.span(start);
        self.tell(Diagnostic::warning("bolt-style", span, message));
    }

    /// What is read twice is told once, and what only follows from having stopped never.
    fn tell(&mut self, diagnostic: Diagnostic) {
        let told =
            |old: &Diagnostic| old.span.start == diagnostic.span.start && old.message == diagnostic.message;
        let goes_on = !self.stopped && self.diagnostics.len() < REMARKS_MAX;
        if goes_on && !self.diagnostics.iter().any(told) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn lower_first(&mut self, start: usize, name: &str, what: &str) {
        self.first_letter(
            start,
            name,
            what,
            char::is_ascii_uppercase,
            "a lowercase",
            str::make_ascii_lowercase,
        );
    }

    fn upper_first(&mut self, start: usize, name: &str, what: &str) {
        self.first_letter(
            start,
            name,
            what,
            char::is_ascii_lowercase,
            "an uppercase",
            str::make_ascii_uppercase,
        );
    }

    fn first_letter(
        &mut self,
        start: usize,
        name: &str,
        what: &str,
        wrong: fn(&char) -> bool,
        case: &str,
        repair: fn(&mut str),
    ) {
        if name.chars().next().is_some_and(|first| wrong(&first)) {
            let mut better = name.to_owned();
            if let Some(first) = better.get_mut(..1) {
                repair(first);
            }
            self.warn(
                start,
                format!("{what} should begin with {case} letter: ('{name}' should be '{better}')."),
            );
        }
    }
}
