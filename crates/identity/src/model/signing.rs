//! A key that signs tokens, as stored.

use serde::{Deserialize, Serialize};

/// The row of one key, under its id.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct SigningKeyRow {
    /// The key's id, published with every token.
    pub kid: String,
    /// Seconds.
    pub created_s: i64,
    /// The second from which it signs; it is published before.
    pub signs_from_s: i64,
    /// Whether the private key is sealed.
    pub sealed: bool,
    /// With which key: [`crate::keys::seal::Seal::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_by: Option<String>,
    /// The private key, PKCS #8 in base64, perhaps sealed.
    pub private: String,
}

impl std::fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKeyRow({}, …)", self.kid)
    }
}
