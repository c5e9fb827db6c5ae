//! The repository as the checks see it: its files, its code parsed, its packages with their targets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cargo::{self, CargoError};

/// Folders that hold Rust code.
const CODE: [&str; 4] = ["crates", "xtask", "fuzz", "benches"];
/// Folders that hold nothing written here. Whatever begins with a dot is passed over too.
const FOREIGN: [&str; 5] = ["target", "node_modules", "__pycache__", "corpus", "artifacts"];
/// Code that `cargo xtask codegen` wrote.
const GENERATED: &str = "crates/wire/src/generated/";

/// Why the repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file could not be read.
    #[error("cannot read `{0}`: {1}")]
    File(PathBuf, io::Error),
    /// A file is not Rust.
    #[error("cannot parse `{0}`: {1}")]
    Syntax(String, syn::Error),
    /// Cargo does not say what the packages are.
    #[error(transparent)]
    Cargo(#[from] CargoError),
}

/// One file of Rust code.
pub struct Source {
    /// From the repository's folder on, with `/`.
    pub path: String,
    pub text: String,
    pub syntax: syn::File,
}

impl Source {
    /// Parses a file's text.
    pub fn parse(path: impl Into<String>, text: impl Into<String>) -> Result<Self, ReadError> {
        let (path, text) = (path.into(), text.into());
        match syn::parse_file(&text) {
            Ok(syntax) => Ok(Self { path, text, syntax }),
            Err(error) => Err(ReadError::Syntax(path, error)),
        }
    }

    /// A line of the text, counted from 1.
    pub fn line(&self, line: usize) -> &str {
        self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default().trim()
    }
}

/// A package and the roots of its targets.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    /// Whether the product's workspace holds it.
    pub member: bool,
    pub targets: Vec<Target>,
}

/// One thing that Cargo builds.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file that Cargo hands to the compiler.
    pub root: String,
    /// Whether it is built for tests only.
    pub test: bool,
}

/// All files, the parsed code, the packages.
#[derive(Default)]
pub struct Repository {
    pub sources: Vec<Source>,
    pub packages: Vec<Package>,
    /// Every file that is written here, Rust or not.
    pub files: Vec<String>,
    /// What files say that are not Rust: pages, suites, scripts.
    pub texts: BTreeMap<String, String>,
}

impl Repository {
    /// Reads everything below the repository's folder.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let mut repository = Self::default();
        walk(folder, "", &mut repository.files)?;
        for path in &repository.files {
            if is_code(path) {
                repository.sources.push(Source::parse(path, read(&folder.join(path))?)?);
            } else if is_text(path) {
                repository.texts.insert(path.clone(), read(&folder.join(path))?);
            }
        }
        let manifests = repository.files.iter().filter(|path| path.ends_with("Cargo.toml"));
        for path in manifests {
            let manifest = folder.join(path);
            if read(&manifest)?.lines().any(|line| line.trim() == "[workspace]") {
                for package in cargo::packages(&manifest)? {
                    repository.packages.push(package_of(&package, folder, path == "Cargo.toml"));
                }
            }
        }
        Ok(repository)
    }

    /// Made-up files of one package `x`, for the tests of checks.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut repository = Self::default();
        for (path, text) in files {
            repository.files.push((*path).to_owned());
            if is_code(path) {
                repository.sources.push(Source::parse(*path, *text).unwrap());
            } else {
                repository.texts.insert((*path).to_owned(), (*text).to_owned());
            }
        }
        let root = |name: &str| Target { root: format!("crates/x/{name}"), test: name != "src/lib.rs" };
        let targets = ["src/lib.rs", "tests/t.rs"].map(root).to_vec();
        repository.packages = vec![Package { name: "x".to_owned(), member: true, targets }];
        repository
    }
}

fn is_code(path: &str) -> bool {
    path.ends_with(".rs")
        && !path.starts_with(GENERATED)
        && CODE.iter().any(|folder| path.split('/').next() == Some(folder))
}

/// Data files of tests may be anything, and are not read.
fn is_text(path: &str) -> bool {
    let ends = [".md", ".py", ".js", ".json", ".toml", ".ini", ".txt", ".in"];
    path == "x"
        || (!path.contains("/cases/")
            && !path.starts_with("crates/")
            && ends.iter().any(|end| path.ends_with(end)))
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) -> Result<(), ReadError> {
    let failed = |error| ReadError::File(folder.to_owned(), error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ReadError> {
    fs::read_to_string(path).map_err(|error| ReadError::File(path.to_owned(), error))
}

fn package_of(package: &serde_json::Value, folder: &Path, member: bool) -> Package {
    let targets = cargo::list(package, "targets").iter().map(|target| {
        let root = Path::new(cargo::text(target, "src_path"));
        let root = root.strip_prefix(folder).unwrap_or(root).to_string_lossy().replace('\\', "/");
        let test = cargo::list(target, "kind").iter().any(|kind| kind == "test");
        Target { root, test }
    });
    Package { name: cargo::text(package, "name").to_owned(), member, targets: targets.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_here_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/x\"]\n");
        write("crates/x/Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write("crates/x/src/lib.rs", "mod a;\n");
        write("crates/x/src/a.rs", "");
        write("crates/x/tests/t.rs", "");
        write("crates/x/target/b.rs", "not Rust");
        write("crates/wire/src/generated/json.rs", "not Rust");
        write("suites/node/node_modules/m.js", "");
        write(".git/HEAD", "");
        write("docs/a.md", "text");

        let repository = Repository::read(folder.path()).unwrap();
        let sources: Vec<_> = repository.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(sources, ["crates/x/src/a.rs", "crates/x/src/lib.rs", "crates/x/tests/t.rs"]);
        assert_eq!(repository.texts.get("docs/a.md").map(String::as_str), Some("text"));
        assert!(!repository.files.iter().any(|file| file.contains("node_modules") || file.contains("HEAD")));
        let [package] = repository.packages.as_slice() else { panic!("{:?}", repository.packages) };
        let roots: Vec<_> =
            package.targets.iter().map(|target| (target.root.as_str(), target.test)).collect();
        assert_eq!(roots, [("crates/x/src/lib.rs", false), ("crates/x/tests/t.rs", true)]);
        assert!(package.member && package.name == "x");
    }

    #[test]
    fn a_file_that_is_not_rust_is_named() {
        let error = Source::parse("crates/x/src/a.rs", "fn").err().unwrap();
        assert!(error.to_string().starts_with("cannot parse `crates/x/src/a.rs`: "), "{error}");
    }
}
