//! The services of the house, one row each. Whatever lists services reads this table: the sockets of `dev` and their
//! ports, the routes of `serve`, `--only` and `--ports`, the hub, the start-up screen, the rules files that are loaded
//! and watched.
//!
//! A new service is a file in `services/` with its row and a line in [`TABLE`]; nowhere else does its name stand.

mod auth;
mod database;
mod dataconnect;
mod deploy;
mod firestore;
mod functions;
mod hub;
mod storage;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use ::deploy::Restored;
use ::firestore::Firestore;
use ::storage::files::Files;
use access::{Authenticate, Gate, Rulesets};
use async_trait::async_trait;
use axum::Router;
use base::Status;
use identity::Identity;
use policy::{Diagnostic, Policy, Source};

use crate::project::{Project, RulesKind};
use crate::transfer::Portable;

/// All rows, in the order their sockets are bound.
pub static TABLE: [&Row; 8] = [
    &auth::ROW,
    &firestore::ROW,
    &database::ROW,
    &storage::ROW,
    &dataconnect::ROW,
    &functions::ROW,
    &deploy::ROW,
    &hub::ROW,
];

/// The services that a project configures and this table does not have, in a sentence.
pub fn not_served(project: &Project) -> Option<String> {
    let missing = |name: &&String| !TABLE.iter().any(|row| row.name == name.as_str());
    let names: Vec<&str> = project.configured.iter().filter(missing).map(String::as_str).collect();
    let (last, others) = names.split_last()?;
    let names =
        if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
    Some(format!("firebase.json configures {names}, which Hearth does not serve yet: calls to them fail"))
}

/// What is to be known of a service before it is open.
pub struct Row {
    /// Its name in `firebase.json`, on the command line and at the hub.
    pub name: &'static str,
    /// Whether it belongs to the product or only to `dev`.
    pub part: Part,
    /// Where it listens in `dev`. `serve` has one port for all.
    pub socket: Socket,
    /// Who finds out who asks.
    pub callers: Callers,
    /// Whether its socket has the feed of decisions that the console shows.
    pub feed: bool,
    /// The environment variables by which SDKs find it in `dev`.
    pub variables: &'static [Variable],
    /// The rules that guard it.
    pub rules: Option<RulesOf>,
    /// What it has in an export of the whole project.
    pub portable: Option<&'static dyn Portable>,
    /// Opens it. Nothing listens yet.
    pub open: fn(&Ground) -> Box<dyn Service>,
}

/// Whether `serve` has it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A service: in `dev` and in `serve`; `--only` may leave it out.
    Product,
    /// A tool of the suite: in `dev` only, whatever `--only` says.
    Suite,
}

/// Where a service listens in `dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// On a port of its own, usually this one.
    Own(u16),
    /// The same, where the project's `firebase.json` names it.
    OwnIfConfigured(u16),
    /// On that of the service with this name.
    Beside(&'static str),
}

/// Who finds out who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// The server, from the `Authorization` header: no request comes in without its caller.
    Found,
    /// The service itself, because its protocol says who asks in its own way, or nobody needs to know.
    Own,
}

/// An environment variable whose value is the service's address.
pub struct Variable {
    pub name: &'static str,
    /// What stands before the address: nothing, or `http://`.
    pub before: &'static str,
}

/// The rules that guard a service.
pub struct RulesOf {
    /// How the project calls them.
    pub kind: &'static RulesKind,
    /// The release of the Rules API that stands before the file.
    pub release: Option<&'static str>,
    /// Where they are put in force.
    pub at: for<'g> fn(&'g Gate) -> &'g dyn InForce,
}

/// The place where rules of one language are in force.
pub trait InForce {
    /// Puts a text in force, for a part of the service or for the whole, unless it has errors.
    fn load(&self, part: Option<&str>, source: Source) -> Result<(), Vec<Diagnostic>>;
    /// Denies everything from now on, for this reason.
    fn close(&self, part: Option<&str>, reason: &str);
    /// Whether deployed rules stand before those of a file.
    fn is_deployed(&self) -> bool;
}

