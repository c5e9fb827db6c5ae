//! Puts the rooms together: store, gate, services and the routes between them. The one place that opens them all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{AccessLog, Authenticate, Gate, Mode};
use axum::Router;
use base::{Clock, Status, SystemClock};
use deploy::Restored;
use identity::{Identity, Settings};
use kv::{Mem, Options, Sqlite, Store, StoreError};
use server::{Local, SystemUser};
use tokio::task::JoinHandle;

use crate::admin::{self, Site};
use crate::services::{Addresses, Callers, Ground, Part, Row, Service, TABLE};

/// A running house, before it has sockets.
pub struct House {
    /// The way to the data.
    pub gate: Gate,
    ground: Ground,
    services: Vec<(&'static Row, Box<dyn Service>)>,
    work: Vec<JoinHandle<()>>,
}

/// Why the house cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the access log in `{path}` cannot be opened: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Service(Status),
}

impl House {
    /// Opens the data (`None`: in memory) and the services on it: identity first, which the others may ask who calls.
    pub async fn open(mode: Mode, settings: Settings, data: Option<&Path>) -> Result<Self, OpenError> {
        let gate = open_gate(mode, data).await?;
        let project = settings.project.clone();
        let identity = Identity::new(gate.clone(), settings)
            .await
            .map_err(|failure| OpenError::Service(Status::unavailable(failure.to_string())))?;
        let authenticate: Arc<dyn Authenticate> = Arc::new(identity.authenticator());
        let ground = Ground { gate: gate.clone(), project, identity, authenticate };
        let services = TABLE.into_iter().map(|row| (row, (row.open)(&ground))).collect();
        Ok(Self { gate, ground, services, work: Vec::new() })
    }

    /// Where acts of administrators are done on behalf of a user of this machine.
    pub fn site(&self, user: &SystemUser) -> Site {
        let Ground { gate, project, identity, .. } = &self.ground;
        let (gate, project, identity) = (gate.clone(), project.clone(), Arc::clone(identity));
        Site { gate, project, identity, caller: admin::system_caller(user) }
    }

    /// What is to be said when the clock is behind the newest commit.
    pub fn clock_note(&self) -> Option<String> {
        let behind_s = identity::behind_s(self.gate.clock().now_micros(), self.gate.published().borrow().0)?;
        Some(format!(
            "the clock is {behind_s} s behind the newest commit: it is wrong now, or was ahead when that was written; \
             tokens and revocations go by the clock"
        ))
    }

    /// Puts the rules that production has deployed in force again.
    pub async fn restore(&self) -> Result<Vec<Restored>, Status> {
        let mut restored = Vec::new();
        for (_, service) in &self.services {
            restored.extend(service.restore().await?);
        }
        Ok(restored)
    }

    /// Begins what services do beside answering.
    pub fn begin_work(&mut self) {
        self.work.extend(self.services.iter().filter_map(|(_, service)| service.work()).map(tokio::spawn));
    }

    /// The routes of one socket of `dev`: those of the service that it belongs to and of those beside it.
    pub fn routes_of(&self, name: &'static str, addresses: &Addresses) -> Router {
        self.merged(|row| row.is_on(name), addresses)
    }

    /// The routes of the one port of `serve`.
    pub fn routes(&self) -> Router {
        self.merged(|row| row.part == Part::Product, &Addresses::new())
    }

    fn merged(&self, wanted: impl Fn(&Row) -> bool, addresses: &Addresses) -> Router {
        let of = |callers: Callers| {
            let services = self.services.iter().filter(|(row, _)| row.callers == callers && wanted(row));
            services.map(|(_, service)| service.routes(addresses)).reduce(Router::merge)
        };
        let found = of(Callers::Found).map(|routes| {
            let authenticate = Arc::clone(&self.ground.authenticate);
            server::with_caller(routes, authenticate, &self.ground.project)
        });
        // A path that nobody has is answered as the last of these answers it.
        let merged = found.into_iter().chain(of(Callers::Own)).reduce(Router::merge);
        server::with_google_hosts(merged.unwrap_or_default())
    }

    /// The routes, closed to administrators' acts of web pages from elsewhere.
    pub fn only_local_admins(&self, routes: Router, local: &Local) -> Router {
        let authenticate = Arc::clone(&self.ground.authenticate);
        server::with_local_admins(routes, local.clone(), authenticate, &self.ground.project)
    }

    /// Ends the answers that would go on for ever, before sockets wait for what is in flight.
    pub fn end_streams(&self) {
        self.services.iter().for_each(|(_, service)| service.end_streams());
    }

    /// Flushes and closes.
    pub async fn close(self) -> Result<(), Status> {
        for work in &self.work {
            work.abort();
        }
        self.gate.close().await
    }
}

/// The gate over the data in a folder, or in memory.
async fn open_gate(mode: Mode, data: Option<&Path>) -> Result<Gate, OpenError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = Options { clock: Arc::clone(&clock), ..Options::default() };
    let Some(folder) = data else {
        let store = Store::open(Mem::default(), options).await?;
        return Ok(Gate::new(store, AccessLog::discarding(), clock, mode));
    };
    let store = Store::open(Sqlite::open(folder)?, options).await?;
    let log = AccessLog::open(folder).map_err(|source| OpenError::Log { path: folder.to_owned(), source })?;
    let gate = Gate::new(store, log, clock, mode);
    gate.complete_log(folder).await.map_err(OpenError::Service)?;
    Ok(gate)
}
