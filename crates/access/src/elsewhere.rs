//! Effects in another database than the gate's store: their record is written there, in the same transaction, and comes from
//! there into the log.
//!
//! A record has a name, the *commit*, which its lines in the log carry as the detail `commit`. Who keeps the records calls
//! [`Gate::complete_from`] with those that are there: what the log has no line for gets one.

use std::collections::BTreeSet;
use std::path::Path;

use base::{Code, Status};

use crate::gate::Gate;
use crate::grant::Permit;
use crate::log::{self, COMMIT, Event};
use crate::session::Session;

impl Session {
    /// How many decisions were made so far.
    pub fn decisions(&self) -> usize {
        self.events.len()
    }

    /// Forgets the decisions after the first `count`: the unit of work is begun again, and they are made again.
    pub fn forget_decisions(&mut self, count: usize) {
        self.events.truncate(count);
    }

    /// What was decided so far, to be written beside the effect, in its transaction. `commit` names it, once for ever.
    ///
    /// Errors: `INTERNAL` for another session's permit.
    pub fn record_for(&mut self, permit: &Permit, commit: &str) -> Result<String, Status> {
        if permit.request != self.request || self.events.is_empty() {
            tracing::error!(commit, "an effect was tried without a decision of its session");
            return Err(Status::new(Code::Internal, "Internal error encountered."));
        }
        self.note(COMMIT, commit.into());
        self.take_details();
        serde_json::to_string(&self.events).map_err(|error| {
            tracing::error!(%error, "the record of an effect cannot be encoded");
            Status::new(Code::Internal, "Internal error encountered.")
        })
    }

    /// Ends with an effect that is durable elsewhere, with its record.
    pub fn finish_elsewhere(mut self) {
        self.record(None);
    }

    /// Ends an operation whose effect did not come to be, or of which that is not known: the record elsewhere, where it is, says
    /// that it did.
    pub fn fail_elsewhere(mut self, reason: &str) {
        self.take_details();
        for event in &mut self.events {
            event.details.remove(COMMIT);
        }
        self.fail(reason);
    }
}

impl Gate {
    /// Adds the lines of records that are kept elsewhere and that the log lacks. Returns when they are in the file, and with
    /// them all that was logged before.
    ///
    /// Errors: `DATA_LOSS` for a record that cannot be read.
    pub fn complete_from(&self, records: &[(String, String)]) -> Result<(), Status> {
        for (commit, record) in records {
            let events: Vec<Event> = serde_json::from_str(record).map_err(|error| {
                tracing::error!(%error, commit, "the record of an effect cannot be read");
                Status::new(Code::DataLoss, format!("the record of the commit {commit} cannot be read"))
            })?;
            events.into_iter().for_each(|event| self.log().push(event));
        }
        self.log().flush();
        Ok(())
    }

    /// The names of the records that the log of a data folder has lines of, of those that are asked for.
    pub fn recorded_commits(folder: &Path, asked: &BTreeSet<String>) -> Result<BTreeSet<String>, Status> {
        log::commits(folder, asked).map_err(|error| {
            tracing::error!(%error, "the access log cannot be read");
            Status::unavailable("the access log cannot be read")
        })
    }
}
