//! What a codebase exports, as its own `firebase-functions` package lists it.
//!
//! Source: the functions reference, A3.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::StartError;
use super::packages::Packages;
use super::process::Process;
use crate::model::{Codebase, Manifest, SystemUser};

/// How long a codebase may take to load.
const LOAD_SECONDS_MAX: u64 = 30;
/// How often the package is asked meanwhile.
const ASK_MILLIS: u64 = 20;
/// Bytes of a manifest.
const MANIFEST_BYTES_MAX: usize = 4 << 20;

/// Starts the package's program, asks it and ends it.
pub async fn discover(
    codebase: &Codebase,
    packages: &Packages,
    variables: &BTreeMap<String, String>,
    user: Option<SystemUser>,
) -> Result<Manifest, StartError> {
    let port = free_port().await?;
    let mut variables = variables.clone();
    variables.insert("FUNCTIONS_CONTROL_API".to_owned(), "true".to_owned());
    variables.insert("PORT".to_owned(), port.to_string());
    let process = Process::start(&codebase.name, &codebase.source, &[&packages.lister], &variables, user)?;
    let until = Instant::now() + Duration::from_secs(LOAD_SECONDS_MAX);
    let asked = async {
        loop {
            match ask(port).await {
                Ok(answer) => return Ok(answer),
                // It does not listen yet.
                Err(_) => sleep(Duration::from_millis(ASK_MILLIS)).await,
            }
        }
    };
    let answer = tokio::select! {
        answer = timeout_at(until, asked) => answer.unwrap_or_else(|_| {
            Err(StartError::Code(format!("it was not loaded within {LOAD_SECONDS_MAX} s")))
        })?,
        how = process.exited() => {
            return Err(StartError::Code(format!("the package's program {how}: {}", process.last_words())));
        }
    };
    match answer {
        (StatusCode::OK, text) => Ok(Manifest::read(&text)?),
        (_, text) => {
            let text = String::from_utf8_lossy(&text);
            let text =
                text.strip_prefix("Failed to generate manifest from function source: ").unwrap_or(&text);
            Err(StartError::Code(text.trim().to_owned()))
        }
    }
}

async fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port())
}

async fn ask(port: u16) -> std::io::Result<(StatusCode, Bytes)> {
    let other = std::io::Error::other::<Box<dyn std::error::Error + Send + Sync>>;
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| other(error.into()))?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/__/functions.yaml").header("host", "127.0.0.1").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| other(error.into()))?;
    let (head, body) = sender.send_request(request).await.map_err(|error| other(error.into()))?.into_parts();
    let body = Limited::new(body, MANIFEST_BYTES_MAX).collect().await.map_err(other)?;
    connection.abort();
    Ok((head.status, body.to_bytes()))
}
