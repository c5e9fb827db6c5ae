//! Buckets. The rules say nothing of them: they are administrators' business.

use access::{Caller, Session};
use base::{Code, Status};
use kv::{KeyRange, Scan};
use serde_json::{Map, Value as Json};

use super::Storage;
use crate::model::{Bucket, BucketName, bucket_key, decode, encode, objects_of};
use crate::status::Failure;

/// Buckets of one page.
const BUCKETS_MAX: usize = 1000;
/// Bytes of what is said of a bucket.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// A change of a bucket.
#[derive(Clone, Debug)]
pub enum BucketChange {
    /// Makes it.
    Create(Map<String, Json>),
    /// Changes what is said of it; `null` clears a field.
    Patch(Map<String, Json>),
    /// Removes it, if it is empty.
    Delete,
}

impl Storage {
    /// Whether a bucket is one that every project has.
    pub fn is_default(&self, bucket: &BucketName) -> bool {
        let of = |suffix: &str| bucket.as_str().strip_suffix(suffix) == Some(self.project.as_str());
        of(".appspot.com") || of(".firebasestorage.app") || bucket.as_str() == self.project
    }

    /// All buckets that were made or written to.
    pub async fn buckets(&self, caller: &Caller) -> Result<Vec<(String, Bucket)>, Failure> {
        let mut session = self.gate.begin(caller, Self::operation("listBuckets", "/b".to_owned())).await?;
        session.authorize_admin("/b")?;
        let scan = Scan { rows_max: BUCKETS_MAX, ..Scan::default() };
        let page = session.reads().look(&KeyRange::prefix(access::keyspace::BUCKETS, b""), scan).await?;
        session.finish();
        let of = |row: &kv::Row| Ok((String::from_utf8_lossy(row.key.as_bytes()).into_owned(), decode(row)?));
        page.rows.iter().map(of).collect()
    }

    /// One bucket.
    pub async fn bucket(&self, caller: &Caller, bucket: &BucketName) -> Result<Bucket, Failure> {
        let resource = format!("/b/{bucket}");
        let mut session = self.gate.begin(caller, Self::operation("getBucket", resource.clone())).await?;
        session.authorize_admin(&resource)?;
        let row = session.get(&bucket_key(bucket)).await?;
        session.finish();
        match row {
            Some(row) => Ok(decode(&row)?),
            None if self.is_default(bucket) => Ok(self.new_bucket()),
            None => Err(Failure::NoBucket),
        }
    }

    /// Changes a bucket; returns it as it is then.
    pub async fn change_bucket(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        change: &BucketChange,
    ) -> Result<Bucket, Failure> {
        let contended = [bucket_key(bucket)];
        let verb = match change {
            BucketChange::Create(_) => "createBucket",
            BucketChange::Patch(_) => "patchBucket",
            BucketChange::Delete => "deleteBucket",
        };
        let operation = Self::operation(verb, format!("/b/{bucket}"));
        let changed = self.gate.transact(caller, &operation, Self::attempts(&contended), |session| {
            self.try_change_bucket(session, bucket, change)
        });
        Ok(changed.await?.0)
    }

    async fn try_change_bucket(
        &self,
        mut session: Session,
        bucket: &BucketName,
        change: &BucketChange,
    ) -> Result<(Session, Bucket), Failure> {
        let permit = session.authorize_admin(&format!("/b/{bucket}"))?;
        let key = bucket_key(bucket);
        let before: Option<Bucket> = session.get(&key).await?.as_ref().map(decode).transpose()?;
        let before = before.or_else(|| self.is_default(bucket).then(|| self.new_bucket()));
        let after = match (change, before) {
            (BucketChange::Create(_), Some(_)) if !self.is_default(bucket) => {
                return Err(Failure::BucketExists);
            }
            (BucketChange::Create(settings), _) => Bucket { settings: settings.clone(), ..self.new_bucket() },
            (BucketChange::Patch(_) | BucketChange::Delete, None) => return Err(Failure::NoBucket),
            (BucketChange::Patch(settings), Some(mut bucket)) => {
                for (name, value) in settings {
                    match value {
                        Json::Null => drop(bucket.settings.shift_remove(name)),
                        value => drop(bucket.settings.insert(name.clone(), value.clone())),
                    }
                }
                bucket.metageneration += 1;
                bucket
            }
            (BucketChange::Delete, Some(before)) => {
                let first = Scan { rows_max: 1, ..Scan::default() };
                if !session.scan(&objects_of(bucket), first).await?.rows.is_empty() {
                    return Err(Failure::BucketNotEmpty);
                }
                session.write(&permit, key, None);
                return Ok((session, before));
            }
        };
        let row = encode(&after)?;
        if row.len() > SETTINGS_BYTES_MAX {
            let text = format!("A bucket's settings have at most {SETTINGS_BYTES_MAX} bytes.");
            return Err(Failure::Fault(Status::new(Code::InvalidArgument, text)));
        }
        session.write(&permit, key, Some(row));
        Ok((session, after))
    }
}
