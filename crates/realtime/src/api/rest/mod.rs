//! The REST API: one request, one read or write.
//!
//! [`target`] reads the path, [`call`] everything else that any request has, [`read`] and [`write`] are the verbs,
//! [`format`] writes answers.
//!
//! Invariants: a request is signed in before its body is read; a large answer is written once; nothing of a request gets into
//! a script or a header but what was checked to be a name.
//!
//! Source: the REST reference of the Realtime Database, and recorded answers of the service.

pub mod call;
pub mod format;
mod pretty;
mod read;
pub mod target;
mod write;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};

use super::shared::Api;
use super::{inspect, settings};
use call::{Call, Refused};
use target::Target;

/// Answers every path that is not one of the other protocols'.
pub async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request).await.unwrap_or_else(Refused::response)
}

async fn answered(api: &Arc<Api>, request: Request) -> Result<Response, Refused> {
    let (call, target, body) = Call::read(api, request)?;
    match target {
        Target::Setting(name) => settings::answer(&call, &name, body).await,
        Target::Inspection(name) => inspect::answer(&call, &name).await,
        Target::Value(path) => match call.method {
            Method::GET | Method::HEAD => read::value(&call, &path).await,
            Method::PUT => write::put(&call, &path, false, body).await,
            Method::PATCH => write::patch(&call, &path, body).await,
            Method::POST => write::post(&call, &path, body).await,
            Method::DELETE => write::delete(&call, &path, false).await,
            _ => Err(no_method()),
        },
        Target::Priority(path) => match call.method {
            Method::GET | Method::HEAD => read::priority(&call, &path).await,
            Method::PUT => write::put(&call, &path, true, body).await,
            Method::DELETE => write::delete(&call, &path, true).await,
            _ => Err(no_method()),
        },
    }
}

fn no_method() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "The method is none of GET, PUT, POST, PATCH and DELETE.")
}
