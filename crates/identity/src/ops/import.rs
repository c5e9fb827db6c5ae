//! Users from elsewhere, as they are.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value as Json;

use super::batch::RowError;
use super::sign_up::given;
use super::update::integer;
use super::{UnitOfWork, Verb};
use crate::limits::{BATCH_USERS_MAX, PROFILE_TEXT_BYTES_MAX, PROVIDERS_PER_USER_MAX, UID_BYTES_MAX};
use crate::model::key::Handle;
use crate::model::user::{Provider, User, email_address, phone_number};
use crate::password::PasswordHash;
use crate::status::{
    CLAIMS_TOO_LARGE, Failure, INVALID_CLAIMS, MISSING_USER_ACCOUNT, Refused, not_implemented, wrong_shape,
};
use crate::token::claims::allowed_text;

/// `accounts:batchCreate`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct BatchCreate {
    pub users: Vec<Imported>,
    pub allow_overwrite: bool,
    pub sanity_check: bool,
    pub hash_algorithm: Option<String>,
}

const OCCUPIED: &str = "localId belongs to an existing account - can not overwrite.";

/// A user to import.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Imported {
    pub local_id: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub display_name: Option<String>,
    pub photo_url: Option<String>,
    pub phone_number: Option<String>,
    pub disabled: Option<bool>,
    pub custom_attributes: Option<String>,
    pub provider_user_info: Vec<Provider>,
    pub password_hash: Option<String>,
    pub salt: Option<String>,
    pub raw_password: Option<String>,
    pub password_updated_at: Option<Json>,
    pub valid_since: Option<Json>,
    pub created_at: Option<Json>,
    pub last_login_at: Option<Json>,
    pub tenant_id: Option<String>,
    pub mfa_info: Vec<Json>,
}

impl Verb for BatchCreate {
    type Output = Vec<RowError>;
    const NAME: &'static str = "batchCreate";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Vec<RowError>, Failure> {
        if self.users.is_empty() {
            return Err(MISSING_USER_ACCOUNT.into());
        }
        if self.users.len() > BATCH_USERS_MAX {
            return Err(wrong_shape("Too many users.").into());
        }
        let foreign = |user: &Imported| {
            given(user.password_hash.as_ref()).is_some_and(|hash| !hash.starts_with("$argon2id$"))
        };
        if work.identity.serves() && self.users.iter().any(foreign) {
            return Err(not_implemented("Importing passwords hashed elsewhere").into());
        }
        // Hashing them would hold this call's snapshot for seconds.
        if work.identity.serves() && self.users.iter().any(|user| given(user.raw_password.as_ref()).is_some())
        {
            return Err(not_implemented("Importing plain passwords").into());
        }
        self.check_duplicates()?;
        let permit = work.admin()?;
        work.without_events();
        let mut errors = Vec::new();
        // What earlier rows of this batch took: the store does not show it yet.
        let mut taken: HashSet<Handle> = HashSet::new();
        let mut uids: HashSet<&str> = HashSet::new();
        let mut with_claims = 0;
        for (index, row) in self.users.iter().enumerate() {
            let repeated = given(row.local_id.as_ref()).is_some_and(|uid| !uids.insert(uid));
            let user = if repeated { Err(OCCUPIED) } else { self.user(work, row, &mut taken).await? };
            match user {
                Ok((before, user)) => {
                    with_claims += usize::from(user.custom_attributes.is_some());
                    work.save(&permit, before.as_ref(), &user).await?;
                }
                Err(message) => {
                    errors.push(RowError { index, local_id: None, message: message.to_owned() });
                }
            }
        }
        work.note("imported", (self.users.len() - errors.len()).into());
        work.note("importedWithClaims", with_claims.into());
        Ok(errors)
    }
}

impl BatchCreate {
    /// What makes the whole call wrong.
    fn check_duplicates(&self) -> Result<(), Refused> {
        if self.sanity_check {
            let (mut emails, mut raw_ids) = (HashSet::new(), HashSet::new());
            for user in &self.users {
                if let Some(email) = given(user.email.as_ref())
                    && !emails.insert(email.to_lowercase())
                {
                    return Err(Refused::text(format!("DUPLICATE_EMAIL : {}", email.to_lowercase())));
                }
                for provider in &user.provider_user_info {
                    if !raw_ids.insert((&provider.provider_id, &provider.raw_id)) {
                        return Err(Refused::text(format!(
                            "DUPLICATE_RAW_ID : Provider id({}), Raw id({})",
                            provider.provider_id, provider.raw_id
                        )));
                    }
                }
            }
        }
        if !self.allow_overwrite {
            let mut uids = HashSet::new();
            for uid in self.users.iter().filter_map(|user| given(user.local_id.as_ref())) {
                if !uids.insert(uid) {
                    return Err(Refused::text(format!("DUPLICATE_LOCAL_ID : {uid}")));
                }
            }
        }
        Ok(())
    }

