//! What the Firebase CLI asks of other Google services before it deploys rules: may I, is it switched on. An administrator of Hearth may everything, and everything that is here is switched on.
//!
//! Source: the requests of `firebase deploy --only firestore:rules`, pointed here by its `FIREBASE_…_URL` variables, or led
//! here by Google's host names.

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::routing::get;
use base::Status;
use http::Response;
use serde_json::{Value as Json, json};

use super::respond_with;
use crate::{Deploy, status};

/// Bytes of a list of permissions.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The routes that are not the Rules API's own.
pub fn routes() -> Router<Arc<Deploy>> {
    Router::new()
        .route("/v1beta1/projects/{project}", get(project))
        .route("/firebase.googleapis.com/v1beta1/projects/{project}", get(project))
        .route("/v1/projects/{project}/services/{service}", get(service))
        .route("/serviceusage.googleapis.com/v1/projects/{project}/services/{service}", get(service))
}

/// `POST /v1/projects/P:testIamPermissions`: an administrator has what is asked for.
pub async fn permissions(
    deploy: &Deploy,
    caller: &Caller,
    project: &str,
    body: &[u8],
) -> Result<Json, Status> {
    deploy.look(caller, project, "TestIamPermissions", "/permissions".to_owned()).await?;
    if body.len() > BODY_BYTES_MAX {
        return Err(status::too_many_permissions());
    }
    let asked: Json = super::read(body)?;
    Ok(json!({ "permissions": asked.get("permissions").cloned().unwrap_or_else(|| json!([])) }))
}

async fn project(
    State(deploy): State<Arc<Deploy>>,
    Path(project): Path<String>,
    request: Request,
) -> Response<Body> {
    let caller = super::caller(&request);
    let answer = async {
        let caller = caller?;
        deploy.look(&caller, &project, "GetProject", "/".to_owned()).await?;
        let name = format!("projects/{project}");
        Ok(
            json!({ "name": name, "projectId": project, "displayName": project, "state": "ACTIVE", "resources": {} }),
        )
    };
    respond_with(answer.await)
}

async fn service(
    State(deploy): State<Arc<Deploy>>,
    Path((project, service)): Path<(String, String)>,
    request: Request,
) -> Response<Body> {
    let caller = super::caller(&request);
    let answer = async {
        let caller = caller?;
        deploy.look(&caller, &project, "GetService", format!("/services/{service}")).await?;
        Ok(json!({ "name": format!("projects/{project}/services/{service}"), "state": "ENABLED" }))
    };
    respond_with(answer.await)
}
