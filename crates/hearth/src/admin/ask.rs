//! The command line's side of acts: asks the server that has the folder, or opens the folder itself.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use kv::StoreError;
use serde_json::Value as Json;
use server::SystemUser;

use super::{Act, SOCKET_FILE};
use crate::failure::Failure;
use crate::house::{House, OpenError};
use crate::sealing;

/// The data that an act is about.
#[derive(Debug, Args)]
pub struct Folder {
    /// The data folder, of a server that runs or of one that does not
    #[arg(long)]
    pub data: PathBuf,
    /// The project's id, for a data folder that is new or does not say it
    #[arg(long)]
    pub project: Option<String>,
    /// The file with the key that seals the signing keys, where no server runs (or the environment variable HEARTH_KEY)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// Runs an act where the data is.
pub async fn ask<A: Act>(folder: &Folder, act: A) -> Result<A::Answer, Failure> {
    match ask_running(&folder.data, &act).await? {
        Some(answer) => Ok(answer),
        None => on_folder(folder, act).await,
    }
}

/// Runs an act in the server that has the data; `None` if none has.
pub async fn ask_running<A: Act>(data: &Path, act: &A) -> Result<Option<A::Answer>, String> {
    let socket = data.join(SOCKET_FILE);
    let asked = serde_json::to_vec(act).map_err(|error| error.to_string())?;
    match server::ask_unix(&socket, &format!("/v1/{}", A::NAME), asked).await {
        Ok((status, body)) if status.is_success() => serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| format!("the server's answer to `{}` cannot be read: {error}", A::NAME)),
        Ok((status, body)) => Err(refusal(&body).unwrap_or_else(|| format!("the server answered {status}"))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "`{}` belongs to another user; run this as the user who runs the server",
            socket.display()
        )),
        // A server that belongs to somebody else closes the connection at once.
        Err(error) => Err(format!(
            "the server at `{}` does not answer: {error}; is it run by another user?",
            socket.display()
        )),
    }
}

fn refusal(body: &[u8]) -> Option<String> {
    let body: Json = serde_json::from_slice(body).ok()?;
    body.get("error")?.get("message")?.as_str().map(str::to_owned)
}

/// Runs it in this process. The folder is this process's meanwhile: a server cannot start.
async fn on_folder<A: Act>(folder: &Folder, act: A) -> Result<A::Answer, Failure> {
    let seal = sealing::seal(folder.key_file.as_deref())?;
    let opened = House::open_as_made(&folder.data, folder.project.clone(), seal, A::MAY_BE_NEW).await;
    let house = opened.map_err(|error| match error {
        OpenError::Store(StoreError::Locked { path }) => Failure::from(format!(
            "`{}` is in use by another Hearth that takes no commands yet; try again when it has started",
            path.display()
        )),
        other => other.into(),
    })?;
    if A::NEEDS_RULES {
        house.restore().await.map_err(|status| status.message)?;
    }
    let answer = act.run(house.site(&SystemUser::current())).await;
    house.close().await.map_err(|status| status.message)?;
    answer.map_err(|status| status.message.into())
}
