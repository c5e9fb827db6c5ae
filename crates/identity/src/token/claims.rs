//! What our tokens say: ID tokens, session cookies, access tokens, and the rules for custom claims.
//!
//! Source: the identity reference, sections 7 and 8.

use base::{Fields, Value};
use serde_json::{Value as Json, json};

use super::{Claims, TokenError, seconds, text};
use crate::limits::{CLAIMS_BYTES_MAX, CLOCK_SKEW_S_MAX, ID_TOKEN_LIFE_S, UID_BYTES_MAX};
use crate::model::user::User;
use crate::status::{CLAIMS_TOO_LARGE, INVALID_CLAIMS, Refused, forbidden_claim};

/// The audience of custom tokens.
pub const CUSTOM_TOKEN_AUDIENCE: &str =
    "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit";
/// Where administrators' access tokens come from.
pub const OAUTH_ISSUER: &str = "https://oauth2.googleapis.com";
/// The header's `typ` of an access token: it can never be taken for an ID token, nor the other way round.
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

const ISSUER_PREFIX: &str = "https://securetoken.google.com/";
const COOKIE_ISSUER_PREFIX: &str = "https://session.firebase.google.com/";
/// Names a project may not use for claims of its own.
const RESERVED: [&str; 16] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "c_hash",
    "cnf",
    "exp",
    "firebase",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "sub",
];

/// The claims that every ID token has of the service, whatever the user and the project say.
pub const OF_THE_SERVICE: [&str; 12] = [
    "iss",
    "aud",
    "auth_time",
    "user_id",
    "sub",
    "iat",
    "exp",
    "email",
    "email_verified",
    "phone_number",
    "firebase",
    "provider_id",
];

/// The claims that show the user's profile.
pub const OF_THE_PROFILE: [&str; 2] = ["name", "picture"];

/// How a session began: what its ID tokens are made of besides the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The way the user signed in: `password`, `anonymous`, `custom`, …
    pub provider: String,
    /// When.
    pub auth_time_s: i64,
    /// Claims of this session only; they win over the user's stored claims.
    pub claims: Claims,
}

/// The claims of an ID token.
pub fn id_token(project: &str, user: &User, grant: &Grant, now_s: i64) -> Claims {
    let mut claims = Claims::new();
    if let Some(name) = &user.display_name {
        claims.insert("name".into(), name.as_str().into());
    }
    if let Some(picture) = &user.photo_url {
        claims.insert("picture".into(), picture.as_str().into());
    }
    claims.extend(user.custom_claims());
    claims.extend(grant.claims.clone());
    // What follows overwrites: no claim of the project's own can pretend to be one of these.
    for name in ["email", "email_verified", "phone_number", "provider_id"] {
        claims.shift_remove(name);
    }
    claims.insert("iss".into(), format!("{ISSUER_PREFIX}{project}").into());
    claims.insert("aud".into(), project.into());
    claims.insert("auth_time".into(), grant.auth_time_s.into());
    claims.insert("user_id".into(), user.uid.as_str().into());
    claims.insert("sub".into(), user.uid.as_str().into());
    claims.insert("iat".into(), now_s.into());
    claims.insert("exp".into(), (now_s + ID_TOKEN_LIFE_S).into());
    let mut identities = Claims::new();
    if let Some(email) = &user.email {
        claims.insert("email".into(), email.as_str().into());
        claims.insert("email_verified".into(), user.email_verified.into());
        identities.insert("email".into(), json!([email]));
    }
    if let Some(phone) = &user.phone_number {
        claims.insert("phone_number".into(), phone.as_str().into());
        identities.insert("phone".into(), json!([phone]));
    }
    if grant.provider == "anonymous" {
        claims.insert("provider_id".into(), "anonymous".into());
    }
    for provider in &user.providers {
        identities.insert(provider.provider_id.clone(), json!([provider.raw_id]));
    }
    claims.insert("firebase".into(), json!({ "identities": identities, "sign_in_provider": grant.provider }));
    claims
}

/// The claims of a session cookie made of an ID token.
pub fn session_cookie(id_token: &Claims, project: &str, now_s: i64, life_s: i64) -> Claims {
    let mut claims = id_token.clone();
    claims.insert("iss".into(), format!("{COOKIE_ISSUER_PREFIX}{project}").into());
    claims.insert("iat".into(), now_s.into());
    claims.insert("exp".into(), (now_s + life_s).into());
    claims
}

