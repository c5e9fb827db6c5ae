//! Node.js and the packages that a codebase needs, where they are installed.

use std::path::{Path, PathBuf};

use serde::Deserialize;

const FUNCTIONS: &str = "firebase-functions";
const ADMIN: &str = "firebase-admin";

/// The packages of a codebase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packages {
    /// The program of `firebase-functions` that lists what a codebase exports.
    pub lister: PathBuf,
    /// The version of `firebase-functions`.
    pub version: String,
}

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The source folder.
    #[error("`{0}` is not there: create it, or correct `functions.source` in firebase.json")]
    NoSource(PathBuf),
    /// Python.
    #[error("`{0}` has a requirements.txt: Hearth serves functions of Node.js only")]
    Python(PathBuf),
    /// A package.
    #[error("the package `{name}` is not installed for `{folder}`: run `npm install` there")]
    Missing {
        /// The package.
        name: &'static str,
        /// The codebase's folder.
        folder: PathBuf,
    },
    /// A package that says nothing of itself.
    #[error("`{0}` cannot be read: install the package again")]
    Unreadable(PathBuf),
    /// Node.js itself.
    #[error("Node.js is not found: `node` is not on the PATH; install Node.js 20 or newer")]
    NoNode,
}

#[derive(Deserialize)]
struct PackageJson {
    version: String,
    bin: Option<Bin>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bin {
    One(PathBuf),
    Several(std::collections::BTreeMap<String, PathBuf>),
}

impl Packages {
    /// Looks for them from the codebase's folder upwards, as Node.js does.
    pub fn of(source: &Path) -> Result<Self, PackagesError> {
        if !source.is_dir() {
            return Err(PackagesError::NoSource(source.to_owned()));
        }
        if source.join("requirements.txt").is_file() && !source.join("package.json").is_file() {
            return Err(PackagesError::Python(source.to_owned()));
        }
        let folder = installed(source, FUNCTIONS)?;
        installed(source, ADMIN)?;
        let file = folder.join("package.json");
        let unreadable = || PackagesError::Unreadable(file.clone());
        let text = std::fs::read(&file).map_err(|_| unreadable())?;
        let package: PackageJson = serde_json::from_slice(&text).map_err(|_| unreadable())?;
        let bin = match package.bin.ok_or_else(unreadable)? {
            Bin::One(path) => path,
            Bin::Several(mut all) => all.remove(FUNCTIONS).ok_or_else(unreadable)?,
        };
        Ok(Self { lister: folder.join(bin), version: package.version })
    }

    /// Whether the package's root is its second generation: then handlers take one request instead of data and context.
    pub fn has_second_generation_root(&self) -> bool {
        self.version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok())
            .is_some_and(|major| major >= 6)
    }
}

fn installed(source: &Path, name: &'static str) -> Result<PathBuf, PackagesError> {
    let source = source.canonicalize().unwrap_or_else(|_| source.to_owned());
    let found = source.ancestors().map(|folder| folder.join("node_modules").join(name));
    let mut found = found.filter(|folder| folder.join("package.json").is_file());
    found.next().ok_or(PackagesError::Missing { name, folder: source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path, name: &str, text: &str) {
        let package = folder.join("node_modules").join(name);
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("package.json"), text).unwrap();
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_installed_above_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("functions");
        let error = |source: &Path| Packages::of(source).unwrap_err().to_string();
        assert!(error(&source).contains("functions.source"));
        std::fs::create_dir(&source).unwrap();
        assert!(error(&source).contains("`firebase-functions`"));
        install(
            folder.path(),
            FUNCTIONS,
            r#"{"version": "7.4.0", "bin": {"firebase-functions": "./lib/bin.js"}}"#,
        );
        assert!(error(&source).contains("`firebase-admin`"));
        install(&source, ADMIN, "{}");
        let packages = Packages::of(&source).unwrap();
        assert!(
            packages.lister.ends_with("firebase-functions/lib/bin.js")
                && packages.has_second_generation_root()
        );
        install(&source, FUNCTIONS, r#"{"version": "5.1.1", "bin": "bin.js"}"#);
        assert!(!Packages::of(&source).unwrap().has_second_generation_root());
        install(&source, FUNCTIONS, "{");
        assert!(error(&source).contains("install the package again"));
    }
}
