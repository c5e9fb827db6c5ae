//! The keys that sign tokens in serve: which one signs, which ones still verify, when a new one is due.
//!
//! Invariants: a key is published at least [`PUBLISHED_BEFORE_S`] before it signs, longer than clients may keep the
//! published set; an old key stays published until the last token it signed has expired. Private keys are never
//! logged; with a [`seal::Seal`] they are encrypted in the store.
//!
//! Source: the identity reference, section 7 ("Keys").

pub mod publish;
pub mod seal;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{COOKIE_LIFE_S_MAX, KEYS_MAX_AGE_S};
use crate::model::signing::SigningKeyRow;
use crate::token::rs256::{KeyError, PrivateKey, PublicKey};
use seal::Seal;

/// How long a new key is published before it signs.
pub const PUBLISHED_BEFORE_S: i64 = 2 * KEYS_MAX_AGE_S;
/// How long a key signs.
pub const ROTATED_EVERY_S: i64 = 30 * 24 * 3600;
/// How long a key stays published after its successor began to sign.
pub const KEPT_AFTER_S: i64 = COOKIE_LIFE_S_MAX + KEYS_MAX_AGE_S;

/// A key in memory: parsed once, with all that is published of it.
#[derive(Debug)]
pub struct SigningKey {
    /// The key's id.
    pub kid: String,
    /// The second from which it signs.
    pub signs_from_s: i64,
    /// Seconds.
    pub created_s: i64,
    /// What signs.
    pub private: PrivateKey,
    /// What verifies.
    pub public: PublicKey,
    /// The self-signed certificate around the public key.
    pub certificate: String,
}

impl SigningKey {
    /// Makes a key and its row. Slow; see [`PrivateKey::generate`].
    pub fn generate(
        created_s: i64,
        signs_from_s: i64,
        seal: Option<&Seal>,
    ) -> Result<SigningKeyRow, KeyError> {
        let private = PrivateKey::generate()?;
        let kid =
            hex::encode(crate::model::session::hash(&private.public_der()?).get(..20).unwrap_or_default());
        let row = SigningKeyRow {
            kid,
            created_s,
            signs_from_s,
            sealed: false,
            sealed_by: None,
            private: STANDARD.encode(private.pkcs8()?),
        };
        match seal {
            Some(seal) => Self::sealed(&row, None, seal),
            None => Ok(row),
        }
    }

    /// The same key sealed with another seal.
    pub fn sealed(
        row: &SigningKeyRow,
        before: Option<&Seal>,
        seal: &Seal,
    ) -> Result<SigningKeyRow, KeyError> {
        let sealed = seal.close(&row.kid, Self::pkcs8(row, before)?)?;
        let (private, sealed_by) = (STANDARD.encode(sealed), Some(seal.id()));
        Ok(SigningKeyRow { sealed: true, sealed_by, private, ..row.clone() })
    }

    fn pkcs8(row: &SigningKeyRow, seal: Option<&Seal>) -> Result<Vec<u8>, KeyError> {
        let stored = STANDARD.decode(&row.private).map_err(|_| KeyError)?;
        match (row.sealed, seal) {
            (true, Some(seal)) => seal.open(&row.kid, stored),
            (true, None) => Err(KeyError),
            (false, _) => Ok(stored),
        }
    }

    /// Opens a stored key.
    pub fn open(row: &SigningKeyRow, seal: Option<&Seal>) -> Result<Self, KeyError> {
        let pkcs8 = Self::pkcs8(row, seal)?;
        let private = PrivateKey::from_pkcs8(&pkcs8)?;
        let public = PublicKey::from_der(&private.public_der()?)?;
        let certificate = publish::certificate(&pkcs8, &row.kid, row.created_s)?;
        Ok(Self {
            kid: row.kid.clone(),
            signs_from_s: row.signs_from_s,
            created_s: row.created_s,
            private,
            public,
            certificate,
        })
    }
}

/// All keys that matter now, by the second from which they sign.
#[derive(Debug, Default)]
pub struct Ring {
    keys: Vec<Arc<SigningKey>>,
}

impl Ring {
    /// A ring of these keys.
    pub fn new(mut keys: Vec<Arc<SigningKey>>) -> Self {
        keys.sort_by_key(|key| key.signs_from_s);
        Self { keys }
    }

    /// The key that signs now.
    pub fn signer(&self, now_s: i64) -> Option<&Arc<SigningKey>> {
        let times: Vec<i64> = self.keys.iter().map(|key| key.signs_from_s).collect();
        self.keys.get(schedule::signer(&times, now_s)?)
    }

    /// A key by its id.
    pub fn by_id(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// All of them, oldest first.
    pub fn keys(&self) -> &[Arc<SigningKey>] {
        &self.keys
    }
}

/// Times of keys and nothing else, so that every moment of a rotation can be tested.
pub mod schedule {
    use super::{KEPT_AFTER_S, PUBLISHED_BEFORE_S, ROTATED_EVERY_S};

