//! Writing answers. No key is ever null or empty: SDKs look at whether a key is there.

use base::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::model::config::Config;
use crate::model::oob::{OobCode, OobKind};
use crate::model::user::User;
use crate::ops::batch::RowError;
use crate::ops::lookup::{Queried, UserPage};
use crate::ops::methods::Methods;
use crate::ops::oob::OobSent;
use crate::ops::refresh::Refreshed;
use crate::ops::update::Updated;
use crate::ops::{Issued, SignedIn};

/// Base64 of `REDACTED`: what is shown of a password. That something is shown tells clients that there is one.
const REDACTED: &str = "UkVEQUNURUQ=";

/// Takes out what is null, an empty list or an empty object.
fn pruned(json: Json) -> Json {
    match json {
        Json::Object(fields) => {
            let kept: Map<String, Json> = fields
                .into_iter()
                .map(|(name, value)| (name, pruned(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect();
            Json::Object(kept)
        }
        Json::Array(items) => Json::Array(items.into_iter().map(pruned).collect()),
        other => other,
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn merged(mut json: Json, issued: Option<&Issued>) -> Json {
    if let (Some(issued), Some(fields)) = (issued, json.as_object_mut()) {
        fields.insert("idToken".into(), issued.id_token.as_str().into());
        fields.insert("refreshToken".into(), issued.refresh_token.as_str().into());
        fields.insert("expiresIn".into(), "3600".into());
    }
    pruned(json)
}

/// A user; with the stored hash only where it may be exported.
fn user(user: &User, export: bool) -> Json {
    let (hash, salt) = match &user.password {
        Some(password) if export => (Some(password.hash.as_str()), password.salt.as_deref()),
        Some(_) => (Some(REDACTED), None),
        None => (None, None),
    };
    json!({
        "localId": user.uid,
        "email": user.email,
        "emailVerified": user.email.as_ref().map(|_| user.email_verified),
        "displayName": user.display_name,
        "photoUrl": user.photo_url,
        "phoneNumber": user.phone_number,
        "disabled": user.disabled.then_some(true),
        "customAttributes": user.custom_attributes,
        "providerUserInfo": user.all_providers(),
        "passwordHash": hash,
        "salt": salt,
        "passwordUpdatedAt": user.password_updated_ms,
        "validSince": user.valid_since_s.map(|seconds| seconds.to_string()),
        "createdAt": user.created_ms.to_string(),
        "lastLoginAt": user.last_login_ms.map(|millis| millis.to_string()),
        "lastRefreshAt": user.last_refresh_ms.map(|millis| Timestamp::from_micros(millis.saturating_mul(1000)).to_string()),
        "initialEmail": user.initial_email,
        "customAuth": user.custom_auth.then_some(true),
        "emailLinkSignin": user.email_link_signin.then_some(true),
    })
}

pub(super) fn signed_up(signed: &SignedIn) -> Json {
    merged(
        json!({
            "kind": "identitytoolkit#SignupNewUserResponse",
            "localId": signed.user.uid,
            "email": signed.user.email,
            "displayName": signed.user.display_name,
        }),
        signed.issued.as_ref(),
    )
}

pub(super) fn with_password(signed: &SignedIn) -> Json {
    merged(
        json!({
            "kind": "identitytoolkit#VerifyPasswordResponse",
            "registered": true,
            "localId": signed.user.uid,
            "email": signed.user.email,
            "displayName": signed.user.display_name,
        }),
        signed.issued.as_ref(),
    )
}

pub(super) fn with_custom_token(signed: &SignedIn) -> Json {
    merged(
        json!({ "kind": "identitytoolkit#VerifyCustomTokenResponse", "isNewUser": signed.is_new }),
        signed.issued.as_ref(),
    )
}

pub(super) fn with_email_link(signed: &SignedIn) -> Json {
    merged(
        json!({
            "kind": "identitytoolkit#EmailLinkSigninResponse",
            "email": signed.user.email,
            "localId": signed.user.uid,
            "isNewUser": signed.is_new,
        }),
        signed.issued.as_ref(),
    )
}

pub(super) fn refreshed(refreshed: &Refreshed, project_number: &str) -> Json {
    json!({
        "id_token": refreshed.issued.id_token,
        "access_token": refreshed.issued.id_token,
        "expires_in": "3600",
        "refresh_token": refreshed.issued.refresh_token,
        "token_type": "Bearer",
        "user_id": refreshed.uid,
        "project_id": project_number,
    })
}

pub(super) fn looked_up(users: &[User]) -> Json {
    let users: Vec<Json> = users.iter().map(|found| user(found, false)).collect();
    pruned(json!({ "kind": "identitytoolkit#GetAccountInfoResponse", "users": users }))
}

pub(super) fn listed(page: &UserPage, export: bool) -> Json {
    let users: Vec<Json> = page.users.iter().map(|found| user(found, export)).collect();
    pruned(json!({
        "kind": "identitytoolkit#DownloadAccountResponse",
        "users": users,
        "nextPageToken": page.next_page_token,
    }))
}

pub(super) fn queried(queried: &Queried) -> Json {
    let users: Option<Vec<Json>> =
        queried.users.as_ref().map(|users| users.iter().map(|found| user(found, false)).collect());
    pruned(json!({ "recordsCount": queried.count.to_string(), "userInfo": users }))
}

pub(super) fn updated(updated: &Updated) -> Json {
    let user = &updated.user;
    merged(
        json!({
            "kind": "identitytoolkit#SetAccountInfoResponse",
            "localId": user.uid,
            "email": user.email,
            "emailVerified": user.email.as_ref().map(|_| user.email_verified),
            "displayName": user.display_name,
            "photoUrl": user.photo_url,
            "newEmail": updated.new_email,
            "passwordHash": user.password.as_ref().map(|_| REDACTED),
            "providerUserInfo": user.all_providers(),
        }),
        updated.issued.as_ref(),
    )
}

pub(super) fn batch(kind: &str, key: &str, errors: &[RowError]) -> Json {
    let rows: Vec<Json> = errors
        .iter()
        .map(|row| json!({ "index": row.index, "localId": row.local_id, "message": row.message }))
        .collect();
    pruned(json!({ "kind": kind, key: rows }))
}

pub(super) fn oob_sent(sent: &OobSent) -> Json {
    pruned(json!({
        "kind": "identitytoolkit#GetOobConfirmationCodeResponse",
        "email": sent.email,
        "oobCode": sent.code.as_ref().map(|code| &code.oob_code),
        "oobLink": sent.code.as_ref().map(|code| &code.oob_link),
    }))
}

pub(super) fn password_reset(code: &OobCode) -> Json {
    pruned(json!({
        "kind": "identitytoolkit#ResetPasswordResponse",
        "requestType": code.kind.name(),
        "email": (code.kind != OobKind::EmailSignin).then_some(&code.email),
        "newEmail": code.new_email,
    }))
}

pub(super) fn oob_codes(codes: &[OobCode]) -> Json {
    let codes: Vec<Json> = codes
        .iter()
        .map(|code| {
            let plain = code.plain.as_ref();
            pruned(json!({
                "email": code.email,
                "requestType": code.kind.name(),
                "oobCode": plain.map(|plain| &plain.oob_code),
                "oobLink": plain.map(|plain| &plain.oob_link),
                "newEmail": code.new_email,
            }))
        })
        .collect();
    json!({ "oobCodes": codes })
}

pub(super) fn methods(methods: &Methods) -> Json {
    let mut answer =
        json!({ "kind": "identitytoolkit#CreateAuthUriResponse", "sessionId": methods.session_id });
    if let (Some((providers, methods)), Some(fields)) = (&methods.known, answer.as_object_mut()) {
        fields.insert("registered".into(), (!methods.is_empty()).into());
        // Empty lists, too: SDKs read them without looking whether they are there.
        fields.insert("allProviders".into(), providers.as_slice().into());
        fields.insert("signinMethods".into(), methods.as_slice().into());
    }
    answer
}

pub(super) fn recaptcha_params() -> Json {
    json!({
        "kind": "identitytoolkit#GetRecaptchaParamResponse",
        "recaptchaStoken": "This-is-a-fake-token__Dont-send-this-to-the-Recaptcha-service__Hearth-does-not-support-Recaptcha",
        "recaptchaSiteKey": "Fake-key__Do-not-send-this-to-Recaptcha_",
    })
}

pub(super) fn recaptcha_config() -> Json {
    json!({ "recaptchaEnforcementState": [
        { "provider": "EMAIL_PASSWORD_PROVIDER", "enforcementState": "OFF" },
        { "provider": "PHONE_PROVIDER", "enforcementState": "OFF" },
    ] })
}

/// The settings with what holds where nothing is set.
pub(super) fn with_defaults(mut config: Json, serves: bool) -> Json {
    let Some(fields) = config.as_object_mut() else { return config };
    // Production shows what was switched off as absent, dev as the emulator does.
    let shows_privacy = !serves || !fields.contains_key("emailPrivacyConfig");
    fields.entry("blockingFunctions").or_insert_with(|| json!({}));
    let mut defaults = |name: &str, default: Json| {
        if let (Some(inner), Json::Object(default)) =
            (fields.entry(name).or_insert_with(|| json!({})).as_object_mut(), default)
        {
            for (name, value) in default {
                inner.entry(name).or_insert(value);
            }
        }
    };
    defaults("signIn", json!({ "allowDuplicateEmails": false }));
    let privacy = if shows_privacy { json!({ "enableImprovedEmailPrivacy": serves }) } else { json!({}) };
    defaults("emailPrivacyConfig", privacy);
    config
}

/// What was set, without what is off: as the real service answers.
pub(super) fn config(config: &Config, project: &str) -> Json {
    fn without_off(json: &Json) -> Json {
        match json {
            Json::Object(fields) => Json::Object(
                fields
                    .iter()
                    .filter(|(_, value)| !value.is_null() && **value != Json::Bool(false))
                    .map(|(name, value)| (name.clone(), without_off(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
    let mut fields = Map::new();
    fields.insert("name".into(), format!("projects/{project}/config").into());
    fields.extend(config.0.iter().map(|(name, value)| (name.clone(), without_off(value))));
    Json::Object(fields)
}

pub(super) fn emulator_config(config: &Config) -> Json {
    json!({
        "signIn": { "allowDuplicateEmails": config.allows_duplicate_emails() },
        "emailPrivacyConfig": { "enableImprovedEmailPrivacy": config.hides_emails(false) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::PasswordHash;

    #[test]
    fn a_hash_is_shown_only_where_it_may_be_exported_and_nothing_is_null() {
        let record = User {
            uid: "u".into(),
            password: Some(PasswordHash { hash: "h".into(), salt: Some("s".into()) }),
            ..User::default()
        };
        let shown = looked_up(std::slice::from_ref(&record));
        assert_eq!(shown["users"][0], json!({ "localId": "u", "passwordHash": REDACTED, "createdAt": "0" }));
        let page = UserPage { users: vec![record], next_page_token: None };
        assert_eq!(listed(&page, true)["users"][0]["salt"], "s");
        assert_eq!(looked_up(&[]), json!({ "kind": "identitytoolkit#GetAccountInfoResponse" }));
    }

    #[test]
    fn what_is_off_is_not_shown() {
        let mut stored = Config::default();
        stored.set("emailPrivacyConfig.enableImprovedEmailPrivacy", Some(false.into()));
        assert_eq!(config(&stored, "p"), json!({ "name": "projects/p/config", "emailPrivacyConfig": {} }));
    }
}
