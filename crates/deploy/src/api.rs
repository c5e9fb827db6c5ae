//! The protocols: they decode, ask one verb and encode, nothing else.

mod cli;
mod rules;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use base::Status;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use wire::weight;

use crate::{Deploy, status};

/// All routes of the service. Every request must carry its [`Caller`] as an extension.
pub fn router(deploy: Arc<Deploy>) -> Router {
    rules::routes().merge(cli::routes()).with_state(deploy)
}

/// The caller that the front door has put with a request. Its absence is a fault of ours, never a default.
fn caller(request: &Request) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(status::no_caller)
}

/// A body as a message; an empty one is an empty message.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Status> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    weight::json::charge_tree(body)?;
    serde_json::from_slice(body).map_err(|error| status::bad_payload(&error))
}

fn encoded(answer: impl Serialize) -> Result<Json, Status> {
    serde_json::to_value(answer).map_err(|error| status::cannot_encode(&error))
}

/// The answer, or the error in the form of Google's services.
fn respond_with(answer: Result<Json, Status>) -> Response<Body> {
    match answer {
        Ok(body) => respond(200, &body),
        Err(status) => {
            let error = json!({ "code": status.code.http(), "message": status.message, "status": status.code.name() });
            respond(status.code.http(), &json!({ "error": error }))
        }
    }
}

fn respond(code: u16, body: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
