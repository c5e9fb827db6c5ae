//! Why an operation may not go on. Causes are the policy core's; the words that clients see are each service's.

use std::sync::Arc;

use base::{Code, Status};

use crate::mode::DevPermit;

/// Why an operation may not go on.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It is not allowed.
    Denied(Denial),
    /// It could not be decided: an infrastructure fault, never a denial.
    Fault(Status),
}

/// A denial: what the words for the client are made of. The developer's account of it is in the log.
#[derive(Clone, Debug)]
pub struct Denial {
    /// What rules call the operation: `get`, `list`, `write`, …
    pub method: &'static str,
    /// Why.
    pub reason: Reason,
    /// In dev the reasons may be shown to the client.
    pub shows_reasons: Option<DevPermit>,
}

/// The reasons for a denial.
#[derive(Clone, Debug)]
pub enum Reason {
    /// No rule allows it. Empty: no rule is about it.
    Rules(Vec<policy::Cause>),
    /// There are no rules that could allow anything, for this reason.
    NoRules(Arc<str>),
    /// Only administrators may do it.
    NotAdmin,
    /// The data does not meet the condition on which the rules allowed it.
    Retracted(String),
}

impl Refusal {
    /// The status, with a denial in the words of a service.
    pub fn status(self, words: impl FnOnce(&Denial) -> String) -> Status {
        match self {
            Refusal::Denied(denial) => Status::new(Code::PermissionDenied, words(&denial)),
            Refusal::Fault(status) => status,
        }
    }
}

impl From<Status> for Refusal {
    fn from(fault: Status) -> Self {
        Refusal::Fault(fault)
    }
}
