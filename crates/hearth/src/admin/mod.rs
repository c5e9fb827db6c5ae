//! What administrators do with verbs of the command line while a server runs: acts.
//!
//! An [`Act`] is a type: its fields are what it asks for, [`Act::run`] does it on the server's side, in sessions of the gate
//! with [`Site::caller`] as the administrator. A new one is a type and a line in the table (`acts.rs`). [`ask()`] runs one: in the server that
//! has the data folder, over `DATA/admin.sock`, or where none has it, in this process on the folder itself.

mod ask;
mod listen;

use std::pin::Pin;
use std::sync::Arc;

use access::{Caller, Gate};
use attest::AppCheck;
use base::Status;
use firestore::Firestore;
use identity::Identity;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use server::SystemUser;
use storage::files::Files;

pub use ask::{Folder, ask, ask_running};
pub use listen::listen;

/// The socket's name in the data folder.
const SOCKET_FILE: &str = "admin.sock";

/// One thing that an administrator does.
pub trait Act: Serialize + DeserializeOwned + Send + 'static {
    /// Its name on the socket, such as `keys/list`.
    const NAME: &'static str;
    /// Whether it may begin a data folder that is not there yet.
    const MAY_BE_NEW: bool = false;
    /// Whether it looks at the rules that are in force.
    const NEEDS_RULES: bool = false;
    /// What comes of it.
    type Answer: Serialize + DeserializeOwned + Send;

    /// Does it. Runs to its end, also when the command line that asked has gone.
    fn run(self, site: Site) -> impl Future<Output = Result<Self::Answer, Status>> + Send;
}

/// Where an act is done, and on whose behalf.
#[derive(Clone)]
pub struct Site {
    /// The way to the data.
    pub gate: Gate,
    /// The project's id.
    pub project: String,
    /// The identity service.
    pub identity: Arc<Identity>,
    /// App Check.
    pub app_check: Arc<AppCheck>,
    /// The documents service.
    pub firestore: Arc<Firestore>,
    /// The bytes of objects.
    pub files: Arc<dyn Files>,
    /// Who runs the command line: an administrator, `system:NAME` in the access log.
    pub caller: Caller,
}

/// The administrator that a user of this machine is.
pub fn system_caller(user: &SystemUser) -> Caller {
    Caller::admin(format!("system:{}", user.name))
}

type Running = Pin<Box<dyn Future<Output = Result<Json, Status>> + Send>>;

/// A line of the table of acts.
pub struct Entry {
    /// [`Act::NAME`].
    pub name: &'static str,
    run: fn(Site, Json) -> Running,
}

impl Entry {
    /// The line of an act.
    pub const fn of<A: Act>() -> Self {
        Self { name: A::NAME, run: |site, asked| Box::pin(run::<A>(site, asked)) }
    }
}

async fn run<A: Act>(site: Site, asked: Json) -> Result<Json, Status> {
    let act: A = serde_json::from_value(asked)
        .map_err(|error| Status::invalid(format!("`{}` cannot be read: {error}", A::NAME)))?;
    let answer = act.run(site).await?;
    serde_json::to_value(answer).map_err(|error| Status::unavailable(error.to_string()))
}
