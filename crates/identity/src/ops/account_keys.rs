//! Service accounts and their keys: what administrators make, list, rotate and revoke.
//!
//! A revoked account keeps its row, so that it can be listed; no key of it is left. A token of an account is bound to the key
//! that it was signed with or obtained with: it ends with that key, at once.

use access::{Attempts, Caller, Gate, Operation, Refusal, Service, Session};
use base::{Code, Status, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kv::Scan;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::limits::{ACCOUNTS_LISTED_MAX, ATTEMPTS_MAX, KEYS_PER_ACCOUNT_MAX};
use crate::model::account::{AccountKey, KeysFull, ServiceAccount, is_name};
use crate::model::key::Realm;
use crate::model::session::hash;
use crate::model::{decode, encode};
use crate::token::rs256::PrivateKey;

/// A service account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Its address.
    pub email: String,
    /// Refused everywhere.
    pub revoked: bool,
    /// Its keys, oldest first.
    pub keys: Vec<AccountKeyInfo>,
}

/// A key of a service account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountKeyInfo {
    /// Its id, `private_key_id` in the key file.
    pub id: String,
    /// RFC 3339.
    pub created: String,
    /// From when on it is refused; `None` where it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Makes a service account, or gives one that exists another key. The answer is a key file of Google's shape; the
/// private key in it is nowhere else. An account that was revoked is one again, with this key alone.
///
/// `token_uri` is where Google's libraries will go for access tokens.
///
/// Errors: `INVALID_ARGUMENT` for what is no name of one; `RESOURCE_EXHAUSTED` when it has [`KEYS_PER_ACCOUNT_MAX`] keys.
pub async fn create_service_account(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    name: &str,
    token_uri: &str,
) -> Result<Json, Status> {
    if !is_name(name) {
        return Err(Status::invalid(format!(
            "`{name}` is no name for a service account: 1 to 30 of `a-z`, `0-9` and `-`, beginning with a letter"
        )));
    }
    let email = ServiceAccount::email(project, name);
    let new = NewKey::generate(gate).await?;
    let key = &new.key;
    let account = change(gate, caller, project, &email, "createServiceAccount", |account| {
        let mut account = account.unwrap_or_else(|| ServiceAccount::new(&email));
        account.disabled = false;
        account.add(key.clone()).map_err(|full| full.status(&email))?;
        Ok((account, &key.kid))
    });
    Ok(new.file(project, &account.await?, token_uri))
}

/// Gives an account another key; those it has are refused after `overlap_s` seconds. Answers with the new key's file.
///
/// Errors: `NOT_FOUND`; `FAILED_PRECONDITION` for one that was revoked; `RESOURCE_EXHAUSTED` as above.
pub async fn rotate_service_account(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    name: &str,
    overlap_s: u32,
    token_uri: &str,
) -> Result<Json, Status> {
    let email = address(project, name);
    let new = NewKey::generate(gate).await?;
    let key = &new.key;
    let over_s = key.created_s.saturating_add(overlap_s.into());
    let account = change(gate, caller, project, &email, "rotateServiceAccount", |account| {
        let mut account = account.ok_or_else(|| absent(&email))?;
        if account.disabled {
            return Err(Status::new(
                Code::FailedPrecondition,
                format!("`{email}` was revoked; `hearth service-account create` makes it anew"),
            ));
        }
        account.keys.retain(|old| !old.is_over(key.created_s));
        for old in &mut account.keys {
            old.expires_s = Some(old.expires_s.map_or(over_s, |at_s| at_s.min(over_s)));
        }
        account.add(key.clone()).map_err(|full| full.status(&email))?;
        Ok((account, &key.kid))
    });
    Ok(new.file(project, &account.await?, token_uri))
}

/// Refuses an account, or one key of it, from now on, with every token that was made with it.
///
/// Errors: `NOT_FOUND`.
pub async fn revoke_service_account(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    name: &str,
    key: Option<&str>,
) -> Result<AccountInfo, Status> {
    let email = address(project, name);
    let account = change(gate, caller, project, &email, "revokeServiceAccount", |account| {
        let mut account = account.ok_or_else(|| absent(&email))?;
        match key {
            None => {
                account.disabled = true;
                account.keys.clear();
            }
            Some(kid) => {
                let at =
                    account.keys.iter().position(|key| key.kid == kid).ok_or_else(|| {
                        Status::new(Code::NotFound, format!("`{email}` has no key `{kid}`"))
                    })?;
                account.keys.remove(at);
            }
        }
        Ok((account, key.unwrap_or("all")))
    });
    Ok(account.await?.info())
}

