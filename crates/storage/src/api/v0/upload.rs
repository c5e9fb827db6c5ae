//! Uploads of the Firebase API: in one request, in two parts, or resumable.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{refused, shown};
use crate::Storage;
use crate::api::asked::Asked;
use crate::api::multipart;
use crate::model::{BucketName, ObjectName, Patch};
use crate::ops::{Chunk, Expected, Progress, Put};
use crate::status::Failure;

const STATUS: &str = "x-goog-upload-status";
const SIZE_RECEIVED: &str = "x-goog-upload-size-received";
/// Chunks are multiples of this, but for the last.
const GRANULARITY: &str = "262144";

/// Answers a `POST` or `PUT` with bytes.
pub async fn answer(
    storage: &Arc<Storage>,
    mut asked: Asked,
    bucket: BucketName,
    name: Option<String>,
) -> Result<Response, Failure> {
    let name = name.or_else(|| asked.parameter("name").map(str::to_owned));
    let protocol = asked.header("x-goog-upload-protocol").map(str::to_ascii_lowercase);
    let command = asked.header("x-goog-upload-command").map(str::to_ascii_lowercase);
    if protocol.as_deref() == Some("resumable") || command.is_some() {
        let command = command.ok_or_else(|| Failure::Bad("X-Goog-Upload-Command is missing.".to_owned()))?;
        return resumable(storage, asked, bucket, name, &command).await;
    }
    let name = ObjectName::new(&name.unwrap_or_default())?;
    let mut put = Put {
        bucket,
        name,
        metadata: Patch::default(),
        conditions: asked.conditions()?,
        declared_size: None,
        expected: asked.expected(),
        is_firebase: true,
    };
    let content_type = asked.header("content-type").map(str::to_owned);
    let bytes = if protocol.as_deref() == Some("multipart") {
        let content_type = content_type.ok_or_else(|| Failure::Bad("Content-Type is missing.".to_owned()))?;
        let body = asked.bytes();
        let parts = multipart::read(&content_type, body).await?;
        put.metadata = Patch::from_json(&parts.metadata)?;
        if let Some(content_type) = parts.content_type {
            put.metadata.or_content_type(&content_type)?;
        }
        parts.bytes
    } else {
        if let Some(content_type) = content_type {
            put.metadata = Patch::of_content_type(&content_type)?;
        }
        put.declared_size = asked.content_length();
        asked.bytes()
    };
    let object = storage.put(&asked.caller, asked.network, put, bytes).await?;
    Ok(Json(shown::object(&object)).into_response())
}

async fn resumable(
    storage: &Arc<Storage>,
    mut asked: Asked,
    bucket: BucketName,
    name: Option<String>,
    command: &str,
) -> Result<Response, Failure> {
    let commands: Vec<&str> = command.split(',').map(str::trim).collect();
    let has = |command: &str| commands.contains(&command);
    if has("start") {
        return start(storage, &mut asked, bucket, name).await;
    }
    let id = asked.parameter("upload_id").map(str::to_owned);
    let id = id.ok_or_else(|| Failure::Bad("upload_id is missing.".to_owned()))?;
    if has("query") {
        return query(storage, &id).await;
    }
    if has("cancel") {
        storage.cancel(&id).await?;
        return Ok(with(StatusCode::OK.into_response(), &[(STATUS, "cancelled")]));
    }
    if !has("upload") && !has("finalize") {
        return Err(Failure::Bad(format!("Unknown X-Goog-Upload-Command: {command}")));
    }
    let offset = asked.header("x-goog-upload-offset");
    let offset = Asked::number("X-Goog-Upload-Offset", offset)?;
    let body = if has("upload") { asked.bytes() } else { Box::pin(stream::empty()) };
    let offset = offset.filter(|_| has("upload"));
    let chunk =
        Chunk { offset, body, total: None, is_last: Some(has("finalize")), expected: Expected::default() };
    match storage.append(&asked.caller, asked.network, &id, chunk).await {
        Ok(Progress::Active(received)) => {
            let received = received.to_string();
            let response = StatusCode::OK.into_response();
            Ok(with(response, &[(STATUS, "active"), (SIZE_RECEIVED, &received), ("x-gupload-uploadid", &id)]))
        }
        Ok(Progress::Final(object)) => {
            let received = object.size.to_string();
            let response = Json(shown::object(&object)).into_response();
            Ok(with(response, &[(STATUS, "final"), (SIZE_RECEIVED, &received)]))
        }
        Err(Failure::UploadFinal) => Ok(with(StatusCode::OK.into_response(), &[(STATUS, "final")])),
        Err(failure @ (Failure::Denied(_) | Failure::Precondition)) => {
            Ok(with(refused(&failure), &[(STATUS, "final")]))
        }
        Err(failure) => Err(failure),
    }
}

async fn start(
    storage: &Arc<Storage>,
    asked: &mut Asked,
    bucket: BucketName,
    name: Option<String>,
) -> Result<Response, Failure> {
    let length = asked.header("x-goog-upload-header-content-length");
    let declared_size = Asked::number("X-Goog-Upload-Header-Content-Length", length)?;
    let content_type = asked.header("x-goog-upload-header-content-type").map(str::to_owned);
    let json = asked.json().await?;
    let of_body = || json.get("name").and_then(|name| name.as_str()).map(str::to_owned);
    let name = ObjectName::new(&name.or_else(of_body).unwrap_or_default())?;
    let mut metadata = Patch::from_json(&json)?;
    if let Some(content_type) = content_type {
        metadata.or_content_type(&content_type)?;
    }
    let put = Put {
        bucket,
        name,
        metadata,
        conditions: asked.conditions()?,
        declared_size,
        expected: Expected::default(),
        is_firebase: true,
    };
    let id = storage.start(&asked.caller, asked.network, &put).await?;
    let name = utf8_percent_encode(put.name.as_str(), NON_ALPHANUMERIC);
    let url = format!(
        "{}/v0/b/{}/o?name={name}&upload_id={id}&upload_protocol=resumable",
        asked.origin, put.bucket
    );
    let headers = [
        ("x-goog-upload-url", url.as_str()),
        ("x-goog-upload-control-url", url.as_str()),
        ("x-goog-upload-chunk-granularity", GRANULARITY),
        (STATUS, "active"),
        ("x-gupload-uploadid", id.as_str()),
    ];
    Ok(with(StatusCode::OK.into_response(), &headers))
}

async fn query(storage: &Arc<Storage>, id: &str) -> Result<Response, Failure> {
    let response = StatusCode::OK.into_response();
    match storage.progress(id).await {
        Ok(Progress::Active(received)) => {
            Ok(with(response, &[(STATUS, "active"), (SIZE_RECEIVED, &received.to_string())]))
        }
        Ok(Progress::Final(_)) | Err(Failure::UploadFinal) => Ok(with(response, &[(STATUS, "final")])),
        Err(Failure::UploadOver) => Ok(with(response, &[(STATUS, "cancelled")])),
        Err(failure) => Err(failure),
    }
}

fn with(mut response: Response, headers: &[(&'static str, &str)]) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
