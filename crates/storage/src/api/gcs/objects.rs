//! Objects of the JSON API.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use base::{Code, Status};
use globset::{GlobBuilder, GlobMatcher};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{acl, shown};
use crate::Storage;
use crate::api::asked::Asked;
use crate::api::media;
use crate::model::{BucketName, ObjectName, Patch};
use crate::ops::{Conditions, Expected, Listing, Put, Wanted};
use crate::status::Failure;

/// Bytes of a pattern.
const GLOB_BYTES_MAX: usize = 256;

/// `/b/BUCKET/o?prefix=…`
pub async fn list(storage: &Arc<Storage>, asked: &Asked, bucket: &str) -> Result<Response, Failure> {
    let entries_max = Asked::number("maxResults", asked.parameter("maxResults"))?;
    let text = |name: &str| asked.parameter(name).unwrap_or_default().to_owned();
    let listing = Listing {
        bucket: BucketName::new(bucket)?,
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        entries_max: entries_max.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
        page_token: asked.parameter("pageToken").map(str::to_owned),
        start: text("startOffset"),
        end: text("endOffset"),
        glob: asked.parameter("matchGlob").map(glob).transpose()?,
    };
    let listed = storage.list(&asked.caller, &listing).await?;
    Ok(Json(shown::listed(&asked.origin, &listed)).into_response())
}

/// A pattern of names: `*` within a folder, `**` across folders, `?`, `[a-z]`, `{a,b}`.
fn glob(text: &str) -> Result<GlobMatcher, Failure> {
    let bad = |why: &str| Failure::Bad(format!("Invalid value for matchGlob: {why}"));
    if text.len() > GLOB_BYTES_MAX {
        return Err(bad(&format!("it has more than {GLOB_BYTES_MAX} bytes")));
    }
    let glob = GlobBuilder::new(&across_folders(text)).literal_separator(true).build();
    Ok(glob.map_err(|error| bad(&error.to_string()))?.compile_matcher())
}

/// `**` crosses folders wherever it stands; to `globset` it does so only between slashes.
fn across_folders(text: &str) -> String {
    let mut glob = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("**") {
        let (before, from) = rest.split_at(at);
        glob.push_str(before);
        let behind = from.trim_start_matches('*');
        let is_whole =
            (glob.is_empty() || glob.ends_with('/')) && (behind.is_empty() || behind.starts_with('/'));
        glob.push_str(if is_whole { "**" } else { "{*,*/**/*}" });
        rest = behind;
    }
    glob + rest
}

/// `/b/BUCKET/o/NAME` and what is done with it. A name's slashes may come as they are where nothing follows.
pub async fn answer(
    storage: &Arc<Storage>,
    asked: Asked,
    bucket: &str,
    path: &[&str],
) -> Result<Response, Failure> {
    match (asked.method.clone(), path) {
        (Method::POST, [name, "compose"]) => compose(storage, asked, bucket, name).await,
        (Method::POST, [from, verb @ ("copyTo" | "rewriteTo"), "b", to, "o", name @ ..]) => {
            copy(storage, asked, (bucket, from), verb, (to, &name.join("/"))).await
        }
        (Method::POST, [from, "moveTo", "o", name @ ..]) => {
            copy(storage, asked, (bucket, from), "moveTo", (bucket, &name.join("/"))).await
        }
        (_, [name, "acl", entity @ ..]) => acl(storage, asked, bucket, name, entity.first().copied()).await,
        (_, [name, "iam", ..]) => {
            storage.get(&asked.caller, &asked.wanted(bucket, name)?).await?;
            Ok(Json(json!({"kind": "storage#policy", "bindings": [], "etag": "CAE="})).into_response())
        }
        (_, name) => one(storage, asked, bucket, &name.join("/")).await,
    }
}

