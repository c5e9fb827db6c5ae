//! Signed URLs: a service account opens one object for one method and a while, without a token.
//!
//! Source: "V4 signing process" (`GOOG4-RSA-SHA256`) and "V2 signing process" of Cloud Storage; `src/signer.ts` of its client
//! for Node, whose default is V2 and which signs the host without its port.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use access::Caller;

use super::asked::Asked;
use crate::Storage;
use crate::status::Failure;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";
/// A week.
const EXPIRES_S_MAX: i64 = 604_800;
/// How far ahead the signer's clock may be.
const AHEAD_S_MAX: i64 = 900;
/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a signed URL or form says of its signature.
pub struct Signed {
    /// The service account.
    pub account: String,
    /// What may have been signed; one of them was.
    pub texts: Vec<String>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Why a signature is not taken.
pub fn refused(why: &str) -> Failure {
    Failure::Denied(format!("The signature is not valid: {why}."))
}

/// Finds the administrator who has signed a request's URL, if it is signed. Errors: it is signed, and not valid now.
///
/// An administrator's own URLs end, too: in dev, where everybody is one, they end as they will in production.
pub async fn admit(storage: &Storage, asked: &mut Asked) -> Result<(), Failure> {
    let now_s = storage.gate().clock().now().micros().div_euclid(1_000_000);
    let signed = match (asked.parameter("X-Goog-Algorithm"), asked.parameter("GoogleAccessId")) {
        (Some(algorithm), _) => of_v4(asked, algorithm, now_s)?,
        (None, Some(account)) => of_v2(asked, account, now_s)?,
        (None, None) => return Ok(()),
    };
    if !asked.caller.is_admin() {
        asked.caller = signer(storage, &signed).await?;
    }
    Ok(())
}

/// The administrator whose key has signed. Errors: nobody's has.
pub async fn signer(storage: &Storage, signed: &Signed) -> Result<Caller, Failure> {
    let Some(signatures) = storage.signatures() else { return Err(refused("nobody can check it")) };
    for text in &signed.texts {
        let signer =
            signatures.signer(storage.project(), &signed.account, text.as_bytes(), &signed.signature);
        match signer.await {
            Ok(signer) => return Ok(signer),
            Err(status) if status.code == base::Code::Unauthenticated => {}
            Err(status) => return Err(Failure::Fault(status)),
        }
    }
    Err(refused("no key of its account has signed it"))
}

fn of_v4(asked: &Asked, algorithm: &str, now_s: i64) -> Result<Signed, Failure> {
    if algorithm != ALGORITHM {
        return Err(refused("its algorithm is not GOOG4-RSA-SHA256"));
    }
    let need = |name: &str| asked.parameter(name).ok_or_else(|| refused(&format!("{name} is missing")));
    let (account, scope) = scope(need("X-Goog-Credential")?, need("X-Goog-Date")?)?;
    let signature =
        hex::decode(need("X-Goog-Signature")?).map_err(|_| refused("its signature is no hexadecimal"))?;
    let (date, headers) = (need("X-Goog-Date")?, need("X-Goog-SignedHeaders")?);
    if !headers.split(';').any(|name| name == "host") {
        return Err(refused("it does not sign the host"));
    }
    let expires_s = Asked::number("X-Goog-Expires", asked.parameter("X-Goog-Expires"))?.unwrap_or(0);
    check_time(date, i64::try_from(expires_s).unwrap_or(i64::MAX), now_s)?;
    let host = host(asked);
    let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut texts = vec![v4_text(asked, host, (date, scope, headers))?];
    if without_port != host {
        texts.push(v4_text(asked, without_port, (date, scope, headers))?);
    }
    Ok(Signed { account: account.to_owned(), texts, signature })
}

/// The account and the scope of a credential, `ACCOUNT/20261130/auto/storage/goog4_request`.
pub fn scope<'a>(credential: &'a str, date: &str) -> Result<(&'a str, &'a str), Failure> {
    let (account, scope) =
        credential.split_once('/').ok_or_else(|| refused("its credential has no scope"))?;
    let day = date.split('T').next().unwrap_or_default();
    if !scope.starts_with(day) || !scope.ends_with("/storage/goog4_request") {
        return Err(refused("its scope is of another day or service"));
    }
    Ok((account, scope))
}

