//! The official emulator's control routes: clearing documents, rules and their coverage, exports and imports, triggers, and
//! the feed of decisions. They exist in dev only and have no authentication: whoever reaches a dev port is its owner.
//!
//! Source: `google/firestore/emulator/v1/firestore_emulator.proto`, as the official emulator's descriptors have it.

mod requests;
mod rules;
mod triggers;
mod whole;

use std::sync::Arc;

use access::DevPermit;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::routing::{any, get};
use base::Status;
use base::limits::REQUEST_BYTES_MAX;
use http::{Method, Response};
use serde_json::Value as Json;
use wire::status as wire_status;

use super::{not_found, respond, target};
use crate::Firestore;

pub(super) fn routes() -> Router<Arc<Firestore>> {
    Router::new()
        .route("/emulator/v1/projects/{project}/databases/{database}/{*rest}", any(clear))
        .route("/emulator/v1/{*target}", any(control))
        .route("/requests", get(requests::watch))
}

/// `DELETE /emulator/v1/projects/P/databases/D/documents[/path]`.
async fn clear(State(firestore): State<Arc<Firestore>>, request: Request) -> Response<Body> {
    let path = request.uri().path().strip_prefix("/emulator").unwrap_or_default();
    let cleared = match (firestore.dev(), request.method(), target::read(path)) {
        (Some(permit), &Method::DELETE, Ok(target)) if target.verb.is_none() => {
            firestore.clear(permit, &target.name()).await
        }
        (_, _, Err(status)) => Err(status),
        _ => Err(not_found()),
    };
    match cleared {
        Ok(()) => respond(200, "{}".into()),
        Err(status) => refuse(&status),
    }
}

/// One call of a control route, read but for its body's meaning.
struct Call<'a> {
    firestore: &'a Arc<Firestore>,
    permit: DevPermit,
    method: Method,
    project: &'a str,
    /// The database that the path names.
    database: Option<&'a str>,
    query: String,
    body: Bytes,
}

impl Call<'_> {
    /// Whose rules are meant: the project's, or those of a database beside the default one.
    fn rules_of(&self) -> String {
        match self.database.filter(|database| *database != "(default)") {
            Some(database) => format!("{}/{database}", self.project),
            None => self.project.to_owned(),
        }
    }

    fn json(&self) -> Result<Json, Status> {
        let body = if self.body.trim_ascii().is_empty() { b"{}" } else { &*self.body };
        serde_json::from_slice(body)
            .map_err(|error| Status::invalid(format!("Invalid JSON payload received. {error}")))
    }
}

/// `/emulator/v1/projects/P[/databases/D]:VERB` and `/emulator/v1/projects/P/triggers/…`.
async fn control(
    State(firestore): State<Arc<Firestore>>,
    Path(target): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response<Body> {
    let Some(permit) = firestore.dev() else { return refuse(&not_found()) };
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, REQUEST_BYTES_MAX).await else {
        return refuse(&Status::invalid(format!("A request may have {} MiB.", REQUEST_BYTES_MAX >> 20)));
    };
    let Some(rest) = target.strip_prefix("projects/") else { return refuse(&not_found()) };
    let (resource, verb) = rest.rsplit_once(':').map_or((rest, ""), |(resource, verb)| (resource, verb));
    let (project, below) = resource.split_once('/').unwrap_or((resource, ""));
    let database = below.strip_prefix("databases/").filter(|name| !name.contains('/'));
    let query = query.unwrap_or_default();
    let call = Call { firestore: &firestore, permit, method: parts.method, project, database, query, body };
    let is_whole = below.is_empty() || database.is_some();
    let answer = match (call.method.clone(), verb) {
        (Method::PUT, "securityRules") if is_whole => rules::put(&call),
        (Method::GET, "securityRules") if is_whole => rules::get(&call),
        (Method::GET, "ruleCoverage") if is_whole => rules::coverage(&call),
        (Method::GET, "ruleCoverage.html") if is_whole => rules::coverage_page(&call),
        (Method::POST, "export") if is_whole => whole::export(&call).await,
        (Method::POST, "import") if is_whole => whole::import(&call).await,
        (_, "") => triggers::answer(&call, below),
        _ => Err(not_found()),
    };
    answer.unwrap_or_else(|status| refuse(&status))
}

fn refuse(status: &Status) -> Response<Body> {
    respond(status.code.http(), wire_status::rest_body(status).into())
}
