//! What clients see when a call fails as a whole: codes and messages, in a body that both parsers read.
//!
//! Source: the reference, §4. The web SDK reads the `message` at the top, the Admin SDK what is below `error`.

use access::{Denial, Reason};
use base::{Code, Status};
use policy::cel::Level;
use serde_json::{Value as Json, json};

use crate::diagnostic::Diagnostic;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Refused, or a fault.
    #[error("{}", .0.message)]
    Status(Status),
    /// A text that is no operation.
    #[error("{}", first(.0))]
    Text(Vec<Diagnostic>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Status(status)
    }
}

fn first(said: &[Diagnostic]) -> String {
    said.first().map_or_else(|| "the text is no operation".to_owned(), ToString::to_string)
}

impl Failure {
    /// With a code.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Status::new(code, message).into()
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::of(Code::NotFound, message)
    }

    /// Its code.
    pub fn code(&self) -> Code {
        match self {
            Failure::Status(status) => status.code,
            Failure::Text(_) => Code::InvalidArgument,
        }
    }

    /// The body.
    pub fn body(&self) -> Json {
        let (code, message) = (self.code(), self.to_string());
        let details: Vec<Json> = match self {
            Failure::Status(_) => Vec::new(),
            Failure::Text(said) => said.iter().map(graphql_error).collect(),
        };
        json!({
            "code": code as i32,
            "message": message,
            "details": details,
            "error": {"code": code.http(), "message": message, "status": code.name(), "details": details},
        })
    }
}

fn graphql_error(said: &Diagnostic) -> Json {
    json!({
        "@type": "type.googleapis.com/google.firebase.dataconnect.v1.GraphqlError",
        "message": said.message,
        "locations": [{"line": said.place.line, "column": said.place.column}],
        "extensions": {"file": &*said.place.file},
    })
}

/// What a denial is to a client. `guard` is the level or the expression; only in dev the client reads why.
pub fn denied(guard: &str, denial: &Denial) -> Status {
    let why = match (&denial.reason, denial.shows_reasons) {
        (Reason::Rules(causes), Some(_)) => causes
            .first()
            .map_or_else(String::new, |cause| format!(" [{}: {}]", cause.expression(), cause.text())),
        _ => String::new(),
    };
    match Level::named(guard) {
        Some(Level::UserAnon | Level::User | Level::UserEmailVerified) => Status::new(
            Code::Unauthenticated,
            format!("unauthenticated: this operation requires a signed-in user{why}"),
        ),
        _ => Status::new(
            Code::PermissionDenied,
            format!("unauthorized: you are not authorized to perform this operation{why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parsers_find_the_message() {
        let body = Failure::of(Code::PermissionDenied, "m").body();
        assert_eq!((&body["code"], &body["message"]), (&json!(7), &json!("m")));
        assert_eq!(
            body["error"],
            json!({"code": 403, "message": "m", "status": "PERMISSION_DENIED", "details": []})
        );
    }
}
