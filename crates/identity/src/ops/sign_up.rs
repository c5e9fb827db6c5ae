//! Making users: by themselves with e-mail and password, anonymously, by an administrator; and giving an e-mail and
//! password to a user who is signed in already.

use kv::Key;
use serde::Deserialize;
use serde_json::Value as Json;

use super::throttle::sign_ups_row;
use super::unit_of_work::taken;
use super::{RequestContext, SignedIn, UnitOfWork, Verb};
use crate::limits::{PROFILE_TEXT_BYTES_MAX, UID_BYTES_MAX};
use crate::model::config::Config;
use crate::model::key::Handle;
use crate::model::user::{User, email_address, phone_number};
use crate::status::{
    ADMIN_ONLY_OPERATION, DUPLICATE_LOCAL_ID, EMAIL_EXISTS, Failure, INVALID_EMAIL, INVALID_LOCAL_ID,
    INVALID_PHONE_NUMBER, MISSING_EMAIL, MISSING_PASSWORD, OPERATION_NOT_ALLOWED, PHONE_NUMBER_EXISTS,
    Refused, UNEXPECTED_USER_ID, VERIFY_EMAIL_FIRST, not_implemented,
};
use crate::token::Claims;
use crate::token::claims::Grant;

/// `accounts:signUp`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SignUp {
    pub id_token: Option<String>,
    pub local_id: Option<String>,
    pub email: Option<String>,
    pub password: Option<String>,
    pub display_name: Option<String>,
    pub photo_url: Option<String>,
    pub phone_number: Option<String>,
    pub email_verified: Option<bool>,
    pub disabled: Option<bool>,
    pub mfa_info: Vec<Json>,
}

/// What is left of a text field that may be empty.
pub(super) fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Refuses a piece of a profile that would not fit into a token.
pub(super) fn profile_text(text: Option<&String>) -> Result<Option<String>, Refused> {
    match text {
        Some(text) if text.len() > PROFILE_TEXT_BYTES_MAX => {
            Err(Refused::text(format!("INVALID_PROFILE_ATTRIBUTE : At most {PROFILE_TEXT_BYTES_MAX} bytes.")))
        }
        text => Ok(text.cloned()),
    }
}

/// A user id an administrator chose.
pub(super) fn chosen_uid(uid: &str) -> Result<(), Refused> {
    if uid.len() > UID_BYTES_MAX || uid.chars().any(char::is_control) {
        Err(INVALID_LOCAL_ID)
    } else {
        Ok(())
    }
}

impl Verb for SignUp {
    type Output = SignedIn;
    const NAME: &'static str = "signUp";

    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        let mut rows = context.token_user_row();
        rows.extend(sign_ups_row(context, &context.realm));
        rows
    }

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<SignedIn, Failure> {
        let config = work.config().await?;
        let now_ms = work.now_ms();
        let mut new = User { created_ms: now_ms, ..User::default() };
        let provider = if work.is_admin() {
            self.chosen_by_admin(work, &mut new).await?;
            None
        } else {
            Some(self.signed_up_with(work, &config, &mut new)?)
        };
        self.check_credentials(work, &mut new).await?;
        let before = self.linked(work, &config).await?;
        let counted = if before.is_none() && provider.is_some() { work.sign_ups().await? } else { None };
        self.set_credentials(work, &mut new).await?;
        let mut user = match &before {
            Some(user) => merged(user, new),
            None => {
                if new.uid.is_empty() {
                    new.uid = work.new_uid()?;
                }
                new
            }
        };
        if let Some(handle) = taken_by_another(work, before.as_ref(), &user).await? {
            return Err(taken(&handle).into());
        }
        work.about(&user.uid);
        let claims = match provider {
            Some("password") if before.is_none() => work.before_create(&mut user, "password").await?,
            _ => Claims::new(),
        };
        let permit = work.admin_or(if before.is_some() { "id token" } else { "sign-up" })?;
        let issued = match provider {
            None => None,
            Some(_) if user.disabled => None,
            Some(provider) => {
                if before.is_some() {
                    work.end_sessions(&permit, &user.uid, i64::MAX).await?;
                }
                user.last_login_ms = Some(now_ms);
                let auth_time_s = work.now_s();
                let grant = Grant { provider: provider.to_owned(), auth_time_s, claims };
                Some(work.issue(&permit, &mut user, grant).await?)
            }
        };
        work.save(&permit, before.as_ref(), &user).await?;
        work.count_sign_up(&permit, counted)?;
        Ok(SignedIn { user, issued, is_new: before.is_none() })
    }
}