/// The service accounts of a project, by address.
pub async fn service_accounts(
    gate: &Gate,
    caller: &Caller,
    project: &str,
) -> Result<Vec<AccountInfo>, Status> {
    let operation =
        Operation { service: Service::Identity, verb: "listServiceAccounts", resource: RESOURCE.to_owned() };
    let mut session = gate.begin(caller, operation).await?;
    session.authorize_admin(RESOURCE).map_err(refused)?;
    let scan = Scan { rows_max: ACCOUNTS_LISTED_MAX, ..Scan::default() };
    let page = session.scan(&Realm::of(project).accounts(), scan).await?;
    let accounts = page.rows.iter().map(|row| decode::<ServiceAccount>(row).map(|account| account.info()));
    let accounts = accounts.collect::<Result<_, _>>()?;
    session.finish();
    Ok(accounts)
}

/// What the record says that they are.
const RESOURCE: &str = "/serviceAccounts";

/// The address of an account that is named by it, or by the part before the `@`.
fn address(project: &str, name: &str) -> String {
    if name.contains('@') { name.to_owned() } else { ServiceAccount::email(project, name) }
}

fn absent(email: &str) -> Status {
    Status::new(Code::NotFound, format!("there is no service account `{email}`"))
}

/// Changes an account's row. The change names the key that it is about, for the record.
async fn change<'k>(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    email: &str,
    verb: &'static str,
    change: impl Fn(Option<ServiceAccount>) -> Result<(ServiceAccount, &'k str), Status>,
) -> Result<ServiceAccount, Status> {
    let row_key = &Realm::of(project).account(email);
    let (resource, change) = (&format!("{RESOURCE}/{email}"), &change);
    let operation = Operation { service: Service::Identity, verb, resource: resource.clone() };
    let exhausted = || Status::new(Code::Aborted, "others kept changing this service account");
    let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted };
    let work = |mut session: Session| async move {
        let before = session.get(row_key).await?.map(|row| decode(&row)).transpose()?;
        let permit = session.authorize_admin(resource).map_err(refused)?;
        let (account, kid) = change(before)?;
        session.note("key", kid.into());
        session.write(&permit, row_key.clone(), Some(encode(&account)?));
        Ok::<_, Status>((session, account))
    };
    let (account, _) = gate.transact(caller, &operation, attempts, work).await?;
    Ok(account)
}

fn refused(refusal: Refusal) -> Status {
    refusal.status(|_| "Only administrators may look after service accounts.".to_owned())
}

/// A key that was just made, with its private half.
struct NewKey {
    key: AccountKey,
    pkcs8: Vec<u8>,
}

impl NewKey {
    async fn generate(gate: &Gate) -> Result<Self, Status> {
        let failed = |_| Status::new(Code::Internal, "a key could not be made");
        let private = tokio::task::spawn_blocking(PrivateKey::generate)
            .await
            .map_err(|_| Status::unavailable("the service is shutting down"))?
            .map_err(failed)?;
        let public = private.public_der().map_err(failed)?;
        let key = AccountKey {
            kid: hex::encode(hash(&public).get(..20).unwrap_or_default()),
            public: STANDARD.encode(public),
            created_s: gate.clock().now().seconds,
            expires_s: None,
        };
        Ok(Self { key, pkcs8: private.pkcs8().map_err(failed)? })
    }

    /// The key file, as Google's libraries read it.
    fn file(&self, project: &str, account: &ServiceAccount, token_uri: &str) -> Json {
        let quoted =
            percent_encoding::utf8_percent_encode(&account.email, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        json!({
            "type": "service_account",
            "project_id": project,
            "private_key_id": self.key.kid,
            "private_key": pem("PRIVATE KEY", &self.pkcs8),
            "client_email": account.email,
            "client_id": account.client_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": format!("https://www.googleapis.com/robot/v1/metadata/x509/{quoted}"),
            "universe_domain": "googleapis.com",
        })
    }
}

impl ServiceAccount {
    fn new(email: &str) -> Self {
        Self { email: email.to_owned(), client_id: client_id(email), disabled: false, keys: Vec::new() }
    }

    fn info(&self) -> AccountInfo {
        let time = |seconds| Timestamp { seconds, nanos: 0 }.to_string();
        let keys = self.keys.iter().map(|key| AccountKeyInfo {
            id: key.kid.clone(),
            created: time(key.created_s),
            expires: key.expires_s.map(time),
        });
        AccountInfo { email: self.email.clone(), revoked: self.disabled, keys: keys.collect() }
    }
}

impl KeysFull {
    fn status(&self, email: &str) -> Status {
        let text = format!(
            "`{email}` has {KEYS_PER_ACCOUNT_MAX} keys, which is the most; `hearth service-account revoke --key ID` ends one"
        );
        Status::new(Code::ResourceExhausted, text)
    }
}

/// 21 digits, as Google's are, the same for the same address.
fn client_id(email: &str) -> String {
    let digits = hash(email.as_bytes()).into_iter().take(20).map(|byte| char::from(b'0' + byte % 10));
    std::iter::once('1').chain(digits).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_lines_have_64_characters() {
        let text = pem("PRIVATE KEY", &[7; 100]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PRIVATE KEY-----"));
        assert_eq!(lines[1].len(), 64);
        assert_eq!(lines.last(), Some(&"-----END PRIVATE KEY-----"));
        assert_eq!(client_id("a@b").len(), 21);
    }
}
