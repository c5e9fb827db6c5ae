//! Operations of Data Connect as the checks see them: a description that whoever compiled them hands in.
//!
//! It says what is written, not what it means: the findings decide. Places are those of the operation's file.

use policy::Span;

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The file it is in.
    pub file: String,
    /// Where its name is.
    pub span: Span,
    /// Whether it writes.
    pub writes: bool,
    /// The name of its level, or the expression of `@auth`.
    pub guard: String,
    /// Its other expressions: `_expr` texts.
    pub expressions: Vec<String>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Writes of all rows that fit a condition.
    pub many: Vec<Many>,
    /// What clients do not see.
    pub redacted: Vec<Redacted>,
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where.
    pub span: Span,
}

/// A check.
#[derive(Clone, Debug)]
pub struct Check {
    /// The expression.
    pub text: String,
    /// Where.
    pub span: Span,
    /// What `this` is.
    pub this: This,
}

/// What a check looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum This {
    /// Text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Enum(Vec<String>),
    /// An object, a list, or something of which nothing is known.
    Other,
}

/// A write of all rows that fit.
#[derive(Clone, Debug)]
pub struct Many {
    /// The field.
    pub name: String,
    /// Where.
    pub span: Span,
    /// The variables whose absence leaves nothing of the condition; empty when something is always left.
    pub vanishing: Vec<String>,
}

/// A field that clients do not see.
#[derive(Clone, Debug)]
pub struct Redacted {
    /// Its key.
    pub key: String,
    /// Where.
    pub span: Span,
    /// Whether it, or something in it, is checked.
    pub checked: bool,
    /// Whether it writes.
    pub writes: bool,
}

/// Levels for which somebody is signed in.
const SIGNED_IN: [&str; 3] = ["USER_ANON", "USER", "USER_EMAIL_VERIFIED"];

impl Operation {
    /// Whether every signed-in caller, of some kind, may call it.
    pub(crate) fn is_for_users(&self) -> bool {
        SIGNED_IN.contains(&self.guard.as_str())
    }

    /// Every expression of it.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let checks = self.checks.iter().map(|check| check.text.as_str());
        std::iter::once(self.guard.as_str()).chain(self.expressions.iter().map(String::as_str)).chain(checks)
    }

    /// Whether it looks at who calls.
    pub(crate) fn looks_at_caller(&self) -> bool {
        self.texts().any(|text| text.contains("auth.") || text.contains("auth["))
    }
}
