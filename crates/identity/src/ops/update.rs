//! Changing a user: by themselves with their ID token or an e-mail code, or by an administrator. Custom claims are set
//! here, and nowhere but by an administrator.
//!
//! Source: the identity reference, sections 6 ("update") and 8.

use access::Permit;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::oob::{Code, Links, issue_code, take_code};
use super::sign_up::{given, profile_text, taken_by_another};
use super::unit_of_work::taken;
use super::{Issued, UnitOfWork, Verb};
use crate::limits::PROVIDERS_PER_USER_MAX;
use crate::model::key::Handle;
use crate::model::oob::OobKind;
use crate::model::user::{Provider, User, email_address, phone_number};
use crate::status::{
    EMAIL_EXISTS, Failure, INSUFFICIENT_PERMISSION, INVALID_EMAIL, INVALID_OOB_CODE, INVALID_PHONE_NUMBER,
    MISSING_LOCAL_ID, MISSING_PROVIDER_ID, MISSING_RAW_ID, OPERATION_NOT_ALLOWED, PHONE_NUMBER_EXISTS,
    Refused, UNSUPPORTED_REQUEST, USER_NOT_FOUND, VERIFY_EMAIL_FIRST, not_implemented, wrong_shape,
};
use crate::token::claims::{Grant, IdToken, OF_THE_SERVICE, allowed_text};

/// `accounts:update`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Update {
    pub id_token: Option<String>,
    pub oob_code: Option<String>,
    pub local_id: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub password: Option<String>,
    pub display_name: Option<String>,
    pub photo_url: Option<String>,
    pub phone_number: Option<String>,
    pub disable_user: Option<bool>,
    pub custom_attributes: Option<String>,
    pub valid_since: Option<Json>,
    pub created_at: Option<Json>,
    pub last_login_at: Option<Json>,
    pub delete_attribute: Vec<Json>,
    pub delete_provider: Vec<String>,
    pub link_provider_user_info: Option<Provider>,
    pub mfa: Option<Json>,
}

/// The changed user, with new tokens when the old ones no longer hold.
#[derive(Debug)]
pub(crate) struct Updated {
    pub user: User,
    pub new_email: Option<String>,
    pub issued: Option<Issued>,
}

/// Attributes that can be removed, by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Email,
    DisplayName,
    PhotoUrl,
    Password,
}

fn attribute(given: &Json) -> Result<Attribute, Refused> {
    match (given.as_str(), given.as_u64()) {
        (Some("EMAIL"), _) | (_, Some(1)) => Ok(Attribute::Email),
        (Some("DISPLAY_NAME"), _) | (_, Some(2)) => Ok(Attribute::DisplayName),
        (Some("PHOTO_URL"), _) | (_, Some(4)) => Ok(Attribute::PhotoUrl),
        (Some("PASSWORD"), _) | (_, Some(5)) => Ok(Attribute::Password),
        _ => Err(not_implemented("Removing this attribute")),
    }
}

/// A 64-bit integer, which comes as a number or as text.
pub(super) fn integer(given: Option<&Json>) -> Result<Option<i64>, Refused> {
    match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => text.parse().map(Some).map_err(|_| wrong_shape("Invalid number.")),
        Some(number) => number.as_i64().map(Some).ok_or_else(|| wrong_shape("Invalid number.")),
    }
}

/// On whose authority a user is changed, which is also how they are signed in afterwards.
enum Ground {
    Admin,
    IdToken(IdToken),
    Code(Code),
}