async fn one(
    storage: &Arc<Storage>,
    mut asked: Asked,
    bucket: &str,
    name: &str,
) -> Result<Response, Failure> {
    let wanted = asked.wanted(bucket, name)?;
    match asked.method {
        Method::GET | Method::HEAD if asked.parameter("alt") == Some("media") => {
            let opened = storage.open(&asked.caller, asked.network, &wanted).await?;
            media::send(&asked.method, &asked.headers, opened)
        }
        Method::GET | Method::HEAD => {
            let object = storage.get(&asked.caller, &wanted).await?;
            Ok(Json(shown::object(&asked.origin, &object)).into_response())
        }
        Method::PATCH | Method::PUT => {
            let patch = Patch::from_json(&asked.json().await?)?;
            let object = storage.patch(&asked.caller, &wanted, &patch).await?;
            Ok(Json(shown::object(&asked.origin, &object)).into_response())
        }
        Method::DELETE => {
            storage.delete(&asked.caller, &wanted).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

/// Access control of single objects: kept and returned, without effect.
async fn acl(
    storage: &Arc<Storage>,
    mut asked: Asked,
    bucket: &str,
    name: &str,
    entity: Option<&str>,
) -> Result<Response, Failure> {
    let wanted = Wanted { conditions: Conditions::default(), ..asked.wanted(bucket, name)? };
    if asked.method == Method::GET {
        let object = storage.get(&asked.caller, &wanted).await?;
        let of = acl::Of { origin: &asked.origin, bucket, object: Some(&object) };
        return acl::shown(&of, &object.acl, entity);
    }
    let change = acl::change(&mut asked, entity).await?;
    let object = storage.change_acl(&asked.caller, &wanted, &change).await?;
    let of = acl::Of { origin: &asked.origin, bucket, object: Some(&object) };
    acl::changed(&of, &object.acl, &change)
}

/// What a copy reads: its preconditions and generation have names of their own.
fn source(asked: &Asked, bucket: &str, name: &str) -> Result<Wanted, Failure> {
    let mut conditions = Conditions::default();
    for (key, value) in &asked.query {
        if let Some(name) = key.strip_prefix("ifSource") {
            conditions.set(&format!("if{name}"), value)?;
        }
    }
    let generation = Asked::number("sourceGeneration", asked.parameter("sourceGeneration"))?;
    Ok(Wanted {
        bucket: BucketName::new(bucket)?,
        name: ObjectName::new(name)?,
        generation: generation.and_then(|generation| i64::try_from(generation).ok()),
        conditions,
        token: None,
    })
}

fn target(asked: &Asked, bucket: &str, name: &str, metadata: Patch) -> Result<Put, Failure> {
    Ok(Put {
        bucket: BucketName::new(bucket)?,
        name: ObjectName::new(name)?,
        metadata,
        conditions: asked.conditions()?,
        declared_size: None,
        expected: Expected::default(),
        is_firebase: false,
    })
}

async fn copy(
    storage: &Arc<Storage>,
    mut asked: Asked,
    from: (&str, &str),
    verb: &str,
    to: (&str, &str),
) -> Result<Response, Failure> {
    if asked.parameter("rewriteToken").is_some() {
        // A copy is done in one call, whatever its size: no token was ever given.
        let text = "Rewrites are done in one call: there are no rewrite tokens.";
        return Err(Failure::Fault(Status::new(Code::Unimplemented, text)));
    }
    let source = source(&asked, from.0, from.1)?;
    let body = asked.json().await?;
    let describes = [
        "contentType",
        "metadata",
        "cacheControl",
        "contentEncoding",
        "contentDisposition",
        "contentLanguage",
    ];
    let has_metadata = describes.iter().any(|name| body.get(*name).is_some());
    let put = target(&asked, to.0, to.1, Patch::from_json(&body)?.of_new())?;
    let object = storage.copy(&asked.caller, &source, &put, has_metadata, verb == "moveTo").await?;
    let shown = shown::object(&asked.origin, &object);
    if verb != "rewriteTo" {
        return Ok(Json(shown).into_response());
    }
    let size = object.size.to_string();
    Ok(Json(json!({
        "kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": true, "resource": shown,
    }))
    .into_response())
}

async fn compose(
    storage: &Arc<Storage>,
    mut asked: Asked,
    bucket: &str,
    name: &str,
) -> Result<Response, Failure> {
    let body = asked.json().await?;
    let sources = body.get("sourceObjects").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |source: &Value| {
        let text = source.get("name").and_then(Value::as_str).unwrap_or_default();
        let wanted = source.pointer("/objectPreconditions/ifGenerationMatch");
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        Ok::<_, Failure>(Wanted {
            bucket: BucketName::new(bucket)?,
            name: ObjectName::new(text)?,
            generation: source.get("generation").and_then(number),
            conditions: Conditions { generation: wanted.and_then(number), ..Conditions::default() },
            token: None,
        })
    };
    let sources = sources.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let metadata = Patch::from_json(body.get("destination").unwrap_or(&Value::Null))?;
    let put = target(&asked, bucket, name, metadata)?;
    let object = storage.compose(&asked.caller, asked.network, sources, put).await?;
    Ok(Json(shown::object(&asked.origin, &object)).into_response())
}
