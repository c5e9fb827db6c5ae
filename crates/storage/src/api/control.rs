//! The control routes of the emulator. Development only.
//!
//! Source: `src/emulator/storage/server.ts` of firebase-tools.

use std::sync::Arc;

use access::{Caller, ForeignOrigin};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use crate::Storage;
use crate::ops::control::RulesText;
use crate::status::Failure;

/// Bytes of rules.
const RULES_BYTES_MAX: usize = 1 << 20;

/// What a control route may do: there is no such thing outside of development, or for a web page from elsewhere.
pub fn permit(storage: &Storage, request: &Request) -> Result<access::DevPermit, Failure> {
    if let Some(foreign) = request.extensions().get::<ForeignOrigin>() {
        return Err(Failure::Denied(foreign.refusal().message));
    }
    let path = request.uri().path();
    storage.gate().mode().dev().ok_or_else(|| Failure::NoObject(path.to_owned()))
}

fn bad(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"message": message}))).into_response()
}

/// `PUT /internal/setRules`
pub async fn set_rules(State(storage): Api, request: Request) -> Response {
    match try_set_rules(&storage, request).await {
        Ok(response) | Err(response) => response,
    }
}

async fn try_set_rules(storage: &Arc<Storage>, request: Request) -> Result<Response, Response> {
    let permit = permit(storage, &request).map_err(|failure| super::v0::refused(&failure))?;
    let body = axum::body::to_bytes(request.into_body(), RULES_BYTES_MAX).await;
    let json: Value = body.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let files = json.pointer("/rules/files").and_then(Value::as_array).filter(|files| !files.is_empty());
    let files = files.ok_or_else(|| bad("Request body must include 'rules.files' array"))?;
    let text = |file: &Value, key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut texts = Vec::new();
    for file in files {
        let (Some(name), Some(content)) = (text(file, "name"), text(file, "content")) else {
            return Err(bad("Each member of 'rules.files' array must contain 'name' and 'content'"));
        };
        let bucket = text(file, "resource").filter(|_| files.len() > 1);
        if files.len() > 1 && bucket.is_none() {
            return Err(bad(
                "Each member of 'rules.files' array must contain 'name', 'content', and 'resource'",
            ));
        }
        texts.push(RulesText { name, content, bucket });
    }
    match storage.put_rules(permit, texts) {
        Ok(()) => Ok(Json(json!({"message": "Rules updated successfully"})).into_response()),
        Err(Failure::Bad(errors)) => {
            let message = "There was an error updating rules, see logs for more details";
            let body = json!({"message": message, "errors": errors});
            Err((StatusCode::BAD_REQUEST, Json(body)).into_response())
        }
        Err(failure) => Err(bad(&failure.to_string())),
    }
}

/// `POST /internal/reset`
pub async fn reset(State(storage): Api, request: Request) -> Response {
    let permit = match permit(&storage, &request) {
        Ok(permit) => permit,
        Err(failure) => return super::v0::refused(&failure),
    };
    match storage.clear(permit, &Caller::admin("owner")).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => super::v0::refused(&failure),
    }
}
