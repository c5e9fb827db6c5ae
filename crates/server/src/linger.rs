//! Lets a client of HTTP/1 finish its request's body when it is answered before: a connection that closes while the client
//! still writes loses the answer on its way. What comes is read and thrown away, for a bounded time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use base::limits::REQUEST_BYTES_MAX;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame};
use parking_lot::Mutex;
use tokio::time::Sleep;

/// How long a body is thrown away; then the connection closes.
const LINGER_SECONDS_MAX: u64 = 10;

/// Where a request's body is left by whoever answered without reading it.
#[derive(Clone, Default)]
pub struct Rest(Arc<Mutex<Option<Body>>>);

impl Rest {
    /// Leaves a body here.
    pub fn leave(&self, body: Body) {
        *self.0.lock() = Some(body);
    }

    /// The answer, which ends when what was left has come.
    pub fn follow(self, mut answer: Response) -> Response {
        let Some(rest) = self.0.lock().take().filter(|rest| !rest.is_end_stream()) else { return answer };
        // An answer of a known length would be over, and the connection closed, with its last byte.
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.map(|answer| {
            Body::new(Lingering {
                answer,
                rest,
                bytes_left: REQUEST_BYTES_MAX,
                until: Box::pin(tokio::time::sleep(Duration::from_secs(LINGER_SECONDS_MAX))),
            })
        })
    }
}

/// An answer's body that ends with the request's, so of no known length.
struct Lingering {
    answer: Body,
    rest: Body,
    bytes_left: usize,
    until: Pin<Box<Sleep>>,
}

impl http_body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.answer).poll_frame(cx) {
            Poll::Ready(None) => {}
            other => return other,
        }
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let came = frame.data_ref().map_or(0, Bytes::len);
                    match self.bytes_left.checked_sub(came) {
                        Some(left) => self.bytes_left = left,
                        None => return Poll::Ready(None),
                    }
                }
                Poll::Ready(_) => return Poll::Ready(None),
                Poll::Pending => return self.until.as_mut().poll(cx).map(|()| None),
            }
        }
    }
}
