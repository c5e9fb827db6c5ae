//! Bolt: compiles `.bolt` files to Realtime Database rules.
//!
//! Text → [`ast`] (`parser`, with the original's habits) → a tree of places and terms (`types`, `generate`) →
//! expanded expressions (`expand`) → JSON and the way back from it ([`map`]) → the checks of [`crate::rtdb`], and what
//! only Bolt can say about them (`remarks`).
//!
//! How to use it: [`compile`] gives [`Compiled`]. Its `ruleset` decides like any other; its positions, causes and traces
//! are about the Bolt text, so `trace.explain(&bolt_source)` and [`crate::diagnostic::render`] show Bolt lines. What was
//! found about `json` by other means is moved with [`Map::diagnostic`], a single place with [`Map::locate`].
//! [`original_line`] words a remark as `firebase-bolt` would.
//!
//! Invariants:
//! - What is printed is byte for byte what `firebase-bolt` 0.8.4 prints, parentheses and key order included.
//! - Its error texts and places are kept; errors that it finds while generating stand where they were made, not at 1:1.
//! - No ruleset is made of rules that Firebase would refuse: the error is told at the Bolt line.
//! - Expressions are only as deep as [`EXPRESSION_DEPTH_MAX`], so nothing that walks them runs out of stack.
//!
//! Source: the behaviour of the npm package `firebase-bolt` 0.8.4, seen by running it; the cases record it.

mod ast;
mod comment;
mod expand;
mod generate;
mod map;
mod parser;
mod print;
mod remarks;
mod tree;
mod types;

use crate::diagnostic::{Diagnostic, Severity};
use crate::rtdb;
use crate::source::{Source, Span};

pub use map::Map;

/// Bytes of a Bolt file.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Levels of an expression: 200 conditions in a row, or as many parentheses.
pub(crate) const EXPRESSION_DEPTH_MAX: usize = 200;

/// The result of compiling a Bolt file.
#[derive(Debug)]
pub struct Compiled {
    /// The rules as `firebase-bolt` prints them, with a newline at the end; `None` where it prints none. With an error
    /// among the diagnostics Firebase would refuse them or they would not do what they say.
    pub json: Option<String>,
    /// From places in `json` to places in the Bolt text.
    pub map: Map,
    /// The rules, ready to decide; `None` if and only if there is an error. All places in it, and so in its decisions
    /// and traces, are places in the Bolt text.
    pub ruleset: Option<rtdb::Ruleset>,
    /// What there is to say: about the text as `firebase-bolt` does, and about the rules as Firebase does and
    /// [`rtdb::compile`] do. All places are in the Bolt text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// The rules, if there is nothing wrong with them.
    pub fn usable(&self) -> Option<&str> {
        self.json.as_deref().filter(|_| self.ruleset.is_some())
    }
}

/// A Bolt file as far as it can be read: its rules with what is wrong with them.
#[derive(Debug)]
pub struct Draft {
    json: Option<String>,
    map: Map,
    diagnostics: Vec<Diagnostic>,
    rules: Option<rtdb::Draft>,
}

impl Draft {
    fn refused(diagnostics: Vec<Diagnostic>) -> Self {
        Self { json: None, map: Map::default(), diagnostics, rules: None }
    }

    /// The rules that Bolt prints, with all their places in the Bolt text; `None` where it prints none.
    pub fn rules(&self) -> Option<&rtdb::Draft> {
        self.rules.as_ref()
    }

    /// What compiling gives. `found` is what else was found about the rules; what is told already is left out of it.
    pub fn finish(self, found: Vec<Diagnostic>) -> Compiled {
        let Self { json, map, mut diagnostics, rules } = self;
        let checked = rules.map(|rules| rules.finish(found));
        let ruleset = checked.and_then(|checked| {
            merge(&mut diagnostics, checked.diagnostics);
            checked.ruleset
        });
        let ruleset = ruleset.filter(|_| !has_error(&diagnostics));
        Compiled { json, map, ruleset, diagnostics }
    }
}

