//! One event of the access log: who did what, when, and which rule decided.

use serde::{Deserialize, Serialize};

/// The detail that names the trace an event belongs to: 32 hexadecimal digits.
pub const TRACE: &str = "trace";
/// The detail that names the record of an effect in another database.
pub(crate) const COMMIT: &str = "commit";

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A rule, or a proof such as a password, allowed it.
    Allow,
    /// No rule allowed it.
    Deny,
    /// It failed for another reason than a decision (the store, a conflict). Never a denial.
    Error,
    /// An administrator's act: rules were passed over.
    Admin,
}

impl Verdict {
    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
            Verdict::Error => "error",
            Verdict::Admin => "admin",
        }
    }
}

/// A line of the access log. Field names are its interface: add, never rename.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339, microseconds.
    pub time: String,
    /// Same for all events of one request.
    pub request: u64,
    /// The project's id; empty in lines of versions that wrote none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub project: String,
    /// `firestore`, `identity`, …
    pub service: String,
    /// The operation as its protocol names it: `Commit`, `signUp`, …
    pub verb: String,
    /// What rules call it: `get`, `list`, `create`, `update`, `delete`; the ground for acts without rules.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What it was about: `/movies/up`, `/users/UID`.
    pub path: String,
    /// `user`, `admin` or `unauthenticated`.
    pub caller: String,
    /// The uid or the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// The rule that allowed it, as `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it was denied or failed: one entry per rule that was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Documents that the rules read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    /// What the rules decided on; `None` where no rules were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Box<Basis>>,
    /// Expressions evaluated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expressions: u64,
    /// The commit's version (microseconds), for writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// How many denials like this one a line stands for, when it is more than one: those of its caller within a second that
    /// have no line of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Further facts: a claim change's names before and after, …
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// What a decision of rules was made on, so that it can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// The version of the data that was read (microseconds).
    pub state: i64,
    /// `request.time` (microseconds).
    pub time: i64,
    /// The fingerprint of the rules' text ([`policy::Source::fingerprint`]); `None` where none were in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The claims of the caller's token. Only where requests are kept ([`crate::Gate::keep_requests`]).
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub claims: serde_json::Value,
    /// What was asked, as the policy records it ([`policy::Policy::asked`]); its values only where requests are kept.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub asked: serde_json::Value,
}

/// Why one rule did not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// `file:line:column` of the failing sub-expression; empty when no rule was involved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// The failing sub-expression as written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// What it was seen to be.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub observed: String,
    /// The service's own words: `false`, `Null value error.`, …
    pub text: String,
}

impl Cause {
    /// A cause that no rule's expression stands for.
    pub(crate) fn plain(text: &str) -> Self {
        Self { at: String::new(), expression: String::new(), observed: String::new(), text: text.to_owned() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Event {
    /// The trace that it belongs to.
    pub fn trace(&self) -> Option<&str> {
        self.details.get(TRACE)?.as_str()
    }

    /// Whether the log keeps it at any cost: denials, administrators' acts, failures, and what changed data.
    pub fn must_be_kept(&self) -> bool {
        self.verdict != Verdict::Allow || self.version.is_some() || self.details.contains_key(COMMIT)
    }
}
