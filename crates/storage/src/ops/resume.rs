//! Uploads that come in several requests: they survive a restart, and end after seven days.

use std::sync::Arc;

use access::{Caller, CommitFailure, Network, Permit, Principal, Session};
use base::Status;
use kv::{Key, KeyRange, Scan};
use tokio::sync::OwnedMutexGuard;

use super::conditions::Conditions;
use super::publish::OfUpload;
use super::put::{Body, Declared, Expected, Put, new_id};
use super::uploads::{Entry, Uploads, digests_of};
use super::{OBJECT_BYTES_MAX, Storage};
use crate::files::Incoming;
use crate::model::{
    BucketName, Digests, Object, ObjectName, Owner, Upload, UploadState, decode, encode, upload_key,
};
use crate::status::Failure;

/// How long an upload may take.
pub(super) const UPLOAD_DAYS_MAX: i64 = 7;

/// What one request brings.
pub struct Chunk {
    /// Where its bytes belong; `None`: behind those that have come.
    pub offset: Option<u64>,
    /// Its bytes.
    pub body: Body,
    /// How many bytes the object has, as far as the request says.
    pub total: Option<u64>,
    /// Whether the object ends with it. `None`: when all that was announced has come.
    pub is_last: Option<bool>,
    /// What the object's bytes are to be.
    pub expected: Expected,
}

/// How far an upload is.
#[derive(Debug)]
pub enum Progress {
    /// So many bytes have come.
    Active(u64),
    /// It is an object.
    Final(Box<Object>),
}

impl Storage {
    /// The uploads, read once.
    pub(super) async fn uploads(&self) -> Result<&Uploads, Failure> {
        self.uploads
            .get_or_try_init(|| async {
                let uploads = Uploads::default();
                let caller = Caller::admin("storage");
                let operation = Self::operation("restore", "/uploads".to_owned());
                let mut session = self.gate.begin(&caller, operation).await?;
                let mut next = Some(KeyRange::prefix(access::keyspace::UPLOADS, b""));
                while let Some(range) = next.take() {
                    let page = session.reads().look(&range, Scan::default()).await?;
                    for row in &page.rows {
                        let id = String::from_utf8_lossy(row.key.as_bytes()).into_owned();
                        uploads.restore(&id, decode(row)?);
                    }
                    next = page.next;
                }
                session.discard();
                Ok(uploads)
            })
            .await
    }

    /// Begins an upload. What the rules can refuse by the declared size and type is refused here.
    pub async fn start(&self, caller: &Caller, network: Network, put: &Put) -> Result<String, Failure> {
        if put.declared_size.is_some_and(|size| size > OBJECT_BYTES_MAX) {
            return Err(Failure::TooLong(OBJECT_BYTES_MAX));
        }
        let uploads = self.uploads().await?;
        let declared = self.declared(caller, put, "startUpload").await?;
        let network = network.to_string();
        let displaced = uploads.reserve(&network)?;
        let started = async {
            if let Some(id) = displaced {
                tracing::warn!(network, "an idle upload gives way: all places are taken");
                self.files.discard(&id).await?;
                self.forget_row(&id).await?;
            }
            self.started(caller, &network, put, declared).await
        };
        match started.await {
            Ok((id, upload)) => {
                let entry = Entry { upload, digests: Some(Digests::default()), caller: Some(caller.clone()) };
                uploads.insert(&id, entry);
                Ok(id)
            }
            Err(failure) => {
                uploads.release(&network);
                Err(failure)
            }
        }
    }

    async fn started(
        &self,
        caller: &Caller,
        network: &str,
        put: &Put,
        declared: Declared,
    ) -> Result<(String, Upload), Failure> {
        let (mut session, permit): (Session, Permit) = match declared {
            Some(allowed) => allowed,
            None => {
                let resource = format!("/b/{}/o/{}", put.bucket, put.name);
                let operation = Self::operation("startUpload", resource.clone());
                let mut session = self.gate.begin(caller, operation).await?;
                let permit = session.authorize_self("decided when complete", &resource);
                (session, permit)
            }
        };
        let upload = Upload {
            bucket: put.bucket.as_str().to_owned(),
            name: put.name.as_str().to_owned(),
            metadata: put.metadata.clone(),
            declared_size: put.declared_size,
            conditions: put.conditions.named(),
            owner: Owner::of(caller),
            network: network.to_owned(),
            is_firebase: put.is_firebase,
            created: self.now_micros(),
            state: UploadState::Active,
        };
        let id = new_id()?;
        session.write(&permit, upload_key(&id), Some(encode(&upload)?));
        match session.commit().await {
            Ok(_) => Ok((id, upload)),
            Err(CommitFailure::Conflict) => Err(Failure::Fault(Failure::contention())),
            Err(CommitFailure::Failed(status)) => Err(Failure::Fault(status)),
        }
    }

