//! The process that runs a codebase's functions, and the way to it: a unix socket in a folder that only this user can enter.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use access::Invocation;
use axum::body::Body;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::StartError;
use super::process::Process;
use crate::model::Codebase;

/// What runs inside of it.
const RUNNER: &str = include_str!("../../glue/runner.js");
/// What leads its requests to Hearth.
const HOUSE: &str = include_str!("../../glue/house.js");
/// How long it may take until it answers.
const READY_SECONDS_MAX: u64 = 30;
/// How often it is asked meanwhile.
const ASK_MILLIS: u64 = 10;
/// Bytes of its answer about itself.
const HEALTH_BYTES_MAX: usize = 64 << 10;
/// An answer about itself that takes longer is none: its code holds the only thread.
const HEALTH_SECONDS_MAX: u64 = 2;

/// A running worker. Dropped, it ends.
#[derive(Debug)]
pub struct Worker {
    process: Process,
    socket: PathBuf,
    /// What it says of itself.
    pub health: Health,
    _folder: TempDir,
}

/// What a worker says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Health {
    /// The version of `firebase-functions`.
    pub version: String,
    /// Places that hand `(data, context)` to a package that calls with one request.
    #[serde(default)]
    pub outdated: Vec<String>,
}

/// An answer on its way; dropped, it lets go of the worker, whose request is closed then.
#[derive(Debug)]
pub struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    /// Starts one and waits until its code is loaded.
    pub async fn start(
        codebase: &Codebase,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, StartError> {
        let folder = tempfile::Builder::new().prefix("hearth-fn-").tempdir()?;
        let (runner, socket) = (folder.path().join("runner.js"), folder.path().join("s.sock"));
        std::fs::write(&runner, RUNNER)?;
        std::fs::write(folder.path().join("house.js"), HOUSE)?;
        let mut variables = variables.clone();
        variables.insert("HEARTH_SOCKET".to_owned(), socket.display().to_string());
        let process = Process::start(&codebase.name, &codebase.source, &[&runner], &variables)?;
        let mut worker = Self { process, socket, health: Health::default(), _folder: folder };
        let until = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        let ready = async {
            loop {
                if let Some(health) = worker.ask_health().await {
                    return health;
                }
                sleep(Duration::from_millis(ASK_MILLIS)).await;
            }
        };
        let health = tokio::select! {
            health = timeout_at(until, ready) => health.map_err(|_| {
                StartError::Code(format!("the worker did not answer within {READY_SECONDS_MAX} s"))
            })?,
            how = worker.process.exited() => {
                return Err(StartError::Code(format!("the worker {how}: {}", worker.process.last_words())));
            }
        };
        worker.health = health;
        Ok(worker)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.process.has_exited()
    }

    /// Waits for its end. Returns how it ended.
    pub async fn exited(&self) -> String {
        self.process.exited().await
    }

    /// Ends it, whatever calls it has.
    pub fn end(&self) {
        self.process.end();
    }

    /// Whether it answers at all.
    pub async fn is_responsive(&self) -> bool {
        self.ask_health().await.is_some()
    }

    async fn ask_health(&self) -> Option<Health> {
        let asked = async {
            let request = Request::get("/__/health").header("host", "localhost").body(Body::empty()).ok()?;
            let (response, _connection) = self.exchange(request).await.ok()?;
            let body = Limited::new(response.into_body(), HEALTH_BYTES_MAX).collect().await.ok()?;
            serde_json::from_slice(&body.to_bytes()).ok()
        };
        timeout(Duration::from_secs(HEALTH_SECONDS_MAX), asked).await.ok().flatten()
    }

    /// Sends a request, with the credential of what its code asks for. Returns the answer's head; the rest comes as long as the
    /// connection is kept.
    pub async fn send(
        &self,
        mut request: Request<Body>,
        invocation: &Invocation,
    ) -> io::Result<(Response<Incoming>, Connection)> {
        let mut credential = HeaderValue::from_str(invocation.credential()).map_err(io::Error::other)?;
        credential.set_sensitive(true);
        request.headers_mut().insert("x-hearth-invocation", credential);
        self.exchange(request).await
    }

    async fn exchange(&self, request: Request<Body>) -> io::Result<(Response<Incoming>, Connection)> {
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let connection = Connection(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a worker ended with an error");
            }
        }));
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        Ok((response, connection))
    }
}
