//! Which of a project's settings there are, and which of them hold here.
//!
//! A setting that is accepted holds. One that is of something Hearth does not do is refused.

use serde_json::Value as Json;

use super::config::Config;
use super::policy::PasswordPolicy;
use crate::status::{Refused, not_implemented, wrong_shape};

/// What can be set: the names of the public API. Below those that end in `.*` anything may stand.
const FIELDS: [&str; 30] = [
    "signIn.email.enabled",
    "signIn.email.passwordRequired",
    "signIn.phoneNumber.enabled",
    "signIn.phoneNumber.testPhoneNumbers.*",
    "signIn.anonymous.enabled",
    "signIn.allowDuplicateEmails",
    "signIn.hashConfig.*",
    "mfa.state",
    "mfa.enabledProviders",
    "mfa.providerConfigs",
    "passwordPolicyConfig.passwordPolicyEnforcementState",
    "passwordPolicyConfig.passwordPolicyVersions",
    "passwordPolicyConfig.forceUpgradeOnSignin",
    "passwordPolicyConfig.lastUpdateTime",
    "smsRegionConfig.allowByDefault.disallowedRegions",
    "smsRegionConfig.allowlistOnly.allowedRegions",
    "recaptchaConfig.*",
    "emailPrivacyConfig.enableImprovedEmailPrivacy",
    "mobileLinksConfig.*",
    "blockingFunctions.triggers.*",
    "blockingFunctions.forwardInboundCredentials.*",
    "client.permissions.disabledUserSignup",
    "client.permissions.disabledUserDeletion",
    "client.apiKey",
    "client.firebaseSubdomain",
    "authorizedDomains",
    "notification.*",
    "quota.signUpQuotaConfig.*",
    "multiTenant.*",
    "monitoring.*",
];
/// Of these at most one is set: setting one clears the other.
const ONE_OF: [&str; 2] = ["smsRegionConfig.allowByDefault", "smsRegionConfig.allowlistOnly"];
/// What must be off, since nothing would come of it.
const UNSUPPORTED: [(&str, &str); 11] = [
    ("mfa.state", "Multi-factor authentication"),
    ("mfa.enabledProviders", "Multi-factor authentication"),
    ("blockingFunctions.triggers", "A blocking function"),
    ("recaptchaConfig.emailPasswordEnforcementState", "reCAPTCHA"),
    ("recaptchaConfig.phoneEnforcementState", "reCAPTCHA"),
    ("multiTenant.allowTenants", "Multi-tenancy"),
    ("quota.signUpQuotaConfig", "A quota of sign-ups"),
    ("notification.sendEmail.method", "Sending e-mail"),
    ("notification.sendEmail.smtp", "Sending e-mail"),
    ("signIn.phoneNumber.enabled", "Signing in by phone"),
    ("signIn.phoneNumber.testPhoneNumbers", "Signing in by phone"),
];

/// What follows a name in a dotted path, when the path begins with it: nothing, or a dot and more.
fn after<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a dotted path names something that can be set, or that such things are in.
pub fn is_field(path: &str) -> bool {
    FIELDS.iter().any(|field| {
        let (name, is_open) = field.strip_suffix(".*").map_or((*field, false), |name| (name, true));
        after(name, path).is_some() || (is_open && after(path, name).is_some())
    })
}

/// The other member of a one-of that a path is in.
pub fn excluded(path: &str) -> Option<&'static str> {
    let [one, other] = ONE_OF;
    [(one, other), (other, one)].into_iter().find_map(|(own, other)| after(path, own).map(|_| other))
}

/// Refuses settings that would not hold: wrong ones, and those of what Hearth does not do.
pub fn check(config: &Config) -> Result<(), Refused> {
    PasswordPolicy::check_config(config)?;
    if ONE_OF.iter().all(|path| config.at(path).is_some()) {
        return Err(wrong_shape("Several members of a one-of are set."));
    }
    for (path, what) in UNSUPPORTED {
        if !is_off(config.at(path)) {
            return Err(not_implemented(what));
        }
    }
    let factors = config.at("mfa.providerConfigs").and_then(Json::as_array);
    if factors.is_some_and(|factors| !factors.iter().all(|factor| is_off(factor.get("state")))) {
        return Err(not_implemented("Multi-factor authentication"));
    }
    Ok(())
}

fn is_off(setting: Option<&Json>) -> bool {
    match setting {
        None | Some(Json::Null | Json::Bool(false)) => true,
        Some(Json::String(state)) => {
            ["OFF", "DISABLED", "DEFAULT"].contains(&state.as_str()) || state.ends_with("UNSPECIFIED")
        }
        Some(Json::Array(items)) => items.is_empty(),
        Some(Json::Object(fields)) => fields.is_empty(),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_there_is_can_be_set() {
        for path in
            ["signIn", "signIn.email", "signIn.email.enabled", "client.permissions", "notification.a.b"]
        {
            assert!(is_field(path), "{path}");
        }
        for path in
            ["", "sign", "signIn.", "signIn.x", "passwordHashes", "signIn.email.enabled.x", "notificationx"]
        {
            assert!(!is_field(path), "{path}");
        }
    }

    #[test]
    fn what_would_not_hold_is_refused_and_one_of_two_is_set() {
        for (path, value) in [
            ("mfa", json!({ "state": "MANDATORY" })),
            ("mfa", json!({ "providerConfigs": [{ "state": "ENABLED" }] })),
            ("blockingFunctions.triggers", json!({ "beforeCreate": { "functionUri": "https://x" } })),
            ("recaptchaConfig.emailPasswordEnforcementState", json!("ENFORCE")),
        ] {
            let mut config = Config::default();
            config.set(path, Some(value));
            assert_eq!(check(&config).unwrap_err().http, 501, "{path}");
        }
        let mut config = Config::default();
        config.set("mfa", Some(json!({ "state": "DISABLED" })));
        config.set("blockingFunctions", Some(json!({})));
        config.set("smsRegionConfig.allowByDefault", Some(json!({ "disallowedRegions": ["AC"] })));
        config.set("smsRegionConfig.allowlistOnly.allowedRegions", Some(json!(["AD"])));
        assert_eq!(
            config.at("smsRegionConfig"),
            Some(&json!({ "allowlistOnly": { "allowedRegions": ["AD"] } }))
        );
        check(&config).unwrap();
        config.set("smsRegionConfig", Some(json!({ "allowByDefault": {}, "allowlistOnly": {} })));
        assert_eq!(check(&config).unwrap_err().http, 400);
    }
}
