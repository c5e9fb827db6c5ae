//! Sealing private keys before they are stored: AES-256-GCM with a key that is not in the store.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use crate::token::rs256::KeyError;

/// The key that seals keys.
#[derive(Clone)]
pub struct Seal([u8; 32]);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// A seal of this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
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