    /// One row: the user it makes and the one it replaces, or what is wrong with it.
    async fn user(
        &self,
        work: &mut UnitOfWork<'_>,
        row: &Imported,
        taken: &mut HashSet<Handle>,
    ) -> Result<Result<(Option<User>, User), &'static str>, Failure> {
        let serves = work.identity.serves();
        let mut user = match row.plain(serves, work.now_ms(), &work.realm().tenant) {
            Ok(user) => user,
            Err(message) => return Ok(Err(message)),
        };
        let before = work.user(&user.uid).await?;
        if before.is_some() && !self.allow_overwrite {
            return Ok(Err(OCCUPIED));
        }
        for handle in user.handles() {
            let owner = work.uid_of(&handle).await?;
            if owner.is_some_and(|uid| uid != user.uid) || taken.contains(&handle) {
                return Ok(Err(match handle {
                    Handle::Email(_) => "email exists in other account in database",
                    Handle::Phone(_) => "phone number exists in other account in database",
                    Handle::Federated(..) => "raw id exists in other account in database",
                }));
            }
        }
        if let Some(password) = given(row.raw_password.as_ref())
            && user.password.is_none()
        {
            user.password = Some(work.new_password(password, &user.uid).await?);
            user.password_updated_ms = Some(work.now_ms());
        }
        taken.extend(user.handles());
        Ok(Ok((before, user)))
    }
}

impl Imported {
    /// The user in this row, as far as the row alone can tell.
    fn plain(&self, serves: bool, now_ms: i64, tenant: &str) -> Result<User, &'static str> {
        let uid = given(self.local_id.as_ref()).ok_or("localId is missing")?;
        if uid.len() > UID_BYTES_MAX {
            return Err("localId is too long");
        }
        if given(self.tenant_id.as_ref()).is_some_and(|own| own != tenant) {
            return Err("Tenant id in userInfo does not match the tenant id in request.");
        }
        let email = match given(self.email.as_ref()) {
            Some(email) => Some(email_address(email).ok_or("email is invalid")?),
            None => None,
        };
        let phone_number = match given(self.phone_number.as_ref()) {
            Some(phone) => Some(phone_number(phone, serves).ok_or("phone number format is invalid")?),
            None => None,
        };
        if !self.mfa_info.is_empty() {
            return Err("Second factor not supported.");
        }
        let custom_attributes = self.claims()?;
        let providers = self.providers()?;
        let profile = [&self.display_name, &self.photo_url];
        let too_long =
            |text: &&Option<String>| text.as_ref().is_some_and(|text| text.len() > PROFILE_TEXT_BYTES_MAX);
        if providers.len() > PROVIDERS_PER_USER_MAX || profile.iter().any(too_long) {
            return Err("profile is too large");
        }
        let number = |given: &Option<Json>| integer(given.as_ref()).map_err(|_| "a time is not a number");
        let password = given(self.password_hash.as_ref())
            .map(|hash| PasswordHash { hash: hash.to_owned(), salt: self.salt.clone() });
        Ok(User {
            uid: uid.to_owned(),
            email,
            email_verified: self.email_verified.unwrap_or(false),
            display_name: self.display_name.clone(),
            photo_url: self.photo_url.clone(),
            phone_number,
            disabled: self.disabled.unwrap_or(false),
            custom_attributes,
            providers,
            password_updated_ms: match &password {
                Some(_) => Some(number(&self.password_updated_at)?.unwrap_or(now_ms)),
                None => None,
            },
            password,
            valid_since_s: number(&self.valid_since)?,
            created_ms: number(&self.created_at)?.unwrap_or(now_ms),
            last_login_ms: number(&self.last_login_at)?,
            ..User::default()
        })
    }

    /// The custom claims as they were given; an empty object is none.
    fn claims(&self) -> Result<Option<String>, &'static str> {
        let Some(claims) = given(self.custom_attributes.as_ref()) else { return Ok(None) };
        match allowed_text(claims) {
            Ok(parsed) => Ok((!parsed.is_empty()).then(|| claims.to_owned())),
            Err(refused) if refused == CLAIMS_TOO_LARGE => Err("Custom claims provided are too large."),
            Err(refused) if refused == INVALID_CLAIMS => Err("Invalid custom claims provided."),
            Err(_) => Err("Custom claims provided include a reserved claim."),
        }
    }

    /// The linked identities, the last one of each provider.
    fn providers(&self) -> Result<Vec<Provider>, &'static str> {
        let mut providers: Vec<Provider> = Vec::new();
        for provider in &self.provider_user_info {
            // Exports contain the derived identities too; they follow from the rest.
            if ["password", "phone"].contains(&provider.provider_id.as_str()) {
                continue;
            }
            if provider.provider_id.is_empty() || provider.raw_id.is_empty() {
                return Err("federatedId or (providerId & rawId) is required");
            }
            providers.retain(|known| known.provider_id != provider.provider_id);
            providers.push(provider.clone());
        }
        Ok(providers)
    }
}
