//! The account of a partner: made and changed over the identity service's own interface for administrators, which leaves the usual
//! records.

use axum::body::Body;
use base::{Code, Status};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use server::{Answer, Routes};

use crate::admin::Site;

/// Finds the account with this address; its uid and its claims.
pub async fn find(site: &Site, email: &str) -> Result<Option<(String, Json)>, Status> {
    let found = ask(site, "accounts:lookup", &json!({ "email": [email] })).await?;
    let Some(user) = found.pointer("/users/0") else { return Ok(None) };
    let uid = user.get("localId").and_then(Json::as_str).unwrap_or_default().to_owned();
    let claims = user.get("customAttributes").and_then(Json::as_str);
    let claims = claims.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    Ok(Some((uid, claims)))
}

/// Makes one. Returns its uid.
pub async fn create(site: &Site, email: &str, password: &str) -> Result<String, Status> {
    let made = ask(site, "accounts", &json!({ "email": email, "password": password })).await?;
    let uid = made.get("localId").and_then(Json::as_str);
    uid.map(str::to_owned).ok_or_else(|| Status::new(Code::Internal, "the account has no uid"))
}

/// Sets its claims.
pub async fn set_claims(site: &Site, uid: &str, claims: &Json) -> Result<(), Status> {
    let change = json!({ "localId": uid, "customAttributes": claims.to_string() });
    ask(site, "accounts:update", &change).await.map(drop)
}

/// Disables it, or enables it again.
pub async fn set_disabled(site: &Site, uid: &str, is_disabled: bool) -> Result<(), Status> {
    ask(site, "accounts:update", &json!({ "localId": uid, "disableUser": is_disabled })).await.map(drop)
}

async fn ask(site: &Site, verb: &str, body: &Json) -> Result<Json, Status> {
    let internal = |_| Status::new(Code::Internal, "the identity service cannot be asked");
    // The administrator who runs the command, for as long as this takes.
    let begun = site.gate.invocations().begin(&site.project, site.caller.clone());
    let invocation = begun.map_err(|error| Status::unavailable(error.to_string()))?;
    let uri = format!("/identitytoolkit.googleapis.com/v1/projects/{}/{verb}", site.project);
    let request = Request::post(uri)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {}", invocation.credential()))
        .body(Body::from(body.to_string()))
        .map_err(internal)?;
    let routes = Routes::from(identity::api::router(std::sync::Arc::clone(&site.identity)));
    let response = routes.answer(request).await;
    let is_success = response.status().is_success();
    let bytes =
        response.into_body().collect().await.map_err(|_| Status::unavailable("no answer"))?.to_bytes();
    let answer: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    if is_success {
        return Ok(answer);
    }
    let text = answer.pointer("/error/message").and_then(Json::as_str).unwrap_or("it was refused");
    Err(Status::new(Code::FailedPrecondition, format!("the partner's account: {text}")))
}
