//! What the house brings for the processes of production.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use async_trait::async_trait;
use base::Status;

/// A user of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// The user's number.
    pub uid: u32,
    /// The group's.
    pub gid: u32,
}

/// What the house brings.
#[async_trait]
pub trait Production: Debug + Send + Sync {
    /// The user that code runs as; `None`: the one who runs the house.
    fn user(&self) -> Option<SystemUser>;

    /// Serves the house on a socket at this path, until what it returns is dropped.
    fn serve(&self, socket: &Path) -> io::Result<Box<dyn Debug + Send + Sync>>;

    /// The key file of a codebase's service account, a new one each time: those of before end.
    async fn key_file(&self, codebase: &str) -> Result<String, Status>;
}
