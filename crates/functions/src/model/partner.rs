//! Partners: other businesses whose servers call functions. A partner is an account with a claim, the functions and collections
//! that it is for, and keys.
//!
//! ```text
//! PARTNERS  project 00 name  → Partner
//! ```
//! A key is `NAME.SECRET`; of the secret, 256 random bits and more, only the SHA-256 is kept.

use access::keyspace::PARTNERS;
use base::id::{RandomnessError, alphanumeric};
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version that this build writes before the JSON.
const FORMAT: u8 = 1;
/// Characters of a key's secret, each one of 62.
const SECRET_CHARS: usize = 43;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 40;
/// Keys of a partner at once.
pub const KEYS_MAX: usize = 5;
/// The claim of a partner's account that names it.
pub const CLAIM: &str = "partner";

/// A partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Partner {
    /// Lower-case letters, digits and `-`.
    pub name: String,
    /// Its account.
    pub uid: String,
    /// The account's address.
    pub email: String,
    /// The account's claim `role`.
    pub role: String,
    /// Functions that it may call.
    pub functions: Vec<String>,
    /// Collections that it is for: `demo`.
    pub collections: Vec<String>,
    /// Its keys, newest last.
    pub keys: Vec<PartnerKey>,
    /// When it was added.
    pub created_s: i64,
    /// When it ends.
    pub expires_s: Option<i64>,
    /// Whether it may do nothing for now.
    pub suspended: bool,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartnerKey {
    /// What it is called: the first digits of the hash.
    pub id: String,
    /// The SHA-256 of the secret, in hexadecimal digits.
    pub hash: String,
    /// When it was made.
    pub created_s: i64,
    /// When it ends, where it does before its partner.
    pub expires_s: Option<i64>,
}

/// A key that has just been made, and what the partner gets: it exists nowhere else.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept.
    pub kept: PartnerKey,
    /// `NAME.SECRET`
    pub text: String,
}

impl NewKey {
    /// Makes one.
    pub fn generate(partner: &str, now_s: i64) -> Result<Self, RandomnessError> {
        let secret = alphanumeric(SECRET_CHARS)?;
        let hash = hash(&secret);
        let id = hash.chars().take(8).collect();
        let kept = PartnerKey { id, hash, created_s: now_s, expires_s: None };
        Ok(Self { kept, text: format!("{partner}.{secret}") })
    }
}

/// Why a partner may not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// It is suspended.
    #[error("the partner `{0}` is suspended")]
    Suspended(String),
    /// Its time is over.
    #[error("the partner `{0}` has expired")]
    Expired(String),
    /// The function is none of its functions.
    #[error("the partner `{name}` is for {functions} and not for `{function}`")]
    Function {
        /// The partner.
        name: String,
        /// Its functions.
        functions: String,
        /// What it called.
        function: String,
    },
}

impl Partner {
    /// Whether a name can be one.
    pub fn is_name(name: &str) -> bool {
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(is_good)
    }

    /// Whether a secret is that of one of its keys.
    pub fn has_key(&self, secret: &str, now_s: i64) -> bool {
        let hash = hash(secret);
        let is_good = |key: &&PartnerKey| key.expires_s.is_none_or(|at_s| at_s > now_s);
        // Of what is compared nothing can be learnt: it is the hash of what the client sends.
        self.keys.iter().filter(is_good).any(|key| key.hash == hash)
    }

    /// Whether it may call a function now.
    pub fn may_call(&self, function: &str, now_s: i64) -> Result<(), Unlike> {
        let name = || self.name.clone();
        if self.suspended {
            return Err(Unlike::Suspended(name()));
        }
        if self.expires_s.is_some_and(|at_s| at_s <= now_s) {
            return Err(Unlike::Expired(name()));
        }
        if self.functions.iter().any(|own| own == function) {
            return Ok(());
        }
        let functions = if self.functions.is_empty() {
            "no function".to_owned()
        } else {
            self.functions.iter().map(|own| format!("`{own}`")).collect::<Vec<_>>().join(", ")
        };
        Err(Unlike::Function { name: name(), functions, function: function.to_owned() })
    }
}

/// The partner's name and the secret of a key.
pub fn parts_of(key: &str) -> Option<(&str, &str)> {
    key.split_once('.').filter(|(name, secret)| Partner::is_name(name) && !secret.is_empty())
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A partner's row. Neither part has a byte 00.
pub fn row_of(project: &str, name: &str) -> Key {
    Key::new(PARTNERS, format!("{project}\0{name}").as_bytes())
}

/// All partners of a project, by name.
pub fn all_of(project: &str) -> KeyRange {
    KeyRange::prefix(PARTNERS, format!("{project}\0").as_bytes())
}

/// Writes a row.
pub fn encode(partner: &Partner) -> Result<Bytes, Status> {
    let mut bytes = vec![FORMAT];
    serde_json::to_writer(&mut bytes, partner)
        .map_err(|_| Status::new(Code::Internal, "a partner cannot be written"))?;
    Ok(bytes.into())
}

/// Reads a row.
pub fn decode(row: &Row) -> Result<Partner, Status> {
    let unreadable = || Status::new(Code::DataLoss, "Stored data cannot be read.");
    match row.value.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_partners_until_it_ends_and_only_for_its_functions() {
        let new = NewKey::generate("acme", 100).unwrap();
        let (name, secret) = parts_of(&new.text).unwrap();
        assert_eq!(name, "acme");
        let mut partner = Partner {
            name: name.to_owned(),
            uid: "U".to_owned(),
            email: String::new(),
            role: "partner".to_owned(),
            functions: vec!["fetchData".to_owned()],
            collections: Vec::new(),
            keys: vec![new.kept.clone()],
            created_s: 100,
            expires_s: Some(200),
            suspended: false,
        };
        assert!(!encode(&partner).unwrap().windows(secret.len()).any(|part| part == secret.as_bytes()));
        assert!(partner.has_key(secret, 150) && !partner.has_key("other", 150));
        partner.keys[0].expires_s = Some(150);
        assert!(!partner.has_key(secret, 150));
        assert_eq!(partner.may_call("fetchData", 199), Ok(()));
        assert!(partner.may_call("other", 150).unwrap_err().to_string().contains("is for `fetchData`"));
        assert_eq!(partner.may_call("fetchData", 200), Err(Unlike::Expired("acme".to_owned())));
        partner.suspended = true;
        assert_eq!(partner.may_call("fetchData", 150), Err(Unlike::Suspended("acme".to_owned())));
        for text in ["", "acme", ".x", "acme.", "Acme.x", "a/b.x"] {
            assert_eq!(parts_of(text), None, "{text}");
        }
    }
}
