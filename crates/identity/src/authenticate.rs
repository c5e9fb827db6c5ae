//! Who is behind a bearer token: the [`Authenticate`] of the whole house.
//!
//! In serve a token is good when its signature, project and time are, and when the store says now that its user (or
//! service account) exists, is not disabled and has not been revoked since. `owner` and unsigned tokens are refused
//! like any other forgery. In dev `owner` is the administrator, and unsigned and foreign tokens are believed. A store that cannot
//! be read is `UNAVAILABLE`, never a refusal.
//!
//! Source: the identity reference, sections 7 and 9; the Firestore reference, section 1.3.

use std::sync::Arc;

use access::{Authenticate, Caller, Credential, DevPermit, Invocations, Standing};
use async_trait::async_trait;
use base::{Status, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Identity;
use crate::limits::{CLOCK_SKEW_S_MAX, ID_TOKEN_LIFE_S, TOKEN_BYTES_MAX};
use crate::model::account::ServiceAccount;
use crate::model::decode;
use crate::model::key::Realm;
use crate::model::user::User;
use crate::standing::{AccountStanding, BelievedStanding, SessionClaims, Signer, UserStanding};
use crate::status::bad_credential;
use crate::token::claims::{Grant, fields, id_token};
use crate::token::rs256::PublicKey;
use crate::token::{Claims, Jwt, TokenError, seconds, text};
use crate::tokens::{AccountToken, Genuine, Signed, Tokens};

/// Makes callers of credentials.
#[derive(Clone)]
pub struct Authenticator {
    identity: Arc<Identity>,
}

impl Authenticator {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self { identity }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }
}

#[async_trait]
impl Authenticate for Authenticator {
    async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        self.identity.caller(project, credential).await
    }

    async fn account(&self, project: &str, uid: &str) -> Result<Caller, Status> {
        self.identity.user_of(project, uid).await
    }
}

impl Identity {
    /// See [`Authenticate::caller`].
    pub(crate) async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        let Credential::Bearer(token) = credential else { return Ok(Caller::unauthenticated()) };
        if Invocations::is_one(token) {
            return self.gate.invocations().caller(project, token).ok_or_else(bad_credential);
        }
        match &self.tokens {
            Tokens::Unsigned(permit, _) => self.believed(*permit, project, token).await,
            Tokens::Signed(signed) => self.verified(signed, project, token).await,
        }
    }

    async fn believed(&self, permit: DevPermit, project: &str, token: &str) -> Result<Caller, Status> {
        if token.eq_ignore_ascii_case("owner") || token.starts_with("ya29.") {
            return Ok(Caller::admin("owner"));
        }
        match self.tokens.id_token(token, project, self.now_s()) {
            Ok((token, user)) => {
                let key = Realm::of(project).user(&token.uid);
                let row = self.gate.peek(&key).await?;
                let of_session = SessionClaims::of(&token, row.as_ref())?;
                let standing = BelievedStanding { key, existed: row.is_some(), of_session };
                Ok(Caller::user(user).held_to(Arc::new(standing)))
            }
            Err(TokenError::Algorithm) => self.signed_in_dev(permit, project, token).await,
            Err(_) => Err(bad_credential()),
        }
    }

    /// A signed token in dev. One of a service account of this house is checked, and its account is the administrator it
    /// is in serve; any other is believed like an unsigned one, as the official emulator does: SDKs with a key file send
    /// tokens they signed themselves to an emulator, too.
    async fn signed_in_dev(&self, permit: DevPermit, project: &str, token: &str) -> Result<Caller, Status> {
        let jwt = Jwt::parse(token).map_err(|_| bad_credential())?;
        if let Some(issuer) = text(&jwt.claims, "iss")
            && self.service_account(&Realm::of(project), issuer).await?.is_some()
        {
            let account = self.self_signed(project, token, self.now_s()).await?;
            return Ok(Caller::admin(account.email));
        }
        let user = self.tokens.foreign(permit, jwt).map_err(|_| bad_credential())?;
        Ok(Caller::user(user))
    }

    async fn verified(&self, signed: &Signed, project: &str, token: &str) -> Result<Caller, Status> {
        let now_s = self.now_s();
        let genuine = match signed.ours(token, project, now_s) {
            // Not a key of ours: perhaps a service account's own.
            Err(TokenError::UnknownKey) => {
                let account = self.self_signed(project, token, now_s).await?;
                let genuine = Genuine::Account(Arc::new(account));
                signed.remember(token, project, genuine.clone());
                genuine
            }
            other => other.map_err(|error| {
                tracing::debug!(%error, "a bearer token is refused");
                bad_credential()
            })?,
        };
        let realm = Realm::of(project);
        let signer = genuine.signer().map(|kid| Signer::new(&signed.ring, kid)).transpose()?;
        let (caller, exp_s, standing): (_, _, Arc<dyn Standing>) = match genuine {
            Genuine::User(token, user) => {
                let key = realm.user(&token.uid);
                let row = self.gate.peek(&key).await?;
                let standing = UserStanding {
                    key,
                    signer,
                    iat_s: token.iat_s,
                    in_tenant: token.tenant.is_some(),
                    of_session: SessionClaims::of(&token, row.as_ref())?,
                };
                standing.check(row.as_ref())?;
                (Caller::user(user), token.exp_s, Arc::new(standing))
            }
            Genuine::Account(token) => {
                let (key, kid) = (realm.account(&token.email), token.kid.clone());
                let clock = Arc::clone(self.gate.clock());
                let standing = AccountStanding { key, signer, kid, clock };
                standing.check(self.gate.peek(standing.key()).await?.as_ref())?;
                (Caller::admin(token.email.as_str()), token.exp_s, Arc::new(standing))
            }
        };
        Ok(caller.held_to(standing).until(Timestamp::from_micros(exp_s.saturating_mul(1_000_000))))
    }

    /// See [`Authenticate::account`].
    async fn user_of(&self, project: &str, uid: &str) -> Result<Caller, Status> {
        let (key, iat_s) = (Realm::of(project).user(uid), self.now_s());
        let row = self.gate.peek(&key).await?.ok_or_else(bad_credential)?;
        let user: User = decode(&row)?;
        let grant = Grant { provider: "key".to_owned(), auth_time_s: iat_s, claims: Claims::default() };
        let claims = fields(&id_token(project, &user, &grant, iat_s));
        let of_session = SessionClaims::None;
        let standing = UserStanding { key, signer: None, iat_s, in_tenant: false, of_session };
        standing.check(Some(&row))?;
        let user = access::User { uid: uid.to_owned(), claims };
        Ok(Caller::user(Arc::new(user)).held_to(Arc::new(standing)))
    }

    /// Checks a token that a service account signed itself to use as a bearer.
    async fn self_signed(&self, project: &str, token: &str, now_s: i64) -> Result<AccountToken, Status> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(bad_credential());
        }
        let jwt = Jwt::parse(token).map_err(|_| bad_credential())?;
        let email = text(&jwt.claims, "iss").ok_or_else(bad_credential)?;
        let realm = Realm::of(project);
        let account = self.service_account(&realm, email).await?.ok_or_else(bad_credential)?;
        let kid = verify_with(&account, &jwt, now_s).map_err(|_| bad_credential())?;
        let exp_s = short_lived(&jwt.claims, now_s).map_err(|_| bad_credential())?;
        // A custom token is signed with the same key and travels through browsers: it must never pass for this.
        let for_users = ["uid", "user_id", "claims"].iter().any(|name| jwt.claims.contains_key(*name));
        let audience_good = match jwt.claims.get("aud") {
            Some(audience) => audience.as_str().is_some_and(|audience| self.is_service(audience)),
            None => text(&jwt.claims, "scope").is_some_and(|scope| !scope.is_empty()),
        };
        if text(&jwt.claims, "sub") != Some(email) || for_users || !audience_good {
            return Err(bad_credential());
        }
        Ok(AccountToken { email: account.email, kid, signer: None, exp_s })
    }

    /// Whether an audience names a service of this house, as Google's libraries name them.
    fn is_service(&self, audience: &str) -> bool {
        let Some(rest) = audience.strip_prefix("https://") else { return false };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let ours = self.settings.public_url.as_deref().and_then(|url| url.split_once("://"));
        let host_good = (host.ends_with(".googleapis.com") && host != "oauth2.googleapis.com")
            || ours.is_some_and(|(_, own)| own.trim_end_matches('/') == host);
        host_good && (path.is_empty() || path.starts_with("google.firestore."))
    }

    /// A service account's row.
    pub(crate) async fn service_account(
        &self,
        realm: &Realm,
        email: &str,
    ) -> Result<Option<ServiceAccount>, Status> {
        self.gate.peek(&realm.account(email)).await?.map(|row| decode(&row)).transpose()
    }
}

