//! Bounds around every request: its body's size, its time, and what a panic may reach.
//!
//! Services bound what they read of one body. What all requests together may hold while they are being answered is
//! bounded here: without it, a few hundred streams of one connection could each fill their own limit.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base::limits::REQUEST_BYTES_MAX;
use base::{Code, Status};
use bytes::Bytes;
use futures_util::FutureExt;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};

use crate::refusal::{is_grpc, refuse};

/// A unary request's longest life, the client's own pace included.
const REQUEST_SECONDS_MAX: u64 = 120;
/// Bytes of request bodies that are held at once, of all requests that have not been answered.
const HELD_BYTES_MAX: usize = 256 << 20;

/// Wraps all routes of a listener.
pub fn guarded(routes: Router) -> Router {
    guarded_within(routes, HELD_BYTES_MAX)
}

fn guarded_within(routes: Router, held_bytes_max: usize) -> Router {
    let budget = Arc::new(Budget { left: AtomicUsize::new(held_bytes_max) });
    routes.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).layer(from_fn_with_state(budget, bound))
}

async fn bound(State(budget): State<Arc<Budget>>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let answer = |status: StatusCode, code: Code, text: &'static str| {
        if is_grpc(content_type.as_ref()) {
            return refuse(content_type.as_ref(), &Status::new(code, text));
        }
        (status, Body::from(text)).into_response()
    };
    let share = Arc::new(Share::of(budget));
    let held = Arc::clone(&share);
    let request = request.map(|body| Body::new(Counted { body, share }));
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), answered).await {
        Ok(Ok(_)) if held.refused.load(Ordering::Relaxed) => {
            tracing::warn!(%method, path = uri.path(), "more is being received at once than can be held");
            answer(
                StatusCode::SERVICE_UNAVAILABLE,
                Code::ResourceExhausted,
                "too many large requests at once",
            )
        }
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(%method, path = uri.path(), "a handler panicked: this is a defect of Hearth, please report it");
            answer(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal error")
        }
        Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "the request took too long"),
    };
    held.give_back();
    response
}

/// What may still be held.
struct Budget {
    left: AtomicUsize,
}

/// What one request holds of it, until it has been answered.
struct Share {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
    /// There was not enough left for it.
    refused: AtomicBool,
    /// The answer has begun: what streams in from now on is its service's own business.
    answered: AtomicBool,
}

impl Share {
    fn of(budget: Arc<Budget>) -> Self {
        let (refused, answered) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { budget, bytes: AtomicUsize::new(0), refused, answered }
    }

    /// Takes more; `false` when that much is not left.
    fn take(&self, bytes: usize) -> bool {
        if self.answered.load(Ordering::Relaxed) {
            return true;
        }
        let less = |left: usize| left.checked_sub(bytes);
        if self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
            self.refused.store(true, Ordering::Relaxed);
            return false;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn give_back(&self) {
        self.answered.store(true, Ordering::Relaxed);
        self.budget.left.fetch_add(self.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A request that is dropped half-way (its client hung up) gives back, too.
impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A body that counts what comes.
struct Counted {
    body: Body,
    share: Arc<Share>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && !self.share.take(frame.data_ref().map_or(0, Bytes::len))
        {
            return Poll::Ready(Some(Err(axum::Error::new("too many large requests at once"))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
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
        assert_eq!(routes.clone().oneshot(request).await.unwrap().status(), 500);
        let request = http::Request::builder().uri("/").header(CONTENT_TYPE, "application/grpc+proto");
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["grpc-status"]),
            (200, &"13".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let routes =
            guarded(Router::new().route("/", post(async |body: bytes::Bytes| body.len().to_string())));
        let body = Body::from(vec![0u8; REQUEST_BYTES_MAX + 1]);
        let request = http::Request::builder().method("POST").uri("/").body(body).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), 413);
    }

    #[tokio::test]
    async fn all_bodies_together_are_bounded_and_what_is_answered_counts_no_more() {
        let (arrived, mut waiting) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(8);
        let slow = post(async move |body: Bytes| {
            let (go, gone) = tokio::sync::oneshot::channel();
            arrived.send(go).await.unwrap();
            let _ = gone.await;
            body.len().to_string()
        });
        let routes = guarded_within(Router::new().route("/", slow), 1000);
        let ask = |bytes: usize, content_type: &'static str| {
            let request = http::Request::builder().method("POST").uri("/").header(CONTENT_TYPE, content_type);
            tokio::spawn(routes.clone().oneshot(request.body(Body::from(vec![0u8; bytes])).unwrap()))
        };
        for _ in 0..3 {
            let first = ask(800, "");
            let go = waiting.recv().await.unwrap();
            assert_eq!(ask(300, "").await.unwrap().unwrap().status(), 503);
            let refused = ask(300, "application/grpc").await.unwrap().unwrap();
            assert_eq!(refused.headers()["grpc-status"], "8");
            let second = ask(200, "");
            waiting.recv().await.unwrap().send(()).unwrap();
            assert_eq!(second.await.unwrap().unwrap().status(), 200);
            // One that hangs up gives back like one that is answered.
            let gone = ask(100, "");
            let hanging = waiting.recv().await.unwrap();
            gone.abort();
            assert!(gone.await.is_err());
            drop(hanging);
            go.send(()).unwrap();
            assert_eq!(first.await.unwrap().unwrap().status(), 200);
        }
    }
}
