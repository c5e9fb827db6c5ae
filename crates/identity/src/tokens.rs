//! Making and checking the tokens of this house: signed in serve, unsigned in dev.
//!
//! A signature that was checked once is remembered under the whole token, in two generations of bounded size. What
//! can change (expiry, the user's row) is asked every time and never remembered.

use std::collections::HashMap;
use std::sync::Arc;

use access::{DevPermit, Mode, User};
use arc_swap::ArcSwap;
use base::Status;
use parking_lot::Mutex;

use crate::keys::Ring;
use crate::limits::{CLOCK_SKEW_S_MAX, ID_TOKEN_LIFE_S, TOKEN_CACHE_LEN_MAX};
use crate::status::Failure;
use crate::token::claims::{ACCESS_TOKEN_TYPE, ACCOUNT_KEY, IdToken, OAUTH_ISSUER, fields};
use crate::token::{Claims, Jwt, TokenError, seconds, text, unsigned};

/// A token that is genuine.
#[derive(Clone, Debug)]
pub(crate) enum Genuine {
    /// An ID token, and its user as rules see them.
    User(Arc<IdToken>, Arc<User>),
    /// A service account's access token, or a token it signed itself (with which key).
    Account(Arc<AccountToken>),
}

/// What a service account showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountToken {
    /// The account.
    pub email: String,
    /// Its own key: the one that signed it, or with which it was obtained.
    pub kid: String,
    /// The id of this house's key that signed it; `None` where the account did so itself.
    pub signer: Option<String>,
    /// Until when it is good.
    pub exp_s: i64,
}

pub(crate) enum Tokens {
    /// Dev, and the tokens that were read lately.
    Unsigned(DevPermit, Box<Cache>),
    /// Serve.
    Signed(Box<Signed>),
}

pub(crate) struct Signed {
    pub ring: Arc<ArcSwap<Ring>>,
    cache: Cache,
}

impl Tokens {
    pub fn new(mode: &Mode, ring: &Arc<ArcSwap<Ring>>) -> Self {
        match mode {
            Mode::Dev(permit) => Self::Unsigned(*permit, Box::default()),
            Mode::Serve => Self::Signed(Box::new(Signed { ring: Arc::clone(ring), cache: Cache::default() })),
        }
    }

    /// Writes a token of ours.
    pub fn sign(&self, typ: &str, claims: &Claims, now_s: i64) -> Result<String, Failure> {
        let signed = match self {
            Self::Unsigned(permit, _) => return Ok(unsigned::encode(*permit, claims)),
            Self::Signed(signed) => signed,
        };
        let ring = signed.ring.load();
        let key = ring.signer(now_s).ok_or_else(no_key)?;
        key.private.sign(&key.kid, typ, claims).map_err(|_| no_key())
    }

    /// The user of a token that somebody else signed, in dev: believed without a look at the signature.
    pub fn foreign(&self, permit: DevPermit, jwt: Jwt<'_>) -> Result<Arc<User>, TokenError> {
        let token = IdToken::believe(unsigned::accept_signed(permit, jwt)?)?;
        Ok(with_user(token).1)
    }

    /// An ID token of this project, signature and expiry checked; whether its user still stands is asked elsewhere.
    /// In dev it is believed, whatever its times.
    pub fn id_token(
        &self,
        token: &str,
        project: &str,
        now_s: i64,
    ) -> Result<(Arc<IdToken>, Arc<User>), TokenError> {
        match self {
            Self::Unsigned(permit, cache) => {
                if let Some(Genuine::User(known, user)) = cache.get(token).map(|known| known.genuine.clone())
                {
                    return Ok((known, user));
                }
                let (read, user) =
                    with_user(IdToken::believe(unsigned::accept(*permit, Jwt::parse(token)?)?)?);
                // It says the same in every project.
                let genuine = Genuine::User(read.clone(), user.clone());
                cache.put(token, Arc::new(Known { project: String::new(), genuine }));
                Ok((read, user))
            }
            Self::Signed(signed) => match signed.ours(token, project, now_s)? {
                Genuine::User(token, user) => Ok((token, user)),
                Genuine::Account(_) => Err(TokenError::Audience),
            },
        }
    }
}

