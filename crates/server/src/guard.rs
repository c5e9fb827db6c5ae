//! Bounds around every request: its body's size, its time, and what a panic may reach.
//!
//! Services bound what they read of one body. What all requests together may hold while they are being answered is
//! bounded here: without it, a few hundred streams of one connection could each fill their own limit.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use access::ClientAddress;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use base::{Code, Status};
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, EXPECT};
use http::{StatusCode, Version};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Sleep;

use wire::weight::{Account, charged};

use crate::answer::Answer;
use crate::budget::{Budget, Share};
use crate::connections::network;
use crate::frames::Frames;
use crate::lane;
use crate::limits::Limits;
use crate::linger::Rest;
use crate::refusal::{is_grpc, refuse};

/// A unary request's longest life, the client's own pace included.
const REQUEST_SECONDS_MAX: u64 = 120;
/// A request whose body is longer goes over to the threads for large ones.
const LARGE_BODY_BYTES: usize = 64 << 10;
/// The same for a body that is compressed: it may be a thousand times as long inside.
const LARGE_COMPRESSED_BYTES: usize = 1 << 10;
/// While more of a body is waited for, so much of it must come within [`PACE_SECONDS`].
const PACE_BYTES_MIN: usize = 40 << 10;
/// See [`PACE_BYTES_MIN`].
const PACE_SECONDS: u64 = 10;

/// Goes around all routes of a listener.
pub fn guarded<A: Answer>(inner: A, limits: &Limits) -> impl Answer + use<A> {
    guarded_within(inner, limits, Duration::from_secs(PACE_SECONDS))
}

fn guarded_within<A: Answer>(inner: A, limits: &Limits, pace: Duration) -> impl Answer + use<A> {
    Guard { inner: Arc::new(inner), budget: Budget::new(limits), pace }
}

struct Guard<A> {
    inner: Arc<A>,
    budget: Arc<Budget>,
    /// The time within which [`PACE_BYTES_MIN`] must come.
    pace: Duration,
}

/// What became of a body, for its request's answer.
#[derive(Default)]
struct Seen {
    /// It came too slowly, and failed for that.
    is_slow: AtomicBool,
    /// It is large: its request is not for the threads of small ones.
    is_large: AtomicBool,
    /// Its service takes it piece by piece and keeps none.
    is_streamed: AtomicBool,
    /// For how long its service answers at most, in seconds, where that is longer than usual.
    patience_s: AtomicU64,
    /// When a piece of such a body came last.
    moved: Mutex<Option<tokio::time::Instant>>,
}

/// In a request's extensions: whose service streams bodies says so here, before it reads any.
#[derive(Clone)]
pub struct Streams(Arc<Seen>);

impl Streams {
    /// From now on only the piece of the body that is in hand counts as held, and the request lasts as long as its body
    /// keeps pace.
    pub fn declare(&self) {
        self.0.is_streamed.store(true, Ordering::Relaxed);
    }
}

impl Streams {
    /// An answer may take so long, whether its body moves or not: the service sees to its end by itself.
    pub fn be_patient(&self, patience: Duration) {
        self.0.patience_s.store(patience.as_secs(), Ordering::Relaxed);
    }
}

impl Seen {
    fn is_streamed(&self) -> bool {
        self.is_streamed.load(Ordering::Relaxed)
    }

    /// Waits for an answer: for [`REQUEST_SECONDS_MAX`], which begin anew with each piece of a body that is streamed, or for as long
    /// as its service has asked.
    async fn in_time<F: Future>(&self, answered: F) -> Option<F::Output> {
        let mut answered = pin!(answered);
        let seconds = Duration::from_secs(REQUEST_SECONDS_MAX);
        let began = tokio::time::Instant::now();
        let mut until = began + seconds;
        loop {
            if let Ok(answer) = tokio::time::timeout_at(until, &mut answered).await {
                return Some(answer);
            }
            let moved = self.moved.lock().map(|moved| moved + seconds);
            let patient = began + Duration::from_secs(self.patience_s.load(Ordering::Relaxed));
            until = moved.into_iter().chain([patient]).max().filter(|later| *later > until)?;
        }
    }
}

