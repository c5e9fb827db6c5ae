//! `multipart/related`: metadata as JSON, then bytes, which stream.
//!
//! Source: RFC 2387; `src/emulator/storage/multipart.ts` of firebase-tools for what is answered to malformed ones.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use memchr::memmem;
use serde_json::Value as Json;

use crate::files::ReceiveError;
use crate::ops::Body;
use crate::status::Failure;

/// Bytes before the first boundary, of a part's headers.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Bytes of the metadata.
const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a boundary.
const BOUNDARY_BYTES_MAX: usize = 200;

/// A request of two parts.
pub struct Parts {
    /// The first part.
    pub metadata: Json,
    /// What the second part says of its type.
    pub content_type: Option<String>,
    /// The second part.
    pub bytes: Body,
}

/// The boundary of a content type.
pub fn boundary(content_type: &str, kind: &str) -> Result<String, Failure> {
    let bad = || Failure::Bad(format!("Bad content type. {content_type}"));
    if !content_type.trim_start().to_ascii_lowercase().starts_with(kind) {
        return Err(bad());
    }
    let is_boundary = |parameter: &&str| parameter.trim().to_ascii_lowercase().starts_with("boundary=");
    let parameter = content_type.split(';').find(is_boundary).ok_or_else(bad)?;
    let value = parameter.split_once('=').map_or("", |(_, value)| value).trim();
    let value = value.trim_matches(['"', '\'']);
    if value.is_empty() || value.len() > BOUNDARY_BYTES_MAX { Err(bad()) } else { Ok(value.to_owned()) }
}

/// Reads the first part and the head of the second.
pub async fn read(content_type: &str, body: Body) -> Result<Parts, Failure> {
    let boundary = boundary(content_type, "multipart/related")?;
    let mut reader = Reader { body, buffer: BytesMut::new(), is_over: false };
    let first = format!("--{boundary}");
    reader.until(first.as_bytes(), HEADERS_BYTES_MAX).await?;
    let delimiter = format!("\r\n--{boundary}");
    reader.headers().await?;
    let metadata = reader.until(delimiter.as_bytes(), METADATA_BYTES_MAX).await;
    let metadata = metadata.map_err(|failure| match reader.is_over {
        false => {
            Failure::Bad(format!("Metadata part is too large: the limit is {METADATA_BYTES_MAX} bytes."))
        }
        true => failure,
    })?;
    let metadata = metadata.trim_ascii();
    let metadata = if metadata.is_empty() { Ok(Json::Null) } else { serde_json::from_slice(metadata) };
    let metadata =
        metadata.map_err(|error| Failure::Bad(format!("Invalid JSON in the first part: {error}")))?;
    let content_type = reader.headers().await?;
    Ok(Parts { metadata, content_type, bytes: reader.data(delimiter.into_bytes()) })
}

fn wrong_parts() -> Failure {
    Failure::Bad("Unexpected number of parts in request body".to_owned())
}

pub(super) struct Reader {
    pub body: Body,
    pub buffer: BytesMut,
    pub is_over: bool,
}

impl Reader {
    /// Reads on. `false` at the end.
    async fn more(&mut self) -> Result<bool, ReceiveError> {
        match self.body.next().await {
            None => {
                self.is_over = true;
                Ok(false)
            }
            Some(piece) => {
                self.buffer.extend_from_slice(&piece?);
                Ok(true)
            }
        }
    }

    /// What comes before these bytes; they are taken, too.
    pub async fn until(&mut self, needle: &[u8], bytes_max: usize) -> Result<Bytes, Failure> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, needle) {
                let before = self.buffer.split_to(at).freeze();
                let _ = self.buffer.split_to(needle.len());
                return Ok(before);
            }
            if self.buffer.len() > bytes_max + needle.len() || !self.more().await? {
                return Err(wrong_parts());
            }
        }
    }

    /// The rest of a boundary's line and the headers of a part, of which one is its type.
    pub async fn header_lines(&mut self) -> Result<Vec<String>, Failure> {
        while self.buffer.len() < 2 {
            if !self.more().await? {
                return Err(wrong_parts());
            }
        }
        if self.buffer.starts_with(b"--") {
            return Err(wrong_parts());
        }
        let head = self.until(b"\r\n\r\n", HEADERS_BYTES_MAX).await?;
        let head = String::from_utf8_lossy(&head).into_owned();
        Ok(head.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
    }

    async fn headers(&mut self) -> Result<Option<String>, Failure> {
        for line in self.header_lines().await? {
            if let Some((name, value)) = line.split_once(':')
                && name.trim().eq_ignore_ascii_case("content-type")
            {
                return Ok(Some(value.trim().to_owned()));
            }
        }
        Err(Failure::Bad("Failed to parse multipart request body part. Missing content type.".to_owned()))
    }

    /// The bytes up to the delimiter of the last part, as they come.
    pub fn data(self, delimiter: Vec<u8>) -> Body {
        Box::pin(stream::try_unfold(Some(self), move |reader| {
            let delimiter = delimiter.clone();
            async move {
                let Some(mut reader) = reader else { return Ok(None) };
                loop {
                    if let Some(at) = memmem::find(&reader.buffer, &delimiter) {
                        let last = reader.buffer.split_to(at).freeze();
                        let _ = reader.buffer.split_to(delimiter.len());
                        reader.end().await?;
                        return Ok(Some((last, None)));
                    }
                    // What could be the delimiter's beginning waits.
                    let sure = reader.buffer.len().saturating_sub(delimiter.len());
                    if sure > 0 {
                        let piece = reader.buffer.split_to(sure).freeze();
                        return Ok(Some((piece, Some(reader))));
                    }
                    if !reader.more().await? {
                        return Err(ReceiveError::Broken("the last part has no end".to_owned()));
                    }
                }
            }
        }))
    }

    /// What comes after the last delimiter: two dashes.
    async fn end(&mut self) -> Result<(), ReceiveError> {
        while self.buffer.len() < 2 {
            if !self.more().await? {
                return Err(ReceiveError::Broken("the last part has no end".to_owned()));
            }
        }
        if self.buffer.starts_with(b"--") {
            Ok(())
        } else {
            Err(ReceiveError::Broken("Unexpected number of parts in request body".to_owned()))
        }
    }
}
