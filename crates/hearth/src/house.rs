//! Puts the rooms together: store, gate, services and the routes between them. The one place that opens them all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{AccessLog, Authenticate, Caller, Claim, DevPermit, Gate, Mode};
use axum::Router;
use base::{Status, SystemClock};
use deploy::Restored;
use firestore::Firestore;
use firestore::query::index::file::IndexFile;
use identity::keys::seal::Seal;
use identity::{Failure, Identity, Settings};
use kv::{Mem, Options, Sqlite, Store, StoreError};
use server::{Answer, Limits, Local, Routes, SystemUser};
use storage::files::{Disk, Files, Memory};
use tokio::task::JoinHandle;

use crate::admin::{self, Site};
use crate::services::{Addresses, Beginning, Callers, Ground, Part, Row, Service, TABLE};
use crate::transfer::{self, Transfer};

/// Where a data folder has the bytes of objects.
const BLOBS_FOLDER: &str = "blobs";

/// A running house, before it has sockets.
pub struct House {
    /// The way to the data.
    pub gate: Gate,
    ground: Ground,
    services: Vec<(&'static Row, Box<dyn Service>)>,
    work: Vec<JoinHandle<()>>,
}

/// How far back the past can be read.
#[derive(Clone, Copy, Debug)]
pub struct History {
    /// What is older is forgotten.
    pub ms: u64,
    /// What was overwritten takes this many bytes at most.
    pub bytes: u64,
}

impl Default for History {
    fn default() -> Self {
        let Options { change_retention_ms, change_bytes_max, .. } = Options::default();
        Self { ms: change_retention_ms, bytes: change_bytes_max }
    }
}

/// Why the house cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the access log in `{path}` cannot be opened: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("the folder `{path}` for the bytes of objects cannot be opened: {source}")]
    Files { path: PathBuf, source: std::io::Error },
    #[error("{}", .0.message)]
    Service(Status),
    #[error(
        "`{0}` was made by `hearth dev`, where passwords are readable and anybody may be anybody: serve does not open it; \
         give it a folder of its own with `--data`"
    )]
    OfDev(PathBuf),
    #[error(
        "`{0}` was made by `hearth serve`: dev, which believes every token and keeps passwords readable, does not open \
         production data; give it another folder with `--data`"
    )]
    OfServe(PathBuf),
    #[error("which project is `{0}` of? give `--project`")]
    NoProject(PathBuf),
    #[error("there is no data in `{0}`")]
    NoData(PathBuf),
}

impl House {
    /// Opens the data (`None`: in memory) and the services on it: identity first, which the others may ask who calls.
    ///
    /// Errors: data of another mode; keys that are sealed with another key; the store's faults.
    pub async fn open(mode: Mode, settings: Settings, data: Option<&Path>) -> Result<Self, OpenError> {
        Self::open_with(mode, settings, data, History::default()).await
    }

    /// The same with another memory of what was overwritten.
    pub async fn open_with(
        mode: Mode,
        settings: Settings,
        data: Option<&Path>,
        history: History,
    ) -> Result<Self, OpenError> {
        let Some(folder) = data else {
            let store = Store::open(Mem::default(), options(history)).await?;
            let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
            return Self::over(gate, settings, Arc::new(Memory::default()), None).await;
        };
        let (store, claim) = open_store(folder, history).await?;
        if let Some(claim) = claim.as_ref().filter(|claim| !claim.allows(&mode)) {
            store.close().await?;
            let folder = folder.to_owned();
            return Err(if claim.dev { OpenError::OfDev(folder) } else { OpenError::OfServe(folder) });
        }
        let gate = gate_over(store, mode, folder).await?;
        gate.set_project(&settings.project);
        if claim.is_none_or(|claim| claim.project.is_none()) {
            gate.claim(&settings.project).await.map_err(OpenError::Service)?;
        }
        Self::over(gate, settings, files_in(folder)?, Some(folder)).await
    }

