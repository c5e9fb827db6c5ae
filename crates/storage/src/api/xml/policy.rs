//! Policies of forms: what a service account allows whoever has its signature to post.
//!
//! Source: "Policy document" of Cloud Storage's XML API. Each field of the form is named by a condition, except those that
//! carry the policy and those that begin with `x-ignore-`.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::api::signed::{self, Signed, refused};
use crate::status::Failure;

/// Conditions of one policy.
const CONDITIONS_MAX: usize = 200;
/// Fields that no condition names.
const FREE: [&str; 6] = ["policy", "x-goog-signature", "signature", "googleaccessid", "file", "submit"];

/// The fields of a form before its file, by their names in small letters.
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// A field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A policy that holds for a form: how many bytes its file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub bytes_min: u64,
    pub bytes_max: u64,
}

/// The signature of a form, if it has one.
pub fn signature(fields: &Fields) -> Result<Option<Signed>, Failure> {
    let Some(policy) = fields.get("policy") else { return Ok(None) };
    let texts = vec![policy.to_owned()];
    if let Some(credential) = fields.get("x-goog-credential") {
        if fields.get("x-goog-algorithm") != Some("GOOG4-RSA-SHA256") {
            return Err(refused("its algorithm is not GOOG4-RSA-SHA256"));
        }
        let (account, _) = signed::scope(credential, fields.get("x-goog-date").unwrap_or_default())?;
        let signature = hex::decode(fields.get("x-goog-signature").unwrap_or_default());
        let signature = signature.map_err(|_| refused("its signature is no hexadecimal"))?;
        return Ok(Some(Signed { account: account.to_owned(), texts, signature }));
    }
    let account = fields.get("googleaccessid").ok_or_else(|| refused("its account is missing"))?;
    let signature = STANDARD.decode(fields.get("signature").unwrap_or_default());
    let signature = signature.map_err(|_| refused("its signature is no base64"))?;
    Ok(Some(Signed { account: account.to_owned(), texts, signature }))
}

/// The bucket that a policy names.
pub fn bucket(fields: &Fields) -> Option<String> {
    let policy = STANDARD.decode(fields.get("policy")?).ok()?;
    let policy: Json = serde_json::from_slice(&policy).ok()?;
    let conditions = policy.get("conditions")?.as_array()?;
    conditions.iter().find_map(|condition| condition.get("bucket")?.as_str().map(str::to_owned))
}

/// Checks a form against its policy. Errors: the policy does not allow it.
pub fn check(fields: &Fields, bucket: &str, now: Timestamp) -> Result<Allowed, Failure> {
    let policy = STANDARD.decode(fields.get("policy").unwrap_or_default());
    let policy = policy.map_err(|_| refused("its policy is no base64"))?;
    let policy: Json = serde_json::from_slice(&policy).map_err(|_| refused("its policy is no JSON"))?;
    let expiration = policy.get("expiration").and_then(Json::as_str).unwrap_or_default();
    let expiration = Timestamp::parse(expiration).map_err(|_| refused("its policy has no expiration"))?;
    if expiration.micros() < now.micros() {
        return Err(refused("its policy has expired"));
    }
    let conditions = policy.get("conditions").and_then(Json::as_array);
    let conditions = conditions.filter(|conditions| conditions.len() <= CONDITIONS_MAX);
    let conditions = conditions.ok_or_else(|| refused("its policy has no conditions, or too many"))?;
    let mut allowed = Allowed { bytes_min: 0, bytes_max: u64::MAX };
    let mut named = Vec::new();
    for condition in conditions {
        named.extend(hold(condition, fields, bucket, &mut allowed)?);
    }
    let is_free = |name: &str| FREE.contains(&name) || name.starts_with("x-ignore-") || name == "bucket";
    for (name, _) in &fields.0 {
        if !is_free(name) && !named.contains(name) {
            return Err(refused(&format!("its policy does not name the field `{name}`")));
        }
    }
    // Without these a signature would be for any object.
    for name in ["bucket", "key"] {
        if !named.iter().any(|named| named == name) {
            return Err(refused(&format!("its policy does not name the {name}")));
        }
    }
    Ok(allowed)
}

