//! What cannot be right about an expression, seen while reading it.

use policy::Span;
use policy::ir::Binary;
use policy::rules::lowered::{Function, Method};

use super::shapes::Shape;
use crate::logic::Types;

/// An expression that cannot be right in any use that was looked at.
#[derive(Clone, Debug)]
pub struct Odd {
    /// The expression; of a method, its name.
    pub span: Span,
    /// What is odd about it.
    pub oddity: Oddity,
}

/// What can be odd. Each is asked of an expression whenever it is read.
#[derive(Clone, Debug)]
pub enum Oddity {
    /// A condition that has none but these types.
    NotBoolean { types: Types },
    /// A member of what has no members.
    NoMembers { of: Span, types: Types },
    /// A member that its holder does not have.
    NoMember { of: Span, shape: Shape, name: String },
    /// What is compared can never be equal.
    Unlike { left: Types, right: Types },
    /// What is compared has no order.
    NoOrder { left: Types, right: Types },
    /// `in` what holds nothing.
    NoContainer { types: Types },
    /// An operator that does not take these.
    NoOperator { op: Binary, left: Types, right: Types },
    /// A document read at what is no path.
    NoPath { function: Function, types: Types },
    /// A method that its receiver does not have.
    NoMethod { receiver: Span, types: Types, method: Method },
}

/// What is asked of an expression: whatever is answered once with nothing odd is not odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    IsBoolean,
    HasMember,
    CanBeEqual,
    TakesOperands,
    IsPath,
    HasMethod,
}