    async fn held(&self, id: &str) -> Result<OwnedMutexGuard<Entry>, Failure> {
        let uploads = self.uploads().await?;
        let shared = uploads.get(id).ok_or(Failure::NoUpload)?;
        let entry = shared.lock_owned().await;
        // It may have given way to another meanwhile.
        if uploads.get(id).is_none() {
            return Err(Failure::NoUpload);
        }
        let age_us = self.now_micros().saturating_sub(entry.upload.created);
        if age_us > UPLOAD_DAYS_MAX * 86_400_000_000 {
            return Err(Failure::NoUpload);
        }
        Ok(entry)
    }

    /// How far an upload is.
    pub async fn progress(&self, id: &str) -> Result<Progress, Failure> {
        let mut entry = self.held(id).await?;
        match &entry.upload.state {
            UploadState::Active => Ok(Progress::Active(self.digests(id, &mut entry).await?.size())),
            UploadState::Final(_) => Err(Failure::UploadFinal),
            UploadState::Refused | UploadState::Cancelled => Err(Failure::UploadOver),
        }
    }

    async fn digests(&self, id: &str, entry: &mut Entry) -> Result<Digests, Failure> {
        if let Some(digests) = &entry.digests {
            return Ok(digests.clone());
        }
        let digests = digests_of(self.files.as_ref(), id).await?;
        entry.digests = Some(digests.clone());
        Ok(digests)
    }

    /// Gives an upload up.
    pub async fn cancel(&self, id: &str) -> Result<(), Failure> {
        let mut entry = self.held(id).await?;
        match entry.upload.state {
            UploadState::Active => self.over(id, &mut entry, UploadState::Cancelled).await,
            UploadState::Cancelled => Ok(()),
            UploadState::Final(_) | UploadState::Refused => Err(Failure::UploadFinal),
        }
    }

    /// An upload ends without an object: its bytes go, its row goes later.
    async fn over(&self, id: &str, entry: &mut Entry, state: UploadState) -> Result<(), Failure> {
        entry.upload.state = state;
        entry.digests = None;
        self.ended(id).await?;
        self.files.discard(id).await?;
        self.forget_row(id).await
    }

    /// Gives an upload's place back. The oldest of those that are over are forgotten beyond their bound.
    async fn ended(&self, id: &str) -> Result<(), Failure> {
        for forgotten in self.uploads().await?.end(id) {
            self.forget_row(&forgotten).await?;
        }
        Ok(())
    }

    /// Removes an upload's row.
    pub(super) async fn forget_row(&self, id: &str) -> Result<(), Failure> {
        let (caller, key) = (Caller::admin("storage"), upload_key(id));
        let operation = Self::operation("endUpload", "/uploads".to_owned());
        let contended: [Key; 0] = [];
        let work = self.gate.transact(&caller, &operation, Self::attempts(&contended), |mut session| {
            let key = key.clone();
            async move {
                if session.get(&key).await?.is_some() {
                    let permit = session.authorize_admin("/uploads")?;
                    session.write(&permit, key, None);
                }
                Ok::<_, Failure>((session, ()))
            }
        });
        work.await.map(drop)
    }

