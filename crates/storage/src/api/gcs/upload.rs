//! Uploads of the JSON API: media, multipart, and resumable with `Content-Range` and 308.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::{HeaderName, LOCATION, RANGE};
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::shown;
use crate::Storage;
use crate::api::asked::Asked;
use crate::api::multipart;
use crate::api::range::{ContentRange, content_range};
use crate::model::{BucketName, ObjectName, Patch};
use crate::ops::{Chunk, Expected, Progress, Put};
use crate::status::Failure;

/// What a cancelled upload is answered with: the client closed the request.
const CANCELLED: u16 = 499;
const UPLOAD_ID: HeaderName = HeaderName::from_static("x-guploader-uploadid");

/// Answers `/upload/storage/v1/b/BUCKET/o`.
pub async fn answer(storage: &Arc<Storage>, asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let protocol = asked.parameter("uploadType").or_else(|| asked.header("x-goog-upload-protocol"));
    match protocol.map(str::to_ascii_lowercase).as_deref() {
        Some("resumable") => start(storage, asked, bucket).await,
        Some("multipart") => multipart(storage, asked, bucket).await,
        _ => media(storage, asked, bucket).await,
    }
}

fn put_of(asked: &Asked, bucket: &str, name: &str, metadata: Patch) -> Result<Put, Failure> {
    Ok(Put {
        bucket: BucketName::new(bucket)?,
        name: ObjectName::new(name)?,
        metadata,
        conditions: asked.conditions()?,
        declared_size: None,
        expected: asked.expected(),
        is_firebase: false,
    })
}

/// The name in a request or its metadata.
fn name_in(asked: &Asked, metadata: &Value) -> String {
    let of_metadata = || metadata.get("name").and_then(Value::as_str).map(str::to_owned);
    asked.parameter("name").map(str::to_owned).or_else(of_metadata).unwrap_or_default()
}

/// Digests that metadata gives of the bytes.
fn expected_of(metadata: &Value, expected: &mut Expected) {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    expected.md5 = expected.md5.take().or_else(|| text("md5Hash"));
    expected.crc32c = expected.crc32c.take().or_else(|| text("crc32c"));
}

async fn media(storage: &Arc<Storage>, mut asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let metadata = match asked.header("content-type") {
        Some(content_type) => Patch::of_content_type(content_type)?,
        None => Patch::default(),
    };
    let name = name_in(&asked, &Value::Null);
    let mut put = put_of(&asked, bucket, &name, metadata)?;
    put.declared_size = asked.content_length();
    if let Some(encoding) = asked.parameter("contentEncoding") {
        put.metadata.set("contentEncoding", encoding)?;
    }
    let body = asked.bytes();
    let object = storage.put(&asked.caller, asked.network, put, body).await?;
    Ok(Json(shown::object(&asked.origin, &object)).into_response())
}

async fn multipart(storage: &Arc<Storage>, mut asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let content_type = asked.header("content-type").or_else(|| asked.header("x-upload-content-type"));
    let content_type = content_type.ok_or_else(|| Failure::Bad("Content-Type is missing.".to_owned()))?;
    let content_type = content_type.to_owned();
    let announced = asked.header("x-upload-content-type").map(str::to_owned);
    let body = asked.bytes();
    let parts = multipart::read(&content_type, body).await?;
    let mut metadata = Patch::from_json(&parts.metadata)?;
    if let Some(content_type) = announced.or(parts.content_type) {
        metadata.or_content_type(&content_type)?;
    }
    let mut put = put_of(&asked, bucket, &name_in(&asked, &parts.metadata), metadata)?;
    expected_of(&parts.metadata, &mut put.expected);
    let object = storage.put(&asked.caller, asked.network, put, parts.bytes).await?;
    Ok(Json(shown::object(&asked.origin, &object)).into_response())
}

async fn start(storage: &Arc<Storage>, mut asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let length = Asked::number("X-Upload-Content-Length", asked.header("x-upload-content-length"))?;
    let content_type = asked.header("x-upload-content-type").map(str::to_owned);
    let json = asked.json().await?;
    let mut metadata = Patch::from_json(&json)?;
    if let Some(content_type) = content_type {
        metadata.or_content_type(&content_type)?;
    }
    let name = name_in(&asked, &json);
    let put = Put { declared_size: length, ..put_of(&asked, bucket, &name, metadata)? };
    let id = storage.start(&asked.caller, asked.network, &put).await?;
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    let location = format!(
        "{}/upload/storage/v1/b/{bucket}/o?name={name}&uploadType=resumable&upload_id={id}",
        asked.origin
    );
    Ok((StatusCode::OK, [(LOCATION, location), (UPLOAD_ID, id)]).into_response())
}

/// Goes on with a resumable upload, of the JSON or the XML API.
pub async fn resume(storage: &Arc<Storage>, mut asked: Asked, id: &str) -> Result<Response, Failure> {
    if asked.method == Method::DELETE {
        storage.cancel(id).await?;
        return Ok(StatusCode::from_u16(CANCELLED).unwrap_or(StatusCode::NO_CONTENT).into_response());
    }
    let header = asked.header("content-range").map(str::to_owned);
    let range = header.as_deref().map(|header| {
        content_range(header).ok_or_else(|| Failure::Bad(format!("Invalid Content-Range: {header}")))
    });
    let range = range.transpose()?;
    let expected = asked.expected();
    let (offset, total, is_last, has_bytes) = match range {
        // Without one the rest of the object comes.
        None => (None, None, Some(true), true),
        Some(ContentRange { from: None, total: None, .. }) => return status(storage, id).await,
        Some(ContentRange { from: None, total, .. }) => (None, total, None, false),
        Some(ContentRange { from, is_open: true, total }) => (from, total, Some(true), true),
        Some(ContentRange { from, total, .. }) => (from, total, total.is_none().then_some(false), true),
    };
    let body = if has_bytes { asked.bytes() } else { Box::pin(stream::empty()) };
    let chunk = Chunk { offset, body, total, is_last, expected };
    match storage.append(&asked.caller, asked.network, id, chunk).await? {
        Progress::Active(received) => Ok(incomplete(received)),
        Progress::Final(object) => Ok(Json(shown::object(&asked.origin, &object)).into_response()),
    }
}

async fn status(storage: &Arc<Storage>, id: &str) -> Result<Response, Failure> {
    match storage.progress(id).await {
        Ok(Progress::Active(received)) => Ok(incomplete(received)),
        Ok(Progress::Final(_)) | Err(Failure::UploadFinal) => Ok(StatusCode::OK.into_response()),
        Err(failure) => Err(failure),
    }
}

/// `308 Resume Incomplete` with what has come.
fn incomplete(received: u64) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Some(last) = received.checked_sub(1)
        && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{last}"))
    {
        response.headers_mut().insert(RANGE, range);
    }
    response
}