impl SignUp {
    /// What only administrators may choose for a new user.
    async fn chosen_by_admin(&self, work: &mut UnitOfWork<'_>, new: &mut User) -> Result<(), Failure> {
        if !self.mfa_info.is_empty() {
            return Err(not_implemented("Multi-factor authentication").into());
        }
        if let Some(uid) = given(self.local_id.as_ref()) {
            if work.context.token.is_some() {
                return Err(UNEXPECTED_USER_ID.into());
            }
            chosen_uid(uid)?;
            if work.user(uid).await?.is_some() {
                return Err(DUPLICATE_LOCAL_ID.into());
            }
            new.uid = uid.to_owned();
        }
        new.display_name = profile_text(self.display_name.as_ref())?;
        new.photo_url = profile_text(self.photo_url.as_ref())?;
        new.email_verified = self.email_verified.unwrap_or(false);
        new.disabled = self.disabled.unwrap_or(false);
        if let Some(phone) = given(self.phone_number.as_ref()) {
            let phone = phone_number(phone, work.identity.serves()).ok_or(INVALID_PHONE_NUMBER)?;
            if work.uid_of(&Handle::Phone(phone.clone())).await?.is_some() {
                return Err(PHONE_NUMBER_EXISTS.into());
            }
            new.phone_number = Some(phone);
        }
        Ok(())
    }

    /// The provider by which somebody signs up for themselves, where the project allows it.
    fn signed_up_with(
        &self,
        work: &UnitOfWork<'_>,
        config: &Config,
        new: &mut User,
    ) -> Result<&'static str, Refused> {
        if given(self.local_id.as_ref()).is_some() {
            return Err(UNEXPECTED_USER_ID);
        }
        let token_given = work.context.token.is_some();
        let provider = if token_given || self.email.is_some() || self.password.is_some() {
            let email = self.email.as_ref().ok_or(MISSING_EMAIL)?;
            let password = given(self.password.as_ref());
            if email.is_empty() {
                // An empty address counts as missing only beside a password.
                return Err(if password.is_some() { MISSING_EMAIL } else { INVALID_EMAIL });
            }
            password.ok_or(MISSING_PASSWORD)?;
            if !config.allows_passwords() {
                return Err(OPERATION_NOT_ALLOWED);
            }
            new.display_name = profile_text(self.display_name.as_ref())?;
            "password"
        } else {
            if !config.allows_anonymous() {
                return Err(ADMIN_ONLY_OPERATION);
            }
            "anonymous"
        };
        if !token_given && !config.allows_signup() {
            return Err(ADMIN_ONLY_OPERATION);
        }
        Ok(provider)
    }

    /// What the e-mail address and the password look like, before anything is said of other accounts.
    async fn check_credentials(&self, work: &mut UnitOfWork<'_>, new: &mut User) -> Result<(), Failure> {
        if let Some(email) = &self.email {
            new.email = Some(email_address(email).ok_or(INVALID_EMAIL)?);
        }
        if let Some(password) = given(self.password.as_ref()) {
            work.check_new_password(password).await?;
        }
        Ok(())
    }

    /// The user who gets them, if somebody is signed in: anonymous, or signed in recently.
    async fn linked(&self, work: &mut UnitOfWork<'_>, config: &Config) -> Result<Option<User>, Failure> {
        let Some((token, user)) = work.token_user().await? else { return Ok(None) };
        // Who is anonymous has nothing to sign in with again.
        if !(user.is_anonymous() && token.provider == "anonymous") {
            work.recent_login(&token)?;
        }
        if user.email.is_some() && work.identity.serves() && config.hides_emails(true) {
            return Err(VERIFY_EMAIL_FIRST.into());
        }
        Ok(Some(user))
    }

    /// Takes the address, unless it is somebody's, and hashes the password.
    async fn set_credentials(&self, work: &mut UnitOfWork<'_>, new: &mut User) -> Result<(), Failure> {
        if let Some(email) = &new.email
            && work.uid_of(&Handle::Email(email.clone())).await?.is_some()
        {
            return Err(EMAIL_EXISTS.into());
        }
        if let Some(password) = given(self.password.as_ref()) {
            new.password = Some(work.new_password(password, new.email.as_deref().unwrap_or(&new.uid)).await?);
            new.password_updated_ms = Some(work.now_ms());
            new.valid_since_s = Some(work.now_s());
        }
        Ok(())
    }
}

/// What becomes of a user who gets an e-mail and password.
fn merged(user: &User, new: User) -> User {
    User {
        email: new.email.or_else(|| user.email.clone()),
        email_verified: new.email_verified,
        password: new.password.or_else(|| user.password.clone()),
        password_updated_ms: new.password_updated_ms.or(user.password_updated_ms),
        valid_since_s: new.valid_since_s.or(user.valid_since_s),
        display_name: new.display_name.or_else(|| user.display_name.clone()),
        photo_url: new.photo_url.or_else(|| user.photo_url.clone()),
        phone_number: new.phone_number.or_else(|| user.phone_number.clone()),
        ..user.clone()
    }
}

/// A handle of the changed user that belongs to someone else.
pub(super) async fn taken_by_another(
    work: &mut UnitOfWork<'_>,
    before: Option<&User>,
    after: &User,
) -> Result<Option<Handle>, Failure> {
    let old = before.map(User::handles).unwrap_or_default();
    for handle in after.handles() {
        if !old.contains(&handle) && work.uid_of(&handle).await?.is_some_and(|uid| uid != after.uid) {
            return Ok(Some(handle));
        }
    }
    Ok(None)
}
