//! A user.
//!
//! Source: the identity reference, section 5.

use serde::{Deserialize, Serialize};

use super::key::Handle;
use crate::limits::EMAIL_BYTES_MAX;
use crate::password::PasswordHash;
use crate::token::Claims;

/// A user as stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// Who, for ever.
    pub uid: String,
    /// In lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the user has shown that the address is theirs.
    #[serde(skip_serializing_if = "is_false")]
    pub email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "the names are Firebase's")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "the names are Firebase's")]
    pub photo_url: Option<String>,
    /// E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// May not sign in, and their tokens are refused.
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Custom claims, serialized as they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_attributes: Option<String>,
    /// Identities elsewhere; `password` and `phone` are derived and not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<Provider>,
    /// What the password is checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_updated_ms: Option<i64>,
    /// Tokens issued before this second are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_since_s: Option<i64>,
    /// Milliseconds.
    pub created_ms: i64,
    /// Milliseconds; none before the first sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_login_ms: Option<i64>,
    /// Milliseconds; when an ID token was last made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_refresh_ms: Option<i64>,
    /// The address before the first change of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_email: Option<String>,
    /// Has signed in with a custom token.
    #[serde(skip_serializing_if = "is_false")]
    pub custom_auth: bool,
    /// Signs in with links sent by e-mail.
    #[serde(skip_serializing_if = "is_false")]
    pub email_link_signin: bool,
}

/// An identity elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Firebase's")]
pub struct Provider {
    pub provider_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub raw_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federated_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl User {
    /// The stored custom claims. What was stored was checked; anything else counts as none.
    pub fn custom_claims(&self) -> Claims {
        self.custom_attributes.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The names of the stored custom claims: what the log keeps of them.
    pub fn claim_names(&self) -> Vec<String> {
        self.custom_claims().into_iter().map(|(name, _)| name).collect()
    }

    /// Everything this user is found by.
    pub fn handles(&self) -> Vec<Handle> {
        let mut handles: Vec<Handle> = self.email.clone().map(Handle::Email).into_iter().collect();
        handles.extend(self.phone_number.clone().map(Handle::Phone));
        handles.extend(
            self.providers
                .iter()
                .map(|provider| Handle::Federated(provider.provider_id.clone(), provider.raw_id.clone())),
        );
        handles
    }

    /// Whether a token issued in this second still counts. Times are whole seconds: the same second does.
    pub fn accepts_token_of(&self, iat_s: i64) -> bool {
        self.valid_since_s.is_none_or(|since_s| iat_s >= since_s)
    }

    /// Whether the user has nothing but this session to sign in with.
    pub fn is_anonymous(&self) -> bool {
        self.email.is_none()
            && self.phone_number.is_none()
            && self.providers.is_empty()
            && self.password.is_none()
            && !self.custom_auth
    }

    /// All identities: those elsewhere, then the derived ones.
    pub fn all_providers(&self) -> Vec<Provider> {
        let mut all = self.providers.clone();
        if let (Some(email), true) = (&self.email, self.password.is_some() || self.email_link_signin) {
            all.push(Provider {
                provider_id: "password".into(),
                raw_id: email.clone(),
                federated_id: Some(email.clone()),
                email: Some(email.clone()),
                display_name: self.display_name.clone(),
                photo_url: self.photo_url.clone(),
                ..Provider::default()
            });
        }
        if let Some(phone) = &self.phone_number {
            all.push(Provider {
                provider_id: "phone".into(),
                raw_id: phone.clone(),
                phone_number: Some(phone.clone()),
                ..Provider::default()
            });
        }
        all
    }
}

/// An e-mail address in the one spelling that is stored; `None` when it is none. The check is the emulator's: one
/// `@` with something on both sides and no blanks; whether mail arrives only mail can tell.
pub fn email_address(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let good = !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && text.len() <= EMAIL_BYTES_MAX
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    good.then(|| text.to_lowercase())
}

/// A phone number in the one spelling that is stored: without what people put between digits. `None` when it is none.
pub fn phone_number(text: &str, strict: bool) -> Option<String> {
    let bare: String =
        text.chars().filter(|c| !c.is_whitespace() && !"-.()/\u{2011}\u{2013}".contains(*c)).collect();
    is_phone_number(&bare, strict).then_some(bare)
}

/// Whether this can be a phone number. In dev a leading `+` is enough, as in the emulator.
fn is_phone_number(text: &str, strict: bool) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    if strict {
        (4..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    } else {
        text.len() <= 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lower_case_and_have_two_sides() {
        assert_eq!(email_address("Alice@Example.COM").as_deref(), Some("alice@example.com"));
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", &format!("{}@b", "a".repeat(300))] {
            assert_eq!(email_address(bad), None, "{bad}");
        }
    }

    #[test]
    fn phone_numbers_are_e164_in_serve() {
        assert!(is_phone_number("+15555550100", true));
        for bad in ["15555550100", "+1error", "+", "+0123456", "+1234567890123456", ""] {
            assert!(!is_phone_number(bad, true), "{bad}");
        }
        assert!(is_phone_number("+1error", false) && !is_phone_number("1555", false));
    }

    #[test]
    fn one_phone_number_has_one_spelling() {
        for text in ["+15555550100", "+1 555 555-0100", "+1 (555) 555.0100", " +1\u{a0}5555550100 "] {
            assert_eq!(phone_number(text, true).as_deref(), Some("+15555550100"), "{text}");
        }
        assert_eq!(phone_number("555 0100", true), None);
    }

    #[test]
    fn derived_identities_follow_the_record() {
        let mut user = User { uid: "u".into(), email: Some("a@b".into()), ..User::default() };
        assert!(user.all_providers().is_empty());
        user.password = Some(PasswordHash { hash: "h".into(), salt: None });
        user.phone_number = Some("+1".into());
        let ids: Vec<_> = user.all_providers().into_iter().map(|provider| provider.provider_id).collect();
        assert_eq!(ids, ["password", "phone"]);
        assert_eq!(user.handles().len(), 2);
    }

    #[test]
    fn the_second_of_a_revocation_still_counts() {
        let user = User { valid_since_s: Some(10), ..User::default() };
        assert!(!user.accepts_token_of(9) && user.accepts_token_of(10));
    }
}
