//! The headers of calls: what the decision sees, what the code gets, what goes back.

use base::{Code, Fields, Status, Value};
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::model::Endpoint;
use crate::status::Failure;

/// Headers of one connection.
const OF_CONNECTION: [HeaderName; 8] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, EXPECT];
/// Headers that debug builds of the package trust.
const NEVER: [&str; 3] = ["keep-alive", "x-callable-context-auth", "x-original-auth"];
/// Hearth's own, between it and a worker.
const OURS: &str = "x-hearth-";
const TRACEPARENT: &str = "traceparent";
/// Where partners have their key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A trace of the W3C's standard.
pub struct Trace {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    header: HeaderValue,
}

/// The trace that a request belongs to, or a new one.
pub fn trace(headers: &HeaderMap) -> Result<Trace, Failure> {
    if let Some(header) = headers.get(TRACEPARENT)
        && let Some(id) = header.to_str().ok().and_then(|text| text.split('-').nth(1))
        && id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(Trace { id: id.to_owned(), header: header.clone() });
    }
    let text = new_trace()?;
    let header = HeaderValue::from_str(&text);
    let header = header.map_err(|_| Failure::of(Code::Internal, "internal error"))?;
    Ok(Trace { id: text.split('-').nth(1).unwrap_or_default().to_owned(), header })
}

/// The `traceparent` of a new trace. Errors: `UNAVAILABLE` without randomness.
pub fn new_trace() -> Result<String, Status> {
    let unavailable = |_| Status::new(Code::Unavailable, "the system's source of randomness failed");
    let bytes: [u8; 24] = base::id::random_bytes().map_err(unavailable)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (id, span) = digits.split_at(32);
    Ok(format!("00-{id}-{span}-01"))
}

/// The `Authorization` header; `Some(None)` is one that is no text.
pub fn authorization(headers: &HeaderMap) -> Option<Option<String>> {
    headers.get(AUTHORIZATION).map(|value| value.to_str().ok().map(str::to_owned))
}

pub fn key(headers: &HeaderMap) -> Option<String> {
    headers.get(API_KEY)?.to_str().ok().map(str::to_owned)
}

/// What a guard may look at.
pub fn decided_on(headers: &HeaderMap) -> Fields {
    let shown = headers.iter().filter(|(name, _)| ![AUTHORIZATION, COOKIE, API_KEY].contains(name));
    let texts = shown.filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), Value::String(value.to_str().ok()?.to_owned())))
    });
    texts.collect()
}

/// Takes away what belongs to a connection or to Hearth.
pub fn clean(headers: &mut HeaderMap) {
    for name in &OF_CONNECTION {
        headers.remove(name);
    }
    for name in NEVER {
        headers.remove(name);
    }
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(OURS)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

/// Makes a client's request one for the worker.
pub fn forward(head: &mut Parts, endpoint: &Endpoint, ip: &str, trace: &Trace) {
    let headers = &mut head.headers;
    clean(headers);
    let mut put = |name: &'static str, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    let text = |text: &str| HeaderValue::from_str(text).ok();
    put("x-hearth-target", text(&endpoint.entry_point));
    put("x-hearth-kind", text("http"));
    put("x-forwarded-for", text(ip));
    put("x-forwarded-proto", text("http"));
    put(TRACEPARENT, Some(trace.header.clone()));
    // Over HTTP/2 the host is in the URL.
    let host = head.uri.authority().and_then(|authority| text(authority.as_str()));
    let host = headers.get(HOST).cloned().or(host).unwrap_or(HeaderValue::from_static("localhost"));
    headers.insert("x-forwarded-host", host.clone());
    headers.insert(HOST, host);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_speaks_to_a_worker_as_hearth_does() {
        let mut headers = HeaderMap::new();
        for name in [
            "x-hearth-target",
            "x-hearth-kind",
            "x-callable-context-auth",
            "x-original-auth",
            "te",
            "x-other",
        ] {
            headers.append(name, HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        clean(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-other"]);
    }

    #[test]
    fn a_trace_goes_on_and_what_is_none_becomes_one() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let of = |text: &'static str| {
            trace(&HeaderMap::from_iter([(
                HeaderName::from_static(TRACEPARENT),
                HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(of(given).unwrap_or_else(|_| panic!()).id, "0af7651916cd43dd8448eb211c80319c");
        let made = of("00-zz-1-01").unwrap_or_else(|_| panic!());
        assert_eq!((made.id.len(), made.header.len()), (32, given.len()));
    }
}