impl<A: Answer> Answer for Guard<A> {
    async fn answer(&self, request: Request) -> Response {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let content_type = request.headers().get(CONTENT_TYPE).cloned();
        let answer = |status: StatusCode, code: Code, text: &'static str| {
            if is_grpc(content_type.as_ref()) {
                return refuse(content_type.as_ref(), &Status::new(code, text));
            }
            (status, Body::from(text)).into_response()
        };
        let client =
            request.extensions().get::<ClientAddress>().map_or(IpAddr::from([0, 0, 0, 0]), |client| client.0);
        let share = Arc::new(Share::of(Arc::clone(&self.budget), network(client)));
        let seen = Arc::new(Seen::default());
        // Over HTTP/2 a stream ends by itself, and the others of its connection go on.
        let rest = (request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT))
            .then(Rest::default);
        let mut request = counted(request, Arc::clone(&share), self.pace, Arc::clone(&seen), rest.clone());
        request.extensions_mut().insert(Streams(Arc::clone(&seen)));
        let account: Arc<dyn Account> = Arc::clone(&share) as _;
        let inner = Arc::clone(&self.inner);
        let answered = charged(account, async move { inner.answer(request).await });
        let answered = AssertUnwindSafe(answered).catch_unwind();
        let answered = lane::answered(answered, &seen.is_large);
        let response = match seen.in_time(answered).await {
            Some(Some(Ok(_))) if seen.is_slow.load(Ordering::Relaxed) => answer(
                StatusCode::REQUEST_TIMEOUT,
                Code::DeadlineExceeded,
                "the request's body came too slowly",
            ),
            Some(Some(Ok(_))) if share.was_refused() => {
                tracing::warn!(%method, path = uri.path(), "more is being received at once than can be held");
                answer(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Code::ResourceExhausted,
                    "too many large requests at once",
                )
            }
            Some(Some(Ok(response))) => match rest {
                Some(rest) => rest.follow(response),
                None => response,
            },
            Some(Some(Err(_))) => {
                tracing::error!(%method, path = uri.path(), "a handler panicked: this is a defect of Hearth, please report it");
                answer(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal error")
            }
            Some(None) => {
                answer(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "the server is stopping")
            }
            None => answer(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "the request took too long"),
        };
        share.give_back();
        response
    }
}

/// The request with a body that is counted.
fn counted(
    request: Request,
    share: Arc<Share>,
    pace: Duration,
    seen: Arc<Seen>,
    rest: Option<Rest>,
) -> Request {
    let encoding = request.headers().get("grpc-encoding");
    let is_plain = encoding.is_none_or(|encoding| encoding == "identity");
    let frames = is_grpc(request.headers().get(CONTENT_TYPE)).then(Frames::default);
    let large_from = if is_plain { LARGE_BODY_BYTES } else { LARGE_COMPRESSED_BYTES };
    request.map(|body| {
        let pace = Pace::new(pace);
        Body::new(Counted {
            body,
            share,
            frames,
            pace,
            seen,
            large_from,
            bytes: 0,
            waits: None,
            rest,
            has_ended: false,
        })
    })
}

/// A body that counts what comes, and fails when it comes too slowly.
struct Counted {
    body: Body,
    share: Arc<Share>,
    /// Of a gRPC body, which may go on after the answer has begun.
    frames: Option<Frames>,
    pace: Pace,
    seen: Arc<Seen>,
    /// A body is large from here on.
    large_from: usize,
    bytes: usize,
    /// What came when it turned out to be large: it is given out on the other threads.
    waits: Option<Frame<Bytes>>,
    /// Where what is not read is left.
    rest: Option<Rest>,
    has_ended: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take().filter(|_| !self.has_ended) {
            rest.leave(std::mem::take(&mut self.body));
        }
    }
}

