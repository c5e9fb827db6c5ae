//! Firestore and Storage Security Rules, versions 1 and 2.
//!
//! Text → [`ast`] ([`parser`], never fails) → the evaluator's tree ([`mod@lowered`], with what compiling [`warnings`] of) →
//! a [`Ruleset`] that decides ([`decide`]).
//!
//! Source: Firebase's rules reference, and verdicts and texts of the production services where it differs.

mod advice;
mod asked;
pub mod ast;
mod context;
mod decide;
mod environment;
mod fold;
mod functions;
mod lexer;
mod literal;
mod lower;
pub mod lowered;
mod methods;
mod names;
mod operators;
pub mod parser;
mod paths;
mod policy;
mod proof;
mod target;
mod text;
mod warnings;

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use asked::Asked;
pub use ast::Version;
pub use policy::Action;

use crate::coverage::Sites;
use crate::diagnostic::{Diagnostic, Severity};
use crate::ir::{self, walk};
use crate::source::{Source, Span};
use lower::Lowered;

/// Bytes of a ruleset's text.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// The service that a ruleset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Cloud Firestore.
    Firestore,
    /// Cloud Storage.
    Storage,
}

impl Service {
    /// The name in `service … { }`.
    pub fn name(self) -> &'static str {
        match self {
            Service::Firestore => "cloud.firestore",
            Service::Storage => "firebase.storage",
        }
    }
}

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
    service: Service,
    version: Version,
    lowered: Lowered,
    index: Index,
    fingerprint: String,
}

/// Which rules can be about a path, by its first segment below `documents` (or `o`).
#[derive(Debug, Default)]
struct Index {
    /// In the order of the segments.
    by_first: Vec<(Box<str>, Vec<usize>)>,
    /// Those whose first segment is a variable.
    others: Vec<usize>,
}

impl Ruleset {
    /// The text it was made of.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The service it is for.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The version of the language.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The tree it runs, for those who look at rules without a request.
    pub fn lowered(&self) -> &Lowered {
        &self.lowered
    }

    /// What coverage counts: its expressions, rules and functions.
    pub fn sites(&self) -> Sites {
        let mut sites = Sites::new(&self.source);
        for rule in &self.lowered.rules {
            sites.rule("allow", rule.span, rule.condition.as_ref());
        }
        self.lowered.functions.iter().for_each(|function| sites.function(function));
        for expr in self.lowered.expressions() {
            walk::each(expr, &mut |expr| {
                let name = match &expr.kind {
                    ir::Kind::Function(function, _) if function.reads() => function.name(),
                    ir::Kind::UnknownFunction(name, _) => name,
                    _ => return,
                };
                sites.calls.insert(expr.span, name.into());
            });
        }
        sites.sorted()
    }

    /// The SHA-256 of the text, in hex: equal for equal rules.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// Compiles a text for a service. Blocks of the other service are checked and then left out.
pub fn compile(source: Source, service: Service) -> Compiled {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!("rules may have {} KiB", SOURCE_BYTES_MAX / 1024);
        let diagnostic = Diagnostic::error("source-too-large", Span::new(0, 0), message);
        return Compiled { ruleset: None, diagnostics: vec![diagnostic] };
    }
    let (file, mut diagnostics) = parser::parse(&source.text);
    let version = file.version.map_or(Version::One, |(version, _)| version);
    let mut lowered = lower::lower(&file, service, &mut diagnostics);
    lowered.find_positions(&source.text);
    if version == Version::One {
        let span = file.version.map_or(Span::new(0, 0), |(_, span)| span);
        let message =
            "Ruleset uses old version (version [1]). Please update to the latest version (version [2]).";
        diagnostics.push(
            Diagnostic::warning("old-version", span, message).help("begin with `rules_version = '2';`"),
        );
    }
    let ours = file.services.iter().any(|block| block.name.text == service.name());
    if !ours && !file.services.is_empty() {
        let span = file.services.first().map_or(Span::new(0, 0), |block| block.name.span);
        let message = format!("there is no `service {}` here: everything is denied", service.name());
        diagnostics.push(Diagnostic::warning("other-service", span, message));
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let is_broken = |found: &Diagnostic| found.severity == Severity::Error && found.code != "empty-block";
    if diagnostics.iter().any(is_broken) {
        // What a broken text seems to mean is not worth a warning. A block without a body breaks nothing else.
        diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    }
    let ruleset = (!failed).then(|| Ruleset {
        index: Index::new(&lowered),
        fingerprint: hex::encode(Sha256::digest(source.text.as_bytes())),
        source,
        service,
        version,
        lowered,
    });
    Compiled { ruleset, diagnostics }
}

impl Index {
    fn new(lowered: &Lowered) -> Self {
        let first = |rule: &lower::Rule| {
            let pattern = lowered.patterns.get(rule.pattern)?;
            if pattern.glob.is_some_and(|glob| glob <= target::PREFIX_LEN) {
                return None;
            }
            match pattern.segments.get(target::PREFIX_LEN) {
                Some(target::PatternSegment::Text(text)) => Some(text.clone()),
                _ => None,
            }
        };
        let mut by_first: BTreeMap<Box<str>, Vec<usize>> = BTreeMap::new();
        let mut index = Index::default();
        for (rule, key) in lowered.rules.iter().map(first).enumerate() {
            match key {
                Some(key) => by_first.entry(key).or_default().push(rule),
                None => index.others.push(rule),
            }
        }
        index.by_first = by_first.into_iter().collect();
        index
    }

    /// Rules for a path that begins so, in the order of the text. `None` is a path whose beginning is not known.
    fn candidates(&self, first: Option<&str>) -> impl Iterator<Item = usize> + '_ {
        let place =
            first.and_then(|first| self.by_first.binary_search_by(|(key, _)| (**key).cmp(first)).ok());
        let own = place.and_then(|place| self.by_first.get(place)).map_or(&[][..], |(_, rules)| rules);
        let mut own = own.iter().copied().peekable();
        let mut others = self.others.iter().copied().peekable();
        std::iter::from_fn(move || match (own.peek(), others.peek()) {
            (Some(a), Some(b)) if a < b => own.next(),
            (Some(_), None) => own.next(),
            _ => others.next(),
        })
    }
}
