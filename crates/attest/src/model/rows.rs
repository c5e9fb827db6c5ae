//! The rows of the service, and where they are.

use access::Enforcement;
use access::keyspace::{APP_CHECK_COUNTS, APP_CHECK_SERVICES, APP_DEBUG_TOKENS, APPS, CONSUMED_APP_TOKENS};
use base::Status;
use bytes::Bytes;
use kv::{Key, KeyRange, Keyspace, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::status;

/// Bytes of an app's id.
const APP_ID_LEN_MAX: usize = 128;

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRow {
    /// For people.
    pub name: String,
    /// Seconds.
    pub created_s: i64,
    /// How long its tokens live where nothing else is asked for, in seconds.
    pub ttl_s: i64,
    /// Tokens that were issued before this second are refused.
    #[serde(default)]
    pub valid_since_s: i64,
    /// Which account registered it.
    pub by: String,
}

/// A debug token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugTokenRow {
    /// For people.
    pub name: String,
    /// SHA-256 of the token in lower case, in hex.
    pub hash: String,
    /// Seconds.
    pub created_s: i64,
    /// Which account made it.
    pub by: String,
}

/// What a service requires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Whether it requires an app.
    pub enforcement: Enforcement,
    /// Microseconds.
    pub updated_micros: i64,
    /// Which account said so.
    pub by: String,
}

/// Whether a text can be an app's id: `1:1234567890:web:0123456789abcdef`.
pub fn is_app_id(id: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    id.len() <= APP_ID_LEN_MAX && id.split(':').count() == 4 && id.split(':').all(is_part)
}

fn key(keyspace: Keyspace, parts: &[&str]) -> Key {
    Key::new(keyspace, parts.join("\0").as_bytes())
}

/// Where an app is.
pub fn app_key(project: &str, id: &str) -> Key {
    key(APPS, &[project, id])
}

/// All apps of a project.
pub fn all_apps(project: &str) -> KeyRange {
    KeyRange::prefix(APPS, format!("{project}\0").as_bytes())
}

/// Where a debug token is.
pub fn debug_token_key(project: &str, app: &str, id: &str) -> Key {
    key(APP_DEBUG_TOKENS, &[project, app, id])
}

/// All debug tokens of an app.
pub fn all_debug_tokens(project: &str, app: &str) -> KeyRange {
    KeyRange::prefix(APP_DEBUG_TOKENS, format!("{project}\0{app}\0").as_bytes())
}

/// Where it is said what a service requires.
pub fn service_key(project: &str, service: &str) -> Key {
    key(APP_CHECK_SERVICES, &[project, service])
}

/// Where a used-up token is: by the second in which it ends, so that what is over lies together.
pub fn consumed_key(until_s: i64, id: &[u8]) -> Key {
    let bytes = [until_s.max(0).to_be_bytes().as_slice(), &Sha256::digest(id)].concat();
    Key::new(CONSUMED_APP_TOKENS, &bytes)
}

/// Used-up tokens that end before a second.
pub fn consumed_before(second: i64) -> KeyRange {
    let start = Key::new(CONSUMED_APP_TOKENS, &[]);
    KeyRange::between(start, Key::new(CONSUMED_APP_TOKENS, &second.max(0).to_be_bytes()))
}

/// All used-up tokens.
pub fn all_consumed() -> KeyRange {
    KeyRange::prefix(CONSUMED_APP_TOKENS, &[])
}

/// Where the counts of an hour are.
pub fn counts_key(hour: i64) -> Key {
    Key::new(APP_CHECK_COUNTS, &hour.max(0).to_be_bytes())
}

/// Counts before an hour.
pub fn counts_before(hour: i64) -> KeyRange {
    KeyRange::between(Key::new(APP_CHECK_COUNTS, &[]), counts_key(hour))
}

/// Counts from an hour on.
pub fn counts_from(hour: i64) -> KeyRange {
    let all = KeyRange::prefix(APP_CHECK_COUNTS, &[]);
    KeyRange::between(counts_key(hour), all.end)
}

/// The last part of a row's key.
pub fn id_of(row: &Row) -> String {
    let bytes = row.key.as_bytes().rsplit(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// The hash of a debug token, whichever way its letters are written.
pub fn debug_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.trim().to_ascii_lowercase()))
}

/// A row's value.
pub fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, Status> {
    serde_json::from_slice(&row.value).map_err(|error| status::unreadable(&row.key, &error))
}

/// A value for a row.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, Status> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| status::cannot_encode(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_apps_have_four_parts_and_nothing_that_a_key_or_a_path_would_read_otherwise() {
        for id in ["1:12345:web:abcdef0123", "1:1:android:a", "1:1:ios:A-b"] {
            assert!(is_app_id(id), "{id}");
        }
        let long = format!("1:1:web:{}", "a".repeat(200));
        for id in
            ["", "web", "1:2:3", "1:2:3:4:5", "1::web:a", "1:2:web:a\0b", "1:2:web:a/b", "1:2:web:ä", &long]
        {
            assert!(!is_app_id(id), "{id}");
        }
    }

    #[test]
    fn one_apps_tokens_are_not_in_anothers_range_and_what_is_over_lies_together() {
        assert!(all_debug_tokens("p", "a").contains(&debug_token_key("p", "a", "x")));
        assert!(!all_debug_tokens("p", "a").contains(&debug_token_key("p", "ab", "x")));
        assert!(!all_apps("p").contains(&app_key("p2", "a")));
        assert!(consumed_before(10).contains(&consumed_key(9, b"x")));
        assert!(!consumed_before(10).contains(&consumed_key(10, b"x")));
        assert!(counts_from(5).contains(&counts_key(5)) && !counts_before(5).contains(&counts_key(5)));
    }
}
