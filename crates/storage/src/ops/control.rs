//! What only development has: rules that tests put in force, everything deleted at once, objects of an export.

use std::path::Path;
use std::sync::Arc;

use access::{Caller, DevPermit, Network};
use base::{Code, Status};
use kv::{KeyRange, Scan};
use policy::Source;

use super::put::Body;
use super::{Put, Storage};
use crate::files::Blob;
use crate::model::{Object, Uses, blob_key, decode, encode, object_key};
use crate::status::Failure;

/// Objects that are deleted in one commit.
const BATCH: usize = 200;

/// A ruleset that a test puts in force.
#[derive(Clone, Debug)]
pub struct RulesText {
    /// What the file is called.
    pub name: String,
    /// The text.
    pub content: String,
    /// The bucket that it is for; `None`: all.
    pub bucket: Option<String>,
}

impl Storage {
    /// Puts rules in force: one text for all buckets, or one for each. Errors: they do not compile; then nothing changes.
    pub fn put_rules(&self, permit: DevPermit, texts: Vec<RulesText>) -> Result<(), Failure> {
        let rules = &self.gate.rules().storage;
        for text in texts {
            let source = Source::new(text.name, text.content);
            let put = match text.bucket {
                None => {
                    rules.withdraw_parts();
                    rules.load(source)
                }
                Some(bucket) => rules.load_for(permit, &format!("{}/{bucket}", self.project), source),
            };
            put.map_err(|refused| {
                let errors: Vec<String> =
                    refused.diagnostics.iter().map(|found| found.message.clone()).collect();
                Failure::Bad(errors.join("; "))
            })?;
        }
        Ok(())
    }

    /// Deletes every object, bucket and upload.
    pub async fn clear(&self, _permit: DevPermit, caller: &Caller) -> Result<(), Failure> {
        for keyspace in [access::keyspace::OBJECTS, access::keyspace::BUCKETS] {
            while self.clear_some(caller, &KeyRange::prefix(keyspace, b"")).await? {}
        }
        let uploads = self.uploads().await?;
        for id in uploads.ids() {
            match self.cancel(&id).await {
                Ok(()) | Err(Failure::UploadFinal | Failure::NoUpload) => uploads.remove(&id),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    async fn clear_some(&self, caller: &Caller, range: &KeyRange) -> Result<bool, Failure> {
        let operation = Self::operation("clear", "/b".to_owned());
        let cleared = self.gate.transact(caller, &operation, Self::attempts(&[]), |mut session| async move {
            let permit = session.authorize_admin("/b")?;
            let page = session.scan(range, Scan { rows_max: BATCH, ..Scan::default() }).await?;
            let mut uses = std::collections::BTreeMap::new();
            for row in &page.rows {
                session.write(&permit, row.key.clone(), None);
                if row.key.keyspace() == access::keyspace::OBJECTS {
                    let object: Object = decode(row)?;
                    *uses.entry(object.blob).or_insert(0u64) += 1;
                }
            }
            let mut unused = Vec::new();
            for (blob, fewer) in uses {
                let row = session.get(&blob_key(&blob)).await?;
                let before: Option<Uses> = row.as_ref().map(decode).transpose()?;
                let count = before.map_or(0, |uses| uses.count.saturating_sub(fewer));
                unused.extend((count == 0).then_some(blob));
                session.write(&permit, blob_key(&blob), Some(encode(&Uses { count, unused_since: None })?));
            }
            Ok::<_, Failure>((session, (unused, page.next.is_some())))
        });
        let ((unused, goes_on), _) = cleared.await?;
        self.mark_unused(unused);
        Ok(goes_on)
    }

    /// All objects, for an export.
    pub async fn all_objects(&self, _permit: DevPermit, caller: &Caller) -> Result<Vec<Object>, Failure> {
        let mut session = self.gate.begin(caller, Self::operation("export", "/b".to_owned())).await?;
        session.authorize_admin("/b")?;
        let mut objects = Vec::new();
        let mut next = Some(KeyRange::prefix(access::keyspace::OBJECTS, b""));
        while let Some(range) = next.take() {
            let page = session.reads().look(&range, Scan::default()).await?;
            for row in &page.rows {
                objects.push(decode(row)?);
            }
            next = page.next;
        }
        session.finish();
        Ok(objects)
    }

    /// An object's file, for an export.
    pub async fn bytes_of(&self, _permit: DevPermit, object: &Object) -> Result<Box<dyn Blob>, Failure> {
        Ok(self.files.open(&object.blob).await?)
    }

    /// Writes an object of an export, with its tokens and times.
    pub async fn import(
        self: &Arc<Self>,
        _permit: DevPermit,
        caller: &Caller,
        network: Network,
        put: Put,
        body: Body,
        exported: &Object,
    ) -> Result<(), Failure> {
        let key = object_key(&put.bucket, &put.name);
        let object = self.put(caller, network, put, body).await?;
        let operation = Self::operation("import", format!("/b/{}/o/{}", object.bucket, object.name));
        let restored = self.gate.transact(caller, &operation, Self::attempts(&[]), |mut session| {
            let (key, mut object) = (key.clone(), object.clone());
            async move {
                let permit = session.authorize_admin("/b")?;
                object.tokens.clone_from(&exported.tokens);
                object.generation = exported.generation;
                object.metageneration = exported.metageneration;
                object.created = exported.created;
                object.updated = exported.updated;
                session.write(&permit, key, Some(encode(&object)?));
                Ok::<_, Failure>((session, ()))
            }
        });
        restored.await.map(drop)
    }
}

/// What a folder's file cannot be read or written for.
pub fn file_fault(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Fault(Status::new(Code::FailedPrecondition, format!("`{}`: {error}", path.display())))
}