impl Counted {
    /// Takes note of where the messages in a body end.
    fn follow(&mut self, frame: &Frame<Bytes>, is_answered: bool) {
        let Some(frames) = &mut self.frames else { return };
        frames.take(frame.data_ref().map_or(&[][..], |data| data.as_ref()));
        if is_answered && frames.unfinished() == 0 {
            self.pace = Pace::new(self.pace.within);
        }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(frame) = self.waits.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let is_answered = self.share.is_answered();
        // Who asks for more has taken every whole message.
        let unfinished = self.frames.as_ref().map_or(0, Frames::unfinished);
        if is_answered {
            self.share.hold(unfinished);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            // An open stream may be silent between messages, and not within one.
            if is_answered && unfinished == 0 || self.pace.waits(cx) {
                return Poll::Pending;
            }
            self.seen.is_slow.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err(axum::Error::new("the body came too slowly"))));
        };
        let Some(Ok(frame)) = frame else {
            self.has_ended = true;
            self.pace.came(0);
            return Poll::Ready(frame);
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.pace.came(bytes);
        self.follow(&frame, is_answered);
        let is_streamed = self.seen.is_streamed();
        if is_streamed {
            *self.seen.moved.lock() = Some(tokio::time::Instant::now());
        }
        let is_held = match is_answered || is_streamed {
            true => self.share.hold(unfinished + bytes),
            false => self.share.take(bytes),
        };
        if !is_held {
            return Poll::Ready(Some(Err(axum::Error::new("too many large requests at once"))));
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let is_large = self.bytes >= self.large_from && !self.share.is_answered() && !is_streamed;
        if is_large && !self.seen.is_large.swap(true, Ordering::Relaxed) {
            self.waits = Some(frame);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.waits.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (waits, of_body) = (self.waits.as_ref().and_then(Frame::data_ref), self.body.size_hint());
        let waits = waits.map_or(0, Bytes::len) as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower().saturating_add(waits));
        if let Some(upper) = of_body.upper().and_then(|upper| upper.checked_add(waits)) {
            hint.set_upper(upper);
        }
        hint
    }
}

