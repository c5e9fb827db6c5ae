//! Objects made of objects: copies share their file, compositions get one.

use std::sync::Arc;

use access::{Caller, Network, Session};
use futures_util::StreamExt;
use policy::request::Method;

use super::Storage;
use super::decide::Ask;
use super::publish::object_in;
use super::put::{Body, Put};
use super::read::{Opened, Wanted};
use crate::files::ReceiveError;
use crate::model::{BlobName, Digest, Object, bucket_key, encode, object_key};
use crate::status::Failure;

/// Objects of one composition.
const SOURCES_MAX: usize = 32;
/// Bytes that are read of one at a time.
const PIECE_BYTES: usize = 256 * 1024;

impl Storage {
    /// Copies an object. With metadata of its own the copy has none of the source's; `is_moved` removes the source.
    pub async fn copy(
        &self,
        caller: &Caller,
        source: &Wanted,
        put: &Put,
        has_metadata: bool,
        is_moved: bool,
    ) -> Result<Object, Failure> {
        let contended = [object_key(&put.bucket, &put.name)];
        let resource = format!("{} /b/{}/o/{}", source.resource(), put.bucket, put.name);
        let operation = Self::operation(if is_moved { "move" } else { "copy" }, resource);
        let copied = self.gate.transact(caller, &operation, Self::attempts(&contended), |session| {
            self.try_copy(session, source, put, has_metadata, is_moved)
        });
        let ((object, unused), _) = copied.await?;
        self.mark_unused(unused);
        Ok(object)
    }

    async fn try_copy(
        &self,
        mut session: Session,
        source: &Wanted,
        put: &Put,
        has_metadata: bool,
        is_moved: bool,
    ) -> Result<(Session, (Object, Vec<BlobName>)), Failure> {
        let from_key = object_key(&source.bucket, &source.name);
        let to_key = object_key(&put.bucket, &put.name);
        let from = object_in(session.get(&from_key).await?.as_ref())?;
        let ask = Ask {
            method: Method::Get,
            bucket: &source.bucket,
            path: source.name.segments(),
            resource: from.as_ref(),
            new: None,
        };
        self.decide(&mut session, ask).await?;
        let from = source.found(from)?;
        source.conditions.check(Some(&from))?;
        let before = object_in(session.get(&to_key).await?.as_ref())?;
        let digest = Digest {
            blob: from.blob,
            md5: from.md5.clone().unwrap_or_default(),
            crc32c: from.crc32c,
            size: from.size,
        };
        let mut object = Object::new(&put.bucket, &put.name, &digest, self.now_micros(), before.as_ref());
        object.md5.clone_from(&from.md5);
        if !has_metadata {
            object.headers.clone_from(&from.headers);
            object.custom.clone_from(&from.custom);
            object.tokens.clone_from(&from.tokens);
        }
        put.metadata.apply(&mut object)?;
        let fields = object.fields();
        let ask = Ask {
            method: Method::Create,
            bucket: &put.bucket,
            path: put.name.segments(),
            resource: before.as_ref(),
            new: Some(&fields),
        };
        let permit = self.decide(&mut session, ask).await?.permit;
        put.conditions.check(before.as_ref())?;
        let is_there = session.get(&bucket_key(&put.bucket)).await?.is_some();
        self.require_bucket(&put.bucket, is_there)?;
        if !is_there {
            session.write(&permit, bucket_key(&put.bucket), Some(encode(&self.new_bucket())?));
        }
        // A file that moves has as many uses as before.
        let more = (!is_moved).then_some(from.blob);
        let mut less = before.map(|before| before.blob);
        if is_moved && from_key != to_key {
            session.write(&permit, from_key, None);
        }
        if is_moved && to_key == object_key(&source.bucket, &source.name) {
            less = None;
        }
        let counts = self.counted(&mut session, more, less).await?;
        session.write(&permit, to_key, Some(encode(&object)?));
        for (key, value) in counts.writes {
            session.write(&permit, key, value);
        }
        Ok((session, (object, counts.unused)))
    }

    /// Makes an object of others, one behind the other.
    pub async fn compose(
        self: &Arc<Self>,
        caller: &Caller,
        network: Network,
        sources: Vec<Wanted>,
        put: Put,
    ) -> Result<Object, Failure> {
        if sources.is_empty() || sources.len() > SOURCES_MAX {
            let text = format!("A composition is of 1 to {SOURCES_MAX} objects, not of {}.", sources.len());
            return Err(Failure::Bad(text));
        }
        let mut opened = Vec::with_capacity(sources.len());
        for source in &sources {
            opened.push(self.open(caller, network, source).await?);
        }
        let pieces = futures_util::stream::iter(opened).flat_map(pieces_of);
        let body: Body = Box::pin(pieces);
        self.put(caller, network, put, body).await
    }
}

/// The bytes of an object, piece by piece.
fn pieces_of(opened: Opened) -> Body {
    Box::pin(futures_util::stream::unfold((opened, 0u64), |(opened, at)| async move {
        match opened.blob.read(at, PIECE_BYTES).await {
            Ok(piece) if piece.is_empty() => None,
            Ok(piece) => {
                let next = at + piece.len() as u64;
                Some((Ok(piece), (opened, next)))
            }
            Err(error) => {
                let end = opened.object.size;
                Some((Err(ReceiveError::Files(error)), (opened, end)))
            }
        }
    }))
}
