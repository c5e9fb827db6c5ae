//! Buckets, and what belongs to them without effect here.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{acl, shown};
use crate::Storage;
use crate::api::asked::Asked;
use crate::model::{Bucket, BucketName};
use crate::ops::{BucketChange, Conditions};
use crate::status::Failure;

/// `/b`
pub async fn all(storage: &Arc<Storage>, mut asked: Asked) -> Result<Response, Failure> {
    if asked.method == Method::POST {
        let settings = object(asked.json().await?)?;
        let name = settings.get("name").and_then(Value::as_str).unwrap_or_default();
        let name = BucketName::new(name)?;
        let (conditions, change) = (asked.conditions()?, BucketChange::Create(settings));
        let bucket = storage.change_bucket(&asked.caller, &name, conditions, &change).await?;
        return Ok(Json(shown::bucket(&asked.origin, name.as_str(), &bucket)).into_response());
    }
    let text = |name: &str| asked.parameter(name).unwrap_or_default();
    let entries_max = Asked::number("maxResults", asked.parameter("maxResults"))?;
    let entries_max = entries_max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let buckets = storage.buckets(&asked.caller, text("prefix"), text("pageToken"), entries_max).await?;
    let of = |(name, bucket): &(String, Bucket)| shown::bucket(&asked.origin, name, bucket);
    let items: Vec<Value> = buckets.items.iter().map(of).collect();
    let mut answer = json!({"kind": "storage#buckets", "items": items});
    if let (Some(next), Some(answer)) = (buckets.next, answer.as_object_mut()) {
        answer.insert("nextPageToken".to_owned(), next.into());
    }
    Ok(Json(answer).into_response())
}

/// `/b/BUCKET`
pub async fn one(storage: &Arc<Storage>, mut asked: Asked, name: &str) -> Result<Response, Failure> {
    let (name, conditions) = (BucketName::new(name)?, asked.conditions()?);
    let change = match asked.method {
        Method::GET | Method::HEAD => {
            let bucket = storage.bucket(&asked.caller, &name).await?;
            conditions.check_metageneration(bucket.metageneration)?;
            return Ok(Json(shown::bucket(&asked.origin, name.as_str(), &bucket)).into_response());
        }
        Method::PATCH => BucketChange::Patch(object(asked.json().await?)?),
        Method::PUT => BucketChange::Replace(object(asked.json().await?)?),
        Method::DELETE => BucketChange::Delete,
        _ => return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    };
    let bucket = storage.change_bucket(&asked.caller, &name, conditions, &change).await?;
    if asked.method == Method::DELETE {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(shown::bucket(&asked.origin, name.as_str(), &bucket)).into_response())
}

/// Access control of Cloud Storage itself: taken, kept and returned, and without effect. The rules and who is an
/// administrator decide.
pub async fn part(
    storage: &Arc<Storage>,
    asked: Asked,
    name: &str,
    what: &str,
    which: &str,
) -> Result<Response, Failure> {
    let name = BucketName::new(name)?;
    match what {
        "acl" | "defaultObjectAcl" => list(storage, asked, &name, what == "defaultObjectAcl", which).await,
        "iam" => iam(storage, asked, &name, which).await,
        "storageLayout" if asked.method == Method::GET => {
            storage.bucket(&asked.caller, &name).await?;
            let (kind, location) = ("storage#storageLayout", "multi-region");
            let layout =
                json!({"kind": kind, "bucket": name.as_str(), "location": "US", "locationType": location});
            Ok(Json(layout).into_response())
        }
        _ => Err(Failure::NoObject(asked.raw_path)),
    }
}

async fn list(
    storage: &Arc<Storage>,
    mut asked: Asked,
    name: &BucketName,
    is_default: bool,
    entity: &str,
) -> Result<Response, Failure> {
    let entity = Some(entity).filter(|entity| !entity.is_empty());
    let origin = asked.origin.clone();
    let of = acl::Of { origin: &origin, bucket: name.as_str(), object: None };
    let list = |bucket: Bucket| if is_default { bucket.default_acl } else { bucket.acl };
    if asked.method == Method::GET {
        return acl::shown(&of, &list(storage.bucket(&asked.caller, name).await?), entity);
    }
    let change = acl::change(&mut asked, entity).await?;
    let of_bucket = BucketChange::Acl { is_default, change: change.clone() };
    let bucket = storage.change_bucket(&asked.caller, name, Conditions::default(), &of_bucket).await?;
    acl::changed(&of, &list(bucket), &change)
}

async fn iam(
    storage: &Arc<Storage>,
    mut asked: Asked,
    name: &BucketName,
    which: &str,
) -> Result<Response, Failure> {
    let bucket = storage.bucket(&asked.caller, name).await?;
    if which == "testPermissions" {
        // Who gets here is an administrator.
        let asked_for = asked.query.iter().filter(|(key, _)| key == "permissions").map(|(_, value)| value);
        let permissions: Vec<&String> = asked_for.collect();
        let kind = "storage#testIamPermissionsResponse";
        return Ok(Json(json!({"kind": kind, "permissions": permissions})).into_response());
    }
    let bucket = match asked.method {
        Method::PUT => {
            let change = BucketChange::Policy(Value::Object(object(asked.json().await?)?));
            storage.change_bucket(&asked.caller, name, Conditions::default(), &change).await?
        }
        _ => bucket,
    };
    let mut policy = object(bucket.policy.unwrap_or(Value::Null))?;
    policy.entry("kind").or_insert_with(|| "storage#policy".into());
    policy.entry("bindings").or_insert_with(|| json!([]));
    policy.insert("resourceId".to_owned(), format!("projects/_/buckets/{name}").into());
    policy.insert("etag".to_owned(), format!("CA{}=", bucket.metageneration).into());
    Ok(Json(policy).into_response())
}

fn object(json: Value) -> Result<Map<String, Value>, Failure> {
    match json {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        _ => Err(Failure::Bad("The body is not a JSON object.".to_owned())),
    }
}
