//! The rows of rulesets and releases, and where they are. A ruleset's text lies apart from what lists show of it.

use access::keyspace::{RELEASES, RULESETS};
use base::Status;
use bytes::Bytes;
use kv::{Key, KeyRange, Keyspace, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::status;

/// What lists show of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesetRow {
    /// When it was made, in microseconds.
    pub created_micros: i64,
    /// The services it has rules for.
    pub services: Vec<String>,
    /// Which account made it.
    pub by: String,
}

/// A release: which ruleset is meant by a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// The ruleset's id.
    pub ruleset: String,
    /// When it was first made, in microseconds.
    pub created_micros: i64,
    /// When it was last changed, in microseconds.
    pub updated_micros: i64,
    /// Which account changed it last.
    pub by: String,
}

fn key(keyspace: Keyspace, project: &str, kind: u8, name: &str) -> Key {
    let mut bytes = prefix(project, kind);
    bytes.extend_from_slice(name.as_bytes());
    Key::new(keyspace, &bytes)
}

fn prefix(project: &str, kind: u8) -> Vec<u8> {
    let mut bytes = project.as_bytes().to_vec();
    bytes.extend_from_slice(&[0, kind]);
    bytes
}

/// Where a ruleset is.
pub fn ruleset_key(project: &str, id: &str) -> Key {
    key(RULESETS, project, b'r', id)
}

/// Where a ruleset's text is.
pub fn source_key(project: &str, id: &str) -> Key {
    key(RULESETS, project, b's', id)
}

/// All rulesets of a project, the oldest first.
pub fn all_rulesets(project: &str) -> KeyRange {
    KeyRange::prefix(RULESETS, &prefix(project, b'r'))
}

/// Where a release is.
pub fn release_key(project: &str, name: &str) -> Key {
    key(RELEASES, project, b'r', name)
}

/// All releases of a project.
pub fn all_releases(project: &str) -> KeyRange {
    KeyRange::prefix(RELEASES, &prefix(project, b'r'))
}

/// The name in a row's key, behind the project and the kind.
pub fn name_of(project: &str, row: &Row) -> String {
    let bytes = row.key.as_bytes().get(prefix(project, b'r').len()..).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// A row's value.
pub fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, Status> {
    serde_json::from_slice(&row.value).map_err(|error| status::unreadable(&row.key, &error))
}

/// A value for a row.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, Status> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| status::cannot_encode(&error))
}

/// A new ruleset's id: in the order they are made, and not to be guessed. A UUID of version 7.
pub fn new_ruleset_id(now_micros: i64) -> Result<String, Status> {
    let random: [u8; 16] =
        base::id::random_bytes().map_err(|error| Status::unavailable(error.to_string()))?;
    let millis = u128::try_from(now_micros / 1000).unwrap_or_default() & 0xFFFF_FFFF_FFFF;
    let random = u128::from_be_bytes(random) & ((1 << 80) - 1);
    let bits = (millis << 80) | random;
    let versioned = (bits & !(0xF << 76) & !(0b11 << 62)) | (7 << 76) | (0b10 << 62);
    let hex = format!("{versioned:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}
