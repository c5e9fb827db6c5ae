//! Cloud Storage's JSON API, and objects addressed by path: what the Admin SDKs and Google's own clients speak. For
//! administrators; whoever else asks is decided by the rules like everybody.
//!
//! Source: the JSON API's discovery document; `src/emulator/storage/apis/gcloud.ts` of firebase-tools.

mod buckets;
mod by_path;
mod objects;
pub(crate) mod shown;
mod upload;

use std::sync::Arc;

use access::Principal;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::json;

use super::asked::Asked;
use crate::Storage;
use crate::status::Failure;

pub use by_path::answer_by_path;

/// A failure in the words of this API.
pub fn refused(failure: &Failure) -> Response {
    let code = StatusCode::from_u16(failure.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code == StatusCode::NOT_MODIFIED {
        return code.into_response();
    }
    // What the web SDK wants to hear of a full disk is another code than what is usual here.
    let code = if matches!(failure, Failure::Full) { StatusCode::INSUFFICIENT_STORAGE } else { code };
    let message = failure.to_string();
    let errors = json!([{"message": message, "domain": "global", "reason": failure.reason()}]);
    let body = json!({"error": {"code": code.as_u16(), "message": message, "errors": errors}});
    let mut response = (code, Json(body)).into_response();
    if let Failure::Range(size) = failure
        && let Ok(value) = format!("bytes */{size}").parse()
    {
        response.headers_mut().insert(http::header::CONTENT_RANGE, value);
    }
    response
}

/// Answers a request of the JSON API.
pub async fn answer(storage: &Arc<Storage>, asked: Asked) -> Response {
    answered(storage, asked).await.unwrap_or_else(|failure| refused(&failure))
}

async fn answered(storage: &Arc<Storage>, asked: Asked) -> Result<Response, Failure> {
    require_admin(&asked)?;
    let path: Vec<String> = asked.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
    let is_upload = asked.raw_path.contains("/upload/");
    match path.as_slice() {
        ["b", bucket, "o"] if is_upload => upload::answer(storage, asked, bucket).await,
        ["b"] => buckets::all(storage, asked).await,
        ["b", bucket] => buckets::one(storage, asked, bucket).await,
        ["b", bucket, "o"] if asked.method == Method::GET => objects::list(storage, &asked, bucket).await,
        ["b", bucket, "o", rest @ ..] => {
            let names: Vec<&str> = rest.to_vec();
            objects::answer(storage, asked, bucket, &names).await
        }
        ["b", bucket, what] => buckets::part(storage, asked, bucket, what).await,
        ["b", bucket, what, ..] => buckets::part(storage, asked, bucket, what).await,
        ["projects", project, "serviceAccount"] => {
            let email = format!("service-{project}@gs-project-accounts.iam.gserviceaccount.com");
            Ok(Json(json!({"kind": "storage#serviceAccount", "email_address": email})).into_response())
        }
        _ => Err(Failure::NoObject(asked.raw_path)),
    }
}

/// The JSON API is administrators'.
pub(super) fn require_admin(asked: &Asked) -> Result<(), Failure> {
    match asked.caller.who {
        Principal::Admin(_) => Ok(()),
        Principal::Unauthenticated => Err(Failure::Unauthenticated(
            "Anonymous caller does not have access to Cloud Storage's own API.".to_owned(),
        )),
        Principal::User(_) => Err(Failure::Denied(
            "Users reach objects over the Firebase API, not over Cloud Storage's own.".to_owned(),
        )),
    }
}