impl Verb for Update {
    type Output = Updated;
    const NAME: &'static str = "update";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Updated, Failure> {
        let admin = work.is_admin();
        let code = given(self.oob_code.as_ref());
        if admin {
            if code.is_none() {
                given(self.local_id.as_ref()).ok_or(MISSING_LOCAL_ID)?;
            }
        } else {
            if work.context.token.is_none() && code.is_none() {
                return Err(UNSUPPORTED_REQUEST.into());
            }
            if self.custom_attributes.is_some() {
                return Err(INSUFFICIENT_PERMISSION.into());
            }
        }
        if let Some(claims) = given(self.custom_attributes.as_ref()) {
            allowed_text(claims)?;
        }
        if self
            .mfa
            .as_ref()
            .and_then(|mfa| mfa.get("enrollments"))
            .and_then(Json::as_array)
            .is_some_and(|all| !all.is_empty())
        {
            return Err(not_implemented("Multi-factor authentication").into());
        }
        let attributes: Vec<Attribute> =
            self.delete_attribute.iter().map(attribute).collect::<Result<_, _>>()?;
        let (before, ground) = match code {
            Some(code) => {
                let code = take_code(work, code).await?;
                if code.row.kind == OobKind::VerifyAndChangeEmail {
                    work.consume(code.key.clone());
                }
                (user_of_code(work, &code).await?, Ground::Code(code))
            }
            None if admin => {
                let uid = given(self.local_id.as_ref()).ok_or(MISSING_LOCAL_ID)?;
                work.about(uid);
                (work.user(uid).await?.ok_or(USER_NOT_FOUND)?, Ground::Admin)
            }
            None => {
                let (token, user) = work.required_token_user().await?;
                (user, Ground::IdToken((*token).clone()))
            }
        };
        let mut user = before.clone();
        match &ground {
            Ground::Code(code) => apply_code(work, &mut user, code).await?,
            Ground::IdToken(_) if self.disable_user.is_some() => return Err(OPERATION_NOT_ALLOWED.into()),
            Ground::IdToken(_) | Ground::Admin => self.apply(work, &mut user, &ground, &attributes).await?,
        }
        if let Some(handle) = taken_by_another(work, Some(&before), &user).await? {
            return Err(taken(&handle).into());
        }
        let permit = match &ground {
            Ground::Admin => work.admin()?,
            Ground::IdToken(_) => work.proved("id token"),
            Ground::Code(_) => work.proved("e-mail code"),
        };
        note_changes(work, &before, &user);
        self.finish(work, permit, before, user, ground).await
    }
}

impl Update {
    /// Applies what the request names, in the order in which its errors are reported.
    async fn apply(
        &self,
        work: &mut UnitOfWork<'_>,
        user: &mut User,
        ground: &Ground,
        attributes: &[Attribute],
    ) -> Result<(), Failure> {
        let token = match ground {
            Ground::IdToken(token) => Some(token),
            _ => None,
        };
        if let Some(token) = token
            && self.changes_credentials(attributes)
        {
            work.recent_login(token)?;
        }
        self.apply_email(work, user, token).await?;
        if let Some(password) = given(self.password.as_ref()) {
            user.password = Some(work.new_password(password, &user.uid).await?);
            user.password_updated_ms = Some(work.now_ms());
        }
        if let Some(name) = profile_text(self.display_name.as_ref())? {
            user.display_name = Some(name);
        }
        if let Some(url) = profile_text(self.photo_url.as_ref())? {
            user.photo_url = Some(url);
        }
        if work.is_admin() {
            self.apply_admin(work, user).await?;
        }
        self.remove(user, attributes);
        if let Some(link) = &self.link_provider_user_info {
            link_provider(work, user, link)?;
        }
        Ok(())
    }

    /// Whether the request is about anything that somebody could sign in with, as far as it alone can tell.
    fn changes_credentials(&self, attributes: &[Attribute]) -> bool {
        let removes = |attribute: &Attribute| matches!(attribute, Attribute::Email | Attribute::Password);
        let [email, password, phone] = [&self.email, &self.password, &self.phone_number];
        [email, password, phone].into_iter().any(|text| given(text.as_ref()).is_some())
            || self.link_provider_user_info.is_some()
            || !self.delete_provider.is_empty()
            || self.mfa.is_some()
            || attributes.iter().any(removes)
    }

    /// A new e-mail address, which is not verified yet.
    async fn apply_email(
        &self,
        work: &mut UnitOfWork<'_>,
        user: &mut User,
        token: Option<&IdToken>,
    ) -> Result<(), Failure> {
        let Some(email) = given(self.email.as_ref()) else { return Ok(()) };
        let email = email_address(email).ok_or(INVALID_EMAIL)?;
        if user.email.as_ref() == Some(&email) {
            return Ok(());
        }
        if token.is_some() {
            // Else one could take an account over by changing its address without owning the new one.
            if work.identity.serves() && work.hides_emails().await? {
                return Err(VERIFY_EMAIL_FIRST.into());
            }
        }
        if work.uid_of(&Handle::Email(email.clone())).await?.is_some() {
            return Err(EMAIL_EXISTS.into());
        }
        let anonymous = token.is_some_and(|token| token.provider == "anonymous");
        if !anonymous && user.initial_email.is_none() {
            user.initial_email = user.email.clone();
        }
        user.email = Some(email);
        user.email_verified = false;
        Ok(())
    }

