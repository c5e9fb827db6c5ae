//! Services that take the bodies of requests piece by piece.
//!
//! What a request holds of its body counts until it is answered, and a request has two minutes: sound for messages, not for
//! files. A service that streams says so of its routes, and of its bodies only the piece in hand counts.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
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

/// The same for routes whose answers may take longer than usual, and which see to their end by themselves.
pub fn patient(routes: Router, patience: Duration) -> Router {
    let declare = from_fn_with_state(
        patience,
        async |State(patience): State<Duration>, request: Request, next: Next| -> Response {
            if let Some(streams) = request.extensions().get::<Streams>() {
                streams.declare();
                streams.be_patient(patience);
            }
            next.run(request).await
        },
    );
    routes.layer(declare)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use base::limits::REQUEST_BYTES_MAX;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::answer::{Answer, Routes};
    use crate::guard::guarded;
    use crate::limits::Limits;

    #[tokio::test(start_paused = true)]
    async fn who_is_patient_answers_late_and_others_do_not() {
        let slow = |seconds: u64| {
            get(async move || {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                "late"
            })
        };
        let patient = patient(
            Router::new().route("/patient", slow(500)).route("/never", slow(9_999)),
            Duration::from_secs(600),
        );
        let routes = Router::new().route("/usual", slow(500)).merge(patient);
        let routes = guarded(Routes::from(routes), &Limits::default());
        for (path, status) in [("/patient", 200), ("/usual", 503), ("/never", 503)] {
            let began = tokio::time::Instant::now();
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(routes.answer(request).await.status(), status, "{path} after {:?}", began.elapsed());
        }
    }

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