/// Compiles a Bolt file.
pub fn compile(source: Source) -> Compiled {
    draft(source).finish(Vec::new())
}

/// Reads a Bolt file.
pub fn draft(source: Source) -> Draft {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("a Bolt file has at most {SOURCE_BYTES_MAX} bytes");
        return Draft::refused(vec![Diagnostic::error("source-too-large", Span::default(), message)]);
    }
    let parser::Parsed { file, mut diagnostics } = parser::parse(&source);
    if has_error(&diagnostics) {
        return Draft::refused(diagnostics);
    }
    let (tree, found) = generate::generate(&file);
    diagnostics.extend(found);
    let Some(tree) = tree else { return Draft::refused(diagnostics) };
    let (json, map) = map::print(&tree);
    let locate = |span| map.locate(span);
    let origin = rtdb::Origin { text: &source, locate: &locate };
    let rules = rtdb::draft_from(Source::new(source.name.clone(), json.as_str()), origin);
    Draft { json: Some(json), map, diagnostics, rules: Some(rules) }
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// What we say, and what the checks of the rules say about the same, of more text.
const SAME_AT_A_WIDER_PLACE: &[(&str, &str)] =
    &[("bolt-text-as-boolean", "text-compared-with-boolean"), ("bolt-path-part", "rules-structure")];

/// Adds what the checks of the rules found, once for every place, and not where we have said something ourselves.
fn merge(diagnostics: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    let own = diagnostics.len();
    for mut diagnostic in found {
        if diagnostic.message.ends_with("the operator -.") {
            let help =
                "Bolt prints two signs in a row as one: leave both out, or write `0 - …` for the inner one";
            diagnostic = diagnostic.help(help);
        }
        let (said, added) = diagnostics.split_at_checked(own).unwrap_or_default();
        let within = |a: Span, b: Span| a.start >= b.start && a.end <= b.end && a.start < a.end;
        let same = |other: &Diagnostic| {
            let pair = (other.code, diagnostic.code);
            let wider = SAME_AT_A_WIDER_PLACE.contains(&pair) && within(other.span, diagnostic.span);
            wider || within(diagnostic.span, other.span)
        };
        // Text that must be `true` can never be; where it is text is told.
        let follows = |other: &Diagnostic| {
            diagnostic.code == "never-holds"
                && diagnostic.labels.iter().any(|(span, _)| span.start == other.span.start)
        };
        let again = |other: &Diagnostic| (other.code, other.span) == (diagnostic.code, diagnostic.span);
        // Two captures side by side are told about with both of their statements.
        let siblings = diagnostic.message.starts_with("Cannot have multiple default rules");
        if !siblings && !said.iter().any(|other| same(other) || follows(other)) && !added.iter().any(again) {
            diagnostics.push(diagnostic);
        }
    }
}

/// A diagnostic as `firebase-bolt` prints it, `bolt:3:7: text`; `None` for what only we say. What it finds after parsing
/// has no place there.
pub fn original_line(source: &Source, diagnostic: &Diagnostic) -> Option<String> {
    let message = &diagnostic.message;
    match diagnostic.code {
        "bolt-generate" => Some(format!("bolt: {message}")),
        "bolt-parse" | "bolt-style" | "bolt-syntax" => {
            let (line, column) = original_place(&source.text, diagnostic.span.start);
            Some(format!("bolt:{line}:{column}: {message}"))
        }
        _ => None,
    }
}

/// Line and column as JavaScript counts them: columns in UTF-16 units, and a carriage return alone ends a line too.
fn original_place(text: &str, offset: u32) -> (usize, usize) {
    let before = text.get(..offset as usize).unwrap_or_default();
    let (mut line, mut column, mut returned) = (1, 1, false);
    for character in before.chars() {
        match character {
            '\n' if returned => returned = false,
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                (line, column, returned) = (line + 1, 1, character == '\r');
            }
            _ => {
                column += character.len_utf16();
                returned = false;
            }
        }
    }
    (line, column)
}
