//! A unix socket for programs of the user who runs this process: the command line acts on a running server through it.
//!
//! Invariants: a connection whose other end is not a process of the same user is closed before a byte of it is read; the
//! socket's file is for its owner alone. HTTP/1 with small bodies; an answer may take as long as it takes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Uid, User};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 16;
/// A request's body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// For a request's head.
const HEAD_SECONDS_MAX: u64 = 5;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// The number.
    pub uid: u32,
    /// The name; the number where it has none.
    pub name: String,
}

impl SystemUser {
    /// The one that this process runs as.
    pub fn current() -> Self {
        Self::of(Uid::effective())
    }

    fn of(uid: Uid) -> Self {
        let known = User::from_uid(uid).ok().flatten();
        Self { uid: uid.as_raw(), name: known.map_or_else(|| uid.to_string(), |user| user.name) }
    }
}

/// A serving socket. Its file is removed when it stops.
pub struct UnixListening {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl UnixListening {
    /// Lets go of the socket; what is in flight is cut off.
    pub async fn stop(self) {
        self.task.abort();
        // Aborted, or ended by a panic: either way nobody listens any more.
        let _ = self.task.await;
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket's file cannot be removed");
        }
    }
}

/// Serves routes on a unix socket at this path. A socket that another process left there is replaced: whoever calls this
/// has the folder for itself. Requests carry the [`SystemUser`] in their extensions.
pub fn listen_unix(path: &Path, routes: Router) -> io::Result<UnixListening> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let routes = routes.layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    Ok(UnixListening { path: path.to_owned(), task: tokio::spawn(accept(listener, routes)) })
}

async fn accept(listener: UnixListener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    let owner = Uid::effective();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to the unix socket could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == owner.as_raw() => {}
            Ok(peer) => {
                tracing::warn!(uid = peer.uid(), "a process of another user was refused at the unix socket");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "the user at the other end of the unix socket cannot be found out");
                continue;
            }
        }
        let (routes, user) = (routes.clone(), SystemUser::of(owner));
        connections.spawn(async move {
            serve(stream, routes, user).await;
            drop(place);
        });
    }
}

async fn serve(stream: UnixStream, routes: Router, user: SystemUser) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(user.clone());
        routes.clone().oneshot(request.map(Body::new))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the unix socket ended with an error");
    }
}

/// Sends one JSON request to a unix socket. Returns the answer's status and body, however long it takes.
///
/// Errors: of kind `NotFound` or `ConnectionRefused` when nobody listens there.
pub async fn ask_unix(socket: &Path, path: &str, body: Vec<u8>) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok((head.status, body))
}

#[cfg(test)]
mod tests {
    use axum::Extension;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_owner_is_answered_and_named_and_the_socket_is_theirs_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        assert_eq!(ask_unix(&path, "/", Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        let echo = post(async |Extension(user): Extension<SystemUser>, body: Bytes| {
            format!("{} {}", user.uid, body.len())
        });
        // What another process left behind is in nobody's way.
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(
            ask_unix(&path, "/", Vec::new()).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        let listening = listen_unix(&path, Router::new().route("/", echo)).unwrap();
        let (status, body) = ask_unix(&path, "/", vec![b' '; 7]).await.unwrap();
        assert_eq!((status.as_u16(), body), (200, format!("{} 7", Uid::effective()).into()));
        let (status, _) = ask_unix(&path, "/", vec![b' '; BODY_BYTES_MAX + 1]).await.unwrap();
        assert_eq!(status, 413);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SystemUser::current().uid, Uid::effective().as_raw());
        listening.stop().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn connections_that_say_nothing_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let listening = listen_unix(&path, Router::new().route("/", post(async || "ok"))).unwrap();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(UnixStream::connect(&path).await.unwrap());
        }
        silent[0].write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
        let asked =
            tokio::time::timeout(Duration::from_secs(HEAD_SECONDS_MAX + 5), ask_unix(&path, "/", Vec::new()));
        assert_eq!(asked.await.expect("in time").unwrap().0, 200);
        let mut rest = Vec::new();
        silent[0].read_to_end(&mut rest).await.unwrap();
        listening.stop().await;
    }
}
