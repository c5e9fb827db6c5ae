//! Writing an object whose bytes come in one request.

use std::pin::Pin;
use std::sync::Arc;

use access::{Caller, Network, Refusal, Session};
use base::Status;
use base::id::alphanumeric;
use bytes::Bytes;
use futures_util::Stream;
use policy::request::Method;

use super::conditions::Conditions;
use super::decide::Ask;
use super::{OBJECT_BYTES_MAX, Storage};
use crate::files::{Incoming, ReceiveError};
use crate::model::{
    BucketName, Digest, Digests, Object, ObjectName, Patch, bucket_key, crc32c_text, decode, object_key,
};
use crate::status::{Failure, is_final};

/// The bytes of a request.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, ReceiveError>> + Send>>;

/// Digests that a request gives of its bytes; they are compared before the object is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// MD5, base64.
    pub md5: Option<String>,
    /// CRC-32C, base64 of four bytes, big-endian.
    pub crc32c: Option<String>,
}

/// An object to be written.
#[derive(Clone, Debug)]
pub struct Put {
    /// The bucket.
    pub bucket: BucketName,
    /// Its name.
    pub name: ObjectName,
    /// What is said of it.
    pub metadata: Patch,
    /// Under which conditions.
    pub conditions: Conditions,
    /// How many bytes are announced.
    pub declared_size: Option<u64>,
    /// What its bytes are to be.
    pub expected: Expected,
    /// Whether it comes over the Firebase API, which gives each object a download token.
    pub is_firebase: bool,
}

impl Expected {
    /// Compares. Errors: the bytes are others.
    pub fn check(&self, digest: &Digest) -> Result<(), Failure> {
        let found =
            [("MD5", &self.md5, digest.md5.clone()), ("CRC32C", &self.crc32c, crc32c_text(digest.crc32c))];
        for (name, given, found) in found {
            if let Some(given) = given.as_ref().filter(|given| **given != found) {
                return Err(Failure::Checksum { name, given: given.clone(), found });
            }
        }
        Ok(())
    }
}

impl Put {
    /// The object as it would be written.
    pub(super) fn object(
        &self,
        digest: &Digest,
        now_micros: i64,
        before: Option<&Object>,
    ) -> Result<Object, Failure> {
        let mut object = Object::new(&self.bucket, &self.name, digest, now_micros, before);
        self.metadata.apply(&mut object)?;
        if self.is_firebase {
            object.headers.content_disposition.get_or_insert_with(|| "inline".to_owned());
        }
        Ok(object)
    }

    fn resource(&self) -> String {
        format!("/b/{}/o/{}", self.bucket, self.name)
    }
}

/// What the rules say of what is declared of an object: the session in which they would allow it, with its permit; `None`
/// where it depends on the bytes.
pub(super) type Declared = Option<(Session, access::Permit)>;

impl Storage {
    /// Writes an object whose bytes stream in. What the rules can refuse by its declared size and type is refused before a
    /// byte is read; the object appears only if they allow it with all its bytes there.
    ///
    /// Once begun it ends, also when its client has gone.
    pub async fn put(
        self: &Arc<Self>,
        caller: &Caller,
        network: Network,
        put: Put,
        body: Body,
    ) -> Result<Object, Failure> {
        let slot = self.receiving.take(network)?;
        if let Some((session, _)) = self.declared(caller, &put, "upload").await? {
            session.discard();
        }
        let (storage, caller) = (Arc::clone(self), caller.clone());
        let writing = tokio::spawn(async move {
            let _slot = slot;
            storage.receive_and_publish(&caller, &put, body).await
        });
        writing.await.unwrap_or_else(|error| {
            tracing::error!(%error, "an upload ended early");
            Err(Failure::Fault(Status::unavailable("The service is currently unavailable.")))
        })
    }

    async fn receive_and_publish(&self, caller: &Caller, put: &Put, body: Body) -> Result<Object, Failure> {
        let id = new_id()?;
        self.drafting.lock().insert(id.clone());
        let published = match self.receive(&id, put, body).await {
            Ok(digest) => self.publish(caller, put, &id, &digest, None).await,
            Err(failure) => Err(failure),
        };
        // Its bytes have their name by now, or are nothing.
        let discarded = self.files.discard(&id).await;
        self.drafting.lock().remove(&id);
        if let Err(error) = discarded {
            tracing::warn!(%error, "a draft could not be removed");
        }
        published
    }

    async fn receive(&self, id: &str, put: &Put, body: Body) -> Result<Digest, Failure> {
        let bytes_max = put.declared_size.unwrap_or(OBJECT_BYTES_MAX).min(OBJECT_BYTES_MAX);
        let draft = self.files.draft(id, 0).await?;
        let mut incoming = Incoming::new(draft, Digests::default(), bytes_max);
        incoming.receive(body).await?;
        incoming.sync().await?;
        let digest = incoming.digests().clone().finish();
        if let Some(declared) = put.declared_size.filter(|declared| *declared != digest.size) {
            return Err(Failure::TooShort { received: digest.size, declared });
        }
        put.expected.check(&digest)?;
        Ok(digest)
    }

    /// Decides by what is declared. A denial that bytes could not change is final.
    pub(super) async fn declared(
        &self,
        caller: &Caller,
        put: &Put,
        verb: &'static str,
    ) -> Result<Declared, Failure> {
        let operation = Self::operation(verb, put.resource());
        let mut session = self.gate.begin(caller, operation).await?;
        let keys = [object_key(&put.bucket, &put.name), bucket_key(&put.bucket)];
        let rows = session.get_many(&keys).await?;
        let before: Option<Object> = rows.first().and_then(Option::as_ref).map(decode).transpose()?;
        let nothing = Digests::default().finish();
        let object = put.object(&nothing, self.now_micros(), before.as_ref())?;
        let fields = object.declared_fields(put.declared_size);
        let ask = Ask {
            method: Method::Create,
            bucket: &put.bucket,
            path: put.name.segments(),
            resource: before.as_ref(),
            new: Some(&fields),
        };
        match self.decide(&mut session, ask).await {
            Ok(grant) => {
                self.require_bucket(&put.bucket, rows.get(1).and_then(Option::as_ref).is_some())?;
                Ok(Some((session, grant.permit)))
            }
            Err(Refusal::Denied(denial)) if !is_final(&denial) => {
                session.discard();
                Ok(None)
            }
            Err(refusal) => {
                session.finish();
                Err(refusal.into())
            }
        }
    }

    /// What a bucket needs to be written to: in dev nothing, in production to be the project's own or to have been made.
    pub(super) fn require_bucket(&self, bucket: &BucketName, is_there: bool) -> Result<(), Failure> {
        if is_there || self.is_dev() || self.is_default(bucket) { Ok(()) } else { Err(Failure::NoBucket) }
    }
}

/// An id that nobody guesses.
pub(super) fn new_id() -> Result<String, Failure> {
    alphanumeric(43).map_err(|error| {
        tracing::error!(%error, "no upload can be made");
        Failure::Fault(Status::unavailable("The service is currently unavailable."))
    })
}
