//! Tokens for proofs.

use access::{AccountSigned, Caller, DevPermit, Session};
use base::Status;
use serde_json::Value as Json;

use super::debug_tokens::{DEBUG_TOKENS_MAX, is_uuid4, new_uuid4};
use super::operation;
use crate::model::rows::{AppRow, DebugTokenRow, all_debug_tokens, app_key, debug_hash, decode, is_app_id};
use crate::model::token::{JTI_LEN, LIMITED_TTL_S, NewToken, TTL_S, TTL_S_USUAL, duration_s};
use crate::{AppCheck, status};

/// For whom a service account signs a custom token.
const CUSTOM_AUDIENCE: &str =
    "https://firebaseappcheck.googleapis.com/google.firebase.appcheck.v1.TokenExchangeService";

/// What proves that an app is what it says it is.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// A debug token.
    Debug(&'a str),
    /// What a service account of the project has signed for it.
    Custom(&'a str),
    /// What a provider of Google's gave, which nobody here can verify.
    Believed(DevPermit, &'a str),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The app's id.
    pub app: &'a str,
    /// The proof.
    pub proof: Proof<'a>,
    /// Whether the token is to be used once.
    pub limited: bool,
    /// The id that the client gives the token.
    pub jti: Option<&'a str>,
}

/// A new token.
#[derive(Clone, Debug)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// How long it lives, in seconds.
    pub ttl_s: i64,
}

impl Proof<'_> {
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Proof::Debug(_) => ("exchangeDebugToken", "debug"),
            Proof::Custom(_) => ("exchangeCustomToken", "custom"),
            Proof::Believed(..) => ("exchangeInDev", "dev"),
        }
    }
}

impl AppCheck {
    /// Changes a proof for a token. A refusal is on the record, and its client does not learn why.
    pub async fn exchange(&self, exchange: Exchange<'_>) -> Result<Minted, Status> {
        let Exchange { app, proof, limited, jti } = exchange;
        if jti.is_some_and(|jti| !limited || !JTI_LEN.contains(&jti.len())) {
            return Err(status::bad_jti());
        }
        let (verb, provider) = proof.names();
        let resource = format!("/apps/{app}");
        let account = match proof {
            Proof::Custom(token) => self.keys.open_of_account(&self.settings.project, token).await?,
            Proof::Debug(_) | Proof::Believed(..) => None,
        };
        let caller = account.as_ref().map_or_else(Caller::unauthenticated, |signed| signed.account.clone());
        let mut session = self.gate.begin(&caller, operation(verb, &resource)).await?;
        session.note("app", app.into());
        let row = match self.app_row(&mut session, app).await? {
            Ok(row) => row,
            Err(why) => return Err(refused(session, provider, &resource, why)),
        };
        let asked_ttl_s = match self.prove(&mut session, &exchange, row.as_ref(), account.as_ref()).await? {
            Ok(ttl_s) => ttl_s,
            Err(why) => return Err(refused(session, provider, &resource, why)),
        };
        let usual_s = row.map_or(TTL_S_USUAL, |row| row.ttl_s);
        let ttl_s = if limited { LIMITED_TTL_S } else { asked_ttl_s.unwrap_or(usual_s) };
        let jti = jti.map_or_else(new_uuid4, |jti| Ok(jti.to_owned()))?;
        let claims = NewToken { app, jti, provider, ttl_s }.claims(&self.settings, self.now_s());
        let token = self.keys.sign(&claims).await?;
        session.authorize_self(provider, &resource);
        session.finish();
        Ok(Minted { token, ttl_s })
    }

    /// The app's row; none in dev where it is not registered.
    async fn app_row(
        &self,
        session: &mut Session,
        app: &str,
    ) -> Result<Result<Option<AppRow>, &'static str>, Status> {
        if !is_app_id(app) {
            return Ok(Err("it is no app id"));
        }
        match session.get(&app_key(&self.settings.project, app)).await? {
            Some(row) => Ok(Ok(Some(decode(&row)?))),
            None if self.is_dev() => Ok(Ok(None)),
            None => Ok(Err("the app is not registered")),
        }
    }

    /// Checks the proof. Returns for how long a token is asked for.
    async fn prove(
        &self,
        session: &mut Session,
        exchange: &Exchange<'_>,
        row: Option<&AppRow>,
        account: Option<&AccountSigned>,
    ) -> Result<Result<Option<i64>, &'static str>, Status> {
        let proved = match exchange.proof {
            // In dev an app that nobody has registered has every debug token: its SDK makes one up and prints it.
            Proof::Debug(token) if row.is_none() => {
                is_uuid4(token).then_some(None).ok_or("it is no UUID of version 4")
            }
            Proof::Debug(token) => {
                let rows = all_debug_tokens(&self.settings.project, exchange.app);
                let known = session.all(rows, DEBUG_TOKENS_MAX).await?;
                let hash = debug_hash(token);
                let mut is_known = false;
                for row in known {
                    is_known |= decode::<DebugTokenRow>(&row)?.hash == hash;
                }
                is_known.then_some(None).ok_or("the app has no such debug token")
            }
            Proof::Custom(_) => match account {
                Some(signed) => custom(signed, exchange.app),
                None => {
                    Err("no service account of the project has signed the custom token, or its time is over")
                }
            },
            Proof::Believed(_, token) => (!token.is_empty()).then_some(None).ok_or("it is empty"),
        };
        Ok(proved)
    }
}

/// What a service account has signed for an app, and for how long a token.
fn custom(signed: &AccountSigned, app: &str) -> Result<Option<i64>, &'static str> {
    let text = |name: &str| signed.claims.get(name).and_then(Json::as_str);
    if text("sub") != text("iss") || text("aud") != Some(CUSTOM_AUDIENCE) {
        return Err("the custom token is for something else");
    }
    if text("app_id") != Some(app) {
        return Err("the custom token is for another app");
    }
    match signed.claims.get("ttl") {
        None => Ok(None),
        Some(ttl) => {
            let ttl_s = ttl.as_str().and_then(duration_s).filter(|ttl_s| TTL_S.contains(ttl_s));
            ttl_s.map(Some).ok_or("the custom token's `ttl` is not from 1800s to 604800s")
        }
    }
}

fn refused(session: Session, provider: &'static str, resource: &str, why: &str) -> Status {
    session.refuse(provider, resource, why);
    status::attestation_failed()
}
