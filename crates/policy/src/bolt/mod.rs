//! Bolt: compiles `.bolt` files to Realtime Database rules.
//!
//! Text → [`ast`] (`parser`, with the original's habits) → a tree of places and terms (`types`, `generate`) →
//! expanded expressions (`expand`) → JSON, and what the original does not notice (`remarks`).
//!
//! Invariants:
//! - What is printed is byte for byte what `firebase-bolt` 0.8.4 prints, parentheses and key order included.
//! - Its error texts and places are kept; errors that it finds while generating stand where they were made, not at 1:1.
//! - Expressions are only as deep as [`EXPRESSION_DEPTH_MAX`], so nothing that walks them runs out of stack.
//!
//! Source: the behaviour of the npm package `firebase-bolt` 0.8.4, seen by running it; the cases record it.

mod ast;
mod comment;
mod expand;
mod generate;
mod parser;
mod print;
mod remarks;
mod tree;
mod types;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Bytes of a Bolt file.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Levels of an expression: 200 conditions in a row, or as many parentheses.
pub(crate) const EXPRESSION_DEPTH_MAX: usize = 200;

/// The result of compiling a Bolt file.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The rules as `firebase-bolt` prints them, with a newline at the end; `None` where it prints none. With an error
    /// among the diagnostics Firebase would refuse them or they would not do what they say.
    pub json: Option<String>,
    /// What there is to say, in the order of the compiler's steps.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiled {
    /// The rules, if there is nothing wrong with them.
    pub fn usable(&self) -> Option<&str> {
        let wrong = self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        self.json.as_deref().filter(|_| !wrong)
    }
}

/// Compiles a Bolt file.
pub fn compile(source: Source) -> Compiled {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("a Bolt file has at most {SOURCE_BYTES_MAX} bytes");
        let diagnostics = vec![Diagnostic::error("source-too-large", Span::default(), message)];
        return Compiled { json: None, diagnostics };
    }
    let parser::Parsed { file, mut diagnostics } = parser::parse(&source);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Compiled { json: None, diagnostics };
    }
    let (json, found) = generate::generate(&file);
    diagnostics.extend(found);
    let json = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    Compiled { json: json.map(|json| json + "\n"), diagnostics }
}

/// A diagnostic as `firebase-bolt` prints it, `bolt:3:7: text`; `None` for what only we say. What it finds after parsing
/// has no place there. Its columns count UTF-16 units.
pub fn original_line(source: &Source, diagnostic: &Diagnostic) -> Option<String> {
    let before = source.text.get(..diagnostic.span.start as usize).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
    let message = &diagnostic.message;
    match diagnostic.code {
        "bolt-generate" => Some(format!("bolt: {message}")),
        "bolt-parse" | "bolt-style" | "bolt-syntax" => Some(format!("bolt:{line}:{column}: {message}")),
        _ => None,
    }
}
