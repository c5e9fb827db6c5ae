//! What a token's bearer must still be: sessions hold callers to it.

use access::Standing;
use base::Status;
use kv::{Key, Row};

use crate::model::account::ServiceAccount;
use crate::model::decode;
use crate::model::user::User;
use crate::status::bad_credential;

/// A user whose ID token was verified.
#[derive(Debug)]
pub struct UserStanding {
    /// The user's row.
    pub key: Key,
    /// When the token was issued.
    pub iat_s: i64,
    /// Whether it is a tenant's: those are not served.
    pub in_tenant: bool,
}

impl Standing for UserStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let user: User = decode(row.ok_or_else(bad_credential)?)?;
        let stands = !user.disabled && !self.in_tenant && user.accepts_token_of(self.iat_s);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }
}

/// A service account whose token was verified.
#[derive(Debug)]
pub struct AccountStanding {
    /// The account's row.
    pub key: Key,
    /// The key that signed the token; `None` for an access token of this house.
    pub kid: Option<String>,
}

impl Standing for AccountStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let account: ServiceAccount = decode(row.ok_or_else(bad_credential)?)?;
        let has_key = |kid: &String| account.keys.iter().any(|key| key.kid == *kid);
        let stands = !account.disabled && self.kid.as_ref().is_none_or(has_key);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }
}
