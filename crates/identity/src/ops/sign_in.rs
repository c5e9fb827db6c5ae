//! Signing in: with a password, with a custom token.

use kv::Key;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::sign_up::given;
use super::{RequestContext, SignedIn, UnitOfWork, Verb};
use crate::authenticate::{short_lived, verify_with};
use crate::limits::UID_BYTES_MAX;
use crate::model::account::ServiceAccount;
use crate::model::key::Handle;
use crate::model::user::{User, email_address};
use crate::status::{
    ADMIN_ONLY_OPERATION, CREDENTIAL_MISMATCH, EMAIL_NOT_FOUND, Failure, INVALID_EMAIL,
    INVALID_LOGIN_CREDENTIALS, INVALID_PASSWORD, MISSING_CUSTOM_TOKEN, MISSING_EMAIL, MISSING_IDENTIFIER,
    MISSING_PASSWORD, PASSWORD_LOGIN_DISABLED, TENANT_ID_MISMATCH, USER_DISABLED, invalid_custom_token,
};
use crate::token::claims::{CUSTOM_TOKEN_AUDIENCE, Grant, allowed_session};
use crate::token::{Claims, Jwt, text};

/// `accounts:signInWithPassword`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SignInWithPassword {
    pub email: Option<String>,
    pub password: Option<String>,
}

impl Verb for SignInWithPassword {
    type Output = SignedIn;
    const NAME: &'static str = "signInWithPassword";

    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        let email = self.email.as_deref().and_then(email_address);
        email.map(|email| context.realm.handle(&Handle::Email(email))).into_iter().collect()
    }

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<SignedIn, Failure> {
        let config = work.config().await?;
        if !config.allows_passwords() {
            return Err(PASSWORD_LOGIN_DISABLED.into());
        }
        let email = self.email.as_ref().ok_or(MISSING_EMAIL)?;
        let email = email_address(email).ok_or(INVALID_EMAIL)?;
        let password = given(self.password.as_ref()).ok_or(MISSING_PASSWORD)?;
        let found = work.find(&Handle::Email(email.clone())).await?;
        if let Some(user) = &found {
            work.about(&user.uid);
            work.contend(work.realm().user(&user.uid));
        }
        let attempt = work.attempt(&email).await?;
        let stored = found.as_ref().and_then(|user| user.password.as_ref());
        let mut user = if config.hides_emails(work.identity.serves()) {
            // One answer for all three, after the same work: who asks cannot tell which addresses have accounts.
            let matches = work.matches(password, stored, &attempt.party).await?;
            let user = found.filter(|_| matches).ok_or(INVALID_LOGIN_CREDENTIALS)?;
            if user.disabled {
                return Err(USER_DISABLED.into());
            }
            user
        } else {
            let user = found.clone().ok_or(EMAIL_NOT_FOUND)?;
            if user.disabled {
                return Err(USER_DISABLED.into());
            }
            if stored.is_none() || !work.matches(password, stored, &attempt.party).await? {
                return Err(INVALID_PASSWORD.into());
            }
            user
        };
        config.password_policy().check_at_sign_in(password)?;
        let before = user.clone();
        let claims = work.before_sign_in(&mut user, "password").await?;
        let permit = work.proved("password");
        work.succeeded(&permit, attempt)?;
        let issued = if user.disabled {
            None
        } else {
            user.last_login_ms = Some(work.now_ms());
            let grant = Grant { provider: "password".into(), auth_time_s: work.now_s(), claims };
            Some(work.issue(&permit, &mut user, grant).await?)
        };
        work.save(&permit, Some(&before), &user).await?;
        Ok(SignedIn { user, issued, is_new: false })
    }
}

/// `accounts:signInWithCustomToken`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SignInWithCustomToken {
    pub token: Option<String>,
}

