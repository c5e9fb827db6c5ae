//! How an answer of the REST API is written.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};

use super::pretty;
use crate::api::parameters::Parameters;
use crate::model::{Node, encode_export, encode_plain};
use crate::status;

/// Characters of a callback's name.
const CALLBACK_CHARS_MAX: usize = 128;
/// The ETag of what is not there.
pub const NULL_ETAG: &str = "null_etag";

/// How an answer is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    is_pretty: bool,
    is_silent: bool,
    is_export: bool,
    callback: Option<String>,
    download: Option<String>,
}

impl Format {
    /// Of a request's parameters.
    ///
    /// Errors: the text for a 400.
    pub fn read(parameters: &Parameters) -> Result<Self, &'static str> {
        let print = parameters.one("print");
        if print.is_some_and(|print| !matches!(print, "pretty" | "silent")) {
            return Err(status::BAD_PRINT);
        }
        let format = parameters.one("format");
        if format.is_some_and(|format| format != "export") {
            return Err(status::BAD_FORMAT);
        }
        let callback = parameters.one("callback");
        if callback.is_some_and(|callback| !is_function(callback)) {
            return Err(status::BAD_CALLBACK);
        }
        Ok(Self {
            is_pretty: print == Some("pretty"),
            is_silent: print == Some("silent"),
            is_export: format.is_some(),
            callback: callback.map(str::to_owned),
            download: parameters.one("download").map(str::to_owned),
        })
    }

    /// The same without what only a GET has.
    pub fn of_write(self) -> Self {
        Self { callback: None, download: None, ..self }
    }

    /// A value as JSON.
    pub fn encode(&self, node: Option<&Node>) -> String {
        let mut json = String::new();
        if self.is_export {
            encode_export(node, &mut json);
        } else {
            encode_plain(node, &mut json);
        }
        json
    }

    /// An answer with a value.
    pub fn value(&self, node: Option<&Node>) -> Response {
        if self.is_silent { silent() } else { self.json(StatusCode::OK, self.encode(node)) }
    }

    /// An answer with a JSON text, which is written as it is wanted.
    pub fn json(&self, code: StatusCode, json: String) -> Response {
        if self.is_silent && code.is_success() {
            return silent();
        }
        let (body, content_type) = match &self.callback {
            Some(callback) => (called(callback, json), "application/javascript; charset=utf-8"),
            None if self.is_pretty => {
                let pieces = pretty::pieces(json).map(Ok::<_, Infallible>);
                (Body::from_stream(stream::iter(pieces)), JSON)
            }
            None => (Body::from(json), JSON),
        };
        let mut response = typed(code, content_type, body);
        if let Some(name) = &self.download {
            response.headers_mut().insert(CONTENT_DISPOSITION, attachment(name));
        }
        response
    }
}

const JSON: &str = "application/json; charset=utf-8";

/// An answer in JSON, compact.
pub fn json(code: StatusCode, json: String) -> Response {
    typed(code, JSON, Body::from(json))
}

/// An answer of this type, which no browser takes for another.
pub fn typed(code: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The answer without a body.
fn silent() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The ETag of a value: its hash, which depends on priorities, too.
pub fn etag(node: Option<&Node>) -> String {
    node.map_or_else(|| NULL_ETAG.to_owned(), |node| node.hash().to_owned())
}

/// The answer with a value's ETag.
pub fn with_etag(mut response: Response, node: Option<&Node>) -> Response {
    if let Ok(value) = HeaderValue::from_str(&etag(node)) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

/// A call of a function of the page with the value. The comment keeps the name from being read as the start of another
/// kind of file.
fn called(callback: &str, json: String) -> Body {
    let json = if json.contains(['\u{2028}', '\u{2029}']) {
        json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
    } else {
        json
    };
    let parts = [Bytes::from(format!("/**/{callback}(")), Bytes::from(json), Bytes::from_static(b");")];
    Body::from_stream(stream::iter(parts.map(Ok::<_, Infallible>)))
}

/// Names with dots, of letters, digits, `_` and `$`: nothing that could be more than a name.
fn is_function(text: &str) -> bool {
    let is_name = |name: &str| {
        let starts =
            name.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '$'));
        starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
    };
    text.len() <= CALLBACK_CHARS_MAX && text.split('.').all(is_name)
}

/// A file's name in a header: what could end the name or the header is replaced.
fn attachment(name: &str) -> HeaderValue {
    let safe: String = name
        .chars()
        .take(255)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' })
        .collect();
    let value = HeaderValue::from_str(&format!("attachment; filename=\"{safe}\""));
    value.unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn written(query: &str, json: &str) -> (u16, String, String) {
        let format = Format::read(&Parameters::read(query).unwrap()).unwrap();
        let (parts, body) = format.json(StatusCode::OK, json.to_owned()).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let of_type = parts.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        (parts.status.as_u16(), of_type.to_owned(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_value_is_written_as_it_is_wanted() {
        assert_eq!(written("", "{\"a\":1}").await, (200, JSON.to_owned(), "{\"a\":1}".to_owned()));
        assert_eq!(written("print=pretty", "{\"a\":1}").await.2, "{\n  \"a\" : 1\n}");
        assert_eq!(written("print=silent", "1").await, (204, String::new(), String::new()));
        let (_, of_type, body) = written("callback=app.on_data", "\"a\u{2028}\"").await;
        assert_eq!(
            (of_type.as_str(), body.as_str()),
            ("application/javascript; charset=utf-8", "/**/app.on_data(\"a\\u2028\");")
        );
    }

    #[test]
    fn a_callback_is_a_name_and_nothing_else() {
        for name in ["f", "$.ajax", "a_1.b2"] {
            assert!(is_function(name), "{name}");
        }
        for text in [
            "",
            "1a",
            "a.",
            ".a",
            "a;b",
            "alert(1)//",
            "a b",
            "a[0]",
            "a\n",
            "<script>",
            "é",
            &"a".repeat(129),
        ] {
            assert!(!is_function(text), "{text}");
        }
    }

    #[test]
    fn a_download_has_a_harmless_name() {
        assert_eq!(attachment("a b.json"), "attachment; filename=\"a b.json\"");
        assert_eq!(
            attachment("a\"; x=\r\n../é"),
            "attachment; filename=\"a__ x___.._ _\"".replace(" _\"", "_\"").as_str()
        );
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for (query, text) in [
            ("print=ugly", status::BAD_PRINT),
            ("format=xml", status::BAD_FORMAT),
            ("callback=alert(1)", status::BAD_CALLBACK),
        ] {
            assert_eq!(Format::read(&Parameters::read(query).unwrap()), Err(text));
        }
    }
}
