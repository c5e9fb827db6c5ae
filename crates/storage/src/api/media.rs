//! An object's bytes as an answer: ranges, `gzip`, the headers that go with them.
//!
//! Everything is served from the origin of the API, where a page of a user's would have that origin's rights. So browsers are
//! kept from guessing types (`nosniff`), from running what they show (`sandbox`), and what they would run is an attachment.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    LAST_MODIFIED, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::gunzip::{Gunzip, INPUT_BYTES_MAX};
use super::range::{Span, requested};
use crate::model::Object;
use crate::ops::Opened;
use crate::status::Failure;

/// What is read of a file at a time.
const PIECE_BYTES: usize = 128 * 1024;
/// Types that browsers run.
const ACTIVE_TYPES: [&str; 8] =
    ["html", "xml", "svg", "javascript", "ecmascript", "xhtml", "xsl", "multipart"];
/// RFC 5987's `attr-char`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The answer with an object's bytes, or with the part of them that is asked for.
pub fn send(method: &Method, asked: &HeaderMap, opened: Opened) -> Result<Response, Failure> {
    let object = &opened.object;
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let etag = format!("\"{}\"", object.etag());
    let is_known =
        |known: &str| known.trim().trim_start_matches("W/").trim_matches('"') == etag.trim_matches('"');
    if text(IF_NONE_MATCH).is_some_and(|known| known == "*" || known.split(',').any(is_known)) {
        return Err(Failure::NotModified);
    }
    let is_gzip = object.headers.content_encoding.as_deref() == Some("gzip");
    let is_unpacked = is_gzip && !text(ACCEPT_ENCODING).is_some_and(accepts_gzip);
    let mut headers = HeaderMap::new();
    describe(&mut headers, object, is_unpacked);
    let size = object.size;
    let all = Span { from: 0, to: size };
    let span = match text(RANGE).filter(|_| !is_unpacked) {
        Some(range) => requested(range, size).map_err(|()| Failure::Range(size))?,
        None => None,
    };
    if let Some(span) = span {
        put(&mut headers, CONTENT_RANGE, &format!("bytes {}-{}/{size}", span.from, span.to - 1));
    }
    let is_part = span.is_some();
    let span = span.unwrap_or(all);
    if !is_unpacked {
        put(&mut headers, CONTENT_LENGTH, &(span.to - span.from).to_string());
    }
    let body = match (method == Method::HEAD, is_unpacked) {
        (true, _) => Body::empty(),
        (false, true) => Body::from_stream(unpacked(opened)),
        (false, false) => Body::from_stream(pieces(opened, span)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = if is_part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    *response.headers_mut() = headers;
    Ok(response)
}

fn accepts_gzip(accepted: &str) -> bool {
    let is_gzip = |coding: &str| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.replace(' ', "") != "q=0"
    };
    accepted.split(',').any(is_gzip)
}

/// What goes with an object's bytes.
fn describe(headers: &mut HeaderMap, object: &Object, is_unpacked: bool) {
    let of = &object.headers;
    put(headers, ACCEPT_RANGES, "bytes");
    put(headers, CONTENT_TYPE, object.content_type());
    put(headers, CONTENT_DISPOSITION, &disposition(object));
    put(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(
        headers,
        CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'",
    );
    put(headers, ETAG, &format!("\"{}\"", object.etag()));
    put(headers, LAST_MODIFIED, &http_date(object.updated));
    put(headers, CACHE_CONTROL, of.cache_control.as_deref().unwrap_or("private, max-age=0"));
    put(headers, VARY, "Authorization, Accept-Encoding");
    if let Some(language) = &of.content_language {
        put(headers, CONTENT_LANGUAGE, language);
    }
    let encoding = of.content_encoding.as_deref();
    if let Some(encoding) = encoding.filter(|encoding| !is_unpacked && *encoding != "identity") {
        put(headers, CONTENT_ENCODING, encoding);
    }
    let hash = match &object.md5 {
        Some(md5) => format!("crc32c={},md5={md5}", object.crc32c_text()),
        None => format!("crc32c={}", object.crc32c_text()),
    };
    for (name, value) in [
        ("x-goog-generation", object.generation.to_string()),
        ("x-goog-metageneration", object.metageneration.to_string()),
        ("x-goog-storage-class", of.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned())),
        ("x-goog-stored-content-encoding", encoding.unwrap_or("identity").to_owned()),
        ("x-goog-stored-content-length", object.size.to_string()),
        ("x-goog-hash", hash),
    ] {
        put(headers, HeaderName::from_static(name), &value);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Metadata with control characters is refused when it comes; what no header can have is left out.
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

fn disposition(object: &Object) -> String {
    let essence = object.content_type().split(';').next().unwrap_or_default().to_ascii_lowercase();
    let is_active = ACTIVE_TYPES.iter().any(|active| essence.contains(active));
    let given = object.headers.content_disposition.as_deref().unwrap_or("attachment");
    let given = if is_active && !given.trim_start().to_ascii_lowercase().starts_with("attachment") {
        "attachment"
    } else {
        given
    };
    if given.contains("filename") {
        return given.to_owned();
    }
    let name = object.name.rsplit('/').next().unwrap_or_default();
    format!("{given}; filename*=utf-8''{}", utf8_percent_encode(name, NOT_ATTR_CHAR))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let days = seconds.div_euclid(86_400);
    let (year, month, day) = base::time::civil_from_days(days);
    let pick = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let weekday = pick(&["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"], days.rem_euclid(7));
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = pick(&months, i64::from(month) - 1);
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

struct Sending {
    opened: Opened,
    at: u64,
    to: u64,
    /// Of what went out, where all of it goes out: a file that is damaged must not end like one that is not.
    crc32c: Option<u32>,
}

fn damaged() -> std::io::Error {
    std::io::Error::other("the object's bytes are damaged")
}

impl Sending {
    fn new(opened: Opened, span: Span) -> Self {
        let is_all = span.from == 0 && span.to == opened.object.size;
        Self { opened, at: span.from, to: span.to, crc32c: is_all.then_some(0) }
    }

    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        if self.at >= self.to {
            return Ok(None);
        }
        let left = usize::try_from(self.to - self.at).unwrap_or(usize::MAX);
        let read = self.opened.blob.read(self.at, PIECE_BYTES.min(left)).await;
        let piece = read.inspect_err(|error| tracing::error!(%error, "an object's file cannot be read"));
        let piece = piece.map_err(std::io::Error::other)?;
        if piece.is_empty() {
            return Err(damaged());
        }
        self.at += piece.len() as u64;
        if let Some(crc32c) = &mut self.crc32c {
            *crc32c = crc32c::crc32c_append(*crc32c, &piece);
            if self.at == self.to && *crc32c != self.opened.object.crc32c {
                tracing::error!(blob = %self.opened.object.blob, "an object's file is damaged: its CRC-32C differs");
                return Err(damaged());
            }
        }
        Ok(Some(piece))
    }
}

fn pieces(opened: Opened, span: Span) -> impl stream::Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(Sending::new(opened, span), |mut sending| async move {
        Ok(sending.next().await?.map(|piece| (piece, sending)))
    })
}

struct Unpacking {
    sending: Sending,
    gunzip: Option<Gunzip>,
    waiting: Bytes,
}

impl Unpacking {
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        loop {
            let Some(gunzip) = &mut self.gunzip else { return Ok(None) };
            if self.waiting.is_empty() {
                match self.sending.next().await? {
                    Some(piece) => self.waiting = piece,
                    None => {
                        let rest = self.gunzip.take().map_or_else(|| Ok(Vec::new()), Gunzip::finish)?;
                        return Ok((!rest.is_empty()).then(|| rest.into()));
                    }
                }
                continue;
            }
            let input = self.waiting.split_to(self.waiting.len().min(INPUT_BYTES_MAX));
            let unpacked = gunzip.push(&input)?;
            if !unpacked.is_empty() {
                return Ok(Some(unpacked.into()));
            }
        }
    }
}

fn unpacked(opened: Opened) -> impl stream::Stream<Item = std::io::Result<Bytes>> + Send {
    let all = Span { from: 0, to: opened.object.size };
    let unpacking =
        Unpacking { sending: Sending::new(opened, all), gunzip: Some(Gunzip::new()), waiting: Bytes::new() };
    stream::try_unfold(unpacking, |mut unpacking| async move {
        Ok(unpacking.next().await?.map(|piece| (piece, unpacking)))
    })
}
