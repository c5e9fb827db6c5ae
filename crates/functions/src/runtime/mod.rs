//! The processes that run a project's code: found, started, watched, replaced.

mod apart;
mod discovery;
mod output;
mod packages;
mod process;
mod sources;
mod supervisor;
mod variables;
mod worker;

pub use packages::{Packages, PackagesError};
pub use supervisor::{Live, State, Supervisor};
pub use worker::{Connection, Worker};

/// Why a codebase cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Node.js or a package is missing.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// Its variables cannot be read.
    #[error(transparent)]
    Env(#[from] crate::model::EnvError),
    /// A parameter has no value.
    #[error(transparent)]
    Param(#[from] crate::model::ParamError),
    /// Its manifest is of no use.
    #[error(transparent)]
    Manifest(#[from] crate::model::ManifestError),
    /// The code does not load.
    #[error("the code does not load: {0}")]
    Code(String),
    /// A process cannot be started or spoken to.
    #[error("Node.js cannot be run: {0}")]
    Io(#[from] std::io::Error),
}
