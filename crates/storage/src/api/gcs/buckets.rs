//! Buckets, and what belongs to them without effect here.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::shown;
use crate::Storage;
use crate::api::asked::Asked;
use crate::model::BucketName;
use crate::ops::BucketChange;
use crate::status::Failure;

/// `/b`
pub async fn all(storage: &Arc<Storage>, mut asked: Asked) -> Result<Response, Failure> {
    if asked.method == Method::POST {
        let settings = object(asked.json().await?)?;
        let name = settings.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = BucketName::new(name)?;
        let bucket = storage.change_bucket(&asked.caller, &name, &BucketChange::Create(settings)).await?;
        return Ok(Json(shown::bucket(&asked.origin, name.as_str(), &bucket)).into_response());
    }
    let prefix = asked.parameter("prefix").unwrap_or_default();
    let buckets = storage.buckets(&asked.caller).await?;
    let buckets = buckets.iter().filter(|(name, _)| name.starts_with(prefix));
    let items: Vec<Value> =
        buckets.map(|(name, bucket)| shown::bucket(&asked.origin, name, bucket)).collect();
    Ok(Json(json!({"kind": "storage#buckets", "items": items})).into_response())
}

/// `/b/BUCKET`
pub async fn one(storage: &Arc<Storage>, mut asked: Asked, name: &str) -> Result<Response, Failure> {
    let name = BucketName::new(name)?;
    let bucket = match asked.method {
        Method::GET => storage.bucket(&asked.caller, &name).await?,
        Method::PATCH | Method::PUT => {
            let settings = object(asked.json().await?)?;
            storage.change_bucket(&asked.caller, &name, &BucketChange::Patch(settings)).await?
        }
        Method::DELETE => {
            storage.change_bucket(&asked.caller, &name, &BucketChange::Delete).await?;
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        _ => return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    };
    Ok(Json(shown::bucket(&asked.origin, name.as_str(), &bucket)).into_response())
}

/// Access control of Cloud Storage itself: taken, and without effect. The rules and who is an administrator decide.
pub async fn part(
    storage: &Arc<Storage>,
    mut asked: Asked,
    name: &str,
    what: &str,
) -> Result<Response, Failure> {
    let name = BucketName::new(name)?;
    storage.bucket(&asked.caller, &name).await?;
    let body = asked.json().await?;
    match (what, asked.method.clone()) {
        ("acl" | "defaultObjectAcl", Method::GET) => {
            Ok(Json(json!({"kind": "storage#bucketAccessControls", "items": []})).into_response())
        }
        ("acl" | "defaultObjectAcl", Method::DELETE) => Ok(StatusCode::NO_CONTENT.into_response()),
        ("acl" | "defaultObjectAcl", _) => {
            let (entity, role) = (body.get("entity"), body.get("role"));
            let kind = "storage#bucketAccessControl";
            Ok(Json(json!({"kind": kind, "bucket": name.as_str(), "entity": entity, "role": role}))
                .into_response())
        }
        ("iam", Method::GET) => {
            Ok(Json(json!({"kind": "storage#policy", "bindings": [], "etag": "CAE="})).into_response())
        }
        ("iam", _) => Ok(Json(body).into_response()),
        _ => Err(Failure::NoObject(asked.raw_path)),
    }
}

fn object(json: Value) -> Result<Map<String, Value>, Failure> {
    match json {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        _ => Err(Failure::Bad("The body is not a JSON object.".to_owned())),
    }
}
