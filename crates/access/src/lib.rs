//! The third floor: every access passes here. Who asks ([`Caller`]), the [`Gate`] that is the only way to the store,
//! the rules in force, the decision and its record.
//!
//! Invariants: a [`Session`] cannot be had without a caller, nor a staged write without a [`Permit`]; the decision
//! and the write are one serializable step (what the rules read is validated by the commit); every session leaves a
//! record; an infrastructure fault is never a denial.

mod caller;
mod documents;
mod gate;
pub mod keyspace;
pub mod log;
mod mode;
mod rulesets;
mod session;

pub use caller::{Admin, Authenticate, Caller, Credential, User};
pub use documents::{DocumentSource, NoPending, Pending};
pub use gate::{Gate, Operation, Service};
pub use log::AccessLog;
pub use mode::{DevPermit, Mode};
pub use rulesets::{Enforced, Rules, RulesRefused, Rulesets};
pub use session::{CommitFailure, Denial, Permit, Refusal, Session, Suspended};
