//! What the house forbids, as a test: every check is one file here and reads the whole repository.
//!
//! Code is read with `syn`, so that braces in strings, comments and macros cannot mislead a check.
//! What macros such as `proptest!` contain is not Rust yet, and no check but `arrows` looks into it.

mod arrows;
mod attributes;
mod breach;
mod empty_docs;
mod file_length;
mod function_length;
mod links;
mod modules;
mod names;
mod picture;
mod reachable;
mod repository;
mod suites;

use std::path::Path;

use breach::{Breach, Lines};
use repository::{ReadError, Repository};

/// Why the repository is not tidy.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// A file or a manifest could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The house forbids something that is there.
    #[error("{}", Lines(.0))]
    Breaches(Vec<Breach>),
}

/// Checks everything.
pub fn check(repository: &Path) -> Result<(), TidyError> {
    let repository = Repository::read(repository)?;
    let mut breaches = files_and_functions(&repository);
    breaches.extend(arrows::check(&repository));
    if breaches.is_empty() { Ok(()) } else { Err(TidyError::Breaches(breaches)) }
}

/// Everything but the arrows between modules.
fn files_and_functions(repository: &Repository) -> Vec<Breach> {
    let checks = [
        function_length::check,
        file_length::check,
        names::check,
        picture::check,
        reachable::check,
        links::check,
        suites::check,
        empty_docs::check,
    ];
    checks.into_iter().flat_map(|check| check(repository)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repository = Repository::read(&crate::repository()).unwrap_or_else(|error| panic!("{error}"));
        assert!(repository.sources.len() > 300, "only {} files were read", repository.sources.len());
        let breaches = files_and_functions(&repository);
        assert!(breaches.is_empty(), "\n{}", Lines(&breaches));
    }

    #[test]
    fn no_arrows_run_in_a_circle() {
        let repository = Repository::read(&crate::repository()).unwrap_or_else(|error| panic!("{error}"));
        let breaches = arrows::check(&repository);
        assert!(breaches.is_empty(), "\n{}", Lines(&breaches));
    }
}
