//! Where PostgreSQL's programs are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::local::StartError;

/// The oldest major version that is served.
pub const VERSION_MIN: u32 = 13;

/// Where packages put them that do not put them in `PATH`; each has a folder for each version.
const FOLDERS: [&str; 4] = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/Library/PostgreSQL"];

/// The programs of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder with `initdb` and `postgres`.
    pub folder: PathBuf,
    /// Their major version.
    pub major: u32,
}

impl Binaries {
    /// Those of a version, or the newest.
    ///
    /// Errors: none are installed, or none of this version.
    pub fn find(wanted: Option<u32>) -> Result<Self, StartError> {
        let mut found: Vec<Self> = candidates().iter().filter_map(|folder| Self::in_folder(folder)).collect();
        found.sort_by_key(|binaries| binaries.major);
        let newest = found.last().map(|binaries| binaries.major);
        match (wanted, newest) {
            (_, None) => Err(StartError::NoBinaries),
            (None, Some(major)) if major < VERSION_MIN => Err(StartError::TooOld { major }),
            (None, Some(_)) => found.pop().ok_or(StartError::NoBinaries),
            (Some(wanted), Some(newest)) => found
                .into_iter()
                .find(|binaries| binaries.major == wanted)
                .ok_or(StartError::OtherVersion { data: wanted, installed: newest }),
        }
    }

    /// A program of these.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_owned();
        folder.join("initdb").is_file().then_some(())?;
        let output = Command::new(&postgres).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Some(Self { major: major_of(&text)?, folder })
    }
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`
fn major_of(text: &str) -> Option<u32> {
    let version =
        text.split_whitespace().find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for base in FOLDERS {
        let versions = std::fs::read_dir(base).into_iter().flatten().flatten();
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn versions_are_read_as_programs_print_them() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("postgres"), None);
    }
}
