//! RS256: RSA keys of 2048 bits and PKCS #1 v1.5 signatures over SHA-256.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Claims, Jwt, TokenError, signing_input};

/// A key could not be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is not a usable RSA key")]
pub struct KeyError;

/// A private key. Its bytes leave only through [`PrivateKey::pkcs8`].
pub struct PrivateKey {
    pair: KeyPair,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl PrivateKey {
    /// A new key. Takes a tenth of a second or two: not for a thread that others wait for.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate(KeySize::Rsa2048).map(|pair| Self { pair }).map_err(|_| KeyError)
    }

    /// Reads a key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        KeyPair::from_pkcs8(der).map(|pair| Self { pair }).map_err(|_| KeyError)
    }

    /// The private key itself, for the store or for a key file.
    pub fn pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| KeyError)?;
        Ok(der.as_ref().to_vec())
    }

    /// The public half as `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Result<Vec<u8>, KeyError> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().map_err(|_| KeyError)?;
        Ok(der.as_ref().to_vec())
    }

    /// Modulus and exponent, each base64url: the `n` and `e` of a JSON Web Key.
    pub fn components(&self) -> (String, String) {
        let public = self.pair.public_key();
        let (n, e) = (public.modulus(), public.exponent());
        (
            URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
            URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
        )
    }

    /// Writes a signed token. `typ` is what it says it is.
    pub fn sign(&self, kid: &str, typ: &str, claims: &Claims) -> Result<String, KeyError> {
        let mut token = signing_input(&json!({ "alg": "RS256", "kid": kid, "typ": typ }), claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| KeyError)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// A public key, parsed once.
#[derive(Debug)]
pub struct PublicKey {
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
            .map(|parsed| Self { parsed })
            .map_err(|_| KeyError)
    }

    /// Whether this key has signed these bytes.
    pub fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(bytes, signature).is_ok()
    }

    /// The only question: is this token signed with this key, in the one way that counts?
    pub fn verify(&self, jwt: &Jwt<'_>) -> Result<(), TokenError> {
        // The algorithm is what we say, never what the token says: `none` and HMAC with the public key end here.
        if jwt.header.alg != "RS256" {
            return Err(TokenError::Algorithm);
        }
        self.parsed.verify_sig(jwt.signed.as_bytes(), &jwt.signature).map_err(|_| TokenError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_signed_no_other_verifies() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let claims: Claims = serde_json::from_str(r#"{"sub":"alice","n":1}"#).unwrap();
        let token = key.sign("k1", "JWT", &claims).unwrap();
        let jwt = Jwt::parse(&token).unwrap();
        assert_eq!(jwt.header.kid.as_deref(), Some("k1"));
        let public = PublicKey::from_der(&key.public_der().unwrap()).unwrap();
        assert_eq!(public.verify(&jwt), Ok(()));
        let stranger = PublicKey::from_der(&other.public_der().unwrap()).unwrap();
        assert_eq!(stranger.verify(&jwt), Err(TokenError::Signature));
        let reread = PrivateKey::from_pkcs8(&key.pkcs8().unwrap()).unwrap();
        assert_eq!(reread.sign("k1", "JWT", &claims).unwrap(), token, "the signature is deterministic");
        assert!(PublicKey::from_der(b"nonsense").is_err());
    }

    #[test]
    fn a_good_signature_under_another_algorithms_name_is_refused() {
        let key = PrivateKey::generate().unwrap();
        let public = PublicKey::from_der(&key.public_der().unwrap()).unwrap();
        for (algorithm, expected) in [
            ("RS256", Ok(())),
            ("rs256", Err(TokenError::Algorithm)),
            ("HS256", Err(TokenError::Algorithm)),
            ("none", Err(TokenError::Algorithm)),
        ] {
            let signed = signing_input(&json!({ "alg": algorithm }), &Claims::new());
            let mut signature = vec![0; key.pair.public_modulus_len()];
            key.pair
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
                .unwrap();
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(public.verify(&Jwt::parse(&token).unwrap()), expected, "{algorithm}");
        }
    }
}
