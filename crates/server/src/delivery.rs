//! The answers a connection still owes its client, and for how long the client has not taken what was ready for it.
//!
//! [`crate::pace`] sees a client that stops reading from its socket. Over HTTP/2 a client can read on and yet give a
//! stream no window: then nothing is written, nothing fails, and the answer stays in memory. Here an answer is handed
//! over in pieces, each when the protocol asks for it; a piece that is not asked for in time tells such a client.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use crate::connections::InFlight;

/// The largest piece that is handed over at once.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Nothing is ready: the answer waits for the house, not for the client.
const NOT_READY: u64 = u64::MAX;

/// The answers of one connection.
pub struct Deliveries {
    began: Instant,
    /// For each answer, since when a piece of it has been ready: milliseconds after the beginning.
    open: Mutex<Vec<Weak<AtomicU64>>>,
}

impl Deliveries {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), open: Mutex::default() })
    }

    /// Follows an answer; it is in flight until it is taken or given up.
    pub fn follow(self: &Arc<Self>, body: Body, in_flight: Option<InFlight>) -> Body {
        let ready_ms = Arc::new(AtomicU64::new(self.now_ms()));
        self.open.lock().push(Arc::downgrade(&ready_ms));
        Body::new(Delivery {
            body,
            rest: Bytes::new(),
            ready_ms,
            of: Arc::clone(self),
            _in_flight: in_flight,
        })
    }

    /// Whether a client has left a piece lying for so long.
    pub fn is_any_left(&self, patience: Duration) -> bool {
        let now = self.now_ms();
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let mut left = false;
        self.open.lock().retain(|answer| {
            let Some(ready_ms) = answer.upgrade() else { return false };
            left |= now.saturating_sub(ready_ms.load(Ordering::Relaxed)) > patience;
            true
        });
        left
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0)
    }
}

struct Delivery {
    body: Body,
    /// What the body has given and nobody has asked for yet.
    rest: Bytes,
    ready_ms: Arc<AtomicU64>,
    of: Arc<Deliveries>,
    _in_flight: Option<InFlight>,
}

impl http_body::Body for Delivery {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let next = Pin::new(&mut self.body).poll_frame(cx);
            let ready_ms = if next.is_ready() { self.of.now_ms() } else { NOT_READY };
            self.ready_ms.store(ready_ms, Ordering::Relaxed);
            match next {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.len() > PIECE_BYTES_MAX => self.rest = data,
                    Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        self.ready_ms.store(self.of.now_ms(), Ordering::Relaxed);
        let piece = self.rest.len().min(PIECE_BYTES_MAX);
        let piece = self.rest.split_to(piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, of_body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower().saturating_add(rest));
        if let Some(upper) = of_body.upper().and_then(|upper| upper.checked_add(rest)) {
            hint.set_upper(upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn an_answer_is_whole_and_left_lying_is_noticed() {
        let deliveries = Deliveries::new();
        let text: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let mut body = deliveries.follow(Body::from(text.clone()), None);
        assert_eq!(body.size_hint().exact(), Some(text.len() as u64));
        assert!(!deliveries.is_any_left(PATIENCE));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), PIECE_BYTES_MAX);
        assert_eq!(body.size_hint().exact(), Some((text.len() - first.len()) as u64));
        std::thread::sleep(PATIENCE * 2);
        assert!(deliveries.is_any_left(PATIENCE));
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!([first, rest].concat(), text);
        assert!(!deliveries.is_any_left(PATIENCE), "what is gone is not waited for");
    }

    #[tokio::test]
    async fn one_that_the_house_is_slow_with_is_no_fault_of_the_client() {
        let deliveries = Deliveries::new();
        let never = futures_util::stream::pending::<Result<Bytes, axum::Error>>();
        let mut body = deliveries.follow(Body::from_stream(never), None);
        assert!(body.frame().now_or_never().is_none());
        std::thread::sleep(PATIENCE * 2);
        assert!(!deliveries.is_any_left(PATIENCE));
    }
}