    /// Removes attributes and what belongs to a provider.
    fn remove(&self, user: &mut User, attributes: &[Attribute]) {
        for attribute in attributes {
            match attribute {
                Attribute::Email => {
                    user.email = None;
                    user.email_verified = false;
                }
                Attribute::DisplayName => user.display_name = None,
                Attribute::PhotoUrl => user.photo_url = None,
                Attribute::Password => user.password = None,
            }
        }
        for provider in &self.delete_provider {
            match provider.as_str() {
                "password" => {
                    user.email = None;
                    user.email_verified = false;
                    user.email_link_signin = false;
                    user.password = None;
                }
                "phone" => user.phone_number = None,
                other => user.providers.retain(|linked| linked.provider_id != other),
            }
        }
    }

    /// What only administrators may set.
    async fn apply_admin(&self, work: &mut UnitOfWork<'_>, user: &mut User) -> Result<(), Failure> {
        if let Some(phone) = given(self.phone_number.as_ref())
            && user.phone_number.as_deref() != Some(phone)
        {
            let phone = phone_number(phone, work.identity.serves()).ok_or(INVALID_PHONE_NUMBER)?;
            if work.uid_of(&Handle::Phone(phone.clone())).await?.is_some_and(|uid| uid != user.uid) {
                return Err(PHONE_NUMBER_EXISTS.into());
            }
            user.phone_number = Some(phone);
        }
        if let Some(verified) = self.email_verified {
            user.email_verified = verified;
        }
        if let Some(claims) = &self.custom_attributes {
            // The whole object is replaced. An empty one is kept: SDKs show it as `{}`.
            user.custom_attributes = (!claims.is_empty()).then(|| claims.clone());
        }
        if let Some(disabled) = self.disable_user {
            user.disabled = disabled;
        }
        if let Some(created_ms) = integer(self.created_at.as_ref())? {
            user.created_ms = created_ms;
        }
        if let Some(last_login_ms) = integer(self.last_login_at.as_ref())? {
            user.last_login_ms = Some(last_login_ms);
        }
        Ok(())
    }

    /// Ends what the change ends, signs in again whoever changed their own credentials, and stages it all.
    async fn finish(
        &self,
        work: &mut UnitOfWork<'_>,
        permit: Permit,
        before: User,
        mut user: User,
        ground: Ground,
    ) -> Result<Updated, Failure> {
        let (now_s, now_ms) = (work.now_s(), work.now_ms());
        let email_changed = user.email != before.email && user.email.is_some();
        let since_s = integer(self.valid_since.as_ref())?;
        // A user ends their own sessions as of now, whatever time they name.
        let chosen = match &ground {
            Ground::Admin => since_s,
            Ground::IdToken(_) => since_s.map(|_| now_s),
            Ground::Code(_) => None,
        };
        let credentials_changed = email_changed || user.password_updated_ms != before.password_updated_ms;
        if credentials_changed || chosen.is_some() {
            let since_s = chosen.unwrap_or(now_s);
            user.valid_since_s = Some(since_s);
            work.end_sessions(&permit, &user.uid, since_s).await?;
        }
        let provider = match &ground {
            Ground::Admin => None,
            Ground::Code(_) => Some("password"),
            Ground::IdToken(_) if given(self.password.as_ref()).is_some() => Some("password"),
            Ground::IdToken(token) => Some(token.provider.as_str()),
        };
        let issued = match provider {
            Some(provider) if credentials_changed || chosen.is_some() => {
                let auth_time_s = match &ground {
                    // Ending sessions proves nothing: the sign-in does not become more recent.
                    Ground::IdToken(token) if !credentials_changed => token.auth_time_s,
                    _ => now_s,
                };
                let claims = match &ground {
                    // Claims of the session would be lost with it; those of a custom token are in the old token only.
                    Ground::IdToken(token) => session_claims(&before, token),
                    _ => crate::token::Claims::new(),
                };
                if credentials_changed {
                    user.last_login_ms = Some(now_ms);
                }
                let grant = Grant { provider: provider.to_owned(), auth_time_s, claims };
                Some(work.issue(&permit, &mut user, grant).await?)
            }
            _ => None,
        };
        if let (Ground::IdToken(token), Some(old), false) =
            (&ground, &user.initial_email, work.identity.serves())
            && email_changed
            && token.provider != "anonymous"
        {
            let links = Links { origin: work.context.origin.clone(), continue_url: None };
            issue_code(work, &permit, OobKind::RecoverEmail, old, None, Some(&user.uid), &links)?;
        }
        if let (Ground::Admin, Some(email)) = (&ground, &user.email)
            && user.password != before.password
        {
            work.forgive(&permit, email);
        }
        if let Ground::Code(code) = &ground {
            work.erase(&permit, code.key.clone());
        }
        work.save(&permit, Some(&before), &user).await?;
        let new_email = user.email.clone().filter(|_| email_changed);
        Ok(Updated { user, new_email, issued })
    }
}

