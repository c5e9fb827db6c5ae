//! The signing keys for services that issue tokens of their own: App Check's are signed with the keys of ID tokens.
//!
//! One key signs tokens of several kinds, so nothing is known of a token because one has signed it: its reader checks the
//! issuer and the audience. In dev, whose ID tokens are unsigned, the first token that is asked for makes a key.

use std::sync::Arc;

use access::{AccountSigned, Caller, SignedToken, TokenKeys, TokenSigner};
use async_trait::async_trait;
use base::{Code, Status};
use kv::Key;
use serde_json::Value as Json;

use crate::Identity;
use crate::authenticate::{Authenticator, short_lived, verify_with};
use crate::model::key::Realm;
use crate::standing::{AccountStanding, Signer};
use crate::status::Failure;
use crate::token::{Claims, Jwt, text};

impl TokenSigner for Signer {
    fn row(&self) -> &Key {
        self.key_row()
    }

    fn stands(&self) -> bool {
        self.is_in_use()
    }
}

impl Identity {
    /// Reads the keys where that has not been done, and makes the first one.
    async fn have_keys(&self) -> Result<(), Status> {
        if self.ring.load().keys().is_empty() {
            self.rotate_keys().await.map_err(|failure| match failure {
                Failure::Fault(status) => status,
                refused @ Failure::Refused(_) => Status::unavailable(refused.to_string()),
            })?;
        }
        Ok(())
    }
}

#[async_trait]
impl TokenKeys for Authenticator {
    async fn sign(&self, claims: &Claims) -> Result<String, Status> {
        let identity = self.identity();
        identity.have_keys().await?;
        let ring = identity.ring.load();
        let unusable = || Status::unavailable("there is no key to sign with");
        let key = ring.signer(identity.now_s()).ok_or_else(unusable)?;
        key.private.sign(&key.kid, "JWT", claims).map_err(|_| unusable())
    }

    async fn open(&self, token: &str) -> Result<Option<SignedToken>, Status> {
        let identity = self.identity();
        let Ok(jwt) = Jwt::parse(token) else { return Ok(None) };
        let Some(kid) = jwt.header.kid.as_deref() else { return Ok(None) };
        identity.have_keys().await?;
        let Some(key) = identity.ring.load().by_id(kid).cloned() else { return Ok(None) };
        if key.public.verify(&jwt).is_err() {
            return Ok(None);
        }
        match Signer::new(&identity.ring, kid) {
            Ok(signer) => Ok(Some(SignedToken { claims: jwt.claims, signer: Arc::new(signer) })),
            // Revoked meanwhile.
            Err(status) if status.code == Code::Unauthenticated => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn open_of_account(&self, project: &str, token: &str) -> Result<Option<AccountSigned>, Status> {
        let identity = self.identity();
        let Ok(jwt) = Jwt::parse(token) else { return Ok(None) };
        let Some(email) = text(&jwt.claims, "iss") else { return Ok(None) };
        let realm = Realm::of(project);
        let Some(account) = identity.service_account(&realm, email).await? else { return Ok(None) };
        let now_s = identity.now_s();
        let Ok(kid) = verify_with(&account, &jwt, now_s) else { return Ok(None) };
        if short_lived(&jwt.claims, now_s).is_err() {
            return Ok(None);
        }
        let clock = Arc::clone(identity.gate.clock());
        let standing = AccountStanding { key: realm.account(&account.email), signer: None, kid, clock };
        let account = Caller::admin(account.email.as_str()).held_to(Arc::new(standing));
        Ok(Some(AccountSigned { claims: jwt.claims, account }))
    }

    async fn published(&self) -> Result<Json, Status> {
        self.identity().have_keys().await?;
        Ok(self.identity().ring.load().jwks())
    }
}
