//! How rows are written: one byte of version, then JSON. A row of another version is a fault, never a guess.

use std::collections::BTreeMap;

use base::{Code, Status};
use bytes::Bytes;
use kv::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// When it was made, microseconds.
    pub created: i64,
    /// What was said of it when it was made or patched, as JSON; kept and returned, without effect.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Raised by each patch.
    pub metageneration: i64,
    /// Its access control list, kept without effect.
    #[serde(default, skip_serializing_if = "Acl::is_empty")]
    pub acl: Acl,
    /// The list for its new objects, kept without effect.
    #[serde(default, skip_serializing_if = "Acl::is_empty")]
    pub default_acl: Acl,
    /// Its IAM policy as it was set, kept without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<serde_json::Value>,
}

/// An access control list: roles by entity.
pub type Acl = BTreeMap<String, String>;

/// How many objects use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// Objects.
    pub count: u64,
    /// When it became none, microseconds.
    #[serde(default)]
    pub unused_since: Option<i64>,
}

/// The bytes of a row. Errors: `INTERNAL` when it cannot be written as JSON.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, Status> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, value).map_err(|error| {
        tracing::error!(%error, "a row cannot be written");
        Status::new(Code::Internal, "Internal error encountered.")
    })?;
    Ok(bytes.into())
}

/// Reads what [`encode`] wrote. Errors: `DATA_LOSS`.
pub fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, Status> {
    let lost = |why: &str| {
        tracing::error!(key = %row.key, why, "a row of Cloud Storage cannot be read");
        Status::new(Code::DataLoss, "Stored data cannot be read.")
    };
    match row.value.split_first() {
        Some((&VERSION, json)) => serde_json::from_slice(json).map_err(|error| lost(&error.to_string())),
        _ => Err(lost("unknown version")),
    }
}