impl<P: Policy> InForce for Rulesets<P> {
    fn load(&self, part: Option<&str>, source: Source) -> Result<(), Vec<Diagnostic>> {
        let loaded = match part {
            None => Rulesets::load(self, source),
            Some(part) => self.deploy_for(part, source),
        };
        loaded.map(drop).map_err(|refused| refused.diagnostics)
    }

    fn close(&self, part: Option<&str>, reason: &str) {
        match part {
            None => Rulesets::close(self, reason),
            Some(part) => self.close_part(part, reason),
        }
    }

    fn is_deployed(&self) -> bool {
        Rulesets::is_deployed(self)
    }
}

/// What services are built on.
pub struct Ground {
    /// The way to the data.
    pub gate: Gate,
    /// The project's id.
    pub project: String,
    /// The identity service: open before all others.
    pub identity: Arc<Identity>,
    /// The documents service, which administrators' commands are about, too.
    pub firestore: Arc<Firestore>,
    /// Where the bytes of objects are.
    pub files: Arc<dyn Files>,
    /// The data folder; `None` where data is in memory only.
    pub data: Option<PathBuf>,
    /// Makes callers, for services whose protocol signs in in-band.
    pub authenticate: Arc<dyn Authenticate>,
}

/// A service that is open.
#[async_trait]
pub trait Service: Send + Sync {
    /// Its routes, of all its protocols. `dev` has everything bound by then: here is what listens where.
    fn routes(&self, addresses: &Addresses) -> Router;

    /// Puts rules that were deployed in force again, before the first request of production.
    async fn restore(&self) -> Result<Option<Restored>, Status> {
        Ok(None)
    }

    /// Whether it takes the bodies of requests piece by piece, however long they are.
    fn streams_bodies(&self) -> bool {
        false
    }

    /// Ends the answers that would go on for ever: the house is about to be closed.
    fn end_streams(&self) {}

    /// Before the work begins: what the project says, and where everything is.
    ///
    /// Errors: what the project must correct first.
    async fn begin(&self, _: &Beginning<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Ends what it has started: nothing is answered any more.
    async fn close(&self) {}

    /// What it does beside answering, until the house is closed.
    fn work(&self) -> Option<Work> {
        None
    }
}

/// What a service learns before its work begins.
pub struct Beginning<'a> {
    /// The project.
    pub project: &'a Project,
    /// The variables by which SDKs find everything; in `dev` only.
    pub variables: Vec<(String, String)>,
    /// The URL of a PostgreSQL, where one is given.
    pub postgres: Option<String>,
}

/// Work that is polled until the house is closed, or it ends by itself.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Service → address. Ordered by name, as people read it.
pub type Addresses = BTreeMap<String, SocketAddr>;

impl Row {
    /// Rows with a socket of their own, each with its usual port.
    pub fn listening() -> impl Iterator<Item = (&'static Self, u16)> {
        TABLE.into_iter().filter_map(|row| match row.socket {
            Socket::Own(port) | Socket::OwnIfConfigured(port) => Some((row, port)),
            Socket::Beside(_) => None,
        })
    }

    /// Whether there is anything to listen for in a project.
    pub fn is_wanted(&self, project: &Project) -> bool {
        !matches!(self.socket, Socket::OwnIfConfigured(_))
            || project.configured.iter().any(|name| name == self.name)
    }

    /// Whether it answers on the socket of the service with this name.
    pub fn is_on(&self, name: &'static str) -> bool {
        self.name == name || self.socket == Socket::Beside(name)
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        for (index, row) in TABLE.into_iter().enumerate() {
            assert_eq!(TABLE.iter().position(|other| other == &row), Some(index), "{row:?} stands twice");
            if let Socket::Beside(name) = row.socket {
                assert!(Row::listening().any(|(host, _)| host.name == name), "{row:?} is beside `{name}`");
            }
            for (other, port) in Row::listening() {
                assert!(other == row || row.socket != Socket::Own(port), "{row:?} and {other:?}: {port}");
            }
        }
    }
}
