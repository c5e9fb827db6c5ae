//! Google's host names as path prefixes: a request to `identitytoolkit.googleapis.com/v1/…` that was routed here means
//! `/identitytoolkit.googleapis.com/v1/…`. Services know the one form only.

use axum::extract::Request;
use axum::response::Response;
use http::Uri;
use http::header::HOST;
use http::uri::PathAndQuery;

use crate::answer::Answer;

/// Hosts whose paths stand for themselves.
const UNPREFIXED: [&str; 1] = ["firestore.googleapis.com"];

const GOOGLE: &str = ".googleapis.com";
/// Cloud Storage's buckets have hosts of their own: `BUCKET.storage.googleapis.com/NAME` is `storage.googleapis.com/BUCKET/NAME`.
const OF_BUCKETS: &str = ".storage.googleapis.com";

/// Goes around routes: rewrites before they see it.
pub fn with_google_hosts(routes: impl Answer) -> impl Answer {
    Prefixing(routes)
}

struct Prefixing<A>(A);

impl<A: Answer> Answer for Prefixing<A> {
    async fn answer(&self, request: Request) -> Response {
        self.0.answer(prefixed(request)).await
    }
}

/// Whether a host is one of Google's, in whose stead this server answers.
pub fn is_google(host: &str) -> bool {
    let domain = host.len().checked_sub(GOOGLE.len()).and_then(|start| host.get(start..));
    domain.is_some_and(|domain| domain.eq_ignore_ascii_case(GOOGLE))
}

fn prefixed(mut request: Request) -> Request {
    let host = request.uri().host().or_else(|| request.headers().get(HOST)?.to_str().ok());
    let host = host.and_then(|host| host.split(':').next()).filter(|host| is_google(host));
    let Some(host) = host.map(str::to_ascii_lowercase) else { return request };
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    if UNPREFIXED.contains(&host.as_str()) || path.starts_with(&format!("/{host}/")) {
        return request;
    }
    let prefix = match host.strip_suffix(OF_BUCKETS) {
        Some(bucket) => format!("{}/{bucket}", OF_BUCKETS.replacen('.', "/", 1)),
        None => format!("/{host}"),
    };
    if let Ok(uri) = format!("{prefix}{path}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn google_hosts_become_prefixes() {
        for (uri, host, expected) in [
            (
                "/v1/x?key=1",
                Some("identitytoolkit.googleapis.com:443"),
                "/identitytoolkit.googleapis.com/v1/x?key=1",
            ),
            ("https://securetoken.googleapis.com/v1/token", None, "/securetoken.googleapis.com/v1/token"),
            ("/a%20b?x=1", Some("a.b.storage.googleapis.com"), "/storage.googleapis.com/a.b/a%20b?x=1"),
            ("/v1/projects/p", Some("firestore.googleapis.com"), "/v1/projects/p"),
            (
                "/identitytoolkit.googleapis.com/v1/x",
                Some("127.0.0.1:9099"),
                "/identitytoolkit.googleapis.com/v1/x",
            ),
        ] {
            let mut request = http::Request::builder().uri(uri);
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            let request = prefixed(request.body(Body::empty()).unwrap());
            assert_eq!(request.uri().path_and_query().unwrap().as_str(), expected);
        }
    }
}
