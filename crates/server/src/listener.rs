//! One listening socket: accepts, tells protocols apart, serves, and stops gracefully.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::delivery::Deliveries;
use crate::pace::Paced;
use crate::tls::Tls;

/// Connections open at once on one listener; more wait in the system's backlog.
const CONNECTIONS_MAX: usize = 4096;
/// A client that has not sent a request's head by then is let go.
const HEAD_SECONDS_MAX: u64 = 15;
/// A TLS handshake's longest time.
const HANDSHAKE_SECONDS_MAX: u64 = 10;
/// Streams of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 256;
/// A request's head, all headers together.
const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// How long a stop waits for what is in flight.
const DRAIN_SECONDS_MAX: u64 = 10;
/// A client that takes nothing of what is being sent to it for so long is let go.
const STALL_SECONDS_MAX: u64 = 60;
/// How often within that time it is looked for answers that nobody takes.
const LOOKS_PER_STALL: u32 = 4;

/// How long clients are waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For a connection's first request, and for each later head over HTTP/1.
    head: Duration,
    /// For some progress of what is being sent.
    stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(HEAD_SECONDS_MAX), stall: Duration::from_secs(STALL_SECONDS_MAX) }
    }
}

/// A bound socket that does not serve yet: its port is known.
pub struct Bound {
    listener: TcpListener,
    /// Where it listens; the real port when 0 was asked for.
    pub address: SocketAddr,
}

/// Binds an address.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

/// A serving socket.
pub struct Listening {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Stops accepting, lets what is in flight finish (for a bounded time), closes.
    pub async fn stop(self) {
        // The receiver lives in the task; when that is gone there is nothing to stop.
        let _ = self.stop.send(true);
        if self.task.await.is_err() {
            tracing::error!("a listener ended early");
        }
    }
}

impl Bound {
    /// Serves these routes until stopped.
    pub fn serve(self, routes: Router, tls: Option<Tls>) -> Listening {
        self.serve_with(routes, tls, Patience::default())
    }

    fn serve_with(self, routes: Router, tls: Option<Tls>, patience: Patience) -> Listening {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(self.listener, routes, tls, stopped, patience));
        Listening { stop, task }
    }
}

async fn accept(
    listener: TcpListener,
    routes: Router,
    tls: Option<Tls>,
    mut stopped: watch::Receiver<bool>,
    patience: Patience,
) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = Arc::new(GracefulShutdown::new());
    let builder = Arc::new(connection_builder(patience));
    loop {
        let permit = tokio::select! {
            _ = stopped.changed() => break,
            permit = Arc::clone(&connections).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let (stream, peer) = tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, say: give the open connections time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (routes, builder, watcher) = (routes.clone(), Arc::clone(&builder), graceful.watcher());
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, peer, routes, &builder, watcher, patience).await,
                Some(tls) => {
                    let acceptor = tokio_rustls::TlsAcceptor::from(tls.config);
                    let handshake = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
                    match tokio::time::timeout(handshake, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => {
                            serve_connection(stream, peer, routes, &builder, watcher, patience).await
                        }
                        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS handshake"),
                        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
                    }
                }
            }
            drop(permit);
        });
    }
    drop(listener);
    let Some(graceful) = Arc::into_inner(graceful) else { return };
    if tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

