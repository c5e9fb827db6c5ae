//! Realtime Database rules.
//!
//! Text → [`json`] (a lax dialect, never fails) → the tree of rules ([`structure`]) with each expression parsed
//! ([`parser`]), checked and lowered ([`check`]) → a [`Ruleset`] that decides ([`decide`]). [`lint`] tells what is
//! probably not meant, when asked by [`crate::check`].
//!
//! Invariants: the first error in a rule makes it false, whatever stands around it; a rule never sees a database other
//! than the one it was lent; nothing here does I/O.
//!
//! Source: Firebase's rules reference, and verdicts and upload texts of the live service where it differs.

mod abstraction;
mod ast;
mod check;
mod decide;
mod json;
mod language;
mod lint;
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

use crate::check::{ClaimUse, claims};
use crate::coverage::Sites;
use crate::diagnostic::{Diagnostic, Severity};
use crate::ir;
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
}

impl Ruleset {
    /// The text it was made of: of Bolt, the Bolt text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Its rules and their expressions.
    pub(crate) fn sites(&self) -> Sites {
        let mut sites = Sites::default();
        for rule in self.nodes.iter().flat_map(structure::Node::rules) {
            sites.rule(rule.kind.name(), rule.position.span, Some(&rule.condition));
        }
        sites.sorted()
    }

    /// The SHA-256 of the rules' text, in hex: equal for equal rules.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Where it looks at claims.
    pub(crate) fn claims(&self) -> Vec<ClaimUse> {
        let is_token = |expr: &language::Condition| match &expr.kind {
            ir::Kind::Member(auth, name) => {
                **name == *"token" && matches!(auth.kind, ir::Kind::Global(language::Global::Auth))
            }
            _ => false,
        };
        let mut found = Vec::new();
        for rule in self.nodes.iter().flat_map(structure::Node::rules) {
            claims::collect(&rule.condition, &is_token, &mut found);
        }
        found
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

/// Compiles a text.
pub fn compile(source: Source) -> Compiled {
    read(source, None, false)
}

/// Compiles a text and also tells what static checks find, beside errors in other rules too.
pub(crate) fn compile_and_check(source: Source) -> Compiled {
    read(source, None, true)
}

/// The text that rules were made of, and the way there from a place in the rules.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'o> {
    pub text: &'o Source,
    pub locate: &'o dyn Fn(Span) -> Span,
}

/// Compiles rules that were made of another text, and checks them if asked: whatever is told about them is told about
/// that one.
pub(crate) fn compile_from(source: Source, origin: Origin<'_>, checks: bool) -> Compiled {
    read(source, Some(origin), checks)
}

fn read(source: Source, origin: Option<Origin<'_>>, checks: bool) -> Compiled {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("rules may have {} KiB", SOURCE_BYTES_MAX / 1024);
        let diagnostic = Diagnostic::error("source-too-large", Span::new(0, 0), message);
        return Compiled { ruleset: None, diagnostics: vec![diagnostic] };
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
    let failed =
        nodes.is_empty() || diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    if checks {
        lint::lint(&text, &nodes, &mut diagnostics);
    }
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.severity == Severity::Warning));
    let ruleset = (!failed).then_some(Ruleset { fingerprint, source: text, nodes });
    Compiled { ruleset, diagnostics }
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
