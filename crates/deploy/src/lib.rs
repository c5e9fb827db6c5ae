//! Rules that are deployed over the Rules API: rulesets that never change, releases that name the one in force, and
//! tests of rules that touch nothing.
//!
//! Invariants:
//! - Only administrators may. Every call is in the access log; a change leaves its record in its own transaction.
//! - Rules that do not compile are neither stored nor released; those in force stay.
//! - What is released is durable first and in force then; releases take effect in the order of their commits.
//! - A test reads no document: what it does not bring with it is absent.
//!
//! Source: the discovery document of `firebaserules.googleapis.com` v1, what `firebase-admin` and the Firebase CLI send
//! it, and the recorded answers of `:test`.

pub mod api;
mod model;
mod ops;
mod status;
mod suite;

use std::sync::Arc;

use access::Gate;
use tokio::sync::Mutex;

pub use ops::releases::Restored;

/// The release whose rules decide about the default database of Firestore.
pub const FIRESTORE_RELEASE: &str = "cloud.firestore";

/// The Rules API of one project's house.
pub struct Deploy {
    gate: Gate,
    /// The project that production serves. Dev serves whatever is named.
    project: String,
    /// Held from the commit of a release until its rules are in force.
    releasing: Mutex<()>,
}

impl Deploy {
    /// The API over a gate.
    pub fn new(gate: Gate, project: &str) -> Arc<Self> {
        Arc::new(Self { gate, project: project.to_owned(), releasing: Mutex::new(()) })
    }
}
