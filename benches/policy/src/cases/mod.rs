//! The cases, by language.

mod cel;
mod compile;
mod data;
mod roles;
mod rtdb;
mod rules;
mod trace;

use crate::Case;

/// All cases in the order they are printed in.
pub fn all() -> Vec<Case> {
    [rules::cases(), roles::cases(), rtdb::cases(), cel::cases(), trace::cases(), compile::cases()]
        .into_iter()
        .flatten()
        .collect()
}
