//! A function's answer, handed on piece by piece: as it comes, and no longer than the function may take.

use std::io;
use std::sync::Arc;

use access::Invocation;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::headers;
use crate::ops::{Function, Slot};
use crate::runtime::{Connection, Worker};

/// A call whose answer is on its way. Dropped, its place is free and the worker sees that the client has gone.
pub struct Running {
    /// The function.
    pub function: Function,
    /// The worker, where it is not the codebase's usual one.
    pub apart: Option<Arc<Worker>>,
    /// What its code may do until then.
    #[expect(dead_code, reason = "held until the answer is over")]
    pub invocation: Invocation,
    /// The call's place.
    #[expect(dead_code, reason = "held until the answer is over")]
    pub slot: Slot,
    /// The connection to the worker.
    #[expect(dead_code, reason = "held until the answer is over")]
    pub connection: Connection,
    /// When it must be over.
    pub until: Instant,
}

/// The answer to the client.
pub fn answer(response: http::Response<Incoming>, running: Running) -> Response {
    let (mut head, body) = response.into_parts();
    headers::clean(&mut head.headers);
    let pieces = stream::unfold(Some((body, running)), async |state| {
        let (mut body, running) = state?;
        loop {
            match timeout_at(running.until, body.frame()).await {
                Err(_) => {
                    let name = &running.function.endpoint.name;
                    tracing::warn!(function = %name, "an answer has taken longer than the function may: it is cut off");
                    let Running { function, apart, .. } = running;
                    function.look_after(apart);
                    return Some((Err(io::Error::from(io::ErrorKind::TimedOut)), None));
                }
                Ok(None) => return None,
                Ok(Some(Err(error))) => return Some((Err(io::Error::other(error)), None)),
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    return Some((Ok::<Bytes, io::Error>(data), Some((body, running))));
                }
            }
        }
    });
    http::Response::from_parts(head, Body::from_stream(pieces))
}