    /// Takes in a chunk, and makes the object when it is the last one.
    pub async fn append(
        self: &Arc<Self>,
        caller: &Caller,
        network: Network,
        id: &str,
        chunk: Chunk,
    ) -> Result<Progress, Failure> {
        let entry = self.held(id).await?;
        let slot = self.receiving.take(network)?;
        let acting = acting(caller, &entry)?;
        let (storage, id) = (Arc::clone(self), id.to_owned());
        let appending = tokio::spawn(async move {
            let _slot = slot;
            storage.append_to(acting, &id, entry, chunk).await
        });
        appending.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a chunk of an upload ended early");
            Err(Failure::Fault(Status::unavailable("The service is currently unavailable.")))
        })
    }

    async fn append_to(
        &self,
        caller: Caller,
        id: &str,
        mut entry: OwnedMutexGuard<Entry>,
        chunk: Chunk,
    ) -> Result<Progress, Failure> {
        match entry.upload.state {
            UploadState::Active => {}
            UploadState::Final(generation) => return self.made(&caller, &entry.upload, generation).await,
            UploadState::Refused => return Err(Failure::refused_write()),
            UploadState::Cancelled => return Err(Failure::UploadOver),
        }
        let digests = self.digests(id, &mut entry).await?;
        if let Some(offset) = chunk.offset.filter(|offset| *offset != digests.size()) {
            return Err(Failure::Offset { received: digests.size(), offset });
        }
        let declared = chunk.total.or(entry.upload.declared_size);
        if let (Some(total), Some(before)) = (chunk.total, entry.upload.declared_size)
            && total != before
        {
            return Err(Failure::Bad(format!("The upload was announced with {before} bytes, not {total}.")));
        }
        let draft = self.files.draft(id, digests.size()).await?;
        let bytes_max = declared.unwrap_or(OBJECT_BYTES_MAX).min(OBJECT_BYTES_MAX);
        let mut incoming = Incoming::new(draft, digests, bytes_max);
        let received = incoming.receive(chunk.body).await;
        entry.digests = Some(incoming.digests().clone());
        incoming.sync().await?;
        received?;
        let size = incoming.digests().size();
        let is_last = chunk.is_last.unwrap_or_else(|| declared == Some(size));
        if !is_last {
            return Ok(Progress::Active(size));
        }
        if let Some(declared) = declared.filter(|declared| *declared != size) {
            return Err(Failure::TooShort { received: size, declared });
        }
        self.finalize(&caller, id, &mut entry, &chunk.expected).await
    }

    async fn finalize(
        &self,
        caller: &Caller,
        id: &str,
        entry: &mut Entry,
        expected: &Expected,
    ) -> Result<Progress, Failure> {
        let digest = self.digests(id, entry).await?.finish();
        expected.check(&digest)?;
        let put = put_of(&entry.upload)?;
        let of_upload = OfUpload { id, upload: &entry.upload };
        match self.publish(caller, &put, id, &digest, Some(of_upload)).await {
            Ok(object) => {
                entry.upload.state = UploadState::Final(object.generation);
                entry.digests = None;
                if let Err(failure) = self.ended(id).await {
                    tracing::warn!(%failure, "an upload that is over could not be forgotten");
                }
                if let Err(error) = self.files.discard(id).await {
                    tracing::warn!(%error, "the draft of a finished upload could not be removed");
                }
                Ok(Progress::Final(Box::new(object)))
            }
            // Nothing that comes later makes an object of it.
            Err(failure @ (Failure::Denied(_) | Failure::Precondition | Failure::NotAdmin)) => {
                self.over(id, entry, UploadState::Refused).await?;
                Err(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The object that an upload has become, for a client that has missed the answer.
    async fn made(&self, caller: &Caller, upload: &Upload, generation: i64) -> Result<Progress, Failure> {
        let put = put_of(upload)?;
        let wanted = super::Wanted {
            bucket: put.bucket,
            name: put.name,
            generation: Some(generation),
            conditions: Conditions::default(),
            token: None,
        };
        match self.get(caller, &wanted).await {
            Ok(object) => Ok(Progress::Final(Box::new(object))),
            // Gone since, or not to be read by who may write it.
            Err(Failure::NoObject(_) | Failure::Denied(_)) => Err(Failure::UploadFinal),
            Err(failure) => Err(failure),
        }
    }
}

/// On whose behalf a chunk comes: whoever shows a credential must be who began the upload; without one its id is enough,
/// as long as this process knows who began it.
fn acting(caller: &Caller, entry: &Entry) -> Result<Caller, Failure> {
    let owner = &entry.upload.owner;
    if matches!(caller.who, Principal::Unauthenticated) {
        return match (&entry.caller, owner) {
            (Some(began), _) => Ok(began.clone()),
            (None, Owner::Nobody) => Ok(caller.clone()),
            (None, _) => Err(Failure::Unauthenticated(
                "This upload goes on with the credential of who began it.".to_owned(),
            )),
        };
    }
    if Owner::of(caller) == *owner {
        Ok(caller.clone())
    } else {
        Err(Failure::Denied("Permission denied. The upload was begun by somebody else.".to_owned()))
    }
}

fn put_of(upload: &Upload) -> Result<Put, Failure> {
    Ok(Put {
        bucket: BucketName::new(&upload.bucket)?,
        name: ObjectName::new(&upload.name)?,
        metadata: upload.metadata.clone(),
        conditions: Conditions::of_named(&upload.conditions),
        declared_size: upload.declared_size,
        expected: Expected::default(),
        is_firebase: upload.is_firebase,
    })
}
