//! The keys that sign tokens, as administrators list, rotate and revoke them.

use access::{Caller, Operation, Service};
use base::{Code, Status, Timestamp};
use kv::Scan;
use serde::{Deserialize, Serialize};

use super::rotate::{Change, times};
use crate::Identity;
use crate::keys::seal::Seal;
use crate::keys::{KEPT_AFTER_S, schedule};
use crate::model::decode;
use crate::model::key::signing_keys;
use crate::model::signing::SigningKeyRow;
use crate::status::Failure;

/// A signing key as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyInfo {
    /// Its id: the `kid` of tokens, and the name of its certificate.
    pub id: String,
    /// What it does.
    pub state: KeyState,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    pub signs_from: String,
    /// Until when tokens that it signed are accepted and its certificate is published; `None` while nothing follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifies_until: Option<String>,
    /// The id of the key that it is encrypted with in the store; `None` where it lies there as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<String>,
}

/// What a signing key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It is published and signs nothing yet.
    Next,
    /// It signs.
    Signing,
    /// It signs nothing any more; what it signed is accepted.
    Verifying,
}

impl KeyState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Signing => "signing",
            KeyState::Verifying => "verifying",
        }
    }
}

impl Identity {
    /// The signing keys, oldest first.
    ///
    /// Errors: `FAILED_PRECONDITION` in dev, whose tokens are unsigned.
    pub async fn signing_keys(&self, caller: &Caller) -> Result<Vec<SigningKeyInfo>, Status> {
        self.only_in_serve()?;
        let resource = "/signingKeys";
        let operation =
            Operation { service: Service::Identity, verb: "listSigningKeys", resource: resource.to_owned() };
        let mut session = self.gate.begin(caller, operation).await?;
        session.authorize_admin(resource).map_err(|refusal| refusal.status(|_| NOT_ADMIN.to_owned()))?;
        let page = session.scan(&signing_keys(), Scan::default()).await?;
        let rows = page.rows.iter().map(decode).collect::<Result<_, _>>()?;
        session.finish();
        Ok(self.infos(rows))
    }

    /// Makes a successor of the key that signs, published now and signing after two hours: until then everybody has it. With
    /// `at_once` it signs from now on, and who keeps published keys fetches them again first. Tokens of the old key stay good.
    pub async fn rotate_signing_key(
        &self,
        caller: &Caller,
        at_once: bool,
    ) -> Result<Vec<SigningKeyInfo>, Status> {
        self.change_by(caller, Change::Rotate { at_once }).await
    }

    /// Refuses a key and every token that it signed, at once. If it is the one that signs, another takes its place.
    pub async fn revoke_signing_key(
        &self,
        caller: &Caller,
        kid: &str,
    ) -> Result<Vec<SigningKeyInfo>, Status> {
        self.change_by(caller, Change::Revoke(kid)).await
    }

    /// Seals the keys with another seal, and those to come. Whoever opens the service next has to bring it.
    pub async fn seal_signing_keys(
        &self,
        caller: &Caller,
        seal: &Seal,
    ) -> Result<Vec<SigningKeyInfo>, Status> {
        self.change_by(caller, Change::Seal(seal)).await
    }

    async fn change_by(&self, caller: &Caller, change: Change<'_>) -> Result<Vec<SigningKeyInfo>, Status> {
        self.only_in_serve()?;
        match self.change_keys(caller, &change).await {
            Ok(rows) => Ok(self.infos(rows)),
            Err(Failure::Fault(status)) => Err(status),
            Err(Failure::Refused(refused)) => Err(Status::new(Code::PermissionDenied, refused.message)),
        }
    }

    fn only_in_serve(&self) -> Result<(), Status> {
        let text = "dev has no signing keys: its tokens are unsigned";
        if self.serves() { Ok(()) } else { Err(Status::new(Code::FailedPrecondition, text)) }
    }

    fn infos(&self, mut rows: Vec<SigningKeyRow>) -> Vec<SigningKeyInfo> {
        rows.sort_by_key(|row| row.signs_from_s);
        let signer = schedule::signer(&times(&rows), self.now_s());
        let successors = rows.iter().skip(1).map(|row| Some(row.signs_from_s)).chain([None]);
        let infos =
            rows.iter().zip(successors).enumerate().map(|(index, (row, successor_s))| SigningKeyInfo {
                id: row.kid.clone(),
                state: match signer.map(|signer| index.cmp(&signer)) {
                    Some(std::cmp::Ordering::Less) => KeyState::Verifying,
                    Some(std::cmp::Ordering::Equal) => KeyState::Signing,
                    Some(std::cmp::Ordering::Greater) | None => KeyState::Next,
                },
                created: time(row.created_s),
                signs_from: time(row.signs_from_s),
                verifies_until: successor_s.map(|from_s| time(from_s + KEPT_AFTER_S)),
                sealed_by: row.sealed.then(|| row.sealed_by.clone().unwrap_or_else(|| "unknown".to_owned())),
            });
        infos.collect()
    }
}

const NOT_ADMIN: &str = "Only administrators may look after signing keys.";

fn time(seconds: i64) -> String {
    Timestamp { seconds, nanos: 0 }.to_string()
}
