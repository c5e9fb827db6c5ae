//! Tokens: reading and writing JSON Web Tokens, the two ways Hearth signs them, and what is inside.
//!
//! Invariants: a [`Jwt`] is only parsed, never trusted; trust comes from [`rs256::PublicKey::verify`] or, in dev,
//! from [`unsigned::accept`], which demands a [`access::DevPermit`]. Keys are parsed once and kept.
//!
//! Source: RFC 7515 and 7519; the identity reference, section 7.

pub mod claims;
pub mod rs256;
pub mod unsigned;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::limits::TOKEN_BYTES_MAX;

/// A JSON object, in the order it was written.
pub type Claims = serde_json::Map<String, Json>;

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url with JSON objects inside, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// Signed in a way that is not accepted here, or not at all.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Signed with a key nobody here knows.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// The signature is not of this text and key.
    #[error("the token's signature is wrong")]
    Signature,
    /// Made for or by someone else.
    #[error("the token belongs to another project or service")]
    Audience,
    /// Says nothing usable about who it is for.
    #[error("the token's subject or times are unusable")]
    Subject,
    /// Issued later than now.
    #[error("the token was issued while the clock was ahead")]
    Future,
    /// Past its time.
    #[error("the token has expired")]
    Expired,
}

/// The part of a token's header that matters.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// How it says it is signed.
    pub alg: String,
    /// Which key it says it is signed with.
    #[serde(default)]
    pub kid: Option<String>,
    /// What it says it is. Some SDKs spell the field `type`; that one is ignored.
    #[serde(default)]
    pub typ: Option<String>,
    /// Extensions that a reader must understand; we understand none.
    #[serde(default)]
    crit: Option<Json>,
}

/// A token taken apart. Nothing in it is to be trusted yet.
#[derive(Clone, Debug)]
pub struct Jwt<'a> {
    /// How it says it is signed.
    pub header: Header,
    /// What it says.
    pub claims: Claims,
    /// The text the signature is over.
    pub signed: &'a str,
    /// The signature; empty in an unsigned token.
    pub signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = from_part(header)?;
        if header.crit.is_some() {
            return Err(TokenError::Algorithm);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        Ok(Self { header, claims: from_part(claims)?, signed, signature })
    }
}

fn from_part<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    // Some writers leave the padding on.
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// The text a signature goes over.
fn signing_input(header: &Json, claims: &Claims) -> String {
    let claims = Json::Object(claims.clone()).to_string();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims))
}

/// A claim that is text.
pub fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// A claim that is a time in whole seconds.
pub fn seconds(claims: &Claims, name: &str) -> Option<i64> {
    let number = claims.get(name)?;
    // Python may write times as fractions.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast from f64 saturates, and fractions are to be cut"
    )]
    number.as_i64().or_else(|| number.as_f64().map(|fraction| fraction as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn garbage_is_malformed_and_extensions_are_refused() {
        let header = part(r#"{"alg":"none","type":"JWT"}"#);
        let claims = part(r#"{"sub":"u"}"#);
        assert_eq!(Jwt::parse(&format!("{header}.{claims}.")).unwrap().claims["sub"], "u");
        let critical = part(r#"{"alg":"RS256","crit":["x"]}"#);
        for (text, error) in [
            (String::new(), TokenError::Malformed),
            ("owner".into(), TokenError::Malformed),
            ("a.b".into(), TokenError::Malformed),
            ("....".into(), TokenError::Malformed),
            (format!("{header}.{claims}"), TokenError::Malformed),
            (format!("{header}.{claims}.!"), TokenError::Malformed),
            (format!("{header}.{}.", part("[]")), TokenError::Malformed),
            (format!("{}.{claims}.", part("{}")), TokenError::Malformed),
            (format!("{critical}.{claims}."), TokenError::Algorithm),
            (format!("{header}.{claims}.{}", "A".repeat(TOKEN_BYTES_MAX)), TokenError::Malformed),
        ] {
            assert_eq!(Jwt::parse(&text).err(), Some(error), "{text}");
        }
    }

    #[test]
    fn times_are_read_as_whole_seconds() {
        let claims: Claims = serde_json::from_str(r#"{"a":12,"b":12.9,"c":"12","d":1e300}"#).unwrap();
        assert_eq!(seconds(&claims, "a"), Some(12));
        assert_eq!(seconds(&claims, "b"), Some(12));
        assert_eq!(seconds(&claims, "c"), None);
        assert_eq!(seconds(&claims, "d"), Some(i64::MAX));
    }
}
