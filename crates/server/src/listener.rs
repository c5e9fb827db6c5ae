//! One listening socket: accepts, tells protocols apart, serves, and stops gracefully.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::connections::{Connections, Full, Places, Seat};
use crate::delivery::Deliveries;
use crate::limits::Limits;
use crate::pace::Paced;
use crate::tls::Tls;

/// A connection on which nothing is in flight for so long ends.
const IDLE_SECONDS_MAX: u64 = 300;
/// What is in flight by then on a connection whose place another needs is cut off.
const LEAVE_MS_MAX: u64 = 250;
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
    /// For the next request.
    idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            head: seconds(HEAD_SECONDS_MAX),
            stall: seconds(STALL_SECONDS_MAX),
            idle: seconds(IDLE_SECONDS_MAX),
        }
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
    pub fn serve(self, routes: impl Answer, tls: Option<Tls>, limits: &Limits) -> Listening {
        let places = Places { all: limits.connections, of_address: limits.connections_per_address };
        self.serve_with(routes, tls, Patience::default(), places)
    }

    fn serve_with(
        self,
        routes: impl Answer,
        tls: Option<Tls>,
        patience: Patience,
        places: Places,
    ) -> Listening {
        let (stop, stopped) = watch::channel(false);
        let way = Way { routes: Arc::new(routes), tls, builder: connection_builder(patience), patience };
        let task = tokio::spawn(accept(self.listener, way, stopped, places));
        Listening { stop, task }
    }
}

/// What every connection is served with.
struct Way<A> {
    routes: Arc<A>,
    tls: Option<Tls>,
    builder: Builder<TokioExecutor>,
    patience: Patience,
}

async fn accept<A: Answer>(
    listener: TcpListener,
    way: Way<A>,
    mut stopped: watch::Receiver<bool>,
    places: Places,
) {
    let connections = Connections::new(places);
    let way = Arc::new(way);
    // Every connection holds a receiver: it hears of the stop, and is waited for until it has let go.
    let drain = watch::Sender::new(false);
    loop {
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
        let seat = tokio::select! {
            _ = stopped.changed() => break,
            seat = place(&connections, peer.ip()) => seat,
        };
        let Some(seat) = seat else {
            tracing::debug!(%peer, "one address has too many connections that are busy");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        tokio::spawn(shake_hands_and_serve(stream, peer, Arc::clone(&way), seat, drain.subscribe()));
    }
    drop(listener);
    drain.send_replace(true);
    if tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), drain.closed()).await.is_err() {
        tracing::warn!("some requests were still running when the time to stop was over");
    }
}

/// A place for a connection, as soon as there is one; `None` when its address keeps its share busy.
async fn place(connections: &Arc<Connections>, address: IpAddr) -> Option<Seat> {
    loop {
        match connections.seat(address) {
            Ok(seat) => return Some(seat),
            Err(Full::Address) => return None,
            Err(Full::All) => connections.freed().await,
        }
    }
}

