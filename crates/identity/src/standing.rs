//! What a token's bearer must still be: sessions hold callers to it.

use std::fmt;
use std::sync::Arc;

use access::Standing;
use arc_swap::ArcSwap;
use base::{Clock, Status};
use kv::{Key, Row};

use crate::keys::Ring;
use crate::model::account::ServiceAccount;
use crate::model::decode;
use crate::model::key::signing_key;
use crate::model::user::User;
use crate::status::bad_credential;

/// The key of this house that signed a token.
#[derive(Debug)]
pub struct Signer {
    kid: String,
    row: Key,
    ring: Arc<ArcSwap<Ring>>,
}

impl Signer {
    /// Errors: `UNAUTHENTICATED` when the house has no such key (any more).
    pub fn new(ring: &Arc<ArcSwap<Ring>>, kid: &str) -> Result<Self, Status> {
        let row = ring.load().by_id(kid).map(|key| signing_key(key.created_s, kid));
        let row = row.ok_or_else(bad_credential)?;
        Ok(Self { kid: kid.to_owned(), row, ring: Arc::clone(ring) })
    }

    fn stands(&self) -> bool {
        self.ring.load().by_id(&self.kid).is_some()
    }
}

/// A user whose ID token was verified.
#[derive(Debug)]
pub struct UserStanding {
    /// The user's row.
    pub key: Key,
    /// What signed the token.
    pub signer: Option<Signer>,
    /// When the token was issued.
    pub iat_s: i64,
    /// Whether it is a tenant's: those are not served.
    pub in_tenant: bool,
}

impl Standing for UserStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn depends_on(&self) -> Option<&Key> {
        self.signer.as_ref().map(|signer| &signer.row)
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let user: User = decode(row.ok_or_else(bad_credential)?)?;
        let stands = !user.disabled
            && !self.in_tenant
            && user.accepts_token_of(self.iat_s)
            && self.signer.as_ref().is_none_or(Signer::stands);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }
}

/// A service account whose token was verified.
pub struct AccountStanding {
    /// The account's row.
    pub key: Key,
    /// What signed the token; `None` for one that the account signed itself.
    pub signer: Option<Signer>,
    /// The account's key that signed the token, or with which it was obtained.
    pub kid: String,
    /// Keys that were rotated out have an end.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for AccountStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountStanding")
            .field("key", &self.key)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Standing for AccountStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn depends_on(&self) -> Option<&Key> {
        self.signer.as_ref().map(|signer| &signer.row)
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let account: ServiceAccount = decode(row.ok_or_else(bad_credential)?)?;
        let stands = !account.disabled
            && account.key(&self.kid, self.clock.now().seconds).is_some()
            && self.signer.as_ref().is_none_or(Signer::stands);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }
}
