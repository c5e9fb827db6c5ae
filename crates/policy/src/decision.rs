//! What a policy answers: a verdict with its reasons, or the documents it still needs.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::document::{DocumentPaths, Needed};
use crate::meter::Cost;
use crate::request::Method;
use crate::source::Span;

/// One step of deciding.
#[derive(Clone, Debug)]
pub enum Step<N = Needed> {
    /// The answer.
    Decided(Decision),
    /// The answer depends on these facts: read them from one snapshot and ask again. There is at least one, and none
    /// that was known.
    Needs(Vec<N>),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Whether the operation may be done.
    pub allowed: bool,
    /// Whether a query was allowed only as it is written: with every value that it asks a field to equal found just so,
    /// 1 as 1 and not as 1.0. Whoever runs the query gives no document of which that is not true, and says that the
    /// query is denied.
    pub exact_match_only: bool,
    /// The `allow` statement that granted it.
    pub by: Option<RulePosition>,
    /// Why each candidate `allow` did not grant it, in the order of the text. Empty when allowed, and when no `allow`
    /// is about this path and method.
    pub causes: Vec<Cause>,
    /// The documents it depended on, each once: those that the rules read, and of a query those that it names. Missing
    /// ones are among them. With the same documents, the same request and the same ruleset, the answer is the same;
    /// while none of them changes, only what `depends` says can change it.
    pub documents: DocumentPaths,
    /// What else it depended on that changes while a listener is open.
    pub depends: Dependence,
    /// What it cost.
    pub cost: Cost,
}

/// The changing parts of a request that a decision looked at: where it did not, a change of theirs changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dependence {
    /// `request.auth`: who asks, with which claims.
    pub auth: bool,
    /// `request.time`.
    pub time: bool,
}

impl Dependence {
    /// What either depended on.
    pub fn or(self, other: Self) -> Self {
        Self { auth: self.auth || other.auth, time: self.time || other.time }
    }
}

/// A place of an `allow` statement; line and column start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RulePosition {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The statement.
    pub span: Span,
}

/// Why one `allow` did not grant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    #[serde(flatten)]
    pub(crate) words: Words,
    /// The line of the `allow` statement.
    pub allow_line: u32,
    /// Where it failed: the token the service points at, for `false` the condition.
    pub span: Span,
    /// That token's line.
    pub line: u32,
    /// That token's column.
    pub column: u32,
    /// Whether it was an error, not a plain `false`.
    pub error: bool,
    /// What to change: for a query, the constraint that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Cause {
    /// The service's text: an error's, or `false`.
    pub fn text(&self) -> &str {
        self.words.part(0)
    }

    /// The text of the smallest sub-expression that explains it.
    pub fn expression(&self) -> &str {
        self.words.part(1)
    }

    /// What was seen there: the operands' values, or the failing operand's. These are data.
    pub fn observed(&self) -> &str {
        self.words.part(2)
    }

    /// The same without data: types only.
    pub fn observed_type(&self) -> &str {
        self.words.part(3)
    }
}

/// The texts of a cause, one after the other in one allocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Words {
    all: String,
    /// Where all but the last end.
    ends: [usize; 3],
}

impl Words {
    /// The first text; the others are empty.
    pub fn new(text: String) -> Self {
        Self { ends: [text.len(); 3], all: text }
    }

    /// Makes room for the texts to come.
    pub fn reserve(&mut self, bytes: usize) {
        self.all.reserve(bytes);
    }

    /// Writes the next text, which is number `index`: 1 for the expression, 2 for what was observed. What is written last, by
    /// [`Words::last`], is the types.
    pub fn next(&mut self, index: usize, write: impl FnOnce(&mut String)) {
        write(&mut self.all);
        let end = self.all.len();
        self.ends.iter_mut().skip(index).for_each(|place| *place = end);
    }

    /// Writes the last text.
    pub fn last(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.all);
    }

    fn part(&self, index: usize) -> &str {
        let end_of = |index: usize| self.ends.get(index).copied().unwrap_or(self.all.len());
        let start = index.checked_sub(1).map_or(0, end_of);
        self.all.get(start..end_of(index)).unwrap_or_default()
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_struct("Words", 4)?;
        parts.serialize_field("text", self.part(0))?;
        parts.serialize_field("expression", self.part(1))?;
        parts.serialize_field("observed", self.part(2))?;
        parts.serialize_field("observedType", self.part(3))?;
        parts.end()
    }
}

impl Decision {
    /// The denial text of the official emulator: `\nfalse for 'list' @ L8, Null value error. for 'list' @ L9`.
    /// Empty when allowed.
    pub fn emulator_text(&self, method: Method) -> String {
        if self.allowed {
            return String::new();
        }
        if self.causes.is_empty() {
            return "\nNo matching allow statements".to_owned();
        }
        let causes: Vec<String> = self
            .causes
            .iter()
            .map(|cause| format!("{} for '{}' @ L{}", cause.text(), method.name(), cause.allow_line))
            .collect();
        format!("\n{}", causes.join(", "))
    }
}
