//! What Cargo knows of a manifest: its packages, their targets and dependencies.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Why Cargo's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// Cargo did not run.
    #[error("cannot run cargo metadata: {0}")]
    Run(#[from] io::Error),
    /// Cargo's answer is not what it documents.
    #[error("cannot read what cargo metadata says: {0}")]
    Answer(#[from] serde_json::Error),
    /// Cargo refused.
    #[error("cargo metadata failed: {0}")]
    Refused(String),
}

/// The packages of the workspace whose manifest this is, as `cargo metadata` describes them.
pub fn packages(manifest: &Path) -> Result<Vec<Value>, CargoError> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()?;
    if !output.status.success() {
        return Err(CargoError::Refused(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok(list(&answer, "packages").to_vec())
}

/// A list of this name, empty where there is none.
pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text of this name, empty where there is none.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