/// Errors: what was signed at this time (`20261130T142501Z`) for so long is not valid now.
fn check_time(date: &str, expires_s: i64, now_s: i64) -> Result<(), Failure> {
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let (day, clock) = ((part(0, 4), part(4, 6), part(6, 8)), (part(9, 11), part(11, 13), part(13, 15)));
    let text = format!("{}-{}-{}T{}:{}:{}Z", day.0, day.1, day.2, clock.0, clock.1, clock.2);
    let date = Timestamp::parse(&text).map_err(|_| refused("its date cannot be read"))?;
    let age_s = now_s - date.micros().div_euclid(1_000_000);
    if expires_s > EXPIRES_S_MAX {
        return Err(refused("it is for more than seven days"));
    }
    if age_s > expires_s || age_s < -AHEAD_S_MAX {
        return Err(refused("it has expired or is not valid yet"));
    }
    Ok(())
}

fn host(asked: &Asked) -> &str {
    // Over HTTP/2 it is part of the target.
    let of_target = || asked.origin.split_once("://").map_or("", |(_, host)| host);
    asked.header("host").unwrap_or_else(of_target)
}

fn path(asked: &Asked) -> &str {
    asked.raw_path.strip_prefix("/storage.googleapis.com").unwrap_or(&asked.raw_path)
}

/// The path as V4 signs it: a bucket that has its own host is not in it.
fn v4_path(asked: &Asked) -> &str {
    let path = path(asked);
    let bucket = host(asked).split(':').next().and_then(|host| host.strip_suffix(".storage.googleapis.com"));
    let without = bucket.and_then(|bucket| path.strip_prefix('/')?.strip_prefix(bucket));
    without.filter(|path| path.starts_with('/')).unwrap_or(path)
}

fn values<'a>(asked: &'a Asked, name: &str) -> Vec<&'a str> {
    let values = asked.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.map(str::trim).collect()
}

fn v4_text(asked: &Asked, host: &str, (date, scope, names): (&str, &str, &str)) -> Result<String, Failure> {
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let query = asked.query.iter().filter(|(name, _)| name != "X-Goog-Signature");
    let mut query: Vec<String> =
        query.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    query.sort();
    let mut headers = String::new();
    for name in names.split(';') {
        let values = values(asked, name);
        let value = match (name, values.is_empty()) {
            ("host", _) => host.to_owned(),
            (_, true) => return Err(refused(&format!("the header {name}, which it signs, is missing"))),
            (_, false) => values.join(","),
        };
        headers.push_str(&format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let payload = asked.header("x-goog-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
    let (method, path) = (&asked.method, v4_path(asked));
    let request = format!("{method}\n{path}\n{}\n{headers}\n{names}\n{payload}", query.join("&"));
    let digest = hex::encode(Sha256::digest(request));
    Ok(format!("{ALGORITHM}\n{date}\n{scope}\n{digest}"))
}

fn of_v2(asked: &Asked, account: &str, now_s: i64) -> Result<Signed, Failure> {
    let signature = asked.parameter("Signature").ok_or_else(|| refused("Signature is missing"))?;
    // A plus that was not encoded reads as a space.
    let signature = STANDARD.decode(signature.replace(' ', "+"));
    let signature = signature.map_err(|_| refused("its signature is no base64"))?;
    let expires = asked.parameter("Expires").ok_or_else(|| refused("Expires is missing"))?;
    let expires_s: i64 = expires.parse().map_err(|_| refused("Expires is not a number"))?;
    if expires_s < now_s {
        return Err(refused("it has expired"));
    }
    let mut names: Vec<&str> = asked.headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| name.starts_with("x-goog-") && !name.starts_with("x-goog-encryption-key"));
    names.sort_unstable();
    let headers = names.iter().map(|name| format!("{name}:{}\n", values(asked, name).join(",")));
    let headers: String = headers.collect();
    let text = |name: &str| asked.header(name).unwrap_or_default();
    let (md5, content_type) = (text("content-md5"), text("content-type"));
    let whole = format!("{}\n{md5}\n{content_type}\n{expires}\n{headers}{}", asked.method, path(asked));
    Ok(Signed { account: account.to_owned(), texts: vec![whole], signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_valid_for_as_long_as_it_says() {
        let at = |seconds: i64| 1_764_000_000 + seconds;
        // 1,764,000,000 is 2025-11-24T16:00:00Z.
        let check = |expires_s, now_s| check_time("20251124T160000Z", expires_s, now_s).is_ok();
        assert!(check(60, at(0)) && check(60, at(60)) && check(60, at(-900)));
        assert!(!check(60, at(61)) && !check(60, at(-901)) && !check(604_801, at(0)));
        for date in ["", "20251124", "2025-11-24T16:00:00Z", "20251324T160000Z", "äöü"] {
            assert!(check_time(date, 60, at(0)).is_err(), "{date}");
        }
    }
}
