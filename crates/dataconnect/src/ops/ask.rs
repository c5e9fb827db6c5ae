//! What is asked, as far as no protocol matters, and what is answered.

use access::Caller;
use serde_json::{Map, Value as Json, json};

use crate::execution::Answer;
use crate::operation::{Kind, VariableFault};

/// An operation of a connector, or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An operation by its name.
    Operation {
        /// The connector.
        connector: String,
        /// The operation.
        name: String,
        /// What the client takes it for.
        kind: Kind,
    },
    /// A text that an administrator sends.
    Text {
        /// GraphQL.
        query: String,
        /// Which of its operations.
        name: Option<String>,
        /// Whether it may only read.
        read_only: bool,
    },
}

/// As whom an administrator calls.
#[derive(Clone, Debug, PartialEq)]
pub enum Impersonation {
    /// A user with these claims; `sub` is the user id.
    User(Map<String, Json>),
    /// Nobody in particular.
    Unauthenticated,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The service's id.
    pub service: String,
    /// What is called.
    pub what: What,
    /// With what.
    pub variables: Map<String, Json>,
    /// Who calls.
    pub caller: Caller,
    /// Whether only administrators may call in this way.
    pub needs_admin: bool,
    /// As whom.
    pub impersonation: Option<Impersonation>,
    /// Whether errors say what only administrators may know.
    pub details: bool,
    /// Where the call comes from: what callers without a name share connections by.
    pub address: String,
}

/// What a call is answered with; all of it is a success of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The whole answer, as PostgreSQL has written it.
    Data(String),
    /// Fields and what failed.
    Answer(Answer, bool),
    /// The variables do not fit.
    Variables(Vec<VariableFault>),
}

impl Reply {
    /// The body.
    pub fn body(self) -> String {
        match self {
            Reply::Data(data) => format!("{{\"data\":{data}}}"),
            Reply::Answer(answer, details) => answer.json(details).to_string(),
            Reply::Variables(faults) => {
                let error = |fault: &VariableFault| json!({"message": fault.to_string(), "extensions": {"code": "INVALID_ARGUMENT"}});
                let errors: Vec<Json> = faults.iter().map(error).collect();
                json!({"data": null, "errors": errors}).to_string()
            }
        }
    }
}
