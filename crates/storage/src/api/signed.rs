//! Signed URLs: a service account opens one object for one method and a while, without a token.
//!
//! Source: "V4 signing process" of Cloud Storage (`GOOG4-RSA-SHA256`).

use base::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::asked::Asked;
use crate::Storage;
use crate::status::Failure;

const ALGORITHM: &str = "GOOG4-RSA-SHA256";
/// A week.
const EXPIRES_S_MAX: u64 = 604_800;
/// How far ahead the signer's clock may be.
const AHEAD_S_MAX: i64 = 900;
/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a signed URL says of itself.
struct Signed<'a> {
    account: &'a str,
    /// `20261130/auto/storage/goog4_request`
    scope: &'a str,
    /// `20261130T142501Z`
    date: &'a str,
    headers: &'a str,
    signature: Vec<u8>,
}

fn refused(why: &str) -> Failure {
    Failure::Denied(format!("The signed URL is not valid: {why}."))
}

/// Finds the administrator who has signed a request's URL, if it is signed. Errors: it is signed, and not valid now.
pub async fn admit(storage: &Storage, asked: &mut Asked) -> Result<(), Failure> {
    let Some(algorithm) = asked.parameter("X-Goog-Algorithm") else { return Ok(()) };
    if asked.caller.is_admin() {
        return Ok(());
    }
    if algorithm != ALGORITHM {
        return Err(refused("its algorithm is not GOOG4-RSA-SHA256"));
    }
    let signed = read(asked)?;
    check_time(asked, signed.date, storage.gate().clock().now())?;
    let text = text_to_sign(asked, &signed)?;
    let Some(signatures) = storage.signatures() else { return Err(refused("nobody can check it")) };
    let signer = signatures.signer(storage.project(), signed.account, text.as_bytes(), &signed.signature);
    let signer = signer.await.map_err(|status| match status.code {
        base::Code::Unauthenticated => refused("no key of its account has signed it"),
        _ => Failure::Fault(status),
    })?;
    asked.caller = signer;
    Ok(())
}

fn read(asked: &Asked) -> Result<Signed<'_>, Failure> {
    let need = |name: &str| asked.parameter(name).ok_or_else(|| refused(&format!("{name} is missing")));
    let (account, scope) =
        need("X-Goog-Credential")?.split_once('/').ok_or_else(|| refused("its credential has no scope"))?;
    let signature =
        hex::decode(need("X-Goog-Signature")?).map_err(|_| refused("its signature is no hexadecimal"))?;
    let (date, headers) = (need("X-Goog-Date")?, need("X-Goog-SignedHeaders")?);
    let day = date.split('T').next().unwrap_or_default();
    if !scope.starts_with(day) || !scope.ends_with("/storage/goog4_request") {
        return Err(refused("its scope is of another day or service"));
    }
    if !headers.split(';').any(|name| name == "host") {
        return Err(refused("it does not sign the host"));
    }
    Ok(Signed { account, scope, date, headers, signature })
}

fn check_time(asked: &Asked, date: &str, now: Timestamp) -> Result<(), Failure> {
    let expires_s = Asked::number("X-Goog-Expires", asked.parameter("X-Goog-Expires"))?.unwrap_or(0);
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    );
    let date = Timestamp::parse(&text).map_err(|_| refused("its date cannot be read"))?;
    let age_s = (now.micros() - date.micros()).div_euclid(1_000_000);
    if expires_s > EXPIRES_S_MAX {
        return Err(refused("it is for more than seven days"));
    }
    if age_s > i64::try_from(expires_s).unwrap_or(0) || age_s < -AHEAD_S_MAX {
        return Err(refused("it has expired or is not valid yet"));
    }
    Ok(())
}

fn text_to_sign(asked: &Asked, signed: &Signed<'_>) -> Result<String, Failure> {
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let query = asked.query.iter().filter(|(name, _)| name != "X-Goog-Signature");
    let mut query: Vec<String> =
        query.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    query.sort();
    let mut headers = String::new();
    for name in signed.headers.split(';') {
        let values: Vec<&str> = asked
            .headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::trim)
            .collect();
        let value = match (name, values.is_empty()) {
            // Over HTTP/2 it is part of the target.
            ("host", true) => asked.origin.split_once("://").map_or("", |(_, host)| host).to_owned(),
            (_, true) => return Err(refused(&format!("the header {name}, which it signs, is missing"))),
            (_, false) => values.join(","),
        };
        headers.push_str(&format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let path = asked.raw_path.strip_prefix("/storage.googleapis.com").unwrap_or(&asked.raw_path);
    let payload = asked.header("x-goog-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
    let request =
        format!("{}\n{path}\n{}\n{headers}\n{}\n{payload}", asked.method, query.join("&"), signed.headers);
    let digest = hex::encode(Sha256::digest(request));
    Ok(format!("{ALGORITHM}\n{}\n{}\n{digest}", signed.date, signed.scope))
}
