//! The verbs: what one may ask of the service. Only the files here talk to the gate.
//!
//! Every verb takes and gives the protocol's own messages, so that gRPC and REST are the same service; it reads and
//! decides in one session and lets nothing out before the decision.
//!
//! Invariants:
//! - Rules come first: who is denied learns nothing else (existence, preconditions, sizes).
//! - A write retries as a whole when what it relied on changed; never a part of it.
//! - What a transaction reads is kept before the answer leaves.

mod away;
mod clear;
mod commit;
pub mod databases;
mod decide;
pub mod expiry;
mod explain;
mod export;
mod fields;
pub mod indexes;
pub mod lifetime;
mod list;
pub mod listen;
mod locks;
mod operations;
mod partition;
mod places;
mod present;
mod projects;
pub mod query;
mod read;
mod reading;
pub mod replay;
mod requests;
mod rules;
pub mod shares;
pub mod stream;
mod transaction;
mod triggers;
mod turn;
mod write;
pub mod writing;

use std::sync::Arc;

use access::{Caller, DocumentSource, Gate, Operation, Service};
use base::{Code, DatabaseName, DocumentPath, ResourcePath, Status};
use prost::Message;
use tokio::sync::watch;

use crate::events::Events;
use crate::status;
use databases::Databases;
use indexes::Indexes;
use places::Places;
use shares::LargeCommits;
use stream::{Responses, Streams};
use transaction::Transactions;

/// The service. One per process; the protocols share it.
pub struct Firestore {
    gate: Gate,
    project: String,
    databases: Databases,
    transactions: Transactions,
    streams: Streams,
    large_commits: LargeCommits,
    indexes: Indexes,
    places: Places,
    listeners: listen::Listeners,
    other_projects: projects::OtherProjects,
    triggers: triggers::Triggers,
    operations: operations::Operations,
    /// Open streams end when this is true.
    ending: watch::Sender<bool>,
}

impl Firestore {
    /// The documents as the rules of other services read them.
    pub fn documents(&self) -> Arc<dyn DocumentSource> {
        Arc::new(decide::Source { project: self.project.clone() })
    }

    /// The service over a gate, with the databases that are usual: in dev whatever is named, in production the
    /// project's default database.
    pub fn new(gate: Gate, project: &str) -> Self {
        let databases = Databases::new(gate.mode().dev(), project);
        let transactions = Transactions::new(gate.clock().clone());
        let streams = Streams::new(gate.clock().clone());
        let indexes = Indexes::new(gate.clone(), project);
        let large_commits = LargeCommits::default();
        let (places, ending) = (Places::default(), watch::Sender::new(false));
        let listeners = listen::Listeners::new(&gate);
        let project = project.to_owned();
        gate.events().register(Arc::new(Events { project: project.clone() }));
        Self {
            gate,
            project,
            databases,
            transactions,
            streams,
            large_commits,
            indexes,
            places,
            listeners,
            other_projects: projects::OtherProjects::default(),
            triggers: triggers::Triggers::default(),
            operations: operations::Operations::default(),
            ending,
        }
    }

    /// Ends the streams that stay open, `Write` and `Listen`: this process is about to stop. Clients open others.
    pub fn end_streams(&self) {
        self.ending.send_replace(true);
    }

    /// Becomes true when streams that stay open are to end.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Sends responses that are all there to a client that may be slow to read them.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the caller reads too many at once.
    pub fn send<T: Message + 'static>(
        &self,
        caller: &Caller,
        responses: Vec<T>,
    ) -> Result<Responses<T>, Status> {
        self.streams.send(caller, responses, None)
    }

    /// `ExecutePipeline`, which no database here has.
    ///
    /// Errors: `FAILED_PRECONDITION`, as production says it of databases of the standard edition; those of the name.
    pub fn refuse_pipeline<T>(&self, database: &str) -> Result<T, Status> {
        self.database(database)?;
        Err(status::no_pipelines())
    }

    /// Refuses databases nobody made.
    fn check_database(&self, database: &DatabaseName) -> Result<(), Status> {
        if self.gate.mode().dev().is_some() {
            self.other_projects.asked(&database.project, &self.project);
        }
        self.databases.check(database)
    }

    /// Reads `projects/P/databases/D` of an existing database.
    fn database(&self, name: &str) -> Result<DatabaseName, Status> {
        let database = DatabaseName::parse(name).map_err(invalid)?;
        self.check_database(&database)?;
        Ok(database)
    }

    /// Reads a document's name in an existing database.
    fn document(&self, name: &str) -> Result<(DatabaseName, DocumentPath), Status> {
        let (database, path) = base::name::parse_document(name).map_err(invalid)?;
        self.check_database(&database)?;
        Ok((database, path))
    }

    /// Reads the name of a document or of the root in an existing database.
    fn parent(&self, name: &str) -> Result<(DatabaseName, ResourcePath), Status> {
        let (database, path) = base::name::parse_resource(name).map_err(invalid)?;
        self.check_database(&database)?;
        if path.is_collection() {
            return Err(invalid(base::name::NameError::NotADocument(name.to_owned(), name.len())));
        }
        Ok((database, path))
    }
}

fn invalid(error: impl std::error::Error) -> Status {
    Status::invalid(error.to_string())
}

/// What an operation is about, for the record.
fn operation(verb: &'static str, path: &ResourcePath) -> Operation {
    Operation { service: Service::Firestore, verb, resource: format!("/{path}") }
}

/// A fault of this process, told to the operator.
fn internal(what: &'static str) -> Status {
    tracing::error!(what, "an invariant does not hold");
    Status::new(Code::Internal, "Internal error encountered.")
}
