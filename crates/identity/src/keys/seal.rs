//! Sealing private keys before they are stored: AES-256-GCM with a key that is not in the store.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::session::hash;
use crate::token::rs256::KeyError;

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Characters of [`Seal::id`].
const ID_CHARS: usize = 12;

/// The key that seals keys.
#[derive(Clone)]
pub struct Seal([u8; KEY_BYTES]);

/// A text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a key: 32 random bytes in base64 or hex, as `openssl rand -base64 32` makes them")]
pub struct NoKey;

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// A seal of this key.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        Self(key)
    }

    /// Reads a key: 32 bytes in base64 or hex, with white space around it.
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        let text = text.trim();
        let bytes = match text.len() {
            64 => hex::decode(text).map_err(|_| NoKey)?,
            _ => STANDARD.decode(text).map_err(|_| NoKey)?,
        };
        Ok(Self(bytes.try_into().map_err(|_| NoKey)?))
    }

    /// Names the key without revealing it: the start of a hash.
    pub fn id(&self) -> String {
        let named = [b"hearth sealing key id".as_slice(), &self.0].concat();
        hex::encode(hash(&named)).chars().take(ID_CHARS).collect()
    }

    /// Encrypts; what comes out opens only under the same name. The nonce goes in front.
    pub fn close(&self, name: &str, mut plain: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        let nonce = self
            .key()?
            .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut plain)
            .map_err(|_| KeyError)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut plain);
        Ok(sealed)
    }

    /// Decrypts.
    pub fn open(&self, name: &str, mut sealed: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        if sealed.len() < NONCE_LEN {
            return Err(KeyError);
        }
        let mut body = sealed.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&sealed).map_err(|_| KeyError)?;
        let plain =
            self.key()?.open_in_place(nonce, Aad::from(name.as_bytes()), &mut body).map_err(|_| KeyError)?;
        Ok(plain.to_vec())
    }

    fn key(&self) -> Result<RandomizedNonceKey, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.0).map_err(|_| KeyError)
    }
}