/// How fast a body comes. Only the time counts in which its client is waited for.
struct Pace {
    within: Duration,
    waited: Duration,
    bytes: usize,
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Pace {
    fn new(within: Duration) -> Self {
        Self { within, waited: Duration::ZERO, bytes: 0, waits: None }
    }

    /// Something came, or the end.
    fn came(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waits.take() {
            self.waited += since.elapsed();
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= PACE_BYTES_MIN {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
    }

    /// Nothing comes yet: whether it is waited for still.
    fn waits(&mut self, cx: &mut Context<'_>) -> bool {
        let left = self.within.saturating_sub(self.waited);
        let (_, sleep) =
            self.waits.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        sleep.as_mut().poll(cx).is_pending()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::{get, post};
    use base::limits::REQUEST_BYTES_MAX;

    use super::*;
    use crate::answer::Routes;

    #[tokio::test]
    async fn a_panic_ends_one_request() {
        let routes = guarded(
            Routes::from(Router::new().route("/", get(async || -> &'static str { panic!("on purpose") }))),
            &Limits::default(),
        );
        let request = http::Request::builder().uri("/").body(Body::empty()).unwrap();
        assert_eq!(routes.answer(request).await.status(), 500);
        let request = http::Request::builder().uri("/").header(CONTENT_TYPE, "application/grpc+proto");
        let response = routes.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["grpc-status"]),
            (200, &"13".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let routes = guarded(
            Routes::from(Router::new().route("/", post(async |body: bytes::Bytes| body.len().to_string()))),
            &Limits::default(),
        );
        let body = Body::from(vec![0u8; REQUEST_BYTES_MAX + 1]);
        let request = http::Request::builder().method("POST").uri("/").body(body).unwrap();
        assert_eq!(routes.answer(request).await.status(), 413);
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
        let routes = Arc::new(guarded_within(
            Routes::from(Router::new().route("/", slow)),
            &Limits { small_bytes: 2000, body_bytes: 0, ..Limits::default() },
            Duration::from_secs(5),
        ));
        let ask = |bytes: usize, content_type: &'static str| {
            let request = http::Request::builder().method("POST").uri("/").header(CONTENT_TYPE, content_type);
            let (routes, request) =
                (Arc::clone(&routes), request.body(Body::from(vec![0u8; bytes])).unwrap());
            tokio::spawn(async move { routes.answer(request).await })
        };
        for _ in 0..3 {
            let first = ask(800, "");
            let go = waiting.recv().await.unwrap();
            assert_eq!(ask(300, "").await.unwrap().status(), 503);
            let refused = ask(300, "application/grpc").await.unwrap();
            assert_eq!(refused.headers()["grpc-status"], "8");
            let second = ask(200, "");
            waiting.recv().await.unwrap().send(()).unwrap();
            assert_eq!(second.await.unwrap().status(), 200);
            // One that hangs up gives back like one that is answered.
            let gone = ask(100, "");
            let hanging = waiting.recv().await.unwrap();
            gone.abort();
            assert!(gone.await.is_err());
            drop(hanging);
            go.send(()).unwrap();
            assert_eq!(first.await.unwrap().status(), 200);
        }
    }

    #[tokio::test]
    async fn an_open_stream_may_be_silent_between_messages_but_not_within_one_and_holds_what_is_not_whole() {
        let pace = Duration::from_millis(100);
        let (ended, mut ends) = tokio::sync::mpsc::channel(4);
        // It answers at once and goes on reading.
        let open = post(async move |body: Body| {
            let ended = ended.clone();
            tokio::spawn(async move {
                let is_whole = axum::body::to_bytes(body, usize::MAX).await.is_ok();
                ended.send(is_whole).await.unwrap();
            });
            "open"
        });
        let limits = Limits { small_bytes: 2000, body_bytes: 0, ..Limits::default() };
        let routes = guarded_within(Routes::from(Router::new().route("/", open)), &limits, pace);
        let large: &'static [u8] = Vec::leak([&[0, 0, 0, 9, 0][..], &[7; 1500]].concat());
        for (pieces, is_whole) in [
            (vec![&b"\0\0\0\0\x01a"[..], b"\0\0\0\0\x01b", b"\0\0\0\0\x00"], true),
            (vec![&b"\0\0\0\0\x09abc"[..], b"defghi"], false),
            (vec![large], false),
        ] {
            let parts = futures_util::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
                let piece = pieces.next()?;
                tokio::time::sleep(pace * 3).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(piece)), pieces))
            });
            let request = http::Request::builder().method("POST").uri("/");
            let request =
                request.header(CONTENT_TYPE, "application/grpc").body(Body::from_stream(parts)).unwrap();
            assert_eq!(routes.answer(request).await.status(), 200);
            assert_eq!(ends.recv().await, Some(is_whole));
        }
    }

    #[tokio::test]
    async fn a_body_that_comes_too_slowly_is_let_go_and_a_slow_service_is_no_fault_of_it() {
        let pace = Duration::from_millis(200);
        let read = post(async move |body: Body| {
            tokio::time::sleep(pace * 2).await;
            axum::body::to_bytes(body, usize::MAX)
                .await
                .map(|body| body.len().to_string())
                .unwrap_or_default()
        });
        let routes = guarded_within(Routes::from(Router::new().route("/", read)), &Limits::default(), pace);
        let ask = async |piece: usize, pieces: usize, content_type: &'static str| {
            let parts = futures_util::stream::unfold(0, move |sent| async move {
                tokio::time::sleep(pace / 4).await;
                (sent < pieces).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![0u8; piece])), sent + 1))
            });
            let request = http::Request::builder().method("POST").uri("/").header(CONTENT_TYPE, content_type);
            routes.answer(request.body(Body::from_stream(parts)).unwrap()).await
        };
        assert_eq!(ask(PACE_BYTES_MIN / 2, 12, "").await.status(), 200);
        assert_eq!(ask(10, 2, "").await.status(), 200, "a small one is whole before that");
        assert_eq!(ask(PACE_BYTES_MIN / 8, 12, "").await.status(), 408);
        assert_eq!(ask(PACE_BYTES_MIN / 8, 12, "application/grpc").await.headers()["grpc-status"], "4");
    }
}
