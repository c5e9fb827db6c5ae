//! `hearth verify`: whether all data is as it was written.

use std::io::Write;

use base::Timestamp;
use kv::{Report, Sqlite, StoreError, Version};
use serde_json::{Value as Json, json};

use crate::cli::Verify;
use crate::failure::Failure;
use crate::table::print_json;

/// Looks, and says what it found. Exit code 3 for damage, 2 when it could not look.
pub fn run(ask: &Verify) -> Result<(), Failure> {
    if !ask.data.is_dir() {
        return Err(Failure::usage(format!("`{}` is not a data folder", ask.data.display())));
    }
    let report = kv::verify(&ask.data).map_err(|error| match error {
        StoreError::Locked { path } => Failure::usage(format!(
            "`{}` is in use by a server: stop it first, or verify a backup of it",
            path.display()
        )),
        error => Failure::usage(error.to_string()),
    })?;
    if ask.json {
        print_json(&as_json(&report))?;
    } else {
        print(&report)?;
    }
    if report.findings.is_empty() {
        return Ok(());
    }
    if ask.accept {
        Sqlite::adopt(&ask.data).map_err(|error| Failure::usage(error.to_string()))?;
        eprintln!(
            "accepted: what is there now counts as all there was; what can still not be read stays an error"
        );
        return Ok(());
    }
    Err(Failure::damaged(format!("`{}` is damaged: {} findings", ask.data.display(), report.findings.len())))
}

/// A report as JSON.
pub fn as_json(report: &Report) -> Json {
    let findings = report
        .findings
        .iter()
        .map(|finding| json!({ "file": finding.path.to_string_lossy(), "reason": finding.reason }));
    json!({
        "newest": time(report.version),
        "oldest": time(report.oldest),
        "pages": report.pages,
        "rows": report.rows,
        "journalRecords": report.journal_records,
        "changes": report.changes,
        "findings": findings.collect::<Vec<_>>(),
    })
}

/// The time of a version.
pub fn time(version: Version) -> String {
    Timestamp::from_micros(version.0).to_string()
}

fn print(report: &Report) -> Result<(), Failure> {
    let mut text = String::new();
    for finding in &report.findings {
        text += &format!("{}: {}\n", finding.path.display(), finding.reason);
    }
    text += &format!(
        "{} pages, {} rows, {} journal records, {} changes looked at; {}\n",
        report.pages,
        report.rows,
        report.journal_records,
        report.changes,
        if report.findings.is_empty() { "all is as it was written" } else { "damage was found" }
    );
    if report.version != Version::ZERO {
        text += &format!(
            "the newest commit is of {}, the change log reaches back to {}\n",
            time(report.version),
            time(report.oldest)
        );
    }
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map_err(|error| format!("standard output cannot be written: {error}").into())
}
