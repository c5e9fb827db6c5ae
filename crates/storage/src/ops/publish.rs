//! The step that makes an object of bytes that are durable: decide on the finished object, name its file, write its row and
//! count the file's uses, all or nothing.

use access::{Caller, CommitFailure};
use bytes::Bytes;
use kv::{Key, Row};
use policy::request::Method;

use super::decide::Ask;
use super::put::Put;
use super::{ATTEMPTS_MAX, Storage, pause};
use crate::model::{
    Acl, BlobName, Bucket, Digest, Object, Upload, UploadState, Uses, blob_key, bucket_key, decode, encode,
    object_key, upload_key,
};
use crate::status::Failure;

/// An upload that becomes an object: its row goes with the object's.
pub(super) struct OfUpload<'a> {
    pub id: &'a str,
    pub upload: &'a Upload,
}

impl Storage {
    /// Publishes a draft that is durable. A caller's claims are those that the store has now: one that was revoked since
    /// the first byte does not count.
    pub(super) async fn publish(
        &self,
        caller: &Caller,
        put: &Put,
        draft: &str,
        digest: &Digest,
        upload: Option<OfUpload<'_>>,
    ) -> Result<Object, Failure> {
        let _turn = self.turns.take(&digest.blob).await;
        let mut is_named = false;
        let published = async {
            for attempt in 0..ATTEMPTS_MAX {
                if attempt > 0 {
                    pause(attempt).await;
                }
                let step = self.try_publish(caller, put, draft, digest, upload.as_ref(), &mut is_named);
                if let Some(object) = step.await? {
                    return Ok(object);
                }
            }
            Err(Failure::Fault(Failure::contention()))
        };
        let published = published.await;
        if published.is_err() && is_named {
            self.mark_unused([digest.blob]);
        }
        published
    }

    /// One attempt; `None` when others changed what it read.
    async fn try_publish(
        &self,
        caller: &Caller,
        put: &Put,
        draft: &str,
        digest: &Digest,
        upload: Option<&OfUpload<'_>>,
        is_named: &mut bool,
    ) -> Result<Option<Object>, Failure> {
        let resource = format!("/b/{}/o/{}", put.bucket, put.name);
        let mut session = self.gate.begin_open(caller, Self::operation("upload", resource)).await?;
        let keys = [object_key(&put.bucket, &put.name), bucket_key(&put.bucket)];
        let rows = session.get_many(&keys).await?;
        let row = |index: usize| rows.get(index).and_then(Option::as_ref);
        let before: Option<Object> = row(0).map(decode).transpose()?;
        let mut object = put.object(digest, self.now_micros(), before.as_ref())?;
        if put.is_firebase && object.tokens.is_empty() {
            object.tokens.push(new_token()?);
        }
        let fields = object.fields();
        let ask = Ask {
            method: Method::Create,
            bucket: &put.bucket,
            path: put.name.segments(),
            resource: before.as_ref(),
            new: Some(&fields),
        };
        let permit = match self.decide(&mut session, ask).await {
            Ok(grant) => grant.permit,
            Err(refusal) => {
                session.finish();
                return Err(refusal.into());
            }
        };
        put.conditions.check(before.as_ref())?;
        self.require_bucket(&put.bucket, row(1).is_some())?;
        let counts =
            self.counted(&mut session, Some(digest.blob), before.as_ref().map(|old| old.blob)).await?;
        if !*is_named {
            self.files.publish(draft, &digest.blob).await?;
            *is_named = true;
        }
        let [object_row, bucket_row] = keys;
        session.write(&permit, object_row, Some(encode(&object)?));
        if row(1).is_none() {
            session.write(&permit, bucket_row, Some(encode(&self.new_bucket())?));
        }
        for (key, value) in counts.writes {
            session.write(&permit, key, value);
        }
        if let Some(OfUpload { id, upload }) = upload {
            let done = Upload { state: UploadState::Final(object.generation), ..(*upload).clone() };
            session.write(&permit, upload_key(id), Some(encode(&done)?));
        }
        session.note("bytes", object.size.into());
        match session.commit().await {
            Ok(_) => {
                self.mark_unused(counts.unused);
                Ok(Some(object))
            }
            Err(CommitFailure::Conflict) => Ok(None),
            Err(CommitFailure::Failed(status)) => Err(Failure::Fault(status)),
        }
    }

    /// What a write makes of the counts of two files' uses: one more of one, one less of the other.
    pub(super) async fn counted(
        &self,
        session: &mut access::Session,
        more: Option<BlobName>,
        less: Option<BlobName>,
    ) -> Result<Counts, Failure> {
        let mut counts = Counts::default();
        if more == less {
            return Ok(counts);
        }
        for (blob, is_more) in more.map(|blob| (blob, true)).into_iter().chain(less.map(|blob| (blob, false)))
        {
            let row = session.get(&blob_key(&blob)).await?;
            let uses: Option<Uses> = row.as_ref().map(decode).transpose()?;
            let count = uses.map_or(0, |uses| uses.count);
            let count = if is_more { count + 1 } else { count.saturating_sub(1) };
            let unused_since = (count == 0).then(|| self.now_micros());
            counts.unused.extend((count == 0).then_some(blob));
            counts.writes.push((blob_key(&blob), Some(encode(&Uses { count, unused_since })?)));
        }
        Ok(counts)
    }

    pub(super) fn new_bucket(&self) -> Bucket {
        Bucket {
            created: self.now_micros(),
            settings: serde_json::Map::new(),
            metageneration: 1,
            acl: Acl::new(),
            default_acl: Acl::new(),
            policy: None,
        }
    }
}

/// Changes of counts, to be written, and what nothing uses then.
#[derive(Default)]
pub(super) struct Counts {
    pub writes: Vec<(Key, Option<Bytes>)>,
    pub unused: Vec<BlobName>,
}

/// A download token: as clients know them, a random UUID.
pub(super) fn new_token() -> Result<String, Failure> {
    let mut bytes: [u8; 16] = base::id::random_bytes().map_err(|error| {
        tracing::error!(%error, "no download token can be made");
        Failure::Fault(base::Status::unavailable("The service is currently unavailable."))
    })?;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    Ok(format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)))
}

/// The object in a row.
pub(super) fn object_in(row: Option<&Row>) -> Result<Option<Object>, Failure> {
    Ok(row.map(decode).transpose()?)
}
