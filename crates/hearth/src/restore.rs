//! `hearth restore`: a data folder made of a backup.

use std::io::Write;
use std::path::Path;

use base::Timestamp;
use kv::{Sqlite, StoreError, Version};
use storage::files::Disk;
use storage::verify::{KEYSPACES, Objects};

use crate::backup;
use crate::cli::Restore;
use crate::failure::Failure;
use crate::house::BLOBS_FOLDER;
use crate::table::print_json;
use crate::verify::{as_json, check, time};

/// Restores, looks at everything, and says what is there.
pub async fn run(ask: &Restore) -> Result<(), Failure> {
    let at = ask.at.as_deref().map(version).transpose()?;
    let (manifest, copy) = backup::read(&ask.from)?;
    // The store comes last: without it nobody takes the folder for whole.
    if !Sqlite::data_file(&ask.to).exists() {
        copy_blobs(&ask.from, &ask.to).await?;
    }
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
    let mut objects = Objects::default();
    kv::verify_with(&ask.to, &KEYSPACES, &mut |row| objects.see(&row)).map_err(|error| error.to_string())?;
    let blobs = check(objects, &ask.to).await?;
    if ask.json {
        print_json(&as_json(&report, &blobs))?;
    } else {
        let said = format!(
            "`{}` is restored as of {}: {} pages, {} rows, {} changes, {} objects, {} files looked at, {}\n",
            ask.to.display(),
            time(report.version),
            report.pages,
            report.rows,
            report.changes,
            blobs.objects,
            blobs.files,
            if blobs.faults == 0 { "all is as it was written" } else { "bytes of objects are not" }
        );
        let written = std::io::stdout().lock().write_all(said.as_bytes());
        written.map_err(|error| format!("standard output cannot be written: {error}"))?;
    }
    if blobs.faults == 0 {
        return Ok(());
    }
    let first = blobs.listed.first().map_or("", String::as_str);
    Err(Failure::damaged(format!(
        "{} objects have no bytes, {} findings: {first}; a backup has the bytes of objects that were there when it was \
         made, not of those overwritten or deleted before",
        blobs.missing, blobs.faults
    )))
}

/// Copies the bytes of objects. A backup of an older program has none.
async fn copy_blobs(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(to).map_err(|error| Failure::usage(format!("`{}`: {error}", to.display())))?;
    let folder = to.join(BLOBS_FOLDER);
    let place = Disk::open(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
    let copied = storage::files::copy(&Disk::at(&from.join(BLOBS_FOLDER)), &place).await;
    copied.map_err(|error| format!("the bytes of objects cannot be copied: {error}"))?;
    Ok(())
}

fn version(text: &str) -> Result<Version, Failure> {
    let time = Timestamp::parse(text)
        .map_err(|_| Failure::usage(format!("`--at {text}` is not a time such as 2026-11-24T15:00:00Z")))?;
    Ok(Version(time.micros()))
}
