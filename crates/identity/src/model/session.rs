//! A session: what a refresh token stands for. The token holds the uid and a secret of 256 bits; only the secret's
//! hash is stored.

use aws_lc_rs::digest;
use base::id::{RandomnessError, random_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::limits::UID_BYTES_MAX;
use crate::token::Claims;
use crate::token::claims::Grant;

const SECRET_BYTES: usize = 32;
/// Text of the longest refresh token: secret, dot, uid.
const TOKEN_TEXT_BYTES_MAX: usize = 44 + 4 * UID_BYTES_MAX.div_ceil(3);

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// How the user signed in.
    pub provider: String,
    /// When, in seconds.
    pub auth_time_s: i64,
    /// When this token was made, in milliseconds.
    pub created_ms: i64,
    /// Claims of this session only.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
}

impl Session {
    /// What ID tokens of this session are made of.
    pub fn grant(&self) -> Grant {
        Grant { provider: self.provider.clone(), auth_time_s: self.auth_time_s, claims: self.claims.clone() }
    }
}

/// A refresh token taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose.
    pub uid: String,
    secret: [u8; SECRET_BYTES],
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefreshToken({}, …)", self.uid)
    }
}

impl RefreshToken {
    /// A new one.
    pub fn new(uid: &str) -> Result<Self, RandomnessError> {
        Ok(Self { uid: uid.to_owned(), secret: random_bytes()? })
    }

    /// The text a client keeps.
    pub fn text(&self) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(self.secret), URL_SAFE_NO_PAD.encode(&self.uid))
    }

    /// Reads what a client sent back.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TOKEN_TEXT_BYTES_MAX {
            return None;
        }
        let (secret, uid) = text.split_once('.')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        let uid = String::from_utf8(URL_SAFE_NO_PAD.decode(uid).ok()?).ok()?;
        Some(Self { uid, secret })
    }

    /// What is stored in place of the secret.
    pub fn hash(&self) -> Vec<u8> {
        hash(&self.secret)
    }
}

/// SHA-256: enough for secrets that nobody can guess.
pub fn hash(secret: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_round_trip_and_garbage_is_none() {
        let token = RefreshToken::new(&"ü".repeat(UID_BYTES_MAX / 2)).unwrap();
        assert_eq!(RefreshToken::parse(&token.text()), Some(token.clone()));
        assert_ne!(RefreshToken::new("alice").unwrap().hash(), RefreshToken::new("alice").unwrap().hash());
        for bad in ["", ".", "abc.abc", &format!("{}AAAA", token.text()), "AAAA"] {
            assert_eq!(RefreshToken::parse(bad), None, "{bad}");
        }
    }
}