/// The claim of an access token that names the account's key it was obtained with: it ends with that key.
pub const ACCOUNT_KEY: &str = "key";

/// The claims of an administrator's access token.
pub fn access_token(project: &str, account: &str, kid: &str, scope: &str, now_s: i64) -> Claims {
    [
        (ACCOUNT_KEY, kid.into()),
        ("iss", OAUTH_ISSUER.into()),
        ("aud", project.into()),
        ("sub", account.into()),
        ("scope", scope.into()),
        ("iat", now_s.into()),
        ("exp", (now_s + ID_TOKEN_LIFE_S).into()),
    ]
    .map(|(name, value): (&str, Json)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// An ID token that has been read. Whether its user still stands is another question.
#[derive(Clone, Debug, PartialEq)]
pub struct IdToken {
    /// Whom it is about.
    pub uid: String,
    /// When it was issued.
    pub iat_s: i64,
    /// Until when it is good.
    pub exp_s: i64,
    /// When the user signed in.
    pub auth_time_s: i64,
    /// How.
    pub provider: String,
    /// Of which tenant, if any.
    pub tenant: Option<String>,
    /// The id of this house's key that signed it; `None` in dev.
    pub signer: Option<String>,
    /// All it says.
    pub claims: Claims,
}

impl IdToken {
    /// Reads a token in dev: whoever is named is believed.
    pub fn believe(claims: Claims) -> Result<Self, TokenError> {
        let uid = text(&claims, "user_id").or_else(|| text(&claims, "sub")).ok_or(TokenError::Subject)?;
        if uid.is_empty() || uid.len() > UID_BYTES_MAX {
            return Err(TokenError::Subject);
        }
        let uid = uid.to_owned();
        let iat_s = seconds(&claims, "iat").unwrap_or(0);
        let firebase = claims.get("firebase");
        let of_firebase = |name: &str| firebase.and_then(|part| part.get(name)).and_then(Json::as_str);
        Ok(Self {
            iat_s,
            exp_s: seconds(&claims, "exp").unwrap_or(i64::MAX),
            auth_time_s: seconds(&claims, "auth_time").unwrap_or(iat_s),
            provider: of_firebase("sign_in_provider").unwrap_or("custom").to_owned(),
            tenant: of_firebase("tenant").map(str::to_owned),
            signer: None,
            uid,
            claims,
        })
    }

    /// Reads a token whose signature is good: it must be an ID token of this project. Expiry is asked separately,
    /// since it changes while a token is remembered.
    pub fn of_project(claims: Claims, project: &str) -> Result<Self, TokenError> {
        let issuer = text(&claims, "iss").and_then(|issuer| issuer.strip_prefix(ISSUER_PREFIX));
        if issuer != Some(project) || text(&claims, "aud") != Some(project) {
            return Err(TokenError::Audience);
        }
        for name in ["sub", "iat", "exp", "auth_time"] {
            if !claims.contains_key(name) {
                return Err(TokenError::Subject);
            }
        }
        Self::believe(claims)
    }

    /// Whether it was issued later than now, further than clocks may differ: this house's clock was ahead then.
    pub fn is_from_the_future(&self, now_s: i64) -> bool {
        self.iat_s > now_s.saturating_add(CLOCK_SKEW_S_MAX)
    }

    /// Whether its time is over.
    pub fn expired(&self, now_s: i64) -> bool {
        self.exp_s <= now_s
    }
}

/// What rules see as `request.auth.token`.
pub fn fields(claims: &Claims) -> Fields {
    claims.iter().map(|(name, value)| (name.clone(), value_of(value))).collect()
}

fn value_of(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
        }
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(value_of).collect()),
        Json::Object(entries) => Value::Map(fields(entries)),
    }
}

/// Checks claims a project wants to give, in whatever form they came.
fn allowed(claims: &Json) -> Result<&Claims, Refused> {
    let claims = claims.as_object().ok_or(INVALID_CLAIMS)?;
    match claims.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => Err(forbidden_claim(name)),
        None => Ok(claims),
    }
}

/// Checks the claims of a session: those of a custom token.
pub fn allowed_session(claims: &Json) -> Result<Claims, Refused> {
    let allowed = allowed(claims)?;
    if claims.to_string().len() > CLAIMS_BYTES_MAX { Err(CLAIMS_TOO_LARGE) } else { Ok(allowed.clone()) }
}

