//! What service accounts sign beside tokens: URLs that open one object for a while.

use std::sync::Arc;

use access::{Caller, Signatures, Standing};
use async_trait::async_trait;
use base::Status;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authenticate::Authenticator;
use crate::model::key::Realm;
use crate::standing::AccountStanding;
use crate::status::bad_credential;
use crate::token::rs256::PublicKey;

#[async_trait]
impl Signatures for Authenticator {
    async fn signer(
        &self,
        project: &str,
        account: &str,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Caller, Status> {
        let identity = self.identity();
        let realm = Realm::of(project);
        let account = identity.service_account(&realm, account).await?.ok_or_else(bad_credential)?;
        let now_s = identity.now_s();
        let has_signed = |public: &str| {
            let key = STANDARD.decode(public).ok().and_then(|der| PublicKey::from_der(&der).ok());
            key.is_some_and(|key| key.has_signed(signed, signature))
        };
        let mut keys = account.keys.iter().filter(|key| !key.is_over(now_s));
        let kid = keys.find(|key| has_signed(&key.public)).map(|key| key.kid.clone());
        let kid = kid.ok_or_else(bad_credential)?;
        let clock = Arc::clone(identity.gate.clock());
        let standing = AccountStanding { key: realm.account(&account.email), signer: None, kid, clock };
        standing.check(identity.gate.peek(standing.key()).await?.as_ref())?;
        Ok(Caller::admin(account.email.as_str()).held_to(Arc::new(standing)))
    }
}