impl Signed {
    /// A token that this house signed for this project and whose time is not over.
    pub fn ours(&self, token: &str, project: &str, now_s: i64) -> Result<Genuine, TokenError> {
        let ring = self.ring.load();
        if let Some(known) = self.recall(token, project) {
            // A key that was revoked since is not of this house any more.
            let is_known = known.signer().is_none_or(|kid| ring.by_id(kid).is_some());
            return if is_known { known.unexpired(now_s) } else { Err(TokenError::UnknownKey) };
        }
        let jwt = Jwt::parse(token)?;
        let kid = jwt.header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
        ring.by_id(kid).ok_or(TokenError::UnknownKey)?.public.verify(&jwt)?;
        let genuine = if jwt.header.typ.as_deref() == Some(ACCESS_TOKEN_TYPE) {
            if text(&jwt.claims, "iss") != Some(OAUTH_ISSUER) || text(&jwt.claims, "aud") != Some(project) {
                return Err(TokenError::Audience);
            }
            let email = text(&jwt.claims, "sub").ok_or(TokenError::Subject)?.to_owned();
            let exp_s = seconds(&jwt.claims, "exp").ok_or(TokenError::Subject)?;
            let of_account = text(&jwt.claims, ACCOUNT_KEY).ok_or(TokenError::Subject)?.to_owned();
            let signer = Some(kid.to_owned());
            Genuine::Account(Arc::new(AccountToken { email, kid: of_account, signer, exp_s }))
        } else {
            let signer = Some(kid.to_owned());
            let (token, user) = with_user(IdToken { signer, ..IdToken::of_project(jwt.claims, project)? });
            Genuine::User(token, user)
        };
        let genuine = genuine.unexpired(now_s)?;
        self.remember(token, project, genuine.clone());
        Ok(genuine)
    }

    /// What was remembered of a token, for the same project.
    pub fn recall(&self, token: &str, project: &str) -> Option<Genuine> {
        self.cache.get(token).filter(|known| known.project == project).map(|known| known.genuine.clone())
    }

    /// Remembers a token whose signature was checked.
    pub fn remember(&self, token: &str, project: &str, genuine: Genuine) {
        self.cache.put(token, Arc::new(Known { project: project.to_owned(), genuine }));
    }
}

impl Genuine {
    /// The id of this house's key that signed it.
    pub fn signer(&self) -> Option<&str> {
        match self {
            Self::User(token, _) => token.signer.as_deref(),
            Self::Account(token) => token.signer.as_deref(),
        }
    }

    /// Itself, unless its time is over.
    pub fn unexpired(self, now_s: i64) -> Result<Self, TokenError> {
        let expired = match &self {
            Self::User(token, _) if token.is_from_the_future(now_s) => return Err(TokenError::Future),
            Self::User(token, _) => token.expired(now_s),
            Self::Account(token)
                if token.exp_s > now_s.saturating_add(ID_TOKEN_LIFE_S + CLOCK_SKEW_S_MAX) =>
            {
                return Err(TokenError::Future);
            }
            Self::Account(token) => token.exp_s <= now_s,
        };
        if expired { Err(TokenError::Expired) } else { Ok(self) }
    }
}

fn with_user(token: IdToken) -> (Arc<IdToken>, Arc<User>) {
    let user = User { uid: token.uid.clone(), claims: fields(&token.claims) };
    (Arc::new(token), Arc::new(user))
}

fn no_key() -> Failure {
    tracing::error!("there is no key to sign with");
    Failure::Fault(Status::unavailable("The service is currently unavailable."))
}

struct Known {
    project: String,
    genuine: Genuine,
}

/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
pub(crate) struct Cache {
    generations: Mutex<[Generation; 2]>,
}

/// Only genuine tokens get in, in serve, so nobody can choose keys that collide.
type Generation = HashMap<String, Arc<Known>, foldhash::fast::RandomState>;

impl Cache {
    fn get(&self, token: &str) -> Option<Arc<Known>> {
        let [young, old] = &mut *self.generations.lock();
        if let Some(known) = young.get(token) {
            return Some(known.clone());
        }
        let (token, known) = old.remove_entry(token)?;
        young.insert(token, known.clone());
        Some(known)
    }

    fn put(&self, token: &str, known: Arc<Known>) {
        let [young, old] = &mut *self.generations.lock();
        if young.len() >= TOKEN_CACHE_LEN_MAX {
            *old = std::mem::take(young);
        }
        young.insert(token.to_owned(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        let account = |n: usize| {
            let token = AccountToken { email: n.to_string(), kid: "k".into(), signer: None, exp_s: 0 };
            Arc::new(Known { project: "demo".into(), genuine: Genuine::Account(Arc::new(token)) })
        };
        for n in 0..5 * TOKEN_CACHE_LEN_MAX {
            cache.put(&format!("token {n}"), account(n));
            assert!(cache.get("token 0").is_some());
        }
        let [young, old] = &*cache.generations.lock();
        assert!(young.len() + old.len() <= 2 * TOKEN_CACHE_LEN_MAX + 1);
    }
}
