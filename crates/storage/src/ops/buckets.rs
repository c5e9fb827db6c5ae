//! Buckets. The rules say nothing of them: they are administrators' business.

use access::{Caller, Session};
use base::{Code, Status};
use kv::{Key, KeyRange, Scan};
use serde_json::{Map, Value as Json};

use super::Storage;
use super::conditions::Conditions;
use crate::model::{Acl, Bucket, BucketName, bucket_key, decode, encode, objects_of};
use crate::status::Failure;

/// Buckets of one page.
const BUCKETS_MAX: usize = 1000;
/// Bytes of what is said of a bucket.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// How deep a patch of settings is merged; what is deeper replaces.
const SETTINGS_DEPTH_MAX: usize = 8;
/// Entries of an access control list.
const ACL_MAX: usize = 100;
/// Bytes of an entity, and of a role.
const ACL_BYTES_MAX: usize = 200;

/// A change of a bucket.
#[derive(Clone, Debug)]
pub enum BucketChange {
    /// Makes it.
    Create(Map<String, Json>),
    /// Changes what is said of it, as RFC 7396 (JSON Merge Patch) says.
    Patch(Map<String, Json>),
    /// Says something else of it.
    Replace(Map<String, Json>),
    /// Removes it, if it is empty.
    Delete,
    /// Changes its access control list, or the one for its new objects.
    Acl {
        /// The one for its new objects.
        is_default: bool,
        /// The change.
        change: AclChange,
    },
    /// Sets its IAM policy.
    Policy(Json),
}

/// A change of an access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclChange {
    /// Whose entry.
    pub entity: String,
    /// Its role; `None`: the entry goes.
    pub role: Option<String>,
}

impl AclChange {
    /// Changes a list. Errors: there is no such entry, or no room for another.
    pub fn apply(&self, acl: &mut Acl) -> Result<(), Failure> {
        match &self.role {
            None => match acl.remove(&self.entity) {
                Some(_) => Ok(()),
                None => Err(Failure::NoObject(self.entity.chars().take(ACL_BYTES_MAX).collect())),
            },
            Some(role) if role.len() > ACL_BYTES_MAX || self.entity.len() > ACL_BYTES_MAX => {
                Err(Failure::Bad(format!("An entity and a role have at most {ACL_BYTES_MAX} bytes each.")))
            }
            Some(role) => {
                acl.insert(self.entity.clone(), role.clone());
                if acl.len() > ACL_MAX {
                    return Err(Failure::Bad(format!(
                        "An access control list has at most {ACL_MAX} entries."
                    )));
                }
                Ok(())
            }
        }
    }
}

/// A page of buckets.
pub struct Buckets {
    /// Names and what is known of them.
    pub items: Vec<(String, Bucket)>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<String>,
}

impl Storage {
    /// Whether a bucket is one that every project has.
    pub fn is_default(&self, bucket: &BucketName) -> bool {
        let of = |suffix: &str| bucket.as_str().strip_suffix(suffix) == Some(self.project.as_str());
        of(".appspot.com") || of(".firebasestorage.app") || bucket.as_str() == self.project
    }

    /// Buckets that were made or written to, from a name on, whose names begin like this.
    pub async fn buckets(
        &self,
        caller: &Caller,
        prefix: &str,
        from: &str,
        entries_max: usize,
    ) -> Result<Buckets, Failure> {
        let mut session = self.gate.begin(caller, Self::operation("listBuckets", "/b".to_owned())).await?;
        session.authorize_admin("/b")?;
        let range = KeyRange::prefix(access::keyspace::BUCKETS, prefix.as_bytes());
        let start = Key::new(access::keyspace::BUCKETS, from.as_bytes()).max(range.start);
        let entries_max = entries_max.clamp(1, BUCKETS_MAX);
        let scan = Scan { rows_max: entries_max + 1, ..Scan::default() };
        let page = session.reads().look(&KeyRange::between(start, range.end), scan).await?;
        session.finish();
        let name = |row: &kv::Row| String::from_utf8_lossy(row.key.as_bytes()).into_owned();
        let mut rows = page.rows;
        let more = page.next.map(|next| String::from_utf8_lossy(next.start.as_bytes()).into_owned());
        let next = rows.get(entries_max).map(name).or(more);
        rows.truncate(entries_max);
        let of = |row: &kv::Row| Ok::<_, Failure>((name(row), decode(row)?));
        let items = rows.iter().map(of).collect::<Result<_, _>>()?;
        Ok(Buckets { items, next })
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
        conditions: Conditions,
        change: &BucketChange,
    ) -> Result<Bucket, Failure> {
        let contended = [bucket_key(bucket)];
        let verb = match change {
            BucketChange::Create(_) => "createBucket",
            BucketChange::Patch(_) | BucketChange::Replace(_) => "patchBucket",
            BucketChange::Delete => "deleteBucket",
            BucketChange::Acl { .. } => "changeBucketAcl",
            BucketChange::Policy(_) => "setBucketPolicy",
        };
        let operation = Self::operation(verb, format!("/b/{bucket}"));
        let changed = self.gate.transact(caller, &operation, Self::attempts(&contended), |session| {
            self.try_change_bucket(session, bucket, conditions, change)
        });
        Ok(changed.await?.0)
    }

