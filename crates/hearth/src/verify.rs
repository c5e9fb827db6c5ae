//! `hearth verify`: whether all data is as it was written.

use std::io::Write;
use std::path::Path;

use base::Timestamp;
use kv::{Report, Sqlite, StoreError, Version};
use serde_json::{Value as Json, json};
use storage::files::Disk;
use storage::verify::{Found, KEYSPACES, Objects};

use crate::cli::Verify;
use crate::failure::Failure;
use crate::house::BLOBS_FOLDER;
use crate::table::print_json;

/// Looks, and says what it found. Exit code 3 for damage, 2 when it could not look.
pub async fn run(ask: &Verify) -> Result<(), Failure> {
    if !ask.data.is_dir() {
        return Err(Failure::usage(format!("`{}` is not a data folder", ask.data.display())));
    }
    let mut objects = Objects::default();
    let seen = kv::verify_with(&ask.data, &KEYSPACES, &mut |row| objects.see(&row));
    let report = seen.map_err(|error| match error {
        StoreError::Locked { path } => Failure::usage(format!(
            "`{}` is in use by a server: stop it first, or verify a backup of it",
            path.display()
        )),
        error => Failure::usage(error.to_string()),
    })?;
    let blobs = check(objects, &ask.data).await?;
    if ask.json {
        print_json(&as_json(&report, &blobs))?;
    } else {
        print(&report, &blobs)?;
    }
    let findings = report.findings.len() as u64 + blobs.faults;
    if findings == 0 {
        return Ok(());
    }
    if ask.accept {
        Sqlite::adopt(&ask.data).map_err(|error| Failure::usage(error.to_string()))?;
        eprintln!(
            "accepted: what is there now counts as all there was; what can still not be read stays an error"
        );
        return Ok(());
    }
    Err(Failure::damaged(format!("`{}` is damaged: {findings} findings", ask.data.display())))
}

/// Holds the files with the bytes of objects against what rows say of them.
pub async fn check(objects: Objects, data: &Path) -> Result<Found, Failure> {
    let folder = data.join(BLOBS_FOLDER);
    let found = objects.check(&Disk::at(&folder)).await;
    found.map_err(|error| Failure::usage(format!("`{}`: {error}", folder.display())))
}

/// A report as JSON.
pub fn as_json(report: &Report, blobs: &Found) -> Json {
    let of_store = report
        .findings
        .iter()
        .map(|finding| json!({ "file": finding.path.to_string_lossy(), "reason": finding.reason }));
    let of_objects = blobs.listed.iter().map(|reason| json!({ "file": BLOBS_FOLDER, "reason": reason }));
    let findings = of_store.chain(of_objects);
    json!({
        "newest": time(report.version),
        "oldest": time(report.oldest),
        "pages": report.pages,
        "rows": report.rows,
        "journalRecords": report.journal_records,
        "changes": report.changes,
        "objects": blobs.objects,
        "objectFiles": blobs.files,
        "objectBytes": blobs.bytes,
        "objectsWithoutBytes": blobs.missing,
        "findings": findings.collect::<Vec<_>>(),
    })
}

/// The time of a version.
pub fn time(version: Version) -> String {
    Timestamp::from_micros(version.0).to_string()
}

fn print(report: &Report, blobs: &Found) -> Result<(), Failure> {
    let mut text = String::new();
    for finding in &report.findings {
        text += &format!("{}: {}\n", finding.path.display(), finding.reason);
    }
    for reason in &blobs.listed {
        text += &format!("{BLOBS_FOLDER}: {reason}\n");
    }
    text += &format!(
        "{} pages, {} rows, {} journal records, {} changes, {} objects, {} files with {} bytes looked at; {}\n",
        report.pages,
        report.rows,
        report.journal_records,
        report.changes,
        blobs.objects,
        blobs.files,
        blobs.bytes,
        if report.findings.is_empty() && blobs.faults == 0 {
            "all is as it was written"
        } else {
            "damage was found"
        }
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