/// Checks a signature against an account's keys and says which key it was. A token that names a key must be signed
/// with that one; some SDKs name none.
pub(crate) fn verify_with(account: &ServiceAccount, jwt: &Jwt<'_>, now_s: i64) -> Result<String, TokenError> {
    let mut outcome = Err(TokenError::UnknownKey);
    for key in account.keys.iter().filter(|key| !key.is_over(now_s)) {
        if jwt.header.kid.as_ref().is_some_and(|kid| *kid != key.kid) {
            continue;
        }
        let public = STANDARD
            .decode(&key.public)
            .ok()
            .and_then(|der| PublicKey::from_der(&der).ok())
            .ok_or(TokenError::UnknownKey)?;
        match public.verify(jwt) {
            Ok(()) => return Ok(key.kid.clone()),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// Checks the times of something a service account signed: at most an hour long, and now within it.
pub(crate) fn short_lived(claims: &Claims, now_s: i64) -> Result<i64, TokenError> {
    let iat_s = seconds(claims, "iat").ok_or(TokenError::Subject)?;
    let exp_s = seconds(claims, "exp").ok_or(TokenError::Subject)?;
    if exp_s <= now_s {
        return Err(TokenError::Expired);
    }
    let too_long = exp_s > iat_s.saturating_add(ID_TOKEN_LIFE_S);
    if too_long || iat_s > now_s.saturating_add(CLOCK_SKEW_S_MAX) {
        return Err(TokenError::Subject);
    }
    Ok(exp_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_signed_hour() {
        let claims = |iat: i64, exp: i64| -> Claims {
            serde_json::from_value(serde_json::json!({ "iat": iat, "exp": exp })).unwrap()
        };
        for (iat, exp, expected) in [
            (1000, 4600, Ok(4600)),
            (1060, 4660, Ok(4660)),
            (1061, 4661, Err(TokenError::Subject)),
            (1000, 4601, Err(TokenError::Subject)),
            (-5000, 1000, Err(TokenError::Expired)),
            (i64::MAX, i64::MAX, Err(TokenError::Subject)),
        ] {
            assert_eq!(short_lived(&claims(iat, exp), 1000), expected, "{iat} {exp}");
        }
    }
}
