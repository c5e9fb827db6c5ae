//! The key that seals the signing keys in the data folder: from a file, or from the environment.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use identity::keys::seal::Seal;

/// Reads a sealing key from a file, for its owner's eyes only.
pub fn seal_in(path: &Path) -> Result<Seal, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        return Err(format!(
            "`{shown}` can be read by others (mode {:o}): `chmod 600 {shown}` makes it its owner's alone",
            mode & 0o777
        ));
    }
    Seal::parse(&text).map_err(|error| format!("`{shown}`: {error}"))
}

/// The sealing key of `--key-file`, or of the environment.
pub fn seal(key_file: Option<&Path>) -> Result<Option<Seal>, String> {
    match (key_file, std::env::var_os(KEY_VARIABLE)) {
        (Some(path), _) => seal_in(path).map(Some),
        (None, Some(text)) => Seal::parse(&text.to_string_lossy())
            .map(Some)
            .map_err(|error| format!("the environment variable {KEY_VARIABLE}: {error}")),
        (None, None) => Ok(None),
    }
}

/// The environment variable with the sealing key.
const KEY_VARIABLE: &str = "HEARTH_KEY";
