//! Copies of all blobs, for backups. Each is digested on its way: one that is damaged gets no copy.

use bytes::Bytes;
use futures_util::stream;
use tokio::task::spawn_blocking;

use super::{Blob, Files, FilesError, Incoming, ReceiveError};
use crate::model::{BlobName, Digest, Digests};

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose bytes are not those that they are named by.
    pub damaged: Vec<BlobName>,
}

/// Copies every blob to another place.
pub async fn copy(from: &dyn Files, to: &dyn Files) -> Result<Copied, FilesError> {
    let mut copied = Copied::default();
    for first in 0..=u8::MAX {
        for blob in from.blobs(first).await? {
            match copy_one(from, to, &blob).await? {
                Some(digest) if digest.blob == blob => {
                    copied.files += 1;
                    copied.bytes += digest.size;
                }
                Some(_) => copied.damaged.push(blob),
                None => {}
            }
        }
    }
    Ok(copied)
}

/// Copies a blob, if it is what its name says. `None`: it is not there any more.
async fn copy_one(from: &dyn Files, to: &dyn Files, name: &BlobName) -> Result<Option<Digest>, FilesError> {
    let blob = match from.open(name).await {
        Err(FilesError::Missing(_)) => return Ok(None),
        blob => blob?,
    };
    let id = name.to_string();
    let mut incoming = Incoming::new(to.draft(&id, 0).await?, Digests::default(), u64::MAX);
    let pieces = stream::try_unfold((blob, 0u64), |(blob, at)| async move {
        let piece = blob.read(at, PIECE_BYTES).await?;
        let next = at + piece.len() as u64;
        Ok::<_, ReceiveError>((!piece.is_empty()).then_some((piece, (blob, next))))
    });
    match incoming.receive(Box::pin(pieces)).await {
        Ok(()) => {}
        Err(ReceiveError::Files(error)) => return Err(error),
        Err(error) => return Err(FilesError::Io(std::io::Error::other(error))),
    }
    incoming.sync().await?;
    let digest = incoming.digests().clone().finish();
    if digest.blob == *name {
        to.publish(&id, name).await?;
    }
    to.discard(&id).await?;
    Ok(Some(digest))
}

/// The digest of a blob's bytes as they are.
pub async fn digest_of(blob: &dyn Blob) -> Result<Digest, FilesError> {
    let mut digests = Digests::default();
    loop {
        let piece: Bytes = blob.read(digests.size(), 4 * PIECE_BYTES).await?;
        if piece.is_empty() {
            return Ok(digests.finish());
        }
        let digesting = spawn_blocking(move || {
            digests.update(&piece);
            digests
        });
        let stopping = |_| FilesError::Io(std::io::Error::other("the process is stopping"));
        digests = digesting.await.map_err(stopping)?;
    }
}
