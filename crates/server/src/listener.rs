//! One listening socket: accepts, tells protocols apart, serves, and stops gracefully.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(self.listener, routes, tls, stopped));
        Listening { stop, task }
    }
}

async fn accept(listener: TcpListener, routes: Router, tls: Option<Tls>, mut stopped: watch::Receiver<bool>) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = Arc::new(GracefulShutdown::new());
    let builder = Arc::new(connection_builder());
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { break };
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
                None => serve_connection(stream, peer, routes, &builder, watcher).await,
                Some(tls) => {
                    let acceptor = tokio_rustls::TlsAcceptor::from(tls.config);
                    let handshake = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
                    match tokio::time::timeout(handshake, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => serve_connection(stream, peer, routes, &builder, watcher).await,
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

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
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
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = routes.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(axum::body::Body::new)
    });
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%error, %peer, "a connection ended with an error");
    }
}
