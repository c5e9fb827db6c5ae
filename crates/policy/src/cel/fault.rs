//! What can go wrong in an evaluation, in cel-go's words.

use crate::source::Span;

use super::value::Value;

/// An error and its place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// The expression that did.
    pub span: Span,
}

/// The kinds of errors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultKind {
    /// Operands of types that the operator or function has no meaning for.
    #[error("no such overload")]
    NoOverload,
    /// A map has no such key.
    #[error("no such key: {0}")]
    NoKey(String),
    /// A variable without a value.
    #[error("no such attribute: {0}")]
    NoAttribute(String),
    /// A list has no such index.
    #[error("index out of bounds: {0}")]
    Index(String),
    /// `/ 0`
    #[error("division by zero")]
    DivideByZero,
    /// `% 0`
    #[error("modulus by zero")]
    ModulusByZero,
    /// A number outside its range.
    #[error("integer overflow")]
    Overflow,
    /// A result outside what its type can hold.
    #[error("range error: {0}")]
    Range(&'static str),
    /// A key that no map can have.
    #[error("unsupported key type")]
    KeyType,
    /// The same key twice.
    #[error("failed with repeated key")]
    RepeatedKey,
    /// `optional.none().value()`
    #[error("optional.none() dereference")]
    NoValue,
    /// Something else, told in words.
    #[error("{0}")]
    Invalid(String),
    /// More than [`crate::Limits`] allow.
    #[error("operation cancelled: actual cost limit exceeded")]
    Limit,
}

/// What an operation gives before its place is known.
pub type Computed<'v> = Result<Value<'v>, FaultKind>;

/// What an expression gives.
pub type Outcome<'v> = Result<Value<'v>, Box<Fault>>;
