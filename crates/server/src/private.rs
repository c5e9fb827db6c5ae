//! A unix socket for processes that this house runs itself, such as those of functions: the same routes as the public port, over
//! HTTP/1 and HTTP/2, reachable for one user of this machine.
//!
//! Invariants: a connection whose other end is neither that user's nor this process's user is closed before a byte of it is read;
//! the socket lies in a folder that only these can enter. Who asks is found as everywhere: the socket itself makes nobody an
//! administrator.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use nix::unistd::Uid;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::Answer;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 256;
/// Requests of one connection at once.
const STREAMS_MAX: u32 = 256;
/// For a request's head.
const HEAD_SECONDS_MAX: u64 = 15;

/// A serving socket. Dropped, it stops, and what is in flight is cut off.
#[derive(Debug)]
pub struct PrivateListening {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for PrivateListening {
    fn drop(&mut self) {
        self.task.abort();
        // The folder around it may have gone before.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves routes on a unix socket at this path, for a user of this machine (`None`: the one who runs this process).
pub fn listen_private<A: Answer>(
    path: &Path,
    user: Option<(u32, u32)>,
    routes: &Arc<A>,
) -> io::Result<PrivateListening> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
    }
    let task = tokio::spawn(accept(listener, user.map(|(uid, _)| uid), Arc::clone(routes)));
    Ok(PrivateListening { path: path.to_owned(), task })
}

async fn accept<A: Answer>(listener: UnixListener, user: Option<u32>, routes: Arc<A>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    let own = Uid::effective().as_raw();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to a private socket could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let peer = stream.peer_cred().map(|peer| peer.uid());
        if !peer.as_ref().is_ok_and(|uid| *uid == own || Some(*uid) == user) {
            tracing::warn!(?peer, "a process of another user was refused at a private socket");
            continue;
        }
        let routes = Arc::clone(&routes);
        connections.spawn(async move {
            serve(stream, routes).await;
            drop(place);
        });
    }
}

async fn serve<A: Answer>(stream: UnixStream, routes: Arc<A>) {
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, std::convert::Infallible>(routes.answer(request.map(Body::new)).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX));
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
    if let Err(error) = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to a private socket ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;

    use super::*;
    use crate::answer::Routes;
    use crate::unix::ask_unix;

    #[tokio::test]
    async fn it_serves_its_user_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let routes = Arc::new(Routes::from(Router::new().route("/", post(async || "ok"))));
        let listening = listen_private(&path, None, &routes).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (status, body) = ask_unix(&path, "/", Vec::new()).await.unwrap();
        assert_eq!((status.as_u16(), &*body), (200, &b"ok"[..]));
        drop(listening);
        assert!(!path.exists());
    }
}
