//! The third floor: every access passes here. Who asks ([`Caller`]), the [`Gate`] that is the only way to the store,
//! the rules in force, the decision and its record.
//!
//! Invariants: a [`Session`] cannot be had without a caller, nor a staged write without a [`Permit`]; the decision
//! and the write are one serializable step (what the rules read, and the caller's own row, is validated by the commit);
//! every session leaves a record; an infrastructure fault is never a denial; nothing here knows a policy language.

mod address;
mod authorize;
mod backup;
mod begin;
mod blocking;
mod caller;
mod claim;
mod contention;
mod documents;
mod elsewhere;
mod evaluations;
pub mod events;
mod facts;
mod fault;
mod gate;
mod grant;
mod hold;
mod invocation;
pub mod keyspace;
pub mod log;
mod mode;
mod open;
mod past;
mod reads;
mod refusal;
mod rulesets;
mod session;
mod transact;

pub use address::{ClientAddress, ForeignOrigin, Network};
pub use blocking::{Blocking, BlockingAnswer};
pub use caller::{Admin, Authenticate, Caller, Credential, Origin, Principal, Signatures, Standing, User};
pub use claim::Claim;
pub use documents::{DocumentSource, Documents, NoPending, Pending};
pub use evaluations::{Evaluation, Evaluations};
pub use facts::Facts;
pub use gate::{Gate, Operation, Service};
pub use grant::{Footprint, Grant, Permit, Subject};
pub use hold::Hold;
pub use invocation::{Invocation, Invocations};
pub use log::AccessLog;
pub use mode::{DevPermit, Mode};
pub use open::{DEPENDENCIES_MAX, Decided, Holder, OpenGrant, OpenGrants};
pub use reads::Reads;
pub use refusal::{Denial, Reason, Refusal};
pub use rulesets::{Compile, Enforced, Rules, RulesInForce, RulesRefused, Rulesets};
pub use session::{CommitFailure, Line, Session, Suspended};
pub use transact::Attempts;
