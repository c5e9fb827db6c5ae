//! Reading one object: what is known of it, and its bytes.

use access::{Caller, Network, Session};
use md5::Digest as _;
use sha2::Sha256;

use base::{Code, Status};
use policy::request::Method;

use super::conditions::Conditions;
use super::decide::Ask;
use super::publish::{new_token, object_in};
use super::slots::Slot;
use super::{ATTEMPTS_MAX, Storage};
use crate::files::{Blob, FilesError};
use crate::model::{BucketName, Object, ObjectName, encode, object_key};
use crate::status::Failure;

/// Which object, and as what it must be there.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The bucket.
    pub bucket: BucketName,
    /// Its name.
    pub name: ObjectName,
    /// This generation only.
    pub generation: Option<i64>,
    /// Under which conditions.
    pub conditions: Conditions,
    /// Who shows one of its tokens may read it, whatever the rules say.
    pub token: Option<String>,
}

/// An object that is open for reading.
pub struct Opened {
    /// What is known of it.
    pub object: Object,
    /// Its bytes.
    pub blob: Box<dyn Blob>,
    /// Its place among the transfers.
    pub slot: Slot,
}

impl Wanted {
    pub(super) fn resource(&self) -> String {
        format!("/b/{}/o/{}", self.bucket, self.name)
    }

    pub(super) fn missing(&self) -> Failure {
        Failure::NoObject(format!("{}/{}", self.bucket, self.name))
    }

    /// The object if it is the one that is wanted.
    pub(super) fn found(&self, object: Option<Object>) -> Result<Object, Failure> {
        let wanted =
            |object: &Object| self.generation.is_none_or(|generation| generation == object.generation);
        object.filter(wanted).ok_or_else(|| self.missing())
    }
}

/// Whether one of the tokens is the one shown. Digests are compared, so that time says nothing of what they have in common.
fn is_one_of(tokens: &[String], shown: &str) -> bool {
    let shown = Sha256::digest(shown);
    tokens.iter().fold(false, |found, token| found | (Sha256::digest(token) == shown))
}

/// The caller of a read, as long as it is not known whether the download token that they show is the object's: if it is, no app is
/// required.
fn before_token(caller: &Caller, wanted: &Wanted) -> Caller {
    match wanted.token {
        Some(_) => caller.clone().from_app(caller.app.settled()),
        None => caller.clone(),
    }
}

impl Storage {
    /// What is known of an object.
    pub async fn get(&self, caller: &Caller, wanted: &Wanted) -> Result<Object, Failure> {
        let operation = Self::operation("get", wanted.resource());
        let mut session = self.gate.begin(&before_token(caller, wanted), operation).await?;
        let object = self.read(&mut session, caller, wanted).await;
        session.finish();
        object
    }

    /// Opens an object's bytes.
    pub async fn open(&self, caller: &Caller, network: Network, wanted: &Wanted) -> Result<Opened, Failure> {
        let slot = self.sending.take(network)?;
        let mut before = None;
        for _ in 0..ATTEMPTS_MAX {
            let operation = Self::operation("download", wanted.resource());
            let mut session = self.gate.begin(&before_token(caller, wanted), operation).await?;
            let object = self.read(&mut session, caller, wanted).await;
            session.finish();
            let object = object?;
            match self.files.open(&object.blob).await {
                Ok(blob) if blob.size() == object.size => return Ok(Opened { object, blob, slot }),
                // Overwritten or deleted since, and collected.
                Err(FilesError::Missing(_)) if before != Some(object.blob) => before = Some(object.blob),
                Err(FilesError::Missing(_)) | Ok(_) => return Err(damaged(wanted)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(damaged(wanted))
    }

    async fn read(&self, session: &mut Session, caller: &Caller, wanted: &Wanted) -> Result<Object, Failure> {
        let row = session.get(&object_key(&wanted.bucket, &wanted.name)).await?;
        let object = object_in(row.as_ref())?;
        let shows_token =
            |object: &Object| wanted.token.as_ref().is_some_and(|shown| is_one_of(&object.tokens, shown));
        if object.as_ref().is_some_and(shows_token) {
            let path = format!("/b/{}/o/{}", wanted.bucket, wanted.name);
            session.authorize_self("download token", &path);
        } else {
            if wanted.token.is_some() {
                session.require_app(caller.app.clone()).await?;
            }
            let ask = Ask {
                method: Method::Get,
                bucket: &wanted.bucket,
                path: wanted.name.segments(),
                resource: object.as_ref(),
                new: None,
            };
            self.decide(session, ask).await?;
        }
        let object = wanted.found(object)?;
        wanted.conditions.check_read(&object)?;
        Ok(object)
    }

    /// What is known of an object as the Firebase API shows it: with a download token, which is made if it has none.
    pub async fn get_with_token(&self, caller: &Caller, wanted: &Wanted) -> Result<Object, Failure> {
        let object = self.get(caller, wanted).await?;
        if !object.tokens.is_empty() {
            return Ok(object);
        }
        let key = object_key(&wanted.bucket, &wanted.name);
        let contended = [key.clone()];
        let operation = Self::operation("createToken", wanted.resource());
        let made = self.gate.transact(caller, &operation, Self::attempts(&contended), |mut session| {
            let key = key.clone();
            async move {
                let object = self.read(&mut session, caller, wanted).await?;
                if !object.tokens.is_empty() {
                    return Ok((session, object));
                }
                let mut object = object;
                object.tokens.push(new_token()?);
                object.metageneration += 1;
                object.updated = self.now_micros();
                // Who may read it may have what is needed to read it.
                let permit = session.authorize_self("reader", &wanted.resource());
                session.write(&permit, key, Some(encode(&object)?));
                Ok::<_, Failure>((session, object))
            }
        });
        Ok(made.await?.0)
    }
}

fn damaged(wanted: &Wanted) -> Failure {
    tracing::error!(object = %wanted.resource(), "the file of an object is missing or has another length");
    Failure::Fault(Status::new(Code::DataLoss, "The object's bytes cannot be read."))
}
