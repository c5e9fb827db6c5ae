//! Bytes that stream into a draft: gathered into pieces, each written and digested at the same time on other threads.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::{Draft, FilesError};
use crate::model::Digests;

/// What is gathered before it is written. Twice as much is held of one stream.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces that are digested at once: more than processors are no faster.
const DIGESTS_MAX: usize = 8;
static DIGESTS: Semaphore = Semaphore::const_new(DIGESTS_MAX);

/// Why a stream did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// More came than was announced, or than is allowed.
    #[error("more than {0} bytes came")]
    TooLong(u64),
    /// The client's side of it failed.
    #[error("{0}")]
    Broken(String),
    /// The file failed.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A draft that bytes stream into.
pub struct Incoming {
    draft: Box<dyn Draft>,
    digests: Digests,
    bytes_max: u64,
}

impl Incoming {
    /// Into a draft whose bytes so far have these digests, up to so many bytes in all.
    pub fn new(draft: Box<dyn Draft>, digests: Digests, bytes_max: u64) -> Self {
        Self { draft, digests, bytes_max }
    }

    /// Takes in a stream to its end. What came before a failure is in the draft and in the digests.
    pub async fn receive<S, E>(&mut self, mut stream: S) -> Result<(), ReceiveError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
        E: Into<ReceiveError>,
    {
        let mut piece = BytesMut::new();
        loop {
            let next = stream.next().await;
            let ended = match next {
                None => Some(Ok(())),
                Some(Err(error)) => Some(Err(error.into())),
                Some(Ok(bytes)) => {
                    let size = self.digests.size() + (piece.len() + bytes.len()) as u64;
                    if size > self.bytes_max {
                        Some(Err(ReceiveError::TooLong(self.bytes_max)))
                    } else {
                        if piece.is_empty() {
                            piece.reserve(bytes.len().max(PIECE_BYTES));
                        }
                        piece.extend_from_slice(&bytes);
                        None
                    }
                }
            };
            if piece.len() >= PIECE_BYTES || ended.is_some() && !piece.is_empty() {
                self.write(piece.split().freeze()).await?;
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), ReceiveError> {
        let (mut digests, to_digest) = (self.digests.clone(), piece.clone());
        let digesting = async {
            let _turn = DIGESTS.acquire().await;
            let digesting = spawn_blocking(move || {
                digests.update(&to_digest);
                digests
            });
            digesting.await
        };
        let (written, digested) = tokio::join!(self.draft.append(piece), digesting);
        written?;
        self.digests = digested.map_err(|_| ReceiveError::Broken("the process is stopping".to_owned()))?;
        Ok(())
    }

    /// Makes durable what has come.
    pub async fn sync(&mut self) -> Result<(), FilesError> {
        self.draft.sync().await
    }

    /// The digests of what has come.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
}
