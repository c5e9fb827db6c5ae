//! What is wrong with a value that a client sent, and where.

use std::fmt;

use super::decode::{LEAVES_MAX, NODES_MAX, TEXT_BYTES_MAX};
use super::key::{Key, KeyError};
use super::path::{DEPTH_MAX, Path, PathError};

/// A value that cannot be one, and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    /// Keys from the innermost.
    below: Vec<Key>,
    /// What is wrong.
    pub problem: ValueProblem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ValueProblem {
    /// It is not JSON.
    #[error("{0}")]
    Json(String),
    /// A name in an object is no key.
    #[error("{0}")]
    Key(KeyError),
    /// A path in an update is none.
    #[error("{0}")]
    Path(PathError),
    /// A name is in an object twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// It is too deep for its place.
    #[error("it is more than {DEPTH_MAX} levels below the root")]
    TooDeep,
    /// It has too many leaves or nodes.
    #[error("it has more than {LEAVES_MAX} leaves or {NODES_MAX} nodes")]
    TooMany,
    /// A text has more bytes than [`TEXT_BYTES_MAX`].
    #[error("a text has {0} bytes, the limit is {TEXT_BYTES_MAX}")]
    TextTooLong(usize),
    /// `.value` or `.sv` has siblings that are children.
    #[error("`{0}` is there beside other children")]
    Beside(&'static str),
    /// `.value` is no leaf.
    #[error("`.value` is an object, it may be a boolean, a number, a text or a server value")]
    Value,
    /// A priority is neither text nor number nor a server value.
    #[error("`.priority` is {0}, it may be a text, a number, a server value or null")]
    Priority(&'static str),
    /// A server value that does not exist.
    #[error("`.sv` is {0}, it may be \"timestamp\" or {{\"increment\": a number}}")]
    ServerValue(String),
    /// A sum is too large.
    #[error("{before} incremented by {by} is no number")]
    Increment {
        /// What was there.
        before: f64,
        /// What was to be added.
        by: f64,
    },
    /// An update is no object.
    #[error("an update is {0}, it may be an object of paths and values")]
    NoObject(&'static str),
}

impl ValueError {
    /// The place in the value.
    pub fn path(&self) -> Path {
        Path::from(self.below.iter().rev().cloned().collect::<Vec<_>>())
    }

    /// Whether the value is too large, not malformed.
    pub fn is_size(&self) -> bool {
        matches!(self.problem, ValueProblem::TooMany | ValueProblem::TextTooLong(_))
    }

    /// The error as seen from the node above.
    pub(super) fn below(mut self, key: &Key) -> Self {
        self.below.push(key.clone());
        self
    }
}

impl From<ValueProblem> for ValueError {
    fn from(problem: ValueProblem) -> Self {
        Self { below: Vec::new(), problem }
    }
}

/// Begins with the service's text for it.
impl fmt::Display for ValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match &self.problem {
            ValueProblem::TooMany | ValueProblem::TextTooLong(_) => {
                "Data to write exceeds the maximum size that can be modified with a single request."
            }
            ValueProblem::Key(_) => {
                "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid \
                 characters in your key names."
            }
            _ => "Invalid data; couldn't parse JSON object, array, or value.",
        })?;
        write!(out, " At {}: {}", self.path(), self.problem)
    }
}

impl std::error::Error for ValueError {}
