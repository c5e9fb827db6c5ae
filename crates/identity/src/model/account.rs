//! A service account: an administrator that is a program. Only the public halves of its keys are stored.

use serde::{Deserialize, Serialize};

use crate::limits::KEYS_PER_ACCOUNT_MAX;

/// A service account as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// `name@project.iam.gserviceaccount.com`.
    pub email: String,
    /// A number unique to the account, as Google's key files have.
    pub client_id: String,
    /// Refused everywhere.
    #[serde(default)]
    pub disabled: bool,
    /// Its keys, oldest first.
    pub keys: Vec<AccountKey>,
}

/// One key of a service account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountKey {
    /// The key's id.
    pub kid: String,
    /// The public half, `SubjectPublicKeyInfo` in base64.
    pub public: String,
    /// Seconds.
    pub created_s: i64,
    /// From when on it is refused, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<i64>,
}

/// An account has [`KEYS_PER_ACCOUNT_MAX`] keys.
#[derive(Debug)]
pub struct KeysFull;

impl AccountKey {
    /// Whether its time is over.
    pub fn is_over(&self, now_s: i64) -> bool {
        self.expires_s.is_some_and(|at_s| at_s <= now_s)
    }
}

impl ServiceAccount {
    /// The account's address in a project.
    pub fn email(project: &str, name: &str) -> String {
        format!("{name}@{project}.iam.gserviceaccount.com")
    }

    /// The project in an account's address.
    pub fn project_of(email: &str) -> Option<&str> {
        email.split_once('@')?.1.strip_suffix(".iam.gserviceaccount.com")
    }

    /// A key whose time is not over.
    pub fn key(&self, kid: &str, now_s: i64) -> Option<&AccountKey> {
        self.keys.iter().find(|key| key.kid == kid && !key.is_over(now_s))
    }

    /// Adds a key. Those whose time is over leave; none that still signs does.
    pub fn add(&mut self, key: AccountKey) -> Result<(), KeysFull> {
        self.keys.retain(|old| !old.is_over(key.created_s));
        if self.keys.len() >= KEYS_PER_ACCOUNT_MAX {
            return Err(KeysFull);
        }
        self.keys.push(key);
        Ok(())
    }
}

/// Whether this can be an account's name: 1 to 30 of `[a-z0-9-]`, beginning with a letter.
pub fn is_name(name: &str) -> bool {
    (1..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_in_the_address() {
        let email = ServiceAccount::email("demo", "ci");
        assert_eq!(email, "ci@demo.iam.gserviceaccount.com");
        assert_eq!(ServiceAccount::project_of(&email), Some("demo"));
        assert_eq!(ServiceAccount::project_of("ci@gmail.com"), None);
        assert!(is_name("ci-1") && !is_name("Ci") && !is_name("") && !is_name("1") && !is_name("a/b"));
    }
}
