//! Service accounts: making one with its key file, and changing a signature for an access token.

use access::{Attempts, Caller, Gate, Operation, Refusal, Service, Session};
use base::{Code, Status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::{UnitOfWork, Verb};
use crate::authenticate::{short_lived, verify_with};
use crate::limits::ATTEMPTS_MAX;
use crate::model::account::{AccountKey, ServiceAccount, is_name};
use crate::model::key::Realm;
use crate::model::session::hash;
use crate::model::{decode, encode};
use crate::status::{Failure, Refused};
use crate::token::claims::{ACCESS_TOKEN_TYPE, access_token};
use crate::token::rs256::PrivateKey;
use crate::token::{Jwt, text};
use crate::{GOOGLE_TOKEN_URI, GOOGLE_TOKEN_URI_OLDER};

/// Makes a service account, or gives one that exists another key. The answer is a key file of Google's shape; the
/// private key in it is nowhere else.
///
/// `token_uri` is where Google's libraries will go for access tokens.
pub async fn create_service_account(
    gate: &Gate,
    project: &str,
    name: &str,
    token_uri: &str,
) -> Result<Json, Status> {
    if !is_name(name) {
        return Err(Status::invalid(format!(
            "`{name}` is no name for a service account: 1 to 30 of `a-z`, `0-9` and `-`, beginning with a letter"
        )));
    }
    let failed = |_| Status::new(Code::Internal, "a key could not be made");
    let private = tokio::task::spawn_blocking(PrivateKey::generate)
        .await
        .map_err(|_| Status::unavailable("the service is shutting down"))?
        .map_err(failed)?;
    let public = private.public_der().map_err(failed)?;
    let kid = hex::encode(hash(&public).get(..20).unwrap_or_default());
    let email = ServiceAccount::email(project, name);
    let created_s = gate.clock().now().seconds;
    let key = AccountKey { kid: kid.clone(), public: STANDARD.encode(public), created_s };
    let account = add_key(gate, project, &email, key).await?;
    let pkcs8 = private.pkcs8().map_err(failed)?;
    let quoted =
        percent_encoding::utf8_percent_encode(&email, percent_encoding::NON_ALPHANUMERIC).to_string();
    Ok(json!({
        "type": "service_account",
        "project_id": project,
        "private_key_id": kid,
        "private_key": pem("PRIVATE KEY", &pkcs8),
        "client_email": email,
        "client_id": account.client_id,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": format!("https://www.googleapis.com/robot/v1/metadata/x509/{quoted}"),
        "universe_domain": "googleapis.com",
    }))
}

async fn add_key(gate: &Gate, project: &str, email: &str, key: AccountKey) -> Result<ServiceAccount, Status> {
    let row_key = &Realm::of(project).account(email);
    let (resource, key) = (&format!("/serviceAccounts/{email}"), &key);
    let verb = "createServiceAccount";
    let operation = Operation { service: Service::Identity, verb, resource: resource.clone() };
    let exhausted = || Status::new(Code::Aborted, "others kept changing this service account");
    let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted };
    let work = |mut session: Session| async move {
        let mut account = match session.get(row_key).await? {
            Some(row) => decode(&row)?,
            None => ServiceAccount {
                email: email.to_owned(),
                client_id: client_id(email),
                disabled: false,
                keys: Vec::new(),
            },
        };
        account.add(key.clone());
        let permit = session.authorize_admin(resource).map_err(refused)?;
        session.note("key", key.kid.as_str().into());
        session.write(&permit, row_key.clone(), Some(encode(&account)?));
        Ok::<_, Status>((session, account))
    };
    let (account, _) = gate.transact(&Caller::admin("hearth"), &operation, attempts, work).await?;
    Ok(account)
}

fn refused(refusal: Refusal) -> Status {
    refusal.status(|_| "Only administrators may make service accounts.".to_owned())
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

/// The grant type of [`Exchange`].
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a service account signed, in exchange for an access token.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub assertion: String,
}

/// What is answered to a signature that is not good. The message is the `error_description`.
fn invalid_grant(why: &str) -> Failure {
    Failure::Refused(Refused::text(why))
}

impl Verb for Exchange {
    type Output = String;
    const NAME: &'static str = "oauthToken";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<String, Failure> {
        let jwt =
            Jwt::parse(&self.assertion).map_err(|error| invalid_grant(&format!("Invalid JWT: {error}.")))?;
        let email = text(&jwt.claims, "iss").unwrap_or_default();
        let unknown = || invalid_grant("Invalid grant: account not found");
        let key = work.realm().account(email);
        let account: ServiceAccount = work.row(&key).await?.ok_or_else(unknown)?;
        if account.disabled {
            return Err(unknown());
        }
        verify_with(&account, &jwt).map_err(|_| invalid_grant("Invalid JWT Signature."))?;
        let now_s = work.now_s();
        short_lived(&jwt.claims, now_s).map_err(|_| {
            invalid_grant(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your \
                 iat and exp values in the JWT claim.",
            )
        })?;
        let audience = text(&jwt.claims, "aud").unwrap_or_default();
        let ours = [GOOGLE_TOKEN_URI, GOOGLE_TOKEN_URI_OLDER, &*work.identity.settings.token_uri];
        if !ours.contains(&audience) {
            return Err(invalid_grant("Invalid JWT: audience is not this token endpoint."));
        }
        if jwt.claims.get("sub").is_some_and(|subject| subject.as_str() != Some(email)) {
            return Err(invalid_grant("Invalid grant: acting for someone else is not supported."));
        }
        work.proved("service account key");
        work.note("account", email.into());
        let scope = text(&jwt.claims, "scope").unwrap_or_default();
        let claims = access_token(&work.realm().project, email, scope, now_s);
        work.identity.tokens.sign(ACCESS_TOKEN_TYPE, &claims, now_s)
    }
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
