//! What a token's bearer must still be: sessions hold callers to it.

use std::fmt;
use std::sync::Arc;

use access::Standing;
use arc_swap::ArcSwap;
use base::{Clock, Fields, Status};
use kv::{Key, Row};

use crate::keys::Ring;
use crate::model::account::ServiceAccount;
use crate::model::decode;
use crate::model::key::signing_key;
use crate::model::user::User;
use crate::status::bad_credential;
use crate::token::claims::{IdToken, OF_THE_PROFILE, OF_THE_SERVICE, fields};

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

    /// The key's row.
    pub fn key_row(&self) -> &Key {
        &self.row
    }

    /// Whether the key is in use still.
    pub fn is_in_use(&self) -> bool {
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
    /// The claims that the token has of its session.
    pub of_session: SessionClaims,
}

/// The claims of a token that are of its session and in no row: a custom token may have brought some. What its user's row had
/// as well when the caller came counts as the row's.
#[derive(Debug)]
pub enum SessionClaims {
    /// None.
    None,
    /// All but those that were stored then, as they were serialized.
    AllBut(Option<String>),
}

impl SessionClaims {
    /// Those of a token of a user who has this row.
    pub fn of(token: &IdToken, row: Option<&Row>) -> Result<Self, Status> {
        if token.provider != "custom" {
            return Ok(Self::None);
        }
        let user = row.map(decode::<User>).transpose()?;
        Ok(Self::AllBut(user.and_then(|user| user.custom_attributes)))
    }

    fn among(&self, claims: &Fields) -> Fields {
        let Self::AllBut(stored) = self else { return Fields::new() };
        let stored = User { custom_attributes: stored.clone(), ..User::default() }.custom_claims();
        let stored = fields(&stored);
        let of_session = claims.iter().filter(|(name, value)| stored.get(*name) != Some(*value));
        of_session.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
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
            && self.signer.as_ref().is_none_or(Signer::is_in_use);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }

    fn renew(&self, row: Option<&Row>, claims: &Fields) -> Result<Option<Fields>, Status> {
        self.check(row)?;
        let user: User = decode(row.ok_or_else(bad_credential)?)?;
        Ok(with_stored_claims(&user, claims, &self.of_session))
    }
}

/// The user of a token that dev believes. Requests are never held to their row, as the official emulator does not hold them to it
/// either; what stays open longer is.
#[derive(Debug)]
pub struct BelievedStanding {
    /// The user's row.
    pub key: Key,
    /// Whether there was a row when the caller came: mock tokens are of nobody.
    pub existed: bool,
    /// See [`UserStanding::of_session`].
    pub of_session: SessionClaims,
}

impl Standing for BelievedStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn check(&self, _row: Option<&Row>) -> Result<(), Status> {
        Ok(())
    }

    fn renew(&self, row: Option<&Row>, claims: &Fields) -> Result<Option<Fields>, Status> {
        if !self.existed {
            return Ok(None);
        }
        let user: User = decode(row.ok_or_else(bad_credential)?)?;
        if user.disabled {
            return Err(bad_credential());
        }
        Ok(with_stored_claims(&user, claims, &self.of_session))
    }
}

/// A token's claims with the custom claims that its user has now; `None` where they are the same. Those of a session, which the
/// token alone knows, stay.
fn with_stored_claims(user: &User, claims: &Fields, of_session: &SessionClaims) -> Option<Fields> {
    let stored = fields(&user.custom_claims());
    let is_reserved =
        |name: &String| OF_THE_SERVICE.contains(&name.as_str()) || OF_THE_PROFILE.contains(&name.as_str());
    let own = claims.iter().filter(|(name, _)| is_reserved(name));
    let mut renewed: Fields = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    renewed.extend(stored.into_iter().filter(|(name, _)| !is_reserved(name)));
    // As in a token: those of the session win.
    renewed.extend(of_session.among(claims));
    (renewed != *claims).then_some(renewed)
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
            && self.signer.as_ref().is_none_or(Signer::is_in_use);
        if stands { Ok(()) } else { Err(bad_credential()) }
    }
}
