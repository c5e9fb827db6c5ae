//! Puts the rooms together: store, gate, services and the routes between them. The one place that knows them all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{AccessLog, Authenticate, Deploy, Gate, Mode};
use axum::Router;
use base::{Clock, Status, SystemClock};
use firestore::Firestore;
use identity::Identity;
use kv::{Mem, Options, Sqlite, Store, StoreError};

/// A running house, before it has sockets.
pub struct House {
    /// The way to the data.
    pub gate: Gate,
    /// The identity service.
    pub identity: Arc<Identity>,
    /// Rules that are deployed over the Rules API.
    pub deploy: Arc<Deploy>,
    firestore: Arc<Firestore>,
    project: String,
}

/// Why the house cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data folder `{path}` cannot be made: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the access log in `{path}` cannot be opened: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Service(Status),
}

impl House {
    /// Opens the data (`None`: in memory) and starts the services on it.
    pub async fn open(mode: Mode, project: &str, data: Option<&Path>) -> Result<Self, OpenError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = Options { clock: Arc::clone(&clock), ..Options::default() };
        let gate = match data {
            None => {
                Gate::new(Store::open(Mem::default(), options).await?, AccessLog::discarding(), clock, mode)
            }
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
                let store = Store::open(Sqlite::open(folder)?, options).await?;
                let log = AccessLog::open(folder)
                    .map_err(|source| OpenError::Log { path: folder.to_owned(), source })?;
                let gate = Gate::new(store, log, clock, mode);
                gate.complete_log(folder).await.map_err(OpenError::Service)?;
                gate
            }
        };
        let identity = Identity::new(gate.clone(), identity::Settings::new(project))
            .await
            .map_err(|failure| OpenError::Service(Status::unavailable(failure.to_string())))?;
        let firestore = Firestore::new(gate.clone(), project);
        let deploy = Deploy::new(gate.clone(), project);
        Ok(Self { gate, identity, deploy, firestore: Arc::new(firestore), project: project.to_owned() })
    }

    /// The routes of the identity service.
    pub fn identity_routes(&self) -> Router {
        let routes = identity::api::router(Arc::clone(&self.identity));
        match self.gate.mode() {
            // On its own port the emulator's readiness probe asks for `/`.
            Mode::Dev(_) => routes.merge(identity::api::welcome()),
            Mode::Serve => routes,
        }
    }

    /// The routes of Firestore, gRPC and REST, and of its rules' deployment, with the caller found.
    pub fn firestore_routes(&self) -> Router {
        let authenticate: Arc<dyn Authenticate> = Arc::new(self.identity.authenticator());
        let routes = firestore::api::router(Arc::clone(&self.firestore)).merge(self.deploy.routes());
        server::with_caller(routes, authenticate, &self.project)
    }

    /// Flushes and closes.
    pub async fn close(self) -> Result<(), Status> {
        self.gate.close().await
    }
}
