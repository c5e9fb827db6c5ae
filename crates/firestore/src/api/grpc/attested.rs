//! Requests of apps that the service is not open to: refused before their messages are decoded.
//!
//! A stream is let through: its client takes a refused stream for a lost connection, and hears of the refusal within it.

use std::sync::Arc;
use std::task::{Context, Poll};

use access::Caller;
use futures_util::future::{Either, Ready, ready};
use tonic::codegen::Service;

use crate::Firestore;

/// Methods that are streams of requests.
const STREAMS: [&str; 2] = ["/Listen", "/Write"];

/// Goes around the methods.
#[derive(Clone)]
pub struct Attested<S> {
    /// The methods.
    pub inner: S,
    /// Whose they are.
    pub firestore: Arc<Firestore>,
}

impl<S, B, R> Service<http::Request<B>> for Attested<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    R: Default,
{
    type Response = http::Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Self::Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        let is_stream = STREAMS.iter().any(|method| path.ends_with(method));
        let caller = request.extensions().get::<Caller>().filter(|_| !is_stream);
        match caller.map(|caller| self.firestore.admit_app(caller, path)) {
            Some(Err(status)) => Either::Left(ready(Ok(wire::status::to_grpc(&status).into_http()))),
            Some(Ok(())) | None => Either::Right(self.inner.call(request)),
        }
    }
}