    /// Opens data as what it was made by, for the project that it was made for where none is given.
    ///
    /// Errors: also data that is not there, unless it `may_be_new`: then it is production's.
    pub async fn open_as_made(
        data: &Path,
        project: Option<String>,
        seal: Option<Seal>,
        may_be_new: bool,
    ) -> Result<Self, OpenError> {
        if !may_be_new && !data.is_dir() {
            return Err(OpenError::NoData(data.to_owned()));
        }
        let (store, claim) = open_store(data, History::default()).await?;
        let mode = match &claim {
            Some(claim) if claim.dev => Mode::Dev(DevPermit::for_development_only()),
            None if !may_be_new => return Err(OpenError::NoData(data.to_owned())),
            _ => Mode::Serve,
        };
        let made_for = claim.and_then(|claim| claim.project);
        let is_known = made_for.is_some();
        let project = project.or(made_for).ok_or_else(|| OpenError::NoProject(data.to_owned()))?;
        let gate = gate_over(store, mode, data).await?;
        gate.set_project(&project);
        if !is_known {
            gate.claim(&project).await.map_err(OpenError::Service)?;
        }
        Self::over(gate, Settings { seal, ..Settings::new(project) }, files_in(data)?, Some(data)).await
    }

    async fn over(
        gate: Gate,
        settings: Settings,
        files: Arc<dyn Files>,
        data: Option<&Path>,
    ) -> Result<Self, OpenError> {
        let project = settings.project.clone();
        let identity = Identity::new(gate.clone(), settings).await.map_err(|failure| match failure {
            Failure::Fault(status) => OpenError::Service(status),
            refused => OpenError::Service(Status::unavailable(refused.to_string())),
        })?;
        let authenticate: Arc<dyn Authenticate> = Arc::new(identity.authenticator());
        gate.set_project(&project);
        let firestore = Arc::new(Firestore::new(gate.clone(), &project));
        firestore.restore().await.map_err(OpenError::Service)?;
        let data = data.map(Path::to_owned);
        let ground = Ground { gate: gate.clone(), project, identity, firestore, files, data, authenticate };
        let services = TABLE.into_iter().map(|row| (row, (row.open)(&ground))).collect();
        Ok(Self { gate, ground, services, work: Vec::new() })
    }