    async fn try_change_bucket(
        &self,
        mut session: Session,
        bucket: &BucketName,
        conditions: Conditions,
        change: &BucketChange,
    ) -> Result<(Session, Bucket), Failure> {
        let permit = session.authorize_admin(&format!("/b/{bucket}"))?;
        let key = bucket_key(bucket);
        let before: Option<Bucket> = session.get(&key).await?.as_ref().map(decode).transpose()?;
        let before = before.or_else(|| self.is_default(bucket).then(|| self.new_bucket()));
        if let Some(before) = &before {
            conditions.check_metageneration(before.metageneration)?;
        }
        let after = match (change, before) {
            (BucketChange::Create(_), Some(_)) if !self.is_default(bucket) => {
                return Err(Failure::BucketExists);
            }
            (BucketChange::Create(settings), _) => Bucket { settings: settings.clone(), ..self.new_bucket() },
            (_, None) => return Err(Failure::NoBucket),
            (BucketChange::Acl { is_default, change }, Some(mut bucket)) => {
                change.apply(if *is_default { &mut bucket.default_acl } else { &mut bucket.acl })?;
                bucket.metageneration += 1;
                bucket
            }
            (BucketChange::Policy(policy), Some(mut bucket)) => {
                bucket.policy = Some(policy.clone());
                bucket.metageneration += 1;
                bucket
            }
            (BucketChange::Patch(settings), Some(mut bucket)) => {
                merge(&mut bucket.settings, settings, 0);
                bucket.metageneration += 1;
                bucket
            }
            (BucketChange::Replace(settings), Some(mut bucket)) => {
                bucket.settings.clone_from(settings);
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

/// Merges a patch; what is empty then is gone.
fn merge(settings: &mut Map<String, Json>, patch: &Map<String, Json>, depth: usize) {
    for (name, value) in patch {
        let merged = match (settings.remove(name), value) {
            (_, Json::Null) => continue,
            (before, Json::Object(patch)) if depth < SETTINGS_DEPTH_MAX => {
                let mut inner = before.and_then(|before| before.as_object().cloned()).unwrap_or_default();
                merge(&mut inner, patch, depth + 1);
                Json::Object(inner)
            }
            (_, value) => value.clone(),
        };
        let is_empty =
            merged.as_object().is_some_and(Map::is_empty) || merged.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            settings.insert(name.clone(), merged);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_merged() {
        let check = |before: Json, patch: Json, after: Json| {
            let mut settings = before.as_object().unwrap().clone();
            merge(&mut settings, patch.as_object().unwrap(), 0);
            assert_eq!(Json::Object(settings), after);
        };
        check(
            json!({"labels": {"a": "1"}}),
            json!({"labels": {"b": "2"}}),
            json!({"labels": {"a": "1", "b": "2"}}),
        );
        check(json!({"labels": {"a": "1"}, "x": 1}), json!({"labels": {"a": null}}), json!({"x": 1}));
        check(json!({"cors": [1]}), json!({"cors": []}), json!({}));
        check(json!({"a": 1}), json!({"a": {"b": null, "c": 2}}), json!({"a": {"c": 2}}));
    }
}
