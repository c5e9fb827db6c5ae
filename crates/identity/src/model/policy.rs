//! What a project demands of new passwords.
//!
//! Source: the identity reference, section 16.

use serde_json::{Value as Json, json};

use super::config::Config;
use crate::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use crate::status::{PASSWORD_TOO_LONG, Refused, WEAK_PASSWORD, wrong_shape};

/// The characters that count as neither letters nor digits.
const SIGNS: &str = r##"^$*.[]{}()?"!@#%&/\,><':;|_~"##;
/// The longest minimum that can be demanded.
const MIN_LENGTH_MAX: u64 = 30;
const STATE: &str = "passwordPolicyConfig.passwordPolicyEnforcementState";

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    enforced: bool,
    at_sign_in: bool,
    min: usize,
    max: usize,
    classes: [bool; CLASSES.len()],
}

/// A kind of character: its option, what is said when it is missing, and which characters are of it.
type Class = (&'static str, &'static str, fn(char) -> bool);

const CLASSES: [Class; 4] = [
    ("containsLowercaseCharacter", "a lower case character", char::is_lowercase),
    ("containsUppercaseCharacter", "an upper case character", char::is_uppercase),
    ("containsNumericCharacter", "a numeric character", |c| c.is_ascii_digit()),
    ("containsNonAlphanumericCharacter", "a non-alphanumeric character", |c| SIGNS.contains(c)),
];

impl PasswordPolicy {
    /// Reads a project's policy. Where none is set, only the usual bounds hold.
    pub fn of(config: &Config) -> Self {
        let versions = config.at("passwordPolicyConfig.passwordPolicyVersions").and_then(Json::as_array);
        let options = versions
            .and_then(|versions| versions.first())
            .and_then(|first| first.get("customStrengthOptions"));
        let option = |name: &str| options.and_then(|options| options.get(name));
        let number =
            |name: &str| option(name).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
        let enforced = config.at(STATE).and_then(Json::as_str) == Some("ENFORCE");
        let upgrades = config.at("passwordPolicyConfig.forceUpgradeOnSignin").and_then(Json::as_bool);
        Self {
            enforced,
            at_sign_in: enforced && upgrades.unwrap_or(false),
            min: number("minPasswordLength").unwrap_or(0).max(PASSWORD_CHARS_MIN),
            max: number("maxPasswordLength").unwrap_or(PASSWORD_CHARS_MAX).min(PASSWORD_CHARS_MAX),
            classes: CLASSES.map(|(name, ..)| option(name).and_then(Json::as_bool).unwrap_or(false)),
        }
    }

    /// Refuses what is no policy: so far as it is set, it must be one that can hold.
    pub fn check_config(config: &Config) -> Result<(), Refused> {
        let states = ["ENFORCE", "OFF", "PASSWORD_POLICY_ENFORCEMENT_STATE_UNSPECIFIED"];
        let state = config.at(STATE);
        if state.is_some_and(|state| state.as_str().is_none_or(|state| !states.contains(&state))) {
            return Err(wrong_shape("Invalid passwordPolicyEnforcementState."));
        }
        let Some(versions) = config.at("passwordPolicyConfig.passwordPolicyVersions") else { return Ok(()) };
        for version in versions.as_array().ok_or_else(|| wrong_shape("Invalid passwordPolicyVersions."))? {
            let Some(options) = version.get("customStrengthOptions") else { continue };
            let number = |name: &str, default: u64| match options.get(name) {
                None => Ok(default),
                Some(number) => number.as_u64().ok_or_else(|| wrong_shape(&format!("Invalid {name}."))),
            };
            let (least, most) = (PASSWORD_CHARS_MIN as u64, PASSWORD_CHARS_MAX as u64);
            let (min, max) = (number("minPasswordLength", least)?, number("maxPasswordLength", most)?);
            if !(least..=MIN_LENGTH_MAX).contains(&min) || !(min..=most).contains(&max) {
                return Err(wrong_shape("Invalid minPasswordLength or maxPasswordLength."));
            }
            if CLASSES.iter().any(|(name, ..)| options.get(name).is_some_and(|wanted| !wanted.is_boolean())) {
                return Err(wrong_shape("Invalid customStrengthOptions."));
            }
        }
        Ok(())
    }