    /// Where acts of administrators are done on behalf of a user of this machine.
    pub fn site(&self, user: &SystemUser) -> Site {
        let Ground { gate, project, identity, firestore, .. } = &self.ground;
        Site {
            gate: gate.clone(),
            project: project.clone(),
            identity: Arc::clone(identity),
            firestore: Arc::clone(firestore),
            caller: admin::system_caller(user),
        }
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

    /// Puts an index file in force and builds what it asks for, beside the traffic.
    pub fn load_indexes(&self, file: IndexFile) {
        self.index_loader()(file);
    }

    /// The same, for whoever outlives this borrow.
    pub fn index_loader(&self) -> impl Fn(IndexFile) + Send + use<> {
        let firestore = Arc::clone(&self.ground.firestore);
        move |file| {
            let firestore = Arc::clone(&firestore);
            tokio::spawn(async move {
                let caller = Caller::admin("firestore.indexes.json");
                if let Err(status) = firestore.load_indexes(&caller, file).await {
                    tracing::error!(%status, "the indexes of the project's file could not be built");
                }
            });
        }
    }

    /// Has queries require the indexes that production requires.
    pub fn require_indexes(&self) {
        self.ground.firestore.require_indexes();
    }

    /// Has services know what the project is about. Errors: what the project must correct first.
    pub async fn begin(&self, beginning: &Beginning<'_>) -> Result<(), String> {
        for (_, service) in &self.services {
            service.begin(beginning).await?;
        }
        Ok(())
    }

    /// Begins what services do beside answering.
    pub fn begin_work(&mut self) {
        self.work.extend(self.services.iter().filter_map(|(_, service)| service.work()).map(tokio::spawn));
    }

    /// The routes of one socket of `dev`: those of the service that it belongs to and of those beside it.
    fn routes_of(&self, name: &'static str, addresses: &Addresses) -> Routes {
        self.merged(|row| row.is_on(name), addresses)
    }

    /// The routes of the one port of `serve`.
    pub fn routes(&self) -> Routes {
        self.merged(|row| row.part == Part::Product, &Addresses::new())
    }

    fn merged(&self, wanted: impl Fn(&Row) -> bool, addresses: &Addresses) -> Routes {
        let of = |callers: Callers| {
            let services = self.services.iter().filter(|(row, _)| row.callers == callers && wanted(row));
            let routes = services.map(|(_, service)| match service.streams_bodies() {
                true => server::streamed(service.routes(addresses)),
                false => service.routes(addresses),
            });
            routes.reduce(Router::merge)
        };
        let found = of(Callers::Found).map(|routes| {
            let authenticate = Arc::clone(&self.ground.authenticate);
            server::with_caller(routes, authenticate, &self.ground.project)
        });
        // A path that nobody has is answered as the last of these answers it.
        let merged = found.into_iter().chain(of(Callers::Own)).reduce(Router::merge);
        Routes::from(merged.unwrap_or_default())
    }

    /// The routes of one socket of `dev` with all that goes around them: bounds, CORS, and closed to web pages from elsewhere.
    pub fn dev_routes(
        &self,
        name: &'static str,
        addresses: &Addresses,
        local: &Local,
        limits: &Limits,
    ) -> impl Answer + use<> {
        let authenticate = Arc::clone(&self.ground.authenticate);
        let routes = server::with_google_hosts(self.routes_of(name, addresses));
        let routes = server::with_local_admins(routes, local.clone(), authenticate, &self.ground.project);
        let routes = server::with_cors(server::guarded(routes, limits), Vec::new());
        server::with_client_address(server::with_local_hosts(routes, local.clone()), Vec::new())
    }

    /// The way to import and export the whole project, in `dev`.
    pub fn transfer(&self) -> Transfer<'_> {
        let of = |row: &'static Row| {
            let routes = self.routes_of(row.name, &Addresses::new());
            Some((row.name, row.portable?, transfer::Site { project: &self.ground.project, routes }))
        };
        Transfer { services: TABLE.into_iter().filter_map(of).collect() }
    }

    /// Imports an export of the official format into the default database.
    pub async fn import(&self, permit: DevPermit, export: &Path) -> Result<u64, Status> {
        let database = self.ground.firestore.default_database().to_string();
        self.ground.firestore.import_documents(permit, &database, export.to_owned()).await
    }

    /// Ends the answers that would go on for ever, before sockets wait for what is in flight.
    pub fn end_streams(&self) {
        self.services.iter().for_each(|(_, service)| service.end_streams());
    }

    /// Flushes and closes.
    pub async fn close(self) -> Result<(), Status> {
        for (_, service) in &self.services {
            service.close().await;
        }
        for work in &self.work {
            work.abort();
        }
        self.gate.close().await
    }
}

/// The files of a data folder.
fn files_in(folder: &Path) -> Result<Arc<dyn Files>, OpenError> {
    let path = folder.join(BLOBS_FOLDER);
    match Disk::open(&path) {
        Ok(files) => Ok(Arc::new(files)),
        Err(source) => Err(OpenError::Files { path, source }),
    }
}

fn options(history: History) -> Options {
    Options {
        clock: Arc::new(SystemClock),
        change_retention_ms: history.ms,
        change_bytes_max: history.bytes,
        ..Options::default()
    }
}

/// The store in a folder, and what made it.
async fn open_store(folder: &Path, history: History) -> Result<(Store, Option<Claim>), OpenError> {
    let store = Store::open(Sqlite::open(folder)?, options(history)).await?;
    let claim = Claim::of(&store).await.map_err(OpenError::Service)?;
    Ok((store, claim))
}

/// The gate over a folder's store, with its access log.
async fn gate_over(store: Store, mode: Mode, folder: &Path) -> Result<Gate, OpenError> {
    let log = AccessLog::open(folder).map_err(|source| OpenError::Log { path: folder.to_owned(), source })?;
    let gate = Gate::new(store, log, Arc::new(SystemClock), mode);
    gate.complete_log(folder).await.map_err(OpenError::Service)?;
    Ok(gate)
}
