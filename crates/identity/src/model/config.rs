//! A project's sign-in settings. Only what Hearth acts on has meaning here; the rest is kept as it came, so that
//! administrators read back what they wrote.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::policy::PasswordPolicy;
use super::settings::excluded;

/// Settings as stored: the administrators' JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(pub Map<String, Json>);

/// What can be set through the emulator's own endpoint.
pub const EMULATOR_FIELDS: [&str; 2] =
    ["signIn.allowDuplicateEmails", "emailPrivacyConfig.enableImprovedEmailPrivacy"];

impl Config {
    /// The value at a dotted path.
    pub fn at(&self, path: &str) -> Option<&Json> {
        let mut names = path.split('.');
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    fn flag(&self, path: &str) -> Option<bool> {
        self.at(path).and_then(Json::as_bool)
    }

    /// Sets (or with `None` removes) the value at a dotted path, making what lies between.
    pub fn set(&mut self, path: &str, value: Option<Json>) {
        fn descend(object: &mut Map<String, Json>, path: &str, value: Option<Json>) {
            match (path.split_once('.'), value) {
                (None, Some(value)) => {
                    object.insert(path.to_owned(), value);
                }
                (None, None) => {
                    object.shift_remove(path);
                }
                (Some((name, rest)), value) => {
                    let inner = object.entry(name).or_insert_with(|| json!({}));
                    if !inner.is_object() {
                        *inner = json!({});
                    }
                    if let Some(inner) = inner.as_object_mut() {
                        descend(inner, rest, value);
                    }
                }
            }
        }
        if let (Some(other), true) = (excluded(path), value.is_some())
            && self.at(other).is_some()
        {
            descend(&mut self.0, other, None);
        }
        descend(&mut self.0, path, value);
    }

    /// What new passwords must be like.
    pub fn password_policy(&self) -> PasswordPolicy {
        PasswordPolicy::of(self)
    }

    /// Hosts whose pages may ask to sign in, where the project says so.
    pub fn authorized_domains(&self) -> Option<&Json> {
        self.at("authorizedDomains").filter(|domains| domains.is_array())
    }

    /// Whether answers hide which addresses have an account.
    pub fn hides_emails(&self, default: bool) -> bool {
        match self.at("emailPrivacyConfig") {
            Some(_) => self.flag("emailPrivacyConfig.enableImprovedEmailPrivacy").unwrap_or(false),
            None => default,
        }
    }

    /// Whether one address may belong to several users (through other providers).
    pub fn allows_duplicate_emails(&self) -> bool {
        self.flag("signIn.allowDuplicateEmails").unwrap_or(false)
    }

    /// Whether e-mail and password may be used; yes unless said otherwise.
    pub fn allows_passwords(&self) -> bool {
        self.flag("signIn.email.enabled").unwrap_or(true)
    }

    /// Whether anonymous users may be made; yes unless said otherwise.
    pub fn allows_anonymous(&self) -> bool {
        self.flag("signIn.anonymous.enabled").unwrap_or(true)
    }

    /// Whether people may make accounts for themselves.
    pub fn allows_signup(&self) -> bool {
        !self.flag("client.permissions.disabledUserSignup").unwrap_or(false)
    }

    /// Whether people may delete their own accounts.
    pub fn allows_self_deletion(&self) -> bool {
        !self.flag("client.permissions.disabledUserDeletion").unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_set_read_and_removed() {
        let mut config = Config::default();
        assert!(config.hides_emails(true) && !config.hides_emails(false));
        config.set("emailPrivacyConfig.enableImprovedEmailPrivacy", Some(true.into()));
        assert!(config.hides_emails(false));
        config.set("emailPrivacyConfig.enableImprovedEmailPrivacy", None);
        assert!(!config.hides_emails(true), "set and then unset is off, whatever the default");
        config.set("signIn", Some(Json::Null));
        config.set("signIn.anonymous.enabled", Some(false.into()));
        assert!(!config.allows_anonymous() && config.allows_passwords());
        assert_eq!(config.at("signIn.anonymous.enabled.deeper"), None);
    }
}
