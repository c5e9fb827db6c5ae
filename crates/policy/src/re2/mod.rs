//! Regular expressions with RE2's syntax and meaning, for every rules language that has `matches`.
//!
//! Invariants
//! - A pattern means here exactly what it means to RE2 with its default options: UTF-8 text, `\d \w \s \b` over
//!   ASCII only, repeat limit 1000. Where Rust's own regex syntax would let more text match, a rule would allow
//!   more than the real service does.
//! - Matching takes time linear in the text: no back-references, no look-around, no backtracking. Finding every match takes
//!   that time per match, as in RE2, because each match begins a new search.
//! - Nothing panics: length, nesting, class size and program size have named limits, and what exceeds one is a
//!   [`PatternError`].
//!
//! Two things RE2 has no limit for are limited here: nesting ([`NEST_LEVELS_MAX`]) and pattern length
//! ([`PATTERN_BYTES_MAX`]). `\C` is one *byte*, as in RE2; what [`Regex::each_match`] finds with it (or with
//! `\B`) in the middle of a character is passed over, because text here is always UTF-8.
//!
//! Source: the syntax page of RE2 and the behaviour of the `google-re2` wheel, recorded in `tests/re2/cases.tsv`.

mod class;
mod parse;
mod unicode;

use std::fmt;
use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, Span};
use regex_syntax::hir::{Hir, Look};

use parse::Parsed;

/// Longest pattern accepted.
pub const PATTERN_BYTES_MAX: usize = 16 * 1024;
/// Deepest nesting of groups and repetitions accepted.
pub const NEST_LEVELS_MAX: u32 = 200;
/// Most code point ranges all character classes of a pattern may hold together.
pub const CLASS_RANGES_MAX: usize = 200_000;
/// Largest compiled program, in bytes; room for `\pL{1,400}`, about what RE2's default memory budget has.
pub const PROGRAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest repeat count, also for the product of nested counts.
pub const REPEAT_COUNT_MAX: u32 = 1000;

/// What is too large is refused with this text, as by RE2.
const TOO_LARGE: &str = "pattern too large - compile failed";

/// The pattern is not RE2 syntax, or too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// Byte offset in the pattern where the text the message quotes begins.
    pub offset: usize,
    /// RE2's wording, such as ``bad repetition operator: **``.
    pub message: String,
}

impl PatternError {
    fn too_large() -> Self {
        Self { offset: 0, message: TOO_LARGE.to_owned() }
    }
}

/// A compiled pattern. Cloning is cheap; one may be used from many threads.
#[derive(Clone)]
pub struct Regex {
    /// The pattern between the two ends of the text.
    full: meta::Regex,
    /// The pattern anywhere, with captures: most patterns are never used so and never pay for it.
    search: Arc<Search>,
}

struct Search {
    hir: Hir,
    groups: usize,
    names: Vec<(String, usize)>,
    program: OnceLock<meta::Regex>,
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Regex").field("groups", &self.search.groups).finish_non_exhaustive()
    }
}

/// Where a group of a match is; `None` when it took no part.
pub type Group<'m> = &'m dyn Fn(usize) -> Option<std::ops::Range<usize>>;

impl Regex {
    /// Parses and compiles a pattern.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::too_large());
        }
        let Parsed { hir, groups, names } = parse::parse(pattern)?;
        let whole = Hir::concat(vec![Hir::look(Look::Start), hir.clone(), Hir::look(Look::End)]);
        let config = config().which_captures(WhichCaptures::None).onepass(false);
        let full = meta::Builder::new()
            .configure(config.nfa_size_limit(Some(PROGRAM_BYTES_MAX)))
            .build_from_hir(&whole)
            .map_err(|_| PatternError::too_large())?;
        Ok(Self { full, search: Arc::new(Search { hir, groups, names, program: OnceLock::new() }) })
    }

    /// Whether the whole text matches: `matches` in Firestore and Storage rules.
    pub fn is_full_match(&self, text: &str) -> bool {
        self.full.is_match(Input::new(text).anchored(Anchored::Yes))
    }

    /// Whether the pattern occurs anywhere in the text: `matches` in CEL.
    pub fn is_match(&self, text: &str) -> bool {
        self.search().is_match(text)
    }

    /// Calls back for every match, from left to right, with a look-up of its groups. An empty match counts too, also where
    /// another has just ended.
    pub fn each_match(&self, text: &str, visit: &mut dyn FnMut(Group<'_>)) {
        let mut from = 0;
        let mut found = self.search().create_captures();
        while let Some(at) = self.find_from(text, from, &mut found) {
            from = if at.end > at.start { at.end } else { next_char(text, at.end) };
            visit(&|group| found.get_group(group).map(|span| span.range()));
        }
    }

    /// The number of a named group.
    pub fn group_named(&self, name: &str) -> Option<usize> {
        self.search.names.iter().find(|(known, _)| known == name).map(|(_, number)| *number)
    }

    /// How many capturing groups the pattern has.
    pub fn group_count(&self) -> usize {
        self.search.groups
    }

    fn search(&self) -> &meta::Regex {
        self.search.program.get_or_init(|| {
            // The same tree has passed the size limit once, so this has no reason to fail. If it did, finding only
            // whole texts would be the strict way to go on.
            meta::Builder::new()
                .configure(config().nfa_size_limit(None))
                .build_from_hir(&self.search.hir)
                .unwrap_or_else(|_| self.full.clone())
        })
    }

    /// The leftmost match from `from` on whose ends lie between characters.
    fn find_from(&self, text: &str, from: usize, found: &mut Captures) -> Option<Span> {
        let mut from = from;
        while from <= text.len() {
            self.search().search_captures(&Input::new(text).range(from..), found);
            let at = found.get_match()?.span();
            if text.is_char_boundary(at.start) && text.is_char_boundary(at.end) {
                return Some(at);
            }
            from = next_char(text, at.start);
        }
        None
    }
}

/// The offset of the character boundary after `at`; past the text's length when there is none.
fn next_char(text: &str, at: usize) -> usize {
    let mut next = at + 1;
    while next < text.len() && !text.is_char_boundary(next) {
        next += 1;
    }
    next
}

/// How both programs are built. RE2 finds an empty match between the bytes of a character too; a DFA made in advance
/// takes longer to build than it ever saves over the one made while matching.
fn config() -> meta::Config {
    meta::Config::new().utf8_empty(false).dfa(false)
}
