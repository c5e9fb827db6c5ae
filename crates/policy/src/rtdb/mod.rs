//! Realtime Database rules.
//!
//! Text → [`json`] (a lax dialect, never fails) → the tree of rules ([`structure`]) with each expression parsed
//! ([`parser`]), checked and lowered ([`check`]) → a [`Draft`] → a [`Ruleset`] that decides ([`decide`]).
//!
//! Invariants: the first error in a rule makes it false, whatever stands around it; a rule never sees a database other
//! than the one it was lent; nothing here does I/O.
//!
//! Source: Firebase's rules reference, and verdicts and upload texts of the live service where it differs.

mod ast;
mod check;
mod decide;
mod json;
mod language;
pub mod lowered;
mod merge;
mod parser;
mod partial;
mod pattern;
mod policy;
mod relocate;
mod request;
mod structure;
mod tree;
mod values;

use sha2::{Digest, Sha256};

use crate::coverage::Sites;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Span};

pub use decide::{PLACES_VALIDATED_MAX, limits};
pub use json::NEST_LEVELS_MAX;
pub use partial::{Depth, Found, GLANCE_KEYS_MAX, Glance, Place};
pub use request::{Change, Observe, Operation, Order, Query, Request};
pub use tree::{Leaf, Memory, Tree};

/// Bytes of a ruleset's text.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// What became of a text.
#[derive(Debug)]
pub struct Compiled {
    /// The ruleset; `None` if and only if there is an error.
    pub ruleset: Option<Ruleset>,
    /// Errors and warnings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// A compiled ruleset. It is immutable and can be shared between threads.
#[derive(Debug)]
pub struct Ruleset {
    source: Source,
    /// The first is the root. There is at least one.
    nodes: Vec<structure::Node>,
    fingerprint: String,
    /// Whether a `.read` looks at the time.
    reads_tell_time: bool,
}

impl Ruleset {
    /// The text it was made of: of Bolt, the Bolt text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What coverage counts: its rules and their expressions.
    pub fn sites(&self) -> Sites {
        let mut sites = Sites::new(&self.source);
        for rule in self.nodes.iter().flat_map(structure::Node::rules) {
            sites.rule(rule.kind.name(), rule.position.span, Some(&rule.condition));
        }
        sites.sorted()
    }

    /// The places with their rules, for those who look at rules without a request. The first is the root.
    pub fn nodes(&self) -> &[structure::Node] {
        &self.nodes
    }

    /// The SHA-256 of the rules' text, in hex: equal for equal rules.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether `.indexOn` at exactly this place names a child (or `.value`). Keys and priorities need none.
    pub fn is_indexed(&self, path: &[&str], child: &str) -> bool {
        let mut node = self.nodes.first();
        for key in path {
            node = node.and_then(|node| node.child(key)).and_then(|child| self.nodes.get(child));
        }
        node.is_some_and(|node| node.index_on.iter().any(|name| **name == *child))
    }
}

/// Rules as far as they can be read: those of a broken text too, beside what is wrong with it.
#[derive(Debug)]
pub struct Draft {
    source: Source,
    nodes: Vec<structure::Node>,
    fingerprint: String,
    diagnostics: Vec<Diagnostic>,
}

impl Draft {
    /// The text that places are of: of Bolt, the Bolt text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The places with their rules, for those who look at rules without a request. The first is the root; a text that is
    /// no tree at all has none.
    pub fn nodes(&self) -> &[structure::Node] {
        &self.nodes
    }

    /// The ruleset if there is no error, and everything that there is to say: by the compiler, and what else was found.
    pub fn finish(self, found: Vec<Diagnostic>) -> Compiled {
        let Self { source, nodes, fingerprint, mut diagnostics } = self;
        let failed = nodes.is_empty() || has_error(&diagnostics);
        diagnostics.extend(found);
        diagnostics
            .sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.severity == Severity::Warning));
        let reads_tell_time = nodes.iter().filter_map(|node| node.read.as_ref()).any(tells_time);
        let ruleset = Ruleset { source, nodes, fingerprint, reads_tell_time };
        Compiled { ruleset: (!failed).then_some(ruleset), diagnostics }
    }
}

fn tells_time(rule: &structure::Rule) -> bool {
    let mut found = false;
    crate::ir::walk::each(&rule.condition, &mut |expr| {
        found |= matches!(expr.kind, crate::ir::Kind::Global(language::Global::Now));
    });
    found
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Compiles a text.
pub fn compile(source: Source) -> Compiled {
    draft(source).finish(Vec::new())
}

/// Reads a text.
pub fn draft(source: Source) -> Draft {
    read(source, None)
}

/// The text that rules were made of, and the way there from a place in the rules.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'o> {
    pub text: &'o Source,
    pub locate: &'o dyn Fn(Span) -> Span,
}

/// Reads rules that were made of another text: all their places are places in that one.
pub(crate) fn draft_from(source: Source, origin: Origin<'_>) -> Draft {
    read(source, Some(origin))
}

fn read(source: Source, origin: Option<Origin<'_>>) -> Draft {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("rules may have {} KiB", SOURCE_BYTES_MAX / 1024);
        let diagnostics = vec![Diagnostic::error("source-too-large", Span::new(0, 0), message)];
        return Draft { source, nodes: Vec::new(), fingerprint: String::new(), diagnostics };
    }
    let mut diagnostics = Vec::new();
    let json = json::read(&source, &mut diagnostics);
    let mut nodes = structure::build(&source, &json, &mut diagnostics);
    let fingerprint = hex::encode(Sha256::digest(source.text.as_bytes()));
    let mut text = source;
    if let Some(Origin { text: original, locate }) = origin {
        relocate::nodes(&mut nodes, original, locate);
        diagnostics.iter_mut().for_each(|diagnostic| diagnostic.relocate(locate));
        text = original.clone();
    }
    Draft { source: text, nodes, fingerprint, diagnostics }
}

/// Errors that an upload is answered with.
const UPLOAD_ERRORS_MAX: usize = 100;

/// The text with which the service refuses an upload, a line for each error: `3:14: text.` `None` when there is none.
pub fn upload_error(source: &Source, diagnostics: &[Diagnostic]) -> Option<String> {
    let mut out = String::new();
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    for error in errors.take(UPLOAD_ERRORS_MAX) {
        let (line, column) = source.line_column(error.span.start);
        out.push_str(&format!("{line}:{column}: {}\n", error.message));
    }
    (!out.is_empty()).then_some(out)
}