/// The claims of a custom-token session, as far as its ID token still shows them.
fn session_claims(user: &User, token: &IdToken) -> crate::token::Claims {
    if token.provider != "custom" {
        return crate::token::Claims::new();
    }
    let stored = user.custom_claims();
    let profile = [("name", &user.display_name), ("picture", &user.photo_url)];
    token
        .claims
        .iter()
        .filter(|(name, value)| {
            let of_profile = profile
                .iter()
                .any(|(known, text)| *known == name.as_str() && value.as_str() == text.as_deref());
            !OF_THE_SERVICE.contains(&name.as_str()) && stored.get(*name) != Some(*value) && !of_profile
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Links an identity of another provider, in place of the one that was linked.
fn link_provider(work: &UnitOfWork<'_>, user: &mut User, link: &Provider) -> Result<(), Refused> {
    if !work.is_admin() {
        // A client that could name any identity as its own would take over whoever signs in with it.
        return Err(INSUFFICIENT_PERMISSION);
    }
    if link.provider_id.is_empty() {
        return Err(MISSING_PROVIDER_ID);
    }
    if link.raw_id.is_empty() {
        return Err(MISSING_RAW_ID);
    }
    user.providers.retain(|linked| linked.provider_id != link.provider_id);
    user.providers.push(link.clone());
    if user.providers.len() > PROVIDERS_PER_USER_MAX {
        return Err(wrong_shape("Too many linked providers."));
    }
    Ok(())
}

/// The user whom a code is about.
async fn user_of_code(work: &mut UnitOfWork<'_>, code: &Code) -> Result<User, Failure> {
    let found = match &code.row.uid {
        Some(uid) => work.user(uid).await?,
        None => work.find(&Handle::Email(code.row.email.clone())).await?,
    };
    let user = found.ok_or(INVALID_OOB_CODE)?;
    work.about(&user.uid);
    Ok(user)
}

async fn apply_code(work: &mut UnitOfWork<'_>, user: &mut User, code: &Code) -> Result<(), Failure> {
    match code.row.kind {
        OobKind::VerifyEmail => user.email_verified = true,
        OobKind::VerifyAndChangeEmail => {
            let email = code.row.new_email.clone().ok_or(INVALID_OOB_CODE)?;
            if work.uid_of(&Handle::Email(email.clone())).await?.is_some_and(|uid| uid != user.uid) {
                return Err(EMAIL_EXISTS.into());
            }
            if user.initial_email.is_none() {
                user.initial_email = user.email.clone();
            }
            user.email = Some(email);
            user.email_verified = true;
        }
        OobKind::RecoverEmail => {
            user.email = Some(code.row.email.clone());
            user.email_verified = true;
        }
        OobKind::PasswordReset | OobKind::EmailSignin => return Err(INVALID_OOB_CODE.into()),
    }
    Ok(())
}

/// Says in the record what kind of change this is: names, never values.
fn note_changes(work: &mut UnitOfWork<'_>, before: &User, after: &User) {
    if before.custom_attributes != after.custom_attributes {
        work.note("claims", json!({ "before": before.claim_names(), "after": after.claim_names() }));
    }
    let changes = [
        ("email", before.email != after.email),
        ("emailVerified", before.email_verified != after.email_verified),
        ("password", before.password != after.password),
        ("phoneNumber", before.phone_number != after.phone_number),
        ("disabled", before.disabled != after.disabled),
        ("providers", before.providers != after.providers),
        ("displayName", before.display_name != after.display_name),
        ("photoUrl", before.photo_url != after.photo_url),
    ];
    let changed: Vec<&str> = changes.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if !changed.is_empty() {
        work.note("changed", json!(changed));
    }
}
