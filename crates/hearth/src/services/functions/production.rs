//! What the processes of production's functions have: a user of their own, the house's private socket, a service account.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;

use access::{Caller, Gate};
use async_trait::async_trait;
use base::{Code, Status};
use functions::model::{Production, SystemUser};
use identity::{GOOGLE_TOKEN_URI, create_service_account, rotate_service_account};
use nix::unistd::{Uid, User};
use tokio::sync::Mutex;

use crate::services::Private;

/// Users that code runs as where Hearth runs as root: the first that there is.
const USERS: [&str; 2] = ["hearth-functions", "nobody"];

/// Production, as this house brings it.
pub struct Served {
    gate: Gate,
    project: String,
    private: Private,
    user: Option<SystemUser>,
    /// The key files that were made since the start, by codebase.
    keys: Mutex<HashMap<String, String>>,
}

impl Served {
    pub fn new(gate: Gate, project: &str, private: Private) -> Self {
        let user = user().map(|user| SystemUser { uid: user.uid.as_raw(), gid: user.gid.as_raw() });
        Self { gate, project: project.to_owned(), private, user, keys: Mutex::default() }
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Served")
    }
}

/// The user that code runs as; `None`: the one who runs this.
fn user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    USERS.iter().find_map(|name| User::from_name(name).ok().flatten()).filter(|user| !user.uid.is_root())
}

/// What is to be said of it.
pub fn note() -> Option<String> {
    let apart = "start Hearth as root, and they run as `hearth-functions`, or `nobody`";
    match (Uid::effective().is_root(), user()) {
        (_, Some(user)) if user.name == "nobody" => Some(
            "functions run as `nobody`, as other services of this machine may: `useradd --system hearth-functions` gives them a user \
             of their own"
                .to_owned(),
        ),
        (_, Some(_)) => None,
        (true, None) => Some("functions run as root: there is neither a user `hearth-functions` nor `nobody`".to_owned()),
        (false, None) => {
            Some(format!("functions run as the user who runs Hearth and can read its data folder, keys included: {apart}"))
        }
    }
}

#[async_trait]
impl Production for Served {
    fn user(&self) -> Option<SystemUser> {
        self.user
    }

    fn serve(&self, socket: &Path) -> io::Result<Box<dyn fmt::Debug + Send + Sync>> {
        let user = self.user.map(|SystemUser { uid, gid }| (uid, gid));
        Ok(Box::new((self.private)(socket, user)?))
    }

    async fn key_file(&self, codebase: &str) -> Result<String, Status> {
        let mut keys = self.keys.lock().await;
        if let Some(known) = keys.get(codebase) {
            return Ok(known.clone());
        }
        let (gate, project, caller) = (&self.gate, &self.project, Caller::admin("functions"));
        let name = account_name(codebase);
        // The processes of before have gone, and their keys with them.
        let rotated = rotate_service_account(gate, &caller, project, &name, 0, GOOGLE_TOKEN_URI).await;
        let file = match rotated {
            Err(status) if matches!(status.code, Code::NotFound | Code::FailedPrecondition) => {
                create_service_account(gate, &caller, project, &name, GOOGLE_TOKEN_URI).await?
            }
            other => other?,
        };
        keys.insert(codebase.to_owned(), file.to_string());
        Ok(file.to_string())
    }
}

/// `fn-` and what of a codebase's name an account may have.
fn account_name(codebase: &str) -> String {
    let is_good = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
    let name: String = codebase.to_lowercase().chars().filter(is_good).take(20).collect();
    format!("fn-{name}")
}
