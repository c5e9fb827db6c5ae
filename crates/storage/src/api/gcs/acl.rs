//! Access control lists of buckets and objects: taken, kept and returned, without effect. The rules and who is an
//! administrator decide.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::shown::NOT_COMPONENT;
use crate::api::asked::Asked;
use crate::model::{Acl, Object};
use crate::ops::AclChange;
use crate::status::Failure;

/// What a list belongs to; without an object, to the bucket.
pub struct Of<'a> {
    pub origin: &'a str,
    pub bucket: &'a str,
    pub object: Option<&'a Object>,
}

/// The change that a request asks for.
pub async fn change(asked: &mut Asked, entity: Option<&str>) -> Result<AclChange, Failure> {
    let body = asked.json().await?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let entity = entity.map(str::to_owned).or_else(|| text("entity"));
    let entity = entity.ok_or_else(|| Failure::Bad("Required parameter: entity".to_owned()))?;
    let role = match asked.method {
        Method::DELETE => None,
        _ => Some(text("role").ok_or_else(|| Failure::Bad("Required parameter: role".to_owned()))?),
    };
    Ok(AclChange { entity, role })
}

fn entry(of: &Of<'_>, entity: &str, role: &str) -> Value {
    let (Of { origin, bucket, .. }, shown) = (of, utf8_percent_encode(entity, NOT_COMPONENT));
    let Some(object) = of.object else {
        return json!({
            "kind": "storage#bucketAccessControl", "id": format!("{bucket}/{entity}"), "bucket": bucket,
            "selfLink": format!("{origin}/storage/v1/b/{bucket}/acl/{shown}"), "entity": entity, "role": role,
        });
    };
    let (name, generation) = (utf8_percent_encode(&object.name, NOT_COMPONENT), object.generation);
    json!({
        "kind": "storage#objectAccessControl", "id": format!("{bucket}/{}/{generation}/{entity}", object.name),
        "selfLink": format!("{origin}/storage/v1/b/{bucket}/o/{name}/acl/{shown}"), "bucket": bucket,
        "object": object.name, "generation": generation.to_string(), "etag": object.etag(),
        "entity": entity, "role": role,
    })
}

/// A list, or one entry of it.
pub fn shown(of: &Of<'_>, acl: &Acl, entity: Option<&str>) -> Result<Response, Failure> {
    match entity {
        Some(entity) => {
            let role = acl.get(entity).ok_or_else(|| missing(of, entity))?;
            Ok(Json(entry(of, entity, role)).into_response())
        }
        None => {
            let kind = if of.object.is_some() { "object" } else { "bucket" };
            let items: Vec<Value> = acl.iter().map(|(entity, role)| entry(of, entity, role)).collect();
            Ok(Json(json!({"kind": format!("storage#{kind}AccessControls"), "items": items})).into_response())
        }
    }
}

/// A list after a change.
pub fn changed(of: &Of<'_>, acl: &Acl, change: &AclChange) -> Result<Response, Failure> {
    match change.role {
        Some(_) => shown(of, acl, Some(&change.entity)),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

fn missing(of: &Of<'_>, entity: &str) -> Failure {
    Failure::NoObject(format!(
        "{}/{}, {entity}",
        of.bucket,
        of.object.map_or("acl", |object| object.name.as_str())
    ))
}
