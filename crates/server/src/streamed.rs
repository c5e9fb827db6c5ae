//! Services that take the bodies of requests piece by piece.
//!
//! What a request holds of its body counts until it is answered, and a request has two minutes: sound for messages, not for
//! files. A service that streams says so of its routes, and of its bodies only the piece in hand counts.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use crate::guard::Streams;

/// Routes whose handlers stream bodies and keep nothing of them in memory. They bound by themselves how much may come.
pub fn streamed(routes: Router) -> Router {
    routes.layer(from_fn(async |request: Request, next: Next| -> Response {
        if let Some(streams) = request.extensions().get::<Streams>() {
            streams.declare();
        }
        next.run(request).await
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::post;
    use base::limits::REQUEST_BYTES_MAX;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::answer::{Answer, Routes};
    use crate::guard::guarded;
    use crate::limits::Limits;

    #[tokio::test]
    async fn who_streams_takes_any_length_within_the_same_memory_and_others_do_not() {
        let count = async |request: Request| {
            let mut body = request.into_body().into_data_stream();
            let mut bytes = 0;
            while let Some(Ok(piece)) = body.next().await {
                bytes += piece.len();
            }
            bytes.to_string()
        };
        let streams = streamed(Router::new().route("/streams", post(count)));
        let counts = Router::new().route("/counts", post(count));
        let reads = Router::new().route("/reads", post(async |body: Bytes| body.len().to_string()));
        let limits = Limits { small_bytes: 1 << 20, body_bytes: 1 << 20, ..Limits::default() };
        let routes = guarded(Routes::from(streams.merge(counts).merge(reads)), &limits);
        let piece = Bytes::from(vec![7u8; 64 << 10]);
        let pieces = 3 * REQUEST_BYTES_MAX / piece.len();
        let ask = async |path: &str| {
            let body = stream::repeat(piece.clone()).take(pieces).map(Ok::<_, std::io::Error>);
            let request = http::Request::post(path).body(Body::from_stream(body)).unwrap();
            let response = routes.answer(request).await;
            let status = response.status().as_u16();
            let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
            (status, String::from_utf8_lossy(&text).into_owned())
        };
        assert_eq!(ask("/streams").await, (200, (pieces * piece.len()).to_string()));
        assert_eq!(ask("/counts").await.0, 503, "what a request holds is bounded");
        assert!([413, 503].contains(&ask("/reads").await.0));
    }
}
