//! The floor plan: a room depends only on rooms of lower floors.
//!
//! Rooms on one floor never know one another. The folders for tests (`testkit`) and chores (`xtask`)
//! are nobody's foundation: only tests may lean on `testkit`, and tests may lean on any lower room.

use std::fmt;
use std::path::Path;

use crate::cargo::{self, CargoError};

/// Every room and its floor.
const FLOORS: [(&str, u8); 17] = [
    ("base", 0),
    ("wire", 1),
    ("policy", 2),
    ("kv", 2),
    ("access", 3),
    ("prove", 3),
    ("identity", 4),
    ("firestore", 4),
    ("realtime", 4),
    ("storage", 4),
    ("dataconnect", 4),
    ("functions", 4),
    ("deploy", 4),
    ("attest", 4),
    ("server", 5),
    ("hearth", 6),
    ("lsp", 6),
];
/// Packages that are no part of the product.
const OUTSIDE: [&str; 3] = ["testkit", "xtask", "fuzz"];

/// One room leaning on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    from: String,
    to: String,
    for_tests: bool,
}

/// Why the floor plan does not hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A package without a floor.
    #[error("`{0}` has no floor: give it one in xtask/src/floors.rs")]
    NoFloor(String),
    /// A dependency that does not run downward.
    #[error("`{from}` (floor {from_floor}) may not depend on `{to}` (floor {to_floor})")]
    NotDownward { from: String, from_floor: u8, to: String, to_floor: u8 },
    /// The product leaning on what is not part of it.
    #[error("`{from}` may not depend on `{to}`, which is not part of the product")]
    Outside { from: String, to: String },
}

/// Why the floor plan could not be read, or what breaches it.
#[derive(Debug, thiserror::Error)]
pub enum FloorsError {
    /// Cargo does not say what the packages are.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// The plan does not hold.
    #[error("{}", Lines(.0))]
    Breaches(Vec<Breach>),
}

struct Lines<'a>(&'a [Breach]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, breach) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{breach}")?;
        }
        Ok(())
    }
}

/// Checks the repository.
pub fn check(repository: &Path) -> Result<(), FloorsError> {
    let (packages, dependencies) = read(repository)?;
    let breaches = breaches(&packages, &dependencies);
    if breaches.is_empty() { Ok(()) } else { Err(FloorsError::Breaches(breaches)) }
}

/// The floor of a room; nothing for what has none.
pub fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(room, _)| *room == name).map(|(_, floor)| *floor)
}

/// Whether a package is no part of the product.
pub fn is_outside(name: &str) -> bool {
    OUTSIDE.contains(&name)
}

/// The packages of the workspace and how they lean on one another.
fn read(repository: &Path) -> Result<(Vec<String>, Vec<Dependency>), CargoError> {
    let (mut packages, mut dependencies) = (Vec::new(), Vec::new());
    for package in cargo::packages(&repository.join("Cargo.toml"))? {
        let from = cargo::text(&package, "name").to_owned();
        for dependency in cargo::list(&package, "dependencies") {
            // Only what lies in this repository has a path.
            if dependency.get("path").is_some() {
                dependencies.push(Dependency {
                    from: from.clone(),
                    to: cargo::text(dependency, "name").to_owned(),
                    for_tests: cargo::text(dependency, "kind") == "dev",
                });
            }
        }
        packages.push(from);
    }
    Ok((packages, dependencies))
}

fn breaches(packages: &[String], dependencies: &[Dependency]) -> Vec<Breach> {
    let mut breaches: Vec<_> = packages
        .iter()
        .filter(|name| floor(name).is_none() && !is_outside(name))
        .map(|name| Breach::NoFloor(name.clone()))
        .collect();
    for Dependency { from, to, for_tests } in dependencies {
        let Some(from_floor) = floor(from) else { continue };
        match floor(to) {
            // A room's tests may use its own test features.
            _ if from == to && *for_tests => {}
            Some(to_floor) if to_floor >= from_floor => breaches.push(Breach::NotDownward {
                from: from.clone(),
                from_floor,
                to: to.clone(),
                to_floor,
            }),
            None if !for_tests => breaches.push(Breach::Outside { from: from.clone(), to: to.clone() }),
            _ => {}
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_floor_plan() {
        check(&crate::repository()).unwrap_or_else(|error| panic!("{error}"));
        let (packages, dependencies) = read(&crate::repository()).unwrap();
        assert!(packages.len() > 5 && dependencies.len() > 5, "{packages:?} {dependencies:?}");
    }

    #[test]
    fn a_dependency_upward_or_sideways_is_a_breach() {
        let case = |from: &str, to: &str, for_tests| {
            let dependency = Dependency { from: from.into(), to: to.into(), for_tests };
            breaches(&[from.into(), to.into()], &[dependency]).first().map(ToString::to_string)
        };
        let cases = [
            ("wire", "base", false, None),
            ("hearth", "base", false, None),
            ("wire", "policy", false, Some("`wire` (floor 1) may not depend on `policy` (floor 2)")),
            ("policy", "kv", false, Some("`policy` (floor 2) may not depend on `kv` (floor 2)")),
            ("policy", "kv", true, Some("`policy` (floor 2) may not depend on `kv` (floor 2)")),
            ("access", "kv", true, None),
            ("kv", "kv", true, None),
            ("access", "testkit", true, None),
            (
                "access",
                "testkit",
                false,
                Some("`access` may not depend on `testkit`, which is not part of the product"),
            ),
            ("testkit", "hearth", false, None),
            ("cellar", "base", false, Some("`cellar` has no floor: give it one in xtask/src/floors.rs")),
        ];
        for (from, to, for_tests, expected) in cases {
            assert_eq!(case(from, to, for_tests).as_deref(), expected, "{from} -> {to}");
        }
    }
}
