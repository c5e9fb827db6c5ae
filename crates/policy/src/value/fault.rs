//! What an expression gives when it gives no value: an error with its place and the service's text.

use std::fmt;
use std::rc::Rc;

use super::{Str, Val};
use crate::source::Span;

/// A value, or why there is none.
pub type Outcome<'v> = Result<Val<'v>, Rc<Fault<'v>>>;

/// Why an expression has no value, and where.
#[derive(Clone, Debug)]
pub struct Fault<'v> {
    /// What happened.
    pub kind: FaultKind<'v>,
    /// The whole failing expression.
    pub span: Span,
    /// The token the service points at.
    pub at: Span,
}

/// What happened. `Display` gives the service's exact text.
#[derive(Clone, Debug)]
pub enum FaultKind<'v> {
    /// A document is needed that has not been fetched: not an error, ask again.
    Pending,
    /// A query's constraints do not determine it; the text says which.
    Undetermined(String),
    /// A member that is not there.
    UndefinedProperty(Str<'v>),
    /// A member of null.
    NullValue,
    /// No such function or method.
    FunctionNotFound(Str<'v>),
    /// An operation that these types do not have.
    Unsupported {
        /// The operation with the types it got.
        received: String,
        /// The operations there are; empty when not told.
        expected: String,
    },
    /// A call with the wrong number of arguments.
    Arguments {
        /// How many there were.
        received: usize,
        /// The signatures there are.
        expected: String,
    },
    /// A member of something that has none.
    Type {
        /// The type.
        received: &'static str,
        /// The types that would do.
        expected: &'static str,
    },
    /// Integer division or remainder by zero.
    DivideByZero,
    /// Integer arithmetic beyond 64 bits.
    Overflow,
    /// An index outside a list, a string or a path.
    Index {
        /// The index.
        index: i64,
        /// The size.
        size: usize,
    },
    /// A document that `get()` could not give.
    ServiceCall {
        /// The function.
        function: &'static str,
        /// The path in text form.
        argument: String,
    },
    /// More documents than a request may read.
    Reads(u32),
    /// More expressions than a request may evaluate.
    Expressions(u32),
    /// More memory or work than a request may use.
    Memory,
    /// Calls or expressions nested too deeply.
    Depth,
    /// Anything else, in the service's words.
    Message(String),
}

impl FaultKind<'_> {
    /// Whether the answer may change when more documents are known.
    pub fn is_pending(&self) -> bool {
        matches!(self, FaultKind::Pending)
    }
}

impl fmt::Display for FaultKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Pending => f.write_str("A document has not been read yet."),
            FaultKind::Undetermined(text) | FaultKind::Message(text) => f.write_str(text),
            FaultKind::UndefinedProperty(name) => {
                write!(f, "Property {} is undefined on object.", name.as_str())
            }
            FaultKind::NullValue => f.write_str("Null value error."),
            FaultKind::FunctionNotFound(name) => {
                write!(f, "Function not found error: Name: [{}].", name.as_str())
            }
            FaultKind::Unsupported { received, expected } if expected.is_empty() => {
                write!(f, "Unsupported operation error. Received: {received}.")
            }
            FaultKind::Unsupported { received, expected } => {
                write!(f, "Unsupported operation error. Received: {received}. Expected: {expected}.")
            }
            FaultKind::Arguments { received, expected } => {
                write!(f, "Incorrect number of arguments. Received: {received}. Expected: {expected}.")
            }
            FaultKind::Type { received, expected } => {
                write!(f, "Type error. Received: [{received}] Expected: [{expected}].")
            }
            FaultKind::DivideByZero => f.write_str("Divide by zero error."),
            FaultKind::Overflow => {
                f.write_str("Integer value is out of the [-9223372036854775808, 9223372036854775807] range.")
            }
            FaultKind::Index { index, size } => {
                write!(f, "Index out of bound error. Index: [{index}] , size: [{size}].")
            }
            FaultKind::ServiceCall { function, argument } => {
                write!(f, "Service call error. Function: [{function}], Argument: [{argument}].")
            }
            FaultKind::Reads(max) => write!(
                f,
                "Unable to evaluate the expression as the maximum of {max} document accesses has been reached."
            ),
            FaultKind::Expressions(max) => write!(
                f,
                "Unable to evaluate the expression as the maximum of {max} expressions to evaluate has been reached."
            ),
            FaultKind::Memory => f.write_str(
                "Unable to evaluate the expression as the maximum memory usage of 1000 has been reached.",
            ),
            FaultKind::Depth => {
                f.write_str("Unable to evaluate the expression as calls are nested too deeply.")
            }
        }
    }
}