/// Checks claims in the serialized form in which they are stored.
pub fn allowed_text(serialized: &str) -> Result<Claims, Refused> {
    if serialized.len() > CLAIMS_BYTES_MAX {
        return Err(CLAIMS_TOO_LARGE);
    }
    let claims: Json = serde_json::from_str(serialized).map_err(|_| INVALID_CLAIMS)?;
    allowed(&claims).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Claims {
        serde_json::from_str(text).unwrap()
    }

    fn alice() -> User {
        User {
            uid: "alice".into(),
            email: Some("a@example.com".into()),
            display_name: Some("Alice".into()),
            custom_attributes: Some(
                r#"{"role":"admin","name":"Boss","email":"forged@x","sub_":1,"level":1}"#.into(),
            ),
            ..User::default()
        }
    }

    #[test]
    fn session_claims_win_over_stored_ones_and_fixed_ones_over_both() {
        let grant = Grant {
            provider: "custom".into(),
            auth_time_s: 100,
            claims: object(r#"{"level":2,"user_id":"mallory","provider_id":"anonymous"}"#),
        };
        let claims = id_token("demo", &alice(), &grant, 200);
        assert_eq!(
            Json::Object(claims),
            json!({
                "name": "Boss", "role": "admin", "sub_": 1, "level": 2, "user_id": "alice", "sub": "alice",
                "iss": "https://securetoken.google.com/demo", "aud": "demo", "auth_time": 100, "iat": 200,
                "exp": 3800, "email": "a@example.com", "email_verified": false,
                "firebase": { "identities": { "email": ["a@example.com"] }, "sign_in_provider": "custom" },
            })
        );
    }

    #[test]
    fn custom_claims_are_checked_as_documented() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(CLAIMS_BYTES_MAX));
        let exact = format!(r#"{{"a":"{}"}}"#, "x".repeat(CLAIMS_BYTES_MAX - 8));
        for (text, expected) in [
            ("{}", Ok(0)),
            (r#"{"role":"admin","email":"allowed but overwritten"}"#, Ok(2)),
            (&exact, Ok(1)),
            (&long, Err(CLAIMS_TOO_LARGE)),
            ("[]", Err(INVALID_CLAIMS)),
            ("null", Err(INVALID_CLAIMS)),
            ("", Err(INVALID_CLAIMS)),
            ("{", Err(INVALID_CLAIMS)),
        ] {
            assert_eq!(allowed_text(text).map(|claims| claims.len()), expected, "{text}");
        }
        for name in RESERVED {
            assert_eq!(allowed_text(&format!(r#"{{"x":1,"{name}":1}}"#)), Err(forbidden_claim(name)));
        }
    }

    #[test]
    fn only_an_id_token_of_this_project_is_one() {
        let grant = Grant { provider: "password".into(), auth_time_s: 1, claims: Claims::new() };
        let good = id_token("demo", &alice(), &grant, 200);
        let token = IdToken::of_project(good.clone(), "demo").unwrap();
        assert_eq!((token.uid.as_str(), token.iat_s, token.provider.as_str()), ("alice", 200, "password"));
        assert!(!token.expired(3799) && token.expired(3800));
        assert_eq!(IdToken::of_project(good.clone(), "other").err(), Some(TokenError::Audience));
        let cookie = session_cookie(&good, "demo", 200, 300);
        assert_eq!(IdToken::of_project(cookie, "demo").err(), Some(TokenError::Audience));
        let access = access_token("demo", "robot", "k", "", 200);
        assert_eq!(IdToken::of_project(access, "demo").err(), Some(TokenError::Audience));
        for missing in ["sub", "iat", "exp", "auth_time"] {
            let mut claims = good.clone();
            claims.shift_remove(missing);
            assert_eq!(IdToken::of_project(claims, "demo").err(), Some(TokenError::Subject), "{missing}");
        }
    }

    #[test]
    fn rules_see_whole_numbers_as_integers_and_others_as_doubles() {
        let seen =
            fields(&object(r#"{"i":1,"d":1.0,"big":18446744073709551615,"n":null,"l":[true,{"k":"v"}]}"#));
        assert_eq!(seen["i"], Value::Integer(1));
        assert_eq!(seen["d"], Value::Double(1.0));
        assert_eq!(seen["big"], Value::Double(18_446_744_073_709_551_615.0));
        assert_eq!(seen["n"], Value::Null);
        let inner: Fields = [("k".to_owned(), Value::String("v".into()))].into();
        assert_eq!(seen["l"], Value::Array(vec![Value::Bool(true), Value::Map(inner)]));
    }
}