    /// Which key signs, of keys in the order of the second from which they do: the newest whose time has come.
    pub fn signer(signs_from_s: &[i64], now_s: i64) -> Option<usize> {
        // A clock that was set back must not leave the house without a key.
        signs_from_s
            .iter()
            .rposition(|from_s| *from_s <= now_s)
            .or_else(|| (!signs_from_s.is_empty()).then_some(0))
    }

    /// From when a new key should sign, if one is due now.
    pub fn due(signs_from_s: &[i64], now_s: i64) -> Option<i64> {
        match signs_from_s.last() {
            None => Some(now_s),
            Some(newest_s) if newest_s + ROTATED_EVERY_S - PUBLISHED_BEFORE_S <= now_s => {
                Some(now_s + PUBLISHED_BEFORE_S)
            }
            Some(_) => None,
        }
    }

    /// Whether a key has nothing left to verify: its successor has been signing for longer than a token lives.
    pub fn over(successor_signs_from_s: Option<i64>, now_s: i64) -> bool {
        successor_signs_from_s.is_some_and(|from_s| from_s + KEPT_AFTER_S <= now_s)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::limits::{COOKIE_LIFE_S_MAX, KEYS_MAX_AGE_S};

        #[test]
        fn through_two_years_every_token_finds_its_key_and_every_key_was_published_before() {
            const STEP_S: i64 = 3600;
            // (signs from, published at) of the keys in the store.
            let mut keys: Vec<(i64, i64)> = Vec::new();
            let mut signed: Vec<(i64, i64)> = Vec::new();
            let mut most = 0;
            for now_s in (0..2 * 365 * 24 * 3600).step_by(3600) {
                let times: Vec<i64> = keys.iter().map(|key| key.0).collect();
                if let Some(from_s) = due(&times, now_s) {
                    keys.push((from_s, now_s));
                }
                while let [_, successor, ..] = keys.as_slice()
                    && over(Some(successor.0), now_s)
                {
                    keys.remove(0);
                }
                most = most.max(keys.len());
                let times: Vec<i64> = keys.iter().map(|key| key.0).collect();
                let (from_s, published_s) = keys[signer(&times, now_s).unwrap()];
                assert!(
                    from_s == 0 || now_s - published_s >= KEYS_MAX_AGE_S,
                    "published too late at {now_s}"
                );
                signed.retain(|(expires_s, _)| *expires_s > now_s);
                for (_, key) in &signed {
                    assert!(times.contains(key), "a token outlived its key at {now_s}");
                }
                signed.push((now_s + COOKIE_LIFE_S_MAX, from_s));
                assert!(now_s - from_s <= ROTATED_EVERY_S + STEP_S, "a key signed for too long at {now_s}");
            }
            assert_eq!(most, 2);
        }

        #[test]
        fn a_clock_set_back_still_finds_a_key() {
            assert_eq!(signer(&[100], 50), Some(0));
            assert_eq!(signer(&[], 50), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_only_with_its_seal() {
        let seal = Seal::new([7; 32]);
        let row = SigningKey::generate(10, 20, Some(&seal)).unwrap();
        assert!(row.sealed && row.sealed_by == Some(seal.id()) && seal.id() != Seal::new([8; 32]).id());
        assert_eq!(SigningKey::open(&row, Some(&seal)).unwrap().kid, row.kid);
        assert!(SigningKey::open(&row, None).is_err());
        assert!(SigningKey::open(&row, Some(&Seal::new([8; 32]))).is_err());
        let moved = SigningKeyRow { kid: "other".into(), ..row.clone() };
        assert!(SigningKey::open(&moved, Some(&seal)).is_err(), "a key is sealed under its id");
        assert!(!format!("{row:?}").contains(&row.private));
    }

    #[test]
    fn a_key_is_sealed_anew_and_texts_are_keys_or_not() {
        let (old, new) = (Seal::new([7; 32]), Seal::parse(&"08".repeat(32)).unwrap());
        let plain = SigningKey::generate(10, 20, None).unwrap();
        let sealed = SigningKey::sealed(&plain, None, &old).unwrap();
        let anew = SigningKey::sealed(&sealed, Some(&old), &new).unwrap();
        assert_eq!(SigningKey::open(&anew, Some(&Seal::new([8; 32]))).unwrap().kid, plain.kid);
        assert!(SigningKey::open(&anew, Some(&old)).is_err());
        assert!(SigningKey::sealed(&sealed, Some(&new), &new).is_err());
        let base64 = STANDARD.encode([8; 32]);
        assert_eq!(Seal::parse(&format!(" {base64}\n")).unwrap().id(), new.id());
        for text in ["", "secret", &base64[..40], &"0g".repeat(32)] {
            assert!(Seal::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_certificate_of_a_key_is_always_the_same() {
        let row = SigningKey::generate(1_764_000_000, 1_764_000_000, None).unwrap();
        let (one, two) = (SigningKey::open(&row, None).unwrap(), SigningKey::open(&row, None).unwrap());
        assert_eq!(one.certificate, two.certificate);
        assert!(one.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
