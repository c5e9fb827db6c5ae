//! `hearth backup`: a copy of all data, of a running server or of a folder.
//!
//! A backup is a folder: `store.sqlite`, the data as it was at one version, with its change log; `blobs`, the bytes of objects,
//! named by their SHA-256; and `backup.json`, which has what the copy reaches and its SHA-256.
//!
//! No blob is removed from before the store is copied until all blobs are. So whatever the copy's rows name is there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base::{Code, Status, Timestamp};
use kv::{Options, Sqlite, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::files::{Copied, Disk, Files};

use crate::admin::{self, Act, Site};
use crate::cli;
use crate::failure::Failure;
use crate::house::BLOBS_FOLDER;
use crate::table::print_json;
use crate::verify::time;

const MANIFEST: &str = "backup.json";
const COPY: &str = "store.sqlite";
const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// When it was made.
    made: String,
    /// The newest state it has.
    pub newest: String,
    /// The oldest state that it can be restored to.
    pub oldest: String,
    file: String,
    bytes: u64,
    sha256: String,
    /// The files with the bytes of objects.
    #[serde(default)]
    blobs: Blobs,
}

/// What a backup has of the bytes of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blobs {
    files: u64,
    bytes: u64,
    /// Files that were damaged where they were copied from, and have no copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<String>,
}

impl Blobs {
    fn of(copied: &Copied) -> Self {
        let damaged = copied.damaged.iter().map(ToString::to_string).collect();
        Self { files: copied.files, bytes: copied.bytes, damaged }
    }
}

/// Makes a backup and says what it reaches.
pub async fn run(ask: &cli::Backup) -> Result<(), Failure> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))
    };
    let (data, to) = (absolute(&ask.data)?, absolute(&ask.to)?);
    let manifest = match admin::ask_running(&data, &Backup { to: to.clone() }).await? {
        Some(manifest) => manifest,
        None => of_folder(&data, &to).await?,
    };
    if ask.json {
        print_json(&manifest)?;
        return whole(&manifest);
    }
    let said = format!(
        "{}: {} bytes, SHA-256 {}\n{} files with {} bytes of objects\nit can be restored to any time from {} to {}\n",
        to.join(COPY).display(),
        manifest.bytes,
        manifest.sha256,
        manifest.blobs.files,
        manifest.blobs.bytes,
        manifest.oldest,
        manifest.newest
    );
    let written = io::stdout().lock().write_all(said.as_bytes());
    written.map_err(|error| format!("standard output cannot be written: {error}"))?;
    whole(&manifest)
}

/// Errors: the backup was made, and bytes of objects were damaged already.
fn whole(manifest: &Manifest) -> Result<(), Failure> {
    let Some(first) = manifest.blobs.damaged.first() else { return Ok(()) };
    Err(Failure::damaged(format!(
        "{} files with bytes of objects are damaged and have no copy, `{first}` first; `hearth verify` says of which objects",
        manifest.blobs.damaged.len()
    )))
}

/// Makes a backup in the server that has the data.
#[derive(Debug, Serialize, Deserialize)]
pub struct Backup {
    /// An absolute path: the server has a working folder of its own.
    to: PathBuf,
}

impl Act for Backup {
    const NAME: &'static str = "backup";
    type Answer = Manifest;

    async fn run(self, site: Site) -> Result<Manifest, Status> {
        let copy = begin(&self.to)?;
        let kept = site.files.keep().keep().await;
        site.gate.backup(&site.caller, &copy).await?;
        let to = self.to;
        let blobs = copy_blobs(site.files.as_ref(), &to).await?;
        drop(kept);
        let described = tokio::task::spawn_blocking(move || describe(&to, blobs)).await;
        described.map_err(|error| Status::unavailable(error.to_string()))?
    }
}

