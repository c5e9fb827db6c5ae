//! The verbs: what one may ask of the service. Only the files here talk to the gate.
//!
//! Invariants:
//! - The writes of a database are decided and made durable in the order in which they came; a write is acknowledged when it
//!   is durable and listeners have been told.
//! - Nothing leaves under a grant that a commit up to the same version has touched, or that other rules gave.
//! - Who may not read a place learns nothing of it: not by a transaction's hash, not by a precondition.

pub mod claims;
pub mod connection;
mod database;
mod delta;
mod departure;
pub mod events;
mod facts;
mod has;
mod hello;
mod hub;
mod index;
mod listen;
mod message;
pub mod namespace;
mod outbox;
pub mod outgoing;
mod publisher;
mod pump;
mod rows;
mod sequencer;
mod sessions;
mod settings;
mod sign_in;
mod staging;
mod triggers;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use access::{Authenticate, Caller, Gate, Holder, Operation, Service};
use base::Status;
use kv::Scan;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use connection::{Closed, Connection};
pub use database::Shallow;
pub use delta::{Changed, Delta};
pub use events::{Event, Events};
pub use hello::Hello;
pub use namespace::{Namespace, Read, Written};
pub use outgoing::Outgoing;
pub use rows::RowsError;
pub use settings::RulesProblem;
pub use sign_in::{SignIn, TokenKind};

use crate::failure::Failure;
use database::Ground;
use departure::Departures;
use outbox::Outbox;
use sessions::Sessions;

/// Databases that dev makes of names it is asked for.
const DATABASES_MAX: usize = 10_000;
/// Bytes of a database's name.
const NAME_BYTES_MAX: usize = 100;
/// How long a fault is waited out.
const FAULT_MS: u64 = 100;
/// Sessions of an ended process whose last wishes are done at the same time.
const DEPARTURES_AT_ONCE: usize = 64;

/// The service. One per process; the protocols share it.
pub struct Realtime {
    ground: Arc<Ground>,
    authenticate: Arc<dyn Authenticate>,
    databases: Mutex<HashMap<String, Arc<Namespace>>>,
    sessions: Sessions,
    departures: Departures,
    listening: Mutex<Vec<Weak<Outbox>>>,
    ending: watch::Sender<bool>,
}

impl Realtime {
    /// The service over a gate.
    pub fn new(gate: Gate, project: &str, authenticate: Arc<dyn Authenticate>) -> Arc<Self> {
        let default = format!("{project}-default-rtdb");
        gate.events().register(Arc::new(triggers::Events));
        let ground = Arc::new(Ground { gate, project: project.to_owned(), default });
        Arc::new(Self {
            ground,
            authenticate,
            databases: Mutex::default(),
            sessions: Sessions::default(),
            departures: Departures::default(),
            listening: Mutex::default(),
            ending: watch::Sender::new(false),
        })
    }

    /// Whether what exists for development only is there.
    pub fn is_dev(&self) -> bool {
        self.ground.gate.mode().dev().is_some()
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.ground.project
    }

    /// The way to the data.
    pub(crate) fn gate(&self) -> &Gate {
        &self.ground.gate
    }

    /// A database. In dev one that nobody has asked for before is made; production has the project's own.
    pub fn namespace(&self, name: &str) -> Result<Arc<Namespace>, Failure> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if !is_name(name) || !self.is_dev() && name != self.ground.default {
            return Err(Failure::UnknownNamespace);
        }
        let mut databases = self.databases.lock();
        if let Some(namespace) = databases.get(name) {
            return Ok(Arc::clone(namespace));
        }
        if databases.len() >= DATABASES_MAX {
            return Err(Failure::busy());
        }
        let namespace = Namespace::begin(name, Arc::clone(&self.ground));
        databases.insert(name.to_owned(), Arc::clone(&namespace));
        Ok(namespace)
    }

    /// Ends the connections and streams that stay open: this process is about to stop.
    pub fn end_streams(&self) {
        self.ending.send_replace(true);
    }

    /// Becomes true when what stays open is to end.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// Follows what ends grants (commits, other rules) until the house is closed. First it does what clients of an ended
    /// process have left behind.
    pub async fn run(self: Arc<Self>) {
        if let Err(status) = self.fulfil_departed().await {
            tracing::error!(%status, "what clients left for their disconnection cannot be read");
        }
        let mut published = self.ground.gate.published();
        let mut rules = self.ground.gate.rules().database.generations();
        loop {
            tokio::select! {
                changed = published.changed() => if changed.is_err() { return },
                changed = rules.changed() => match changed {
                    Ok(()) => self.wake_all().await,
                    Err(_) => return,
                },
            }
            let head = *published.borrow_and_update();
            if self.ground.gate.open_grants().is_empty() {
                continue;
            }
            while let Err(status) = self.ground.gate.settle(head).await {
                tracing::error!(%status, "the store's commits cannot be followed");
                tokio::time::sleep(Duration::from_millis(FAULT_MS)).await;
            }
        }
    }

    async fn fulfil_departed(self: &Arc<Self>) -> Result<(), Status> {
        let admin = Caller::admin("onDisconnect");
        let operation = Operation { service: Service::Realtime, verb: "Start", resource: "/".to_owned() };
        let mut session = self.ground.gate.begin(&admin, operation).await?;
        let mut rest = Some(departure::all_rows());
        let mut left = Vec::new();
        while let Some(range) = rest {
            let page = session.reads().look(&range, Scan::default()).await?;
            left.extend(
                page.rows
                    .iter()
                    .filter_map(|row| departure::owner(&row.key))
                    .map(|(namespace, session)| (namespace.to_owned(), session.to_owned())),
            );
            rest = page.next;
        }
        session.discard();
        for together in left.chunks(DEPARTURES_AT_ONCE) {
            let mut tasks = tokio::task::JoinSet::new();
            for (namespace, id) in together {
                if self.sessions.is_live(id) {
                    continue;
                }
                let (Ok(namespace), realtime, id) = (self.namespace(namespace), Arc::clone(self), id.clone())
                else {
                    continue;
                };
                tasks.spawn(async move { realtime.departures.fulfil(&namespace, &id).await });
            }
            while tasks.join_next().await.is_some() {}
        }
        Ok(())
    }

    fn listens(&self, outbox: &Arc<Outbox>) {
        let mut listening = self.listening.lock();
        if listening.len() == listening.capacity() {
            listening.retain(|outbox| outbox.strong_count() > 0);
        }
        listening.push(Arc::downgrade(outbox));
    }

    /// Has everybody look at their grants, some at a time.
    async fn wake_all(&self) {
        let listening: Vec<_> = self.listening.lock().iter().filter_map(Weak::upgrade).collect();
        for some in listening.chunks(256) {
            some.iter().for_each(|outbox| outbox.wake());
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until what stays open is to end.
async fn is_ending(ending: &mut watch::Receiver<bool>) {
    // An error says that the service has gone.
    drop(ending.wait_for(|ending| *ending).await);
}
