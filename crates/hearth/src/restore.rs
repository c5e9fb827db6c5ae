//! `hearth restore`: a data folder made of a backup.

use std::io::Write;

use base::Timestamp;
use kv::{StoreError, Version};

use crate::backup;
use crate::cli::Restore;
use crate::failure::Failure;
use crate::table::print_json;
use crate::verify::{as_json, time};

/// Restores, looks at everything, and says what is there.
pub fn run(ask: &Restore) -> Result<(), Failure> {
    let at = ask.at.as_deref().map(version).transpose()?;
    let (manifest, copy) = backup::read(&ask.from)?;
    let report = kv::restore(&copy, &ask.to, at).map_err(|error| match error {
        StoreError::TooOld { .. } | StoreError::Future { .. } => Failure::usage(format!(
            "the backup can be restored to any time from {} to {}, not to {}",
            manifest.oldest,
            manifest.newest,
            ask.at.as_deref().unwrap_or_default()
        )),
        StoreError::Damaged { .. } | StoreError::Corrupt { .. } => Failure::damaged(error.to_string()),
        StoreError::Exists { path } => Failure::usage(format!(
            "`{}` exists already: nothing is overwritten; move the old data away or name another folder",
            path.display()
        )),
        error => error.to_string().into(),
    })?;
    if ask.json {
        return print_json(&as_json(&report));
    }
    let said = format!(
        "`{}` is restored as of {}: {} pages, {} rows, {} changes looked at, all is as it was written\n",
        ask.to.display(),
        time(report.version),
        report.pages,
        report.rows,
        report.changes
    );
    let written = std::io::stdout().lock().write_all(said.as_bytes());
    written.map_err(|error| format!("standard output cannot be written: {error}").into())
}

fn version(text: &str) -> Result<Version, Failure> {
    let time = Timestamp::parse(text)
        .map_err(|_| Failure::usage(format!("`--at {text}` is not a time such as 2026-11-24T15:00:00Z")))?;
    Ok(Version(time.micros()))
}
