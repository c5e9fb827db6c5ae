//! The Admin API, `google.firestore.admin.v1` over REST: databases, indexes, fields and operations, as the Firebase CLI and
//! client libraries use them. For administrators only.
//!
//! Source: the annotations of `google/firestore/admin/v1/firestore_admin.proto`, and `src/firestore/api.ts` of firebase-tools.

mod databases;
mod fields;
mod indexes;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::routing::any;
use base::{Code, DatabaseName, Status};
use http::{Method, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};
use wire::status as wire_status;
use wire::weight;

use super::{caller, not_found, respond};
use crate::{Firestore, status};

/// Bytes of one request.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The routes that name no documents.
pub(super) fn routes() -> Router<Arc<Firestore>> {
    Router::new()
        .route("/v1/projects/{project}/databases", any(serve))
        .route("/v1/projects/{project}/databases/{database}", any(serve))
        .route("/v1/projects/{project}/locations", any(serve))
}

/// Whether what follows `databases/D/` in a path is the Admin API's.
pub(super) fn is_admin(rest: &str) -> bool {
    matches!(rest.split('/').next(), Some("collectionGroups" | "operations"))
}

/// One call, read but for its body's meaning.
struct Call<'a> {
    firestore: &'a Arc<Firestore>,
    caller: Caller,
    method: Method,
    query: String,
    body: Json,
}

impl Call<'_> {
    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(of, _)| *of == name).map(|(_, value)| value.replace('+', " "))?;
        Some(percent_decode_str(&value).decode_utf8_lossy().into_owned())
    }
}

pub(super) async fn serve(State(firestore): State<Arc<Firestore>>, request: Request) -> Response<Body> {
    match answer(&firestore, request).await {
        Ok(body) => respond(200, body.to_string().into()),
        Err(status) => respond(status.code.http(), wire_status::rest_body(&status).into()),
    }
}

async fn answer(firestore: &Arc<Firestore>, request: Request) -> Result<Json, Status> {
    let caller = caller(request.extensions())?;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/v1/projects/").unwrap_or_default();
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let segments: Vec<String> = path.split('/').map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // Whoever may not ask at all does not have the server read anything.
    if !caller.is_admin() {
        let project = segments.first().copied().unwrap_or_default();
        firestore.refuse_admin(&caller, project, path).await?;
    }
    let body = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Status::invalid(format!("A request may have {} MiB.", BODY_BYTES_MAX >> 20)))?;
    let body = if body.trim_ascii().is_empty() { b"{}" } else { &*body };
    weight::json::charge_tree(body)?;
    let body: Json = serde_json::from_slice(body).map_err(|error| status::bad_payload(&error.to_string()))?;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let call = Call { firestore, caller, method: parts.method, query, body };
    let database = |project: &str, database: &str| {
        DatabaseName::parse(&format!("projects/{project}/databases/{database}"))
            .map_err(|error| Status::invalid(error.to_string()))
    };
    match segments.as_slice() {
        [project, "locations"] => databases::locations(&call, project).await,
        [project, "databases"] => databases::all(&call, project).await,
        [project, "databases", name] => databases::one(&call, &database(project, name)?).await,
        [project, "databases", name, "operations"] => operations(&call, &database(project, name)?).await,
        [project, "databases", name, "operations", id] => {
            operation(&call, &database(project, name)?, id).await
        }
        [project, "databases", name, "collectionGroups", group, "indexes"] => {
            indexes::all(&call, &database(project, name)?, group).await
        }
        [project, "databases", name, "collectionGroups", group, "indexes", id] => {
            indexes::one(&call, &database(project, name)?, group, id).await
        }
        [project, "databases", name, "collectionGroups", group, "fields"] => {
            fields::all(&call, &database(project, name)?, group).await
        }
        [project, "databases", name, "collectionGroups", group, "fields", field] => {
            fields::one(&call, &database(project, name)?, group, field).await
        }
        _ => Err(not_found()),
    }
}

async fn operations(call: &Call<'_>, database: &DatabaseName) -> Result<Json, Status> {
    if call.method != Method::GET {
        return Err(not_found());
    }
    let all = call.firestore.list_work(&call.caller, database).await?;
    let all: Vec<Json> = all.iter().map(|work| work.json()).collect();
    Ok(json!({ "operations": all }))
}

async fn operation(call: &Call<'_>, database: &DatabaseName, id: &str) -> Result<Json, Status> {
    match call.method {
        Method::GET => Ok(call.firestore.get_work(&call.caller, database, id).await?.json()),
        _ => Err(Status::new(Code::Unimplemented, "Operations are neither cancelled nor deleted.")),
    }
}

/// Metadata of an operation on something.
fn metadata(kind: &str, key: &str, name: &str, is_done: bool) -> Json {
    let state = if is_done { "SUCCESSFUL" } else { "PROCESSING" };
    json!({ "@type": format!("type.googleapis.com/google.firestore.admin.v1.{kind}"), key: name, "state": state })
}

/// A response of an operation.
fn typed(kind: &str, mut message: Json) -> Json {
    if let Some(message) = message.as_object_mut() {
        let kind = format!("type.googleapis.com/google.firestore.admin.v1.{kind}");
        message.insert("@type".to_owned(), kind.into());
    }
    message
}
