//! What is published of the keys: certificates by key id, as Google does, and JSON Web Keys for everyone else.

use base::time::civil_from_days;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber, date_time_ymd};
use serde_json::{Map, Value as Json, json};

use super::Ring;
use crate::token::rs256::KeyError;

const SUBJECT: &str = "securetoken.system.gserviceaccount.com";
/// Longer than any key is published.
const CERTIFICATE_YEARS: i32 = 10;

/// A self-signed certificate around a key. The same key always gives the same text.
pub(super) fn certificate(pkcs8: &[u8], kid: &str, created_s: i64) -> Result<String, KeyError> {
    let pair = KeyPair::try_from(pkcs8).map_err(|_| KeyError)?;
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, SUBJECT);
    params.distinguished_name = name;
    let (year, month, day) = civil_from_days(created_s.div_euclid(86_400));
    let year = i32::try_from(year).map_err(|_| KeyError)?;
    let (month, day) = (u8::try_from(month).map_err(|_| KeyError)?, u8::try_from(day).map_err(|_| KeyError)?);
    params.not_before = date_time_ymd(year, month, day);
    // The 29th of February is not in every year.
    params.not_after = date_time_ymd(year.saturating_add(CERTIFICATE_YEARS), month, day.min(28));
    params.serial_number = Some(SerialNumber::from_slice(kid.as_bytes().get(..16).unwrap_or_default()));
    Ok(params.self_signed(&pair).map_err(|_| KeyError)?.pem())
}

impl Ring {
    /// `{kid: certificate}`.
    pub fn x509(&self) -> Json {
        let entries: Map<String, Json> =
            self.keys().iter().map(|key| (key.kid.clone(), key.certificate.as_str().into())).collect();
        entries.into()
    }

    /// A JSON Web Key Set.
    pub fn jwks(&self) -> Json {
        let keys: Vec<Json> = self
            .keys()
            .iter()
            .map(|key| {
                let (n, e) = key.private.components();
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid, "n": n, "e": e })
            })
            .collect();
        json!({ "keys": keys })
    }
}
