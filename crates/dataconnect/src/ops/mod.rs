//! The verbs: loading a project, calling its operations, keeping their records. Only the files here talk to the gate.

mod ask;
mod call;
mod drive;
mod live;
mod records;
pub mod schema;

use std::path::PathBuf;
use std::sync::Arc;

use access::{Authenticate, Caller, Gate, Service};
use base::Status;
use tokio::sync::watch;

pub use ask::{Ask, Impersonation, Reply, What};
pub use call::variables_of;
pub use live::{Database, Live, Loaded, Served, Server};
pub use records::Records;

/// How long a call waits for a start.
const START_SECONDS_MAX: u64 = 60;
/// Connections of each kind to one database.
pub const CONNECTIONS: usize = 12;

/// What is in force.
#[derive(Clone)]
pub enum State {
    /// It is being started.
    Starting,
    /// It cannot be used, for this reason.
    Broken(Arc<str>),
    /// Services.
    Live(Arc<Live>),
}

/// The service. One per process.
pub struct DataConnect {
    gate: Gate,
    authenticate: Arc<dyn Authenticate>,
    project: String,
    /// The data folder, whose log the records are completed into.
    data: Option<PathBuf>,
    state: watch::Sender<State>,
    /// What is durable in a database and in the log, and not yet taken out of the database.
    records: Records,
}

impl DataConnect {
    /// The service over a gate; it serves nothing yet.
    pub fn new(
        gate: Gate,
        project: &str,
        data: Option<PathBuf>,
        authenticate: Arc<dyn Authenticate>,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate,
            authenticate,
            project: project.to_owned(),
            data,
            state: watch::Sender::new(State::Broken("this project has no Data Connect".into())),
            records: Records::default(),
        })
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Who finds out who asks.
    pub fn authenticate(&self) -> &Arc<dyn Authenticate> {
        &self.authenticate
    }

    /// Whether the service is open to the app that a caller comes from: asked before a request is read.
    pub fn admit_app(&self, caller: &Caller, path: &str) -> Result<(), Status> {
        self.gate.admit_app(caller, Service::DataConnect, path)
    }

    /// Whether what exists for development only is there.
    pub fn is_dev(&self) -> bool {
        self.gate.mode().dev().is_some()
    }

    /// Says what is in force.
    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// What is in force, as it is now.
    pub fn live(&self) -> Option<Arc<Live>> {
        match &*self.state.borrow() {
            State::Live(live) => Some(Arc::clone(live)),
            State::Starting | State::Broken(_) => None,
        }
    }
}