fn connection_builder(patience: Patience) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BYTES_MAX as usize * 2);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn serve_connection<S>(
    stream: S,
    peer: SocketAddr,
    routes: Router,
    builder: &Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
    patience: Patience,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let deliveries = Deliveries::new();
    let follows = Arc::clone(&deliveries);
    let service = routes
        .map_request(move |mut request: http::Request<hyper::body::Incoming>| {
            asks.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        })
        .map_response(move |answer| answer.map(|body| follows.follow(body)));
    let stream = TokioIo::new(Paced::new(stream, patience.stall));
    let connection = builder.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
    let mut connection = pin!(watcher.watch(connection.into_owned()));
    let mut looks = tokio::time::interval(patience.stall / LOOKS_PER_STALL);
    let head_until = tokio::time::Instant::now() + patience.head;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            // hyper's own limit begins when it knows the protocol; a client that says nothing never gets that far.
            () = tokio::time::sleep_until(head_until), if !asked.load(Ordering::Relaxed) => {
                if !asked.load(Ordering::Relaxed) {
                    tracing::debug!(%peer, "a connection asked for nothing");
                    return;
                }
            }
            _ = looks.tick() => {
                if deliveries.is_any_left(patience.stall) {
                    tracing::debug!(%peer, "a connection did not take what it asked for");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const PATIENCE: Patience =
        Patience { head: Duration::from_millis(300), stall: Duration::from_millis(300) };

    async fn serving(routes: Router) -> (SocketAddr, Listening) {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        (bound.address, bound.serve_with(routes, None, PATIENCE))
    }

    /// Whether the server lets go of this connection soon, whatever it says first.
    async fn is_let_go(stream: &mut TcpStream) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.is_ok()
    }

    #[tokio::test]
    async fn who_sends_no_request_in_time_is_let_go() {
        let (address, listening) = serving(Router::new().route("/", get(async || "ok"))).await;
        for said in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            assert!(is_let_go(&mut stream).await, "{said:?}");
        }
        // A head that trickles is not saved by its trickling.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (mut read, mut write) = stream.split();
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if write.write_all(b"X-Slow: 1\r\n").await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut rest = Vec::new();
        tokio::select! {
            () = trickle => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => panic!("a trickling head goes on"),
            _ = read.read_to_end(&mut rest) => {}
        }
        listening.stop().await;
    }

    #[tokio::test]
    async fn one_that_has_asked_may_wait_longer_than_a_head() {
        let slow = get(async || {
            tokio::time::sleep(PATIENCE.head * 3).await;
            "done"
        });
        let (address, listening) = serving(Router::new().route("/", slow)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        // A stop lets it finish, too.
        tokio::time::sleep(PATIENCE.head / 2).await;
        let (stopped, answer) = tokio::join!(listening.stop(), async {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let () = stopped;
        assert!(answer.ends_with("done"), "{answer}");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn who_takes_nothing_of_a_large_answer_is_let_go() {
        struct Told(tokio::sync::mpsc::Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.try_send(());
            }
        }
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        let endless = get(move || {
            let told = Told(tell.clone());
            async move {
                axum::body::Body::from_stream(futures_util::stream::repeat_with(move || {
                    let _ = &told;
                    Ok::<_, io::Error>(bytes::Bytes::from(vec![0u8; 65_536]))
                }))
            }
        });
        let (address, listening) = serving(Router::new().route("/", endless)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), told.recv()).await.unwrap();
        listening.stop().await;
    }

    #[tokio::test]
    async fn who_gives_an_answer_no_window_is_let_go_and_who_takes_it_slowly_is_not() {
        let large = get(async || vec![7u8; 400_000]);
        let patience = Patience { head: Duration::from_secs(10), stall: Duration::from_secs(1) };
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = bound.address;
        let listening = bound.serve_with(Router::new().route("/", large), None, patience);
        let ask = async |window: u32| {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut builder = h2::client::Builder::new();
            let (client, connection) =
                builder.initial_window_size(window).handshake::<_, bytes::Bytes>(stream).await.unwrap();
            let request = http::Request::get(format!("http://{address}/")).body(()).unwrap();
            let (answer, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
            (tokio::spawn(connection), answer)
        };
        let (connection, answer) = ask(0).await;
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(tokio::time::timeout(Duration::from_secs(5), connection).await.is_ok(), "it is kept");

        let (_connection, answer) = ask(50_000).await;
        let mut body = answer.await.unwrap().into_body();
        let mut taken = 0;
        while let Some(data) = body.data().await {
            taken += data.as_ref().unwrap().len();
            tokio::time::sleep(patience.stall / 16).await;
            body.flow_control().release_capacity(data.unwrap().len()).unwrap();
        }
        assert_eq!(taken, 400_000);
        listening.stop().await;
    }
}
