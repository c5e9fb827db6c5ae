//! Files in a folder.
//!
//! ```text
//! FOLDER/ab/abcdef…    a blob: 64 hexadecimal digits, below the first two of them
//! FOLDER/drafts/ID     a draft
//! ```
//! A blob appears with all its bytes: it is written as a draft and synced, gets its name as a second link that is renamed into
//! its place, and the folder is synced. The draft stays until it is discarded, so that an upload whose row did not commit
//! can go on; one that is written again is first made a file of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Blob, Draft, Files, FilesError, Keep};
use crate::model::BlobName;

const DRAFTS: &str = "drafts";
/// Only its owner reads what is stored.
const FILE_MODE: u32 = 0o600;
/// Files that are read at once.
const READS_MAX: usize = 16;
/// Files that are written, synced, renamed or removed at once.
const WRITES_MAX: usize = 16;
static READS: Semaphore = Semaphore::const_new(READS_MAX);
static WRITES: Semaphore = Semaphore::const_new(WRITES_MAX);

/// A folder of files.
pub struct Disk {
    folder: PathBuf,
    keep: Keep,
}

impl Disk {
    /// The files of a folder, which is made if need be.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join(DRAFTS))?;
        if let Some(above) = folder.parent() {
            File::open(above)?.sync_all()?;
        }
        File::open(folder)?.sync_all()?;
        Ok(Self::at(folder))
    }

    /// The files of a folder as it is, to look at them. One that is not there has none.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), keep: Keep::default() }
    }

    fn draft_path(&self, id: &str) -> PathBuf {
        debug_assert!(
            id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        );
        self.folder.join(DRAFTS).join(id)
    }

    fn shelf(&self, first: u8) -> PathBuf {
        self.folder.join(hex::encode([first]))
    }

    fn blob_path(&self, blob: &BlobName) -> PathBuf {
        self.shelf(blob.0.first().copied().unwrap_or_default()).join(blob.to_string())
    }
}

/// Gives a draft a second name in place of what has that name. Where a file system has no links, the draft moves.
fn link(draft: &Path, path: &Path) -> io::Result<()> {
    let second = draft.with_extension("publish");
    unless_missing(std::fs::remove_file(&second))?;
    match std::fs::hard_link(draft, &second) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            return std::fs::rename(draft, path);
        }
        Err(error) => return Err(error),
    }
    // Bytes that are there already are replaced: should the old file be damaged, this mends it.
    std::fs::rename(&second, path)?;
    // It is still there when both were the same file.
    unless_missing(std::fs::remove_file(&second))
}

/// Makes a draft that is a blob, too, a file of its own.
fn part(draft: &Path, file: File) -> io::Result<File> {
    if file.metadata()?.nlink() < 2 {
        return Ok(file);
    }
    let copy = draft.with_extension("copy");
    std::fs::copy(draft, &copy)?;
    std::fs::rename(&copy, draft)?;
    OpenOptions::new().write(true).open(draft)
}

/// Runs what waits for a disk on a thread where it may.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    queued(&WRITES, work).await
}

/// The same for reads, which do not wait behind syncs.
async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    queued(&READS, work).await
}

/// With as few threads as keep a disk busy: hundreds would hold a MiB each, and no transfer would be faster.
async fn queued<T: Send + 'static>(
    queue: &'static Semaphore,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FilesError> {
    let _turn = queue.acquire().await;
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(FilesError::from),
        Err(_) => Err(FilesError::Io(io::Error::other("the process is stopping"))),
    }
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[async_trait]
impl Files for Disk {
    fn keep(&self) -> &Keep {
        &self.keep
    }

    async fn draft(&self, id: &str, at: u64) -> Result<Box<dyn Draft>, FilesError> {
        let path = self.draft_path(id);
        let opened = apart(move || {
            let options =
                OpenOptions::new().create(true).write(true).truncate(false).mode(FILE_MODE).open(&path);
            let file = part(&path, options?)?;
            if file.metadata()?.len() < at {
                return Err(io::Error::other("a draft is shorter than what was received of it"));
            }
            file.set_len(at)?;
            Ok(DiskDraft { file: Arc::new(file), at })
        });
        Ok(Box::new(opened.await?))
    }

    async fn read_draft(&self, id: &str) -> Result<Option<Box<dyn Blob>>, FilesError> {
        let path = self.draft_path(id);
        let opened = reading(move || match File::open(path) {
            Ok(file) => DiskBlob::of(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        Ok(opened.await?.map(|blob| Box::new(blob) as Box<dyn Blob>))
    }

    async fn publish(&self, id: &str, blob: &BlobName) -> Result<(), FilesError> {
        let (draft, path, folder) = (self.draft_path(id), self.blob_path(blob), self.folder.clone());
        apart(move || {
            let shelf = path.parent().unwrap_or(&folder);
            if !shelf.is_dir() {
                std::fs::create_dir_all(shelf)?;
                File::open(&folder)?.sync_all()?;
            }
            link(&draft, &path)?;
            File::open(shelf)?.sync_all()
        })
        .await
    }

    async fn discard(&self, id: &str) -> Result<(), FilesError> {
        let path = self.draft_path(id);
        apart(move || unless_missing(std::fs::remove_file(path))).await
    }

    async fn open(&self, blob: &BlobName) -> Result<Box<dyn Blob>, FilesError> {
        let (path, name) = (self.blob_path(blob), blob.to_string());
        let opened = reading(move || match File::open(path) {
            Ok(file) => DiskBlob::of(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        let opened = opened.await?.ok_or(FilesError::Missing(name))?;
        Ok(Box::new(opened))
    }

    async fn remove(&self, blob: &BlobName) -> Result<(), FilesError> {
        let path = self.blob_path(blob);
        apart(move || unless_missing(std::fs::remove_file(path))).await
    }

    async fn drafts(&self) -> Result<Vec<String>, FilesError> {
        let folder = self.folder.join(DRAFTS);
        apart(move || names_in(&folder)).await
    }

    async fn blobs(&self, first: u8) -> Result<Vec<BlobName>, FilesError> {
        let shelf = self.shelf(first);
        let names = apart(move || names_in(&shelf)).await?;
        Ok(names.iter().filter_map(|name| BlobName::parse(name)).collect())
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

struct DiskDraft {
    file: Arc<File>,
    at: u64,
}

#[async_trait]
impl Draft for DiskDraft {
    async fn append(&mut self, bytes: Bytes) -> Result<(), FilesError> {
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.at += bytes.len() as u64;
        apart(move || file.write_all_at(&bytes, at)).await
    }

    async fn sync(&mut self) -> Result<(), FilesError> {
        let file = Arc::clone(&self.file);
        apart(move || file.sync_all()).await
    }
}

struct DiskBlob {
    file: Arc<File>,
    size: u64,
}

impl DiskBlob {
    fn of(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size })
    }
}

#[async_trait]
impl Blob for DiskBlob {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, at: u64, bytes_max: usize) -> Result<Bytes, FilesError> {
        let file = Arc::clone(&self.file);
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let length = bytes_max.min(left);
        reading(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, at)?;
            Ok(bytes.into())
        })
        .await
    }
}