impl SignInWithCustomToken {
    /// What the token says, once it is known to be genuine.
    async fn claims(&self, work: &mut UnitOfWork<'_>) -> Result<Claims, Failure> {
        let token = given(self.token.as_ref()).ok_or(MISSING_CUSTOM_TOKEN)?;
        if work.identity.serves() {
            return verified(work, token).await;
        }
        if token.starts_with('{') {
            return serde_json::from_str(token).map_err(|_| {
                invalid_custom_token(
                    "((Auth Emulator only accepts strict JSON or JWTs as fake custom tokens.))",
                )
                .into()
            });
        }
        // As in the emulator, in dev a custom token is believed whoever signed it.
        let jwt = Jwt::parse(token).map_err(|_| invalid_custom_token("Invalid assertion format"))?;
        match text(&jwt.claims, "aud") {
            Some(CUSTOM_TOKEN_AUDIENCE) => Ok(jwt.claims),
            audience => Err(invalid_custom_token(&format!(
                "((Invalid aud (audience): {} Note: Firebase ID Tokens / third-party tokens cannot be used with \
                 signInWithCustomToken.))",
                audience.unwrap_or("undefined")
            ))
            .into()),
        }
    }
}

/// In serve a custom token counts when a service account of this project signed it, less than an hour ago.
async fn verified(work: &mut UnitOfWork<'_>, token: &str) -> Result<Claims, Failure> {
    let jwt = Jwt::parse(token).map_err(|_| invalid_custom_token("Invalid assertion format"))?;
    let audience = text(&jwt.claims, "aud");
    if audience != Some(CUSTOM_TOKEN_AUDIENCE) {
        return Err(invalid_custom_token("The token's audience is not this service.").into());
    }
    let issuer = text(&jwt.claims, "iss").unwrap_or_default();
    if ServiceAccount::project_of(issuer).is_some_and(|project| project != work.realm().project) {
        return Err(CREDENTIAL_MISMATCH.into());
    }
    let unknown = || Failure::from(invalid_custom_token("The token's signer is unknown."));
    let key = work.realm().account(issuer);
    let account: ServiceAccount = work.row(&key).await?.ok_or_else(unknown)?;
    if account.disabled || text(&jwt.claims, "sub") != Some(issuer) {
        return Err(unknown());
    }
    verify_with(&account, &jwt, work.now_s())
        .map_err(|_| invalid_custom_token("The token's signature is wrong."))?;
    short_lived(&jwt.claims, work.now_s()).map_err(|error| invalid_custom_token(&format!("{error}.")))?;
    Ok(jwt.claims)
}

/// Whom a custom token is about.
fn uid(claims: &Claims) -> Option<String> {
    let uid = ["uid", "user_id"].iter().find_map(|name| match claims.get(*name) {
        Some(Json::String(uid)) if !uid.is_empty() => Some(uid.clone()),
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => None,
    });
    uid.filter(|uid| uid.len() <= UID_BYTES_MAX)
}

impl Verb for SignInWithCustomToken {
    type Output = SignedIn;
    const NAME: &'static str = "signInWithCustomToken";

    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        let claims = self.token.as_deref().and_then(|token| match token.starts_with('{') {
            true => serde_json::from_str(token).ok(),
            false => Jwt::parse(token).ok().map(|jwt| jwt.claims),
        });
        claims.as_ref().and_then(uid).map(|uid| context.realm.user(&uid)).into_iter().collect()
    }

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<SignedIn, Failure> {
        let claims = self.claims(work).await?;
        let uid = uid(&claims).ok_or(MISSING_IDENTIFIER)?;
        work.about(&uid);
        let session_claims = match claims.get("claims") {
            None | Some(Json::Null) => Claims::new(),
            Some(given) => allowed_session(given)?,
        };
        if claims.get("tenant_id").and_then(Json::as_str).unwrap_or_default() != work.realm().tenant {
            return Err(TENANT_ID_MISMATCH.into());
        }
        let before = work.user(&uid).await?;
        if before.as_ref().is_some_and(|user| user.disabled) {
            return Err(USER_DISABLED.into());
        }
        if before.is_none() && !work.config().await?.allows_signup() {
            return Err(ADMIN_ONLY_OPERATION.into());
        }
        let now_ms = work.now_ms();
        let mut user = before.clone().unwrap_or_else(|| User { uid, created_ms: now_ms, ..User::default() });
        user.custom_auth = true;
        user.last_login_ms = Some(now_ms);
        let permit = work.proved("custom token");
        if !session_claims.is_empty() {
            work.note("sessionClaims", json!(session_claims.keys().collect::<Vec<_>>()));
        }
        let grant = Grant { provider: "custom".into(), auth_time_s: work.now_s(), claims: session_claims };
        let issued = work.issue(&permit, &mut user, grant).await?;
        work.save(&permit, before.as_ref(), &user).await?;
        Ok(SignedIn { user, issued: Some(issued), is_new: before.is_none() })
    }
}
