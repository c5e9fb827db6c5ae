//! What an App Check token says.
//!
//! Source: the services reference, C; `token-verifier.ts` of firebase-admin-node.

use std::sync::Arc;

use access::{Flaw, SignedToken, TokenSigner};
use serde_json::{Map, Value as Json, json};

use crate::model::rows::is_app_id;
use crate::model::settings::Settings;

/// Bytes of a token. Ours have about 800.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// What an issuer begins with.
const ISSUER: &str = "https://firebaseappcheck.googleapis.com/";
/// What the SDKs send when they could not obtain a token.
const PLACEHOLDER: &str = "eyJlcnJvciI6IlVOS05PV05fRVJST1IifQ==";
/// How far ahead the clock of whoever issued a token may be, in seconds.
const SKEW_S_MAX: i64 = 60;
/// The shortest and the longest life of a token, in seconds.
pub const TTL_S: std::ops::RangeInclusive<i64> = 1800..=7 * 86_400;
/// The life of a token where nothing is said.
pub const TTL_S_USUAL: i64 = 3600;
/// The life of a token that is to be used once.
pub const LIMITED_TTL_S: i64 = 300;
/// Bytes of the id that a client gives a token.
pub const JTI_LEN: std::ops::RangeInclusive<usize> = 16..=250;

/// A genuine token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The app's id.
    pub app: String,
    /// Its own id.
    pub jti: Option<String>,
    /// Seconds.
    pub iat_s: i64,
    /// Seconds.
    pub exp_s: i64,
    /// The key that signed it.
    pub signer: Arc<dyn TokenSigner>,
}

/// What can be said of a text before anything is computed.
pub fn flaw_of(text: &str) -> Option<Flaw> {
    if text == PLACEHOLDER {
        return Some(Flaw::Placeholder);
    }
    let is_base64 = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='))
    };
    let is_token =
        text.len() <= TOKEN_BYTES_MAX && text.split('.').count() == 3 && text.split('.').all(is_base64);
    (!is_token).then_some(Flaw::Malformed)
}

impl Token {
    /// Reads what was signed.
    pub fn read(signed: SignedToken, settings: &Settings) -> Result<Self, Flaw> {
        let SignedToken { claims, signer } = signed;
        let text = |name: &str| claims.get(name).and_then(Json::as_str);
        let issuer = format!("{ISSUER}{}", settings.project_number);
        let audience = audience(settings);
        let is_for_us = claims.get("aud").and_then(Json::as_array).is_some_and(|named| {
            audience.iter().all(|ours| named.iter().any(|name| name.as_str() == Some(ours)))
        });
        if text("iss") != Some(&issuer) || !is_for_us {
            return Err(Flaw::Foreign);
        }
        let seconds = |name: &str| claims.get(name).and_then(Json::as_i64).ok_or(Flaw::Malformed);
        let app = text("sub").filter(|id| is_app_id(id)).ok_or(Flaw::Malformed)?.to_owned();
        let jti = text("jti").map(str::to_owned);
        Ok(Self { app, jti, iat_s: seconds("iat")?, exp_s: seconds("exp")?, signer })
    }

    /// Whether it counts at a time.
    pub fn in_time(&self, now_s: i64) -> Result<(), Flaw> {
        if self.exp_s <= now_s {
            return Err(Flaw::Expired);
        }
        if self.iat_s > now_s.saturating_add(SKEW_S_MAX) {
            return Err(Flaw::Future);
        }
        Ok(())
    }
}

fn audience(settings: &Settings) -> [String; 2] {
    [format!("projects/{}", settings.project_number), format!("projects/{}", settings.project)]
}

/// What a new token says.
pub struct NewToken<'a> {
    /// The app's id.
    pub app: &'a str,
    /// Its own id.
    pub jti: String,
    /// How the app was attested.
    pub provider: &'static str,
    /// How long it lives, in seconds.
    pub ttl_s: i64,
}

impl NewToken<'_> {
    /// Its claims.
    pub fn claims(&self, settings: &Settings, now_s: i64) -> Map<String, Json> {
        let Self { app, jti, provider, ttl_s } = self;
        let issuer = format!("{ISSUER}{}", settings.project_number);
        let claims = json!({
            "sub": app, "aud": audience(settings), "iss": issuer, "provider": provider,
            "iat": now_s, "exp": now_s + ttl_s, "jti": jti,
        });
        claims.as_object().cloned().unwrap_or_default()
    }
}

/// A duration as Google writes it (`3600s`), in seconds.
pub fn duration_s(text: &str) -> Option<i64> {
    let seconds = text.strip_suffix('s')?;
    let whole = seconds.split_once('.').map_or(seconds, |(whole, _)| whole);
    whole.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody(kv::Key);

    impl TokenSigner for Nobody {
        fn row(&self) -> &kv::Key {
            &self.0
        }
        fn stands(&self) -> bool {
            true
        }
    }

    fn settings(project: &str) -> Settings {
        Settings { project: project.to_owned(), project_number: "12345".to_owned() }
    }

    fn signed(claims: Map<String, Json>) -> SignedToken {
        let row = kv::Key::new(access::keyspace::SIGNING_KEYS, &[]);
        SignedToken { claims, signer: Arc::new(Nobody(row)) }
    }

    fn minted() -> Map<String, Json> {
        let new = NewToken { app: "1:2:web:a", jti: "j".into(), provider: "debug", ttl_s: 3600 };
        new.claims(&settings("demo"), 1000)
    }

    #[test]
    fn what_was_minted_is_read_and_only_by_its_project() {
        let token = Token::read(signed(minted()), &settings("demo")).unwrap();
        assert_eq!((token.app.as_str(), token.exp_s), ("1:2:web:a", 4600));
        assert_eq!(Token::read(signed(minted()), &settings("other")).unwrap_err(), Flaw::Foreign);
        for (now_s, expected) in
            [(939, Err(Flaw::Future)), (940, Ok(())), (4599, Ok(())), (4600, Err(Flaw::Expired))]
        {
            assert_eq!(token.in_time(now_s), expected, "{now_s}");
        }
    }

    #[test]
    fn a_token_of_another_kind_is_foreign_although_our_key_signed_it() {
        for (name, value, flaw) in [
            ("iss", json!("https://securetoken.google.com/demo"), Flaw::Foreign),
            ("iss", json!("https://firebaseappcheck.googleapis.com/999"), Flaw::Foreign),
            ("aud", json!("demo"), Flaw::Foreign),
            ("aud", json!(["projects/12345"]), Flaw::Foreign),
            ("sub", json!("a user"), Flaw::Malformed),
            ("exp", json!("soon"), Flaw::Malformed),
        ] {
            let mut claims = minted();
            claims.insert(name.to_owned(), value);
            assert_eq!(Token::read(signed(claims), &settings("demo")).unwrap_err(), flaw, "{name}");
        }
    }

    #[test]
    fn bombs_and_placeholders_are_known_without_a_signature() {
        assert_eq!(flaw_of(PLACEHOLDER), Some(Flaw::Placeholder));
        for text in
            ["owner", "a.b", "a.b.c.d", "a.b.c ", "a.b.ü", &format!("a.b.{}", "c".repeat(TOKEN_BYTES_MAX))]
        {
            assert_eq!(flaw_of(text), Some(Flaw::Malformed), "{text}");
        }
        assert_eq!(flaw_of("eyJ.eyJ.s-_"), None);
        for (text, seconds) in [("3600s", Some(3600)), ("1800.5s", Some(1800)), ("1h", None), ("s", None)] {
            assert_eq!(duration_s(text), seconds, "{text}");
        }
    }
}