/// Checks one condition; returns the fields that it names.
fn hold(
    condition: &Json,
    fields: &Fields,
    bucket: &str,
    allowed: &mut Allowed,
) -> Result<Vec<String>, Failure> {
    let bad = || refused(&format!("its policy has a condition that cannot be read: {condition}"));
    let found = |name: &str| if name == "bucket" { Some(bucket) } else { fields.get(name) };
    let failed = |name: &str| refused(&format!("the field `{name}` is not what its policy says"));
    if let Some(exact) = condition.as_object() {
        let mut named = Vec::new();
        for (name, wanted) in exact {
            let name = name.to_ascii_lowercase();
            let wanted = wanted.as_str().ok_or_else(bad)?;
            if found(&name) != Some(wanted) {
                return Err(failed(&name));
            }
            named.push(name);
        }
        return Ok(named);
    }
    let Some([operator, left, right]) = condition.as_array().map(Vec::as_slice) else { return Err(bad()) };
    let operator = operator.as_str().ok_or_else(bad)?.to_ascii_lowercase();
    if operator == "content-length-range" {
        let number = |json: &Json| json.as_u64().or_else(|| json.as_str()?.parse().ok()).ok_or_else(bad);
        allowed.bytes_min = allowed.bytes_min.max(number(left)?);
        allowed.bytes_max = allowed.bytes_max.min(number(right)?);
        return Ok(Vec::new());
    }
    let name = left.as_str().and_then(|left| left.strip_prefix('$')).ok_or_else(bad)?.to_ascii_lowercase();
    let (value, wanted) = (found(&name).unwrap_or_default(), right.as_str().ok_or_else(bad)?);
    let holds = match operator.as_str() {
        "eq" => value == wanted,
        "starts-with" => value.starts_with(wanted),
        _ => return Err(bad()),
    };
    if holds { Ok(vec![name]) } else { Err(failed(&name)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(conditions: &Json, more: &[(&str, &str)]) -> Fields {
        let policy = json!({"expiration": "2026-01-01T00:00:00Z", "conditions": conditions});
        let mut fields = vec![("policy".to_owned(), STANDARD.encode(policy.to_string()))];
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Fields(fields)
    }

    fn checked(conditions: &Json, more: &[(&str, &str)]) -> Result<Allowed, String> {
        let now = Timestamp::parse("2025-12-31T23:59:59Z").unwrap();
        check(&fields(conditions, more), "b", now).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_form_is_what_its_policy_says_and_nothing_else() {
        let base = json!([{"bucket": "b"}, ["starts-with", "$key", "u/"], {"acl": "private"}]);
        let sent = [("key", "u/x"), ("acl", "private")];
        assert!(checked(&base, &sent).is_ok());
        assert!(checked(&base, &[("key", "u/x"), ("acl", "private"), ("x-ignore-a", "b")]).is_ok());
        for (fields, why) in [
            (&[("key", "v/x"), ("acl", "private")][..], "`key`"),
            (&[("key", "u/x"), ("acl", "public")], "`acl`"),
            (&[("key", "u/x")], "`acl`"),
            (&[("key", "u/x"), ("acl", "private"), ("content-type", "text/html")], "`content-type`"),
        ] {
            let refused = checked(&base, fields).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        for conditions in [
            json!([{"bucket": "b"}]),
            json!([["eq", "$key", "u/x"]]),
            json!([{"bucket": "c"}, {"key": "u/x"}]),
        ] {
            assert!(checked(&conditions, &[("key", "u/x")]).is_err(), "{conditions}");
        }
        let range = json!([{"bucket": "b"}, {"key": "u/x"}, ["content-length-range", 1, "9"]]);
        assert_eq!(checked(&range, &[("key", "u/x")]), Ok(Allowed { bytes_min: 1, bytes_max: 9 }));
        let late = Timestamp::parse("2026-01-01T00:00:01Z").unwrap();
        assert!(check(&fields(&base, &sent), "b", late).is_err());
    }

    #[test]
    fn conditions_that_cannot_be_read_refuse() {
        for broken in [
            json!("x"),
            json!(["eq", "key", "x"]),
            json!(["like", "$key", "x"]),
            json!([]),
            json!({"key": 1}),
        ] {
            let conditions = json!([{"bucket": "b"}, {"key": "x"}, broken]);
            assert!(checked(&conditions, &[("key", "x")]).is_err(), "{conditions}");
        }
    }
}
