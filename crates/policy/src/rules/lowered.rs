//! The tree that a ruleset runs, as far as those may see it who look at rules without a request: what is asked of whom
//! where ([`Lowered`], [`Rule`], [`Pattern`]), and the names that its expressions ([`crate::ir`]) speak of.
//!
//! It is what static checks read. Nothing that decides a request is here.

pub use super::lower::{Lowered, Rule, method_bit};
pub use super::names::{Function, Global, Method, Rules, Type};
pub use super::target::{Pattern, PatternSegment};
