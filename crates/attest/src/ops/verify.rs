//! What a token is worth.

use std::sync::Arc;

use access::{Attest, Attestation, Attested, DevPermit, Flaw, Standing, TokenSigner};
use async_trait::async_trait;
use base::{Code, Status, Timestamp};
use kv::{Key, Row};
use policy::App;

use crate::AppCheck;
use crate::model::rows::{AppRow, app_key, decode};
use crate::model::token::{Token, flaw_of};

/// What an app must still be: registered, not revoked since, its token's key in use.
#[derive(Debug)]
struct AppStanding {
    key: Key,
    signer: Arc<dyn TokenSigner>,
    iat_s: i64,
    /// In dev an app need not be registered.
    dev: Option<DevPermit>,
}

impl Standing for AppStanding {
    fn key(&self) -> &Key {
        &self.key
    }

    fn depends_on(&self) -> Option<&Key> {
        Some(self.signer.row())
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let valid_since_s = match row {
            Some(row) => decode::<AppRow>(row)?.valid_since_s,
            None if self.dev.is_some() => 0,
            None => i64::MAX,
        };
        if self.iat_s >= valid_since_s && self.signer.stands() {
            return Ok(());
        }
        Err(Status::new(Code::Unauthenticated, "the app or its token was revoked"))
    }
}

impl AppCheck {
    /// A genuine token of the project whose time is not over; whether its app still stands is asked elsewhere.
    pub(super) async fn read(&self, text: &str) -> Result<Result<Arc<Token>, Flaw>, Status> {
        if let Some(flaw) = flaw_of(text) {
            return Ok(Err(flaw));
        }
        let token = match self.cache.get(text) {
            Some(token) => token,
            None => {
                let Some(signed) = self.keys.open(text).await? else { return Ok(Err(Flaw::Forged)) };
                match Token::read(signed, &self.settings) {
                    Ok(token) => {
                        let token = Arc::new(token);
                        self.cache.put(text, Arc::clone(&token));
                        token
                    }
                    Err(flaw) => return Ok(Err(flaw)),
                }
            }
        };
        Ok(token.in_time(self.now_s()).map(|()| token))
    }

    async fn attested(&self, token: &Token) -> Result<Attestation, Status> {
        let standing = AppStanding {
            key: app_key(&self.settings.project, &token.app),
            signer: Arc::clone(&token.signer),
            iat_s: token.iat_s,
            dev: self.gate.mode().dev(),
        };
        let row = self.gate.peek(standing.key()).await?;
        match standing.check(row.as_ref()) {
            Ok(()) => Ok(Attestation::Valid(Arc::new(Attested {
                app: App { id: token.app.clone() },
                until: Timestamp::from_micros(token.exp_s.saturating_mul(1_000_000)),
                standing: Arc::new(standing),
            }))),
            Err(status) if status.code == Code::Unauthenticated => {
                let flaw =
                    if row.is_some() || !token.signer.stands() { Flaw::Revoked } else { Flaw::UnknownApp };
                Ok(Attestation::Invalid(flaw))
            }
            Err(fault) => Err(fault),
        }
    }
}

#[async_trait]
impl Attest for AppCheck {
    async fn app(&self, project: &str, token: Option<&str>) -> Result<Attestation, Status> {
        let Some(text) = token.filter(|text| !text.is_empty()) else { return Ok(Attestation::Missing) };
        if !self.is_project(project) {
            return Ok(Attestation::Invalid(Flaw::Foreign));
        }
        match self.read(text).await? {
            Ok(token) => self.attested(&token).await,
            Err(flaw) => Ok(Attestation::Invalid(flaw)),
        }
    }

    async fn consume(&self, project: &str, token: &str) -> Result<bool, Status> {
        if !self.is_project(project) {
            return Ok(false);
        }
        match self.read(token).await? {
            Ok(read) => self.use_up(&read, token).await,
            Err(_) => Ok(false),
        }
    }
}
