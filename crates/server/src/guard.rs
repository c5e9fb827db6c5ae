//! Bounds around every request: its body's size, its time, and what a panic may reach.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use base::limits::REQUEST_BYTES_MAX;
use futures_util::FutureExt;
use http::StatusCode;

/// A unary request's longest life, the client's own pace included.
const REQUEST_SECONDS_MAX: u64 = 120;

/// Wraps all routes of a listener.
pub fn guarded(routes: Router) -> Router {
    routes.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).layer(from_fn(bound))
}

async fn bound(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(%method, path, "a handler panicked: this is a defect of Hearth, please report it");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        }
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the request took too long"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, Body::from(text)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_request() {
        let routes =
            guarded(Router::new().route("/", get(async || -> &'static str { panic!("on purpose") })));
        let request = http::Request::builder().uri("/").body(Body::empty()).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), 500);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let routes =
            guarded(Router::new().route("/", post(async |body: bytes::Bytes| body.len().to_string())));
        let body = Body::from(vec![0u8; REQUEST_BYTES_MAX + 1]);
        let request = http::Request::builder().method("POST").uri("/").body(body).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), 413);
    }
}