async fn shake_hands_and_serve<A: Answer>(
    stream: TcpStream,
    peer: SocketAddr,
    way: Arc<Way<A>>,
    seat: Seat,
    stopped: watch::Receiver<bool>,
) {
    let Some(tls) = &way.tls else { return serve_connection(stream, peer, &way, seat, stopped).await };
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&tls.config));
    let handshake = Duration::from_secs(HANDSHAKE_SECONDS_MAX);
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(handshake, acceptor.accept(stream)) => shaken,
        () = seat.is_needed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => serve_connection(stream, peer, &way, seat, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS handshake"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
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

async fn serve_connection<S, A: Answer>(
    stream: S,
    peer: SocketAddr,
    way: &Way<A>,
    seat: Seat,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = way.patience;
    let (seat, asked, deliveries) = (Arc::new(seat), Arc::new(AtomicBool::new(false)), Deliveries::new());
    let service = service(Arc::clone(&way.routes), peer, &seat, &asked, &deliveries);
    let stream = TokioIo::new(Paced::new(stream, patience.stall));
    let connection = way.builder.serve_connection_with_upgrades(stream, service);
    let mut connection = pin!(connection.into_owned());
    let mut looks = tokio::time::interval(patience.stall.min(patience.idle) / LOOKS_PER_STALL);
    let head_until = tokio::time::Instant::now() + patience.head;
    let mut leave_until = None;
    let mut is_ending = false;
    let ended = loop {
        let leaving = async {
            match leave_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = &mut connection => break ended,
            _ = stopped.wait_for(|stop| *stop), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = seat.is_needed() => {
                leave_until = Some(tokio::time::Instant::now() + Duration::from_millis(LEAVE_MS_MAX));
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = leaving => return,
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
                if seat.is_idle_for(patience.idle) {
                    // One that was asked to end and does not is let go at the next look.
                    if is_ending {
                        return;
                    }
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended with an error");
    }
}

/// The routes as one connection's service: it marks requests with their peer, and follows them to their answers' ends.
fn service<A: Answer>(
    routes: Arc<A>,
    peer: SocketAddr,
    seat: &Arc<Seat>,
    asked: &Arc<AtomicBool>,
    deliveries: &Arc<Deliveries>,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = http::Response<Body>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Send
+ 'static {
    let (seat, asked, deliveries) = (Arc::downgrade(seat), Arc::clone(asked), Arc::clone(deliveries));
    hyper::service::service_fn(move |mut request: http::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let in_flight = seat.upgrade().map(|seat| seat.request());
        request.extensions_mut().insert(ConnectInfo(peer));
        let (routes, deliveries) = (Arc::clone(&routes), Arc::clone(&deliveries));
        async move {
            let answer = routes.answer(request.map(Body::new)).await;
            Ok(answer.map(|body| deliveries.follow(body, in_flight)))
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::answer::Routes;

    const PATIENCE: Patience = Patience {
        head: Duration::from_millis(300),
        stall: Duration::from_millis(300),
        idle: Duration::from_secs(60),
    };

    const PLACES: Places = Places { all: 100, of_address: 100 };

    async fn serving(routes: Router) -> (SocketAddr, Listening) {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        (bound.address, bound.serve_with(Routes::from(routes), None, PATIENCE, PLACES))
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
        let patience = Patience { head: Duration::from_secs(10), stall: Duration::from_secs(1), ..PATIENCE };
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = bound.address;
        let listening =
            bound.serve_with(Routes::from(Router::new().route("/", large)), None, patience, PLACES);
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

    /// Asks over HTTP/2 and keeps the connection; its end is seen by the task.
    async fn kept(address: SocketAddr) -> JoinHandle<Result<(), h2::Error>> {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = http::Request::get(format!("http://{address}/")).body(()).unwrap();
        let mut client = client.ready().await.unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
        // The handle to make requests with is kept, too: without one the client would end by itself.
        tokio::spawn(async move {
            let ended = connection.await.unwrap();
            drop(client);
            ended
        })
    }

    #[tokio::test]
    async fn an_idle_connection_leaves_for_another_or_in_time() {
        let routes = Router::new().route("/", get(async || "ok"));
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = bound.address;
        let patience = Patience { idle: Duration::from_secs(2), ..PATIENCE };
        let listening =
            bound.serve_with(Routes::from(routes), None, patience, Places { all: 3, of_address: 2 });
        let ended = |connection| tokio::time::timeout(Duration::from_secs(1), connection);
        let mut connections = Vec::new();
        for _ in 0..6 {
            connections.push(kept(address).await);
        }
        for connection in connections.drain(..4) {
            ended(connection).await.expect("it has left").unwrap().ok();
        }
        assert!(connections.iter().all(|connection| !connection.is_finished()), "nobody needs more");
        tokio::time::sleep(patience.idle).await;
        for connection in connections {
            ended(connection).await.expect("it was idle for too long").unwrap().ok();
        }
        listening.stop().await;
    }
}
