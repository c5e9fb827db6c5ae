//! What clients see when the gateway answers instead of a function: the errors of the protocol of callables, for all functions.
//!
//! Source: the functions reference, A2.

use std::time::Duration;

use access::{Denial, Reason};
use axum::body::Body;
use axum::response::Response;
use base::{Code, Status};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// Why a call is not answered by its function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such function.
    #[error("{0}")]
    Unknown(String),
    /// It was not allowed, or is no call.
    #[error("{}", .0.message)]
    Refused(Status),
    /// Its caller calls too often.
    #[error("too many calls; the next one may come in {} s", .0.as_secs() + 1)]
    TooOften(Duration),
    /// Its body is too long.
    #[error("the body has more than {} MB", .0 >> 20)]
    TooLarge(usize),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Refused(status)
    }
}

impl Failure {
    /// With a code of the protocol.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Failure::Refused(Status::new(code, message))
    }

    /// The answer.
    pub fn response(&self) -> Response {
        match self {
            Failure::Unknown(text) => {
                let mut response = Response::new(Body::from(text.clone()));
                *response.status_mut() = StatusCode::NOT_FOUND;
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                response
            }
            Failure::Refused(status) => error(status.code.http(), status.code.name(), &status.message),
            Failure::TooOften(wait) => {
                let mut response = error(429, Code::ResourceExhausted.name(), &self.to_string());
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
                response
            }
            Failure::TooLarge(_) => error(413, Code::InvalidArgument.name(), &self.to_string()),
        }
    }
}

/// The body of an error.
pub fn error(http: u16, status: &str, message: &str) -> Response {
    let body = serde_json::json!({ "error": { "message": message, "status": status } });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// What a client reads of a denial; the reason only in dev.
pub fn denied(function: &str, denial: &Denial) -> String {
    let plain = format!("You may not call `{function}`.");
    if denial.shows_reasons.is_none() {
        return plain;
    }
    let why = match &denial.reason {
        Reason::Rules(causes) => causes
            .iter()
            .map(|cause| {
                format!("`{}` is false: {} ({})", cause.expression(), cause.observed(), cause.text())
            })
            .collect::<Vec<_>>()
            .join("; "),
        Reason::NoRules(why) => why.to_string(),
        Reason::NotAdmin => "it is private: only administrators may call it".to_owned(),
        Reason::Retracted(why) => why.clone(),
    };
    format!("{plain} [functions.{function}] of hearth.toml: {why}")
}

/// What mends code that expects the package's first generation at its root.
pub fn mend(version: &str) -> String {
    format!(
        "firebase-functions {version} calls handlers of its root with one request instead of (data, context); \
         `require('firebase-functions/v1')` instead of `require('firebase-functions')` mends it"
    )
}
