//! The kit every front end's parser is built from: a cursor over text, and binding powers.
//!
//! Parsing never fails: it gives a tree and diagnostics. Nesting is bounded, so that no text can
//! exhaust the stack, neither while parsing nor later while walking the tree.

pub mod cursor;
mod nearest;

pub use nearest::nearest;

/// How tightly an infix operator binds its two sides; a higher number binds tighter. A left-associative operator
/// binds its right side tighter than its left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// Towards the operand on the left.
    pub left: u8,
    /// Towards the operand on the right.
    pub right: u8,
}

impl Power {
    /// A left-associative operator at a level.
    pub const fn left(level: u8) -> Self {
        Self { left: level * 2, right: level * 2 + 1 }
    }
}
