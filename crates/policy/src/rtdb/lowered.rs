//! The tree of rules, as far as those may see it who look at rules without a request: the places with their rules
//! ([`Node`], [`Rule`]), and the names that their conditions ([`crate::ir`]) speak of.
//!
//! It is what static checks read. Nothing that decides a request is here.

pub use super::language::{Condition, Global, Method, Rtdb, RuleKind};
pub use super::structure::{Node, Rule};
