//! Cross-origin requests. Web SDKs send credentials, so a wildcard is not legal: the origin is echoed.
//!
//! Source: what browsers and the web SDK need of the real services (preflights for REST, private-network grants).

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::answer::Answer;

const PRIVATE_NETWORK_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_GRANTED: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Answers preflights and marks responses. `origins` are the ones allowed; empty means any, as at the real services.
pub fn with_cors(inner: impl Answer, origins: Vec<String>) -> impl Answer {
    Cors { inner, origins }
}

struct Cors<A> {
    inner: A,
    /// Empty: any.
    origins: Vec<String>,
}

impl<A: Answer> Answer for Cors<A> {
    async fn answer(&self, request: Request) -> Response {
        let is_question = request.method() == Method::OPTIONS;
        let Some(origin) = request.headers().get(ORIGIN).cloned() else {
            return if is_question { no_content() } else { self.inner.answer(request).await };
        };
        let is_allowed = |allowed: &String| allowed.as_bytes() == origin.as_bytes();
        let allowed = self.origins.is_empty() || self.origins.iter().any(is_allowed);
        if is_question {
            let mut response = no_content();
            if allowed {
                grant(response.headers_mut(), origin);
                grant_preflight(request.headers(), response.headers_mut());
            }
            return response;
        }
        let mut response = self.inner.answer(request).await;
        if allowed {
            grant(response.headers_mut(), origin);
        }
        response
    }
}

/// What every `OPTIONS` is answered with, a preflight or not.
fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn grant(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "X-HTTP-Session-Id, X-Client-Wire-Protocol, Date, ETag, grpc-status, grpc-message, X-Firebase-Storage-Version, \
             X-Goog-Upload-URL, X-Goog-Upload-Status, X-Goog-Upload-Size-Received, X-Goog-Upload-Chunk-Granularity, \
             X-Goog-Upload-Control-URL, X-GUpload-UploadId, X-Goog-Hash, X-Goog-Generation, Content-Range, Location, Range",
        ),
    );
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

fn grant_preflight(asked: &HeaderMap, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("DELETE,GET,HEAD,PATCH,POST,PUT"));
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    if asked.contains_key(PRIVATE_NETWORK_ASKED) {
        headers.insert(PRIVATE_NETWORK_GRANTED, HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use http::header::ACCESS_CONTROL_REQUEST_METHOD;

    use super::*;
    use crate::answer::Routes;

    async fn ask(origins: &[&str], method: &str, preflight: bool) -> (StatusCode, HeaderMap) {
        let routes = Routes::from(Router::new().route("/", get(async || "ok")));
        let routes = with_cors(routes, origins.iter().map(|&origin| origin.to_owned()).collect());
        let mut request = http::Request::builder().uri("/").method(method).header(ORIGIN, "http://app.test");
        if preflight {
            request = request
                .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
                .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,x-goog-api-key")
                .header(PRIVATE_NETWORK_ASKED, "true");
        }
        let response = routes.answer(request.body(Body::empty()).unwrap()).await;
        (response.status(), response.headers().clone())
    }

    #[tokio::test]
    async fn a_preflight_is_answered_with_what_was_asked() {
        let (status, headers) = ask(&[], "OPTIONS", true).await;
        assert_eq!(status, 204);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://app.test");
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], "authorization,x-goog-api-key");
        assert_eq!(headers[PRIVATE_NETWORK_GRANTED], "true");
    }

    #[tokio::test]
    async fn options_are_answered_without_a_question_too() {
        assert_eq!(ask(&[], "OPTIONS", false).await.0, 204);
        let routes = with_cors(Routes::from(Router::new().route("/", get(async || "ok"))), Vec::new());
        let request = http::Request::builder().uri("/nowhere").method("OPTIONS").body(Body::empty()).unwrap();
        assert_eq!(routes.answer(request).await.status(), 204);
    }

    #[tokio::test]
    async fn a_foreign_origin_is_granted_nothing() {
        let (status, headers) = ask(&["http://other.test"], "GET", false).await;
        assert_eq!(status, 200);
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        let (_, headers) = ask(&["http://app.test"], "GET", false).await;
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "http://app.test");
    }
}
