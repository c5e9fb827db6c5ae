//! How a verb fails: what is said, and the exit code. `docs/cli.md` and `hearth --help` have the table of codes.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use kv::StoreError;
use serde_json::json;

use crate::house::OpenError;
use crate::project::ProjectError;

/// It was begun and failed.
const FAILED: u8 = 1;
/// It could not begin.
const USAGE: u8 = 2;
/// Stored data is not as it was written.
const DAMAGED: u8 = 3;

/// What a process that has a data folder holds.
const LOCK_FILE: &str = "store.lock";

/// The table, as `hearth --help` ends.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    it failed: errors in rules, failed tests, a server that could not start
  2    it was not begun: bad arguments, or a file or folder that cannot be used
  3    stored data is damaged
  126, 127, 128+N  `hearth exec`: not runnable, not found, ended by signal N

With `--json` an error is JSON on standard output: {\"error\": {\"message\": …, \"code\": …}}.

Documentation: docs/index.md in the source, /usr/share/doc/hearth/docs in the Debian package";

/// Whether errors are to be JSON: `--json`, or `--output-format json`, before a command of its own.
pub fn is_json(arguments: &[OsString]) -> bool {
    let own: Vec<&str> =
        arguments.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).collect();
    own.iter().any(|word| ["--json", "--output-format=json"].contains(word))
        || own.windows(2).any(|pair| pair == ["--output-format", "json"])
}

/// Why a verb did not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong and what to do.
    pub message: String,
    /// 1; 2 when it could not begin; 3 when stored data is damaged.
    pub code: u8,
}

impl Failure {
    /// It could not begin: bad arguments, files that cannot be read.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: USAGE }
    }

    /// Says it. Returns the exit code.
    pub fn report(&self, as_json: bool) -> ExitCode {
        if as_json {
            let error = json!({ "error": { "message": self.message, "code": self.code } });
            // Nobody is left to hear of a failure to speak.
            let _ = writeln!(std::io::stdout().lock(), "{error}");
        } else {
            eprintln!("error: {}", self.message);
        }
        ExitCode::from(self.code)
    }

    /// Stored data is not as it was written.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: DAMAGED }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, code: FAILED }
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Store(StoreError::Damaged { .. } | StoreError::Corrupt { .. }) => {
                Self::damaged(format!(
                    "{error}. Nothing was changed. `hearth verify --data DATA` lists all that is damaged; `hearth restore --from \
                 BACKUP --to DATA` makes a new data folder of a backup"
                ))
            }
            OpenError::OfDev(_) | OpenError::OfServe(_) | OpenError::NoProject(_) | OpenError::NoData(_) => {
                Self::usage(error.to_string())
            }
            OpenError::Store(StoreError::Locked { path }) => format!(
                "the data folder `{}` is in use{}: stop that one, or choose another folder with `--data`",
                path.display(),
                holder(path).unwrap_or_default()
            )
            .into(),
            _ => error.to_string().into(),
        }
    }
}

/// Who has a data folder, from the kernel's list of locks: ` by hearth with pid 42`. `None` where it cannot be read.
fn holder(folder: &Path) -> Option<String> {
    let inode = std::fs::metadata(folder.join(LOCK_FILE)).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 42 08:01:1234 0 EOF`
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_it = words.get(5)?.rsplit(':').next()?.parse() == Ok(inode);
        is_it.then(|| words.get(4).copied()).flatten()
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!(
        " by {} with pid {pid}",
        Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("a process")
    ))
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        Self::usage(error.to_string())
    }
}