    /// Refuses a new password that does not satisfy the policy.
    pub fn check(&self, password: &str) -> Result<(), Refused> {
        // Clients count UTF-16 units; for what is near the minimum that is the same.
        let length = password.encode_utf16().count();
        if !self.enforced {
            return match length {
                ..PASSWORD_CHARS_MIN => Err(WEAK_PASSWORD),
                PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX => Ok(()),
                _ => Err(PASSWORD_TOO_LONG),
            };
        }
        let mut missing = Vec::new();
        if length < self.min {
            missing.push(format!("Password must contain at least {} characters", self.min));
        }
        if length > self.max {
            missing.push(format!("Password may contain at most {} characters", self.max));
        }
        for ((_, what, is_of), wanted) in CLASSES.iter().zip(self.classes) {
            if wanted && !password.chars().any(is_of) {
                missing.push(format!("Password must contain {what}"));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(", ");
        Err(Refused::text(format!(
            "PASSWORD_DOES_NOT_MEET_REQUIREMENTS : Missing password requirements: [{missing}]"
        )))
    }

    /// Refuses a right password that no longer satisfies the policy, where the project demands that.
    pub fn check_at_sign_in(&self, password: &str) -> Result<(), Refused> {
        if self.at_sign_in { self.check(password) } else { Ok(()) }
    }

    /// What clients read of it.
    pub fn shown(&self) -> Json {
        let signs: Vec<String> = SIGNS.chars().map(String::from).collect();
        let mut options = json!({ "minPasswordLength": self.min, "maxPasswordLength": self.max });
        if let Some(options) = options.as_object_mut() {
            let wanted = CLASSES.iter().zip(self.classes).filter(|(_, wanted)| *wanted);
            options.extend(wanted.map(|((name, ..), wanted)| ((*name).to_owned(), wanted.into())));
        }
        json!({
            "customStrengthOptions": options,
            "allowedNonAlphanumericCharacters": signs,
            "enforcementState": if self.enforced { "ENFORCE" } else { "OFF" },
            "forceUpgradeOnSignin": self.at_sign_in,
            "schemaVersion": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enforced_policy_says_all_that_is_missing() {
        let mut config = Config::default();
        assert_eq!(PasswordPolicy::of(&config).check("short"), Err(WEAK_PASSWORD));
        let options = json!({
            "minPasswordLength": 8, "containsUppercaseCharacter": true, "containsNonAlphanumericCharacter": true
        });
        let versions = "passwordPolicyConfig.passwordPolicyVersions";
        config.set(STATE, Some("ENFORCE".into()));
        config.set(versions, Some(json!([{ "customStrengthOptions": options }])));
        PasswordPolicy::check_config(&config).unwrap();
        let policy = PasswordPolicy::of(&config);
        assert_eq!(
            policy.check("hunter2").unwrap_err().message,
            "PASSWORD_DOES_NOT_MEET_REQUIREMENTS : Missing password requirements: [Password must contain at least 8 \
             characters, Password must contain an upper case character, Password must contain a non-alphanumeric \
             character]"
        );
        assert_eq!(policy.check("Hunter22!"), Ok(()));
        assert_eq!(policy.check_at_sign_in("hunter2"), Ok(()));
        let options = |options: Json| json!([{ "customStrengthOptions": options }]);
        for (path, value) in [
            (STATE, json!("MAYBE")),
            (versions, json!(7)),
            (versions, options(json!({ "minPasswordLength": 31 }))),
            (versions, options(json!({ "minPasswordLength": 9, "maxPasswordLength": 8 }))),
            (versions, options(json!({ "containsNumericCharacter": "yes" }))),
        ] {
            let mut wrong = config.clone();
            wrong.set(path, Some(value));
            assert!(PasswordPolicy::check_config(&wrong).is_err(), "{path}");
        }
    }
}
