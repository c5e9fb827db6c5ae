//! No dead code files: every one is a target of its package, or a target declares it.

use std::collections::BTreeSet;

use super::breach::Breach;
use super::modules;
use super::repository::Repository;

/// Every file of code that nothing compiles.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let modules = modules::modules(repository);
    let reached: BTreeSet<_> = modules.iter().map(|module| module.source.path.as_str()).collect();
    repository
        .sources
        .iter()
        .filter(|source| !reached.contains(source.path.as_str()))
        .map(|source| {
            Breach::new(&source.path, 1, "nothing compiles this file: declare it with `mod`, or delete it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_declares_is_dead() {
        let repository = Repository::of(&[
            ("crates/x/src/lib.rs", "mod a;"),
            ("crates/x/src/a.rs", ""),
            ("crates/x/src/b.rs", ""),
            ("crates/x/tests/t.rs", ""),
            ("crates/x/tests/old/u.rs", ""),
        ]);
        let found: Vec<_> = check(&repository).iter().map(ToString::to_string).collect();
        let expected = ["crates/x/src/b.rs", "crates/x/tests/old/u.rs"]
            .map(|file| format!("{file}:1: nothing compiles this file: declare it with `mod`, or delete it"));
        assert_eq!(found, expected);
    }
}
