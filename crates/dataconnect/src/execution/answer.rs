//! What a client reads of a call that ran.

use serde_json::{Map, Value as Json, json};

use super::SqlFault;
use crate::sql::Failure;

/// An error of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the client reads.
    pub message: String,
    /// The keys to the field.
    pub path: Vec<String>,
    /// The name of the gRPC code.
    pub code: &'static str,
    /// What only administrators read.
    pub details: Option<String>,
}

impl Fault {
    pub(super) fn of(failure: &Failure, key: &str) -> Self {
        let message = failure.to_string();
        Self { message, path: vec![key.to_owned()], code: "INVALID_ARGUMENT", details: None }
    }

    pub(super) fn internal(message: &str, key: &str) -> Self {
        Self { message: message.to_owned(), path: vec![key.to_owned()], code: "INTERNAL", details: None }
    }

    pub(super) fn refused(message: &str, path: &[&str]) -> Self {
        let path = path.iter().map(|key| (*key).to_owned()).collect();
        Self { message: message.to_owned(), path, code: "PERMISSION_DENIED", details: None }
    }

    pub(super) fn aborted(message: &str, key: &str) -> Self {
        Self { message: message.to_owned(), path: vec![key.to_owned()], code: "ABORTED", details: None }
    }

    /// The names of constraints are for administrators only.
    pub(super) fn sql(fault: SqlFault, key: &str) -> Self {
        let (code, what) = match fault.state.get(..2).unwrap_or_default() {
            _ if fault.state == "23505" => ("ALREADY_EXISTS", "a row with the same unique values is there"),
            _ if fault.state == "23503" => ("FAILED_PRECONDITION", "a row that is referred to is not there"),
            _ if fault.state == "23502" => ("FAILED_PRECONDITION", "a field that must not be null is null"),
            "23" => ("FAILED_PRECONDITION", "a condition of the table does not hold"),
            "22" => ("INVALID_ARGUMENT", "a value is out of range"),
            _ if fault.state == "57014" => ("DEADLINE_EXCEEDED", "the statement took too long"),
            "40" => ("ABORTED", "other operations were in the way"),
            "53" | "08" | "57" => ("UNAVAILABLE", "the database is not available"),
            _ => ("INTERNAL", "the database refused the statement"),
        };
        Self {
            message: format!("SQL execution failed: {what}"),
            path: vec![key.to_owned()],
            code,
            details: Some(fault.message),
        }
    }

    fn json(&self, details: bool) -> Json {
        let mut extensions = json!({"code": self.code});
        if let (true, Some(text), Some(fields)) = (details, &self.details, extensions.as_object_mut()) {
            fields.insert("debugDetails".to_owned(), text.as_str().into());
        }
        json!({"message": self.message, "path": self.path, "extensions": extensions})
    }
}

/// The answer of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The fields in the operation's order; a field that failed is null, a redacted one is not there.
    pub data: Map<String, Json>,
    /// What failed, in the same order.
    pub faults: Vec<Fault>,
}

impl Answer {
    /// As clients read it; `details` are for administrators.
    pub fn json(self, details: bool) -> Json {
        let errors: Vec<Json> = self.faults.iter().map(|fault| fault.json(details)).collect();
        match errors.is_empty() {
            true => json!({"data": self.data}),
            false => json!({"data": self.data, "errors": errors}),
        }
    }
}