/// Makes a backup of a folder that no server has.
async fn of_folder(data: &Path, to: &Path) -> Result<Manifest, Failure> {
    if !Sqlite::data_file(data).exists() {
        return Err(Failure::usage(format!("`{}` is not a data folder", data.display())));
    }
    let store = async { Store::open(Sqlite::open(data)?, Options::default()).await };
    let store = store.await.map_err(crate::house::OpenError::from)?;
    let copied = async {
        store.backup(&begin(to)?).await.map_err(|error| failed(&error))?;
        let blobs = copy_blobs(&Disk::at(&data.join(BLOBS_FOLDER)), to).await?;
        describe(to, blobs)
    };
    let copied = copied.await;
    store.close().await.map_err(|error| error.to_string())?;
    copied.map_err(|status| status.message.into())
}

/// Makes the backup's folder, for its owner alone. Gives where the copy goes.
fn begin(to: &Path) -> Result<PathBuf, Status> {
    let copy = to.join(COPY);
    for path in [&copy, &to.join(MANIFEST), &to.join(BLOBS_FOLDER)] {
        if path.exists() {
            let message =
                format!("`{}` exists already; give each backup a folder of its own", path.display());
            return Err(Status::new(Code::AlreadyExists, message));
        }
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(to).map_err(|error| at(to, &error))?;
    Ok(copy)
}

/// Copies the bytes of objects.
async fn copy_blobs(files: &dyn Files, to: &Path) -> Result<Blobs, Status> {
    let folder = to.join(BLOBS_FOLDER);
    let place = Disk::open(&folder).map_err(|error| at(&folder, &error))?;
    let copied = storage::files::copy(files, &place).await;
    let copied = copied.map_err(|error| Status::new(Code::FailedPrecondition, error.to_string()))?;
    Ok(Blobs::of(&copied))
}

/// Writes what a finished copy is.
fn describe(to: &Path, blobs: Blobs) -> Result<Manifest, Status> {
    let copy = to.join(COPY);
    let reach = kv::reach(&copy).map_err(|error| failed(&error))?;
    let (bytes, sha256) = digest(&copy).map_err(|error| at(&copy, &error))?;
    let manifest = Manifest {
        format: FORMAT,
        made: Timestamp::from_micros(base::Clock::now_micros(&base::SystemClock)).to_string(),
        newest: time(reach.newest),
        oldest: time(reach.oldest),
        file: COPY.to_owned(),
        bytes,
        sha256,
        blobs,
    };
    let path = to.join(MANIFEST);
    let text =
        serde_json::to_vec_pretty(&manifest).map_err(|error| Status::unavailable(error.to_string()))?;
    let mut options = File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        File::open(to)?.sync_all()
    });
    written.map_err(|error| at(&path, &error))?;
    Ok(manifest)
}

/// Reads a backup: its file is the one that was written.
pub fn read(from: &Path) -> Result<(Manifest, PathBuf), Failure> {
    let path = from.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|error| {
        Failure::usage(format!("`{}` cannot be read: {error}; is this a backup?", path.display()))
    })?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| Failure::damaged(format!("`{}` cannot be read: {error}", path.display())))?;
    if manifest.format > FORMAT || manifest.file != COPY {
        return Err(Failure::usage(format!(
            "`{}` has format {}, this program knows formats up to {FORMAT}: use a newer program",
            path.display(),
            manifest.format
        )));
    }
    let copy = from.join(COPY);
    let found = digest(&copy).map_err(|error| Failure::usage(at(&copy, &error).message))?;
    if found != (manifest.bytes, manifest.sha256.clone()) {
        return Err(Failure::damaged(format!(
            "`{}` is damaged: it has {} bytes with SHA-256 {}, {MANIFEST} has {} bytes with {}",
            copy.display(),
            found.0,
            found.1,
            manifest.bytes,
            manifest.sha256
        )));
    }
    Ok((manifest, copy))
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    let hash = hasher.finalize();
    Ok((bytes, hash.iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn at(path: &Path, error: &io::Error) -> Status {
    Status::new(Code::FailedPrecondition, format!("`{}`: {error}", path.display()))
}

fn failed(error: &kv::StoreError) -> Status {
    Status::new(Code::FailedPrecondition, error.to_string())
}
