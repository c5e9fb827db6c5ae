//! A request that is refused before its body has come is answered so that its client sees the answer, and nothing else on its
//! connection suffers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Authenticate, Caller, Credential};
use axum::Router;
use axum::routing::{get, post};
use base::{Code, Status};
use bytes::Bytes;
use server::{Limits, Listening, Routes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Nobody;

#[async_trait::async_trait]
impl Authenticate for Nobody {
    async fn caller(&self, _: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        match credential {
            Credential::None => Ok(Caller::unauthenticated()),
            Credential::Bearer(_) => Err(Status::new(Code::Unauthenticated, "forged")),
        }
    }
}

async fn serving() -> (SocketAddr, Listening) {
    let routes = Router::new()
        .route("/", get(async || "ok"))
        .route("/read", post(async |body: Bytes| body.len().to_string()));
    let routes =
        server::guarded(Routes::from(server::with_caller(routes, Arc::new(Nobody), "p")), &Limits::default());
    let bound = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    (bound.address, bound.serve(routes, None, &Limits::default()))
}

const BODY_BYTES: usize = 16 << 20;

/// Sends a head and then all of the body before it reads: what most clients do.
async fn written_whole(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /read HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 64 << 10];
    for _ in 0..BODY_BYTES / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    // The connection is as good as new.
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    answers
}

#[tokio::test]
async fn a_refusal_over_http_1_is_read_by_who_writes_first() {
    let (address, listening) = serving().await;
    let answers = written_whole(address).await;
    assert!(answers.starts_with("HTTP/1.1 401"), "{answers}");
    let (head, _) = answers.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("content-length"), "it would be over too early: {head}");
    assert!(answers.contains("forged") && answers.ends_with("ok"), "{answers}");
    listening.stop().await;
}

#[tokio::test]
async fn a_body_that_never_comes_holds_its_connection_for_a_bounded_time() {
    let (address, listening) = serving().await;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /read HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 1000\r\n\r\nsome";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer is there at once, the end of the connection later.
    let mut some = [0; 12];
    tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut some)).await.unwrap().unwrap();
    assert_eq!(&some, b"HTTP/1.1 401");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    listening.stop().await;
}

#[tokio::test]
async fn who_waits_to_be_asked_for_the_body_is_not() {
    let (address, listening) = serving().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /read HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nExpect: 100-continue\r\n\
                Content-Length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await;
    ended.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    listening.stop().await;
}

#[tokio::test]
async fn a_refusal_over_grpc_ends_its_stream_and_no_other() {
    let (address, listening) = serving().await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("http://{address}/read"))
        .header("content-type", "application/grpc")
        .header("authorization", "Bearer x")
        .body(())
        .unwrap();
    let mut client = client.ready().await.unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    // More than any window: it is never all taken.
    body.send_data(Bytes::from(vec![0; BODY_BYTES]), false).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.unwrap().unwrap();
    assert_eq!(answer.headers()["grpc-status"], "16");
    let reset = std::future::poll_fn(|cx| body.poll_reset(cx));
    let reason = tokio::time::timeout(Duration::from_secs(5), reset).await.unwrap().unwrap();
    assert_eq!(reason, h2::Reason::NO_ERROR);
    let request = http::Request::get(format!("http://{address}/")).body(()).unwrap();
    let mut client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    listening.stop().await;
}
