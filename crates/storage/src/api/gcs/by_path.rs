//! Objects at `/BUCKET/NAME`: as Cloud Storage's XML API has them, and a form posted to `/BUCKET`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http::{Method, StatusCode};

use super::{refused, require_admin};
use crate::Storage;
use crate::api::asked::Asked;
use crate::api::media;
use crate::api::multipart::{self, Reader};
use crate::model::{BucketName, ObjectName, Patch};
use crate::ops::Put;
use crate::status::Failure;

/// Bytes of one field of a form.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// Fields of a form.
const FIELDS_MAX: usize = 100;
/// Headers that are metadata.
const HEADERS: [(&str, &str); 5] = [
    ("content-type", "contentType"),
    ("cache-control", "cacheControl"),
    ("content-disposition", "contentDisposition"),
    ("content-encoding", "contentEncoding"),
    ("content-language", "contentLanguage"),
];

/// Answers a request for an object by its path.
pub async fn answer_by_path(storage: &Arc<Storage>, asked: Asked) -> Response {
    answered(storage, asked).await.unwrap_or_else(|failure| refused(&failure))
}

async fn answered(storage: &Arc<Storage>, mut asked: Asked) -> Result<Response, Failure> {
    require_admin(&asked)?;
    let bucket = asked.segment(0).unwrap_or_default().to_owned();
    let name = asked.rest(1);
    match (asked.method.clone(), name) {
        (Method::GET | Method::HEAD, Some(name)) => {
            let wanted = asked.wanted(&bucket, &name)?;
            let opened = storage.open(&asked.caller, asked.network, &wanted).await?;
            media::send(&asked.method, &asked.headers, opened)
        }
        (Method::PUT, Some(name)) => {
            let mut put = put_of(&asked, &bucket, &name, of_headers(&asked)?)?;
            put.declared_size = asked.content_length();
            let body = asked.bytes();
            let object = storage.put(&asked.caller, asked.network, put, body).await?;
            Ok((StatusCode::OK, [("etag", format!("\"{}\"", object.etag()))]).into_response())
        }
        (Method::DELETE, Some(name)) => {
            storage.delete(&asked.caller, &asked.wanted(&bucket, &name)?).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (Method::POST, None) => form(storage, asked, &bucket).await,
        _ => Err(Failure::NoObject(asked.raw_path)),
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

fn of_headers(asked: &Asked) -> Result<Patch, Failure> {
    let mut patch = Patch::default();
    for (name, value) in &asked.headers {
        let Ok(value) = value.to_str() else { continue };
        if let Some(key) = name.as_str().strip_prefix("x-goog-meta-") {
            patch.set_custom(key, value);
        }
        if let Some((_, field)) = HEADERS.iter().find(|(header, _)| *header == name.as_str()) {
            patch.set(field, value)?;
        }
    }
    Ok(patch)
}

/// A form as POST policies have it: fields first, the file last.
async fn form(storage: &Arc<Storage>, mut asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let content_type = asked.header("content-type").unwrap_or_default().to_owned();
    if !content_type.starts_with("multipart/form-data") {
        return Err(Failure::Bad("Content-Type must be multipart/form-data".to_owned()));
    }
    let boundary = multipart::boundary(&content_type, "multipart/form-data")?;
    let mut reader = Reader { body: asked.bytes(), buffer: BytesMut::new(), is_over: false };
    reader.until(format!("--{boundary}").as_bytes(), FIELD_BYTES_MAX).await?;
    let delimiter = format!("\r\n--{boundary}");
    let (mut key, mut metadata) = (None, Patch::default());
    for _ in 0..FIELDS_MAX {
        let headers = reader.header_lines().await?;
        let disposition =
            headers.iter().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
        let disposition = disposition.map_or("", String::as_str);
        if parameter(disposition, "filename").is_some() {
            let key: String = key.ok_or_else(|| Failure::Bad("Missing 'key' or file.".to_owned()))?;
            let of_type = |line: &String| line.to_ascii_lowercase().starts_with("content-type:");
            if let Some((_, value)) =
                headers.iter().find(|line| of_type(line)).and_then(|line| line.split_once(':'))
            {
                metadata.or_content_type(value)?;
            }
            let put = put_of(&asked, bucket, &key, metadata)?;
            storage.put(&asked.caller, asked.network, put, reader.data(delimiter.into_bytes())).await?;
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        let value = reader.until(delimiter.as_bytes(), FIELD_BYTES_MAX).await?;
        let value = String::from_utf8_lossy(&value).into_owned();
        let name = parameter(disposition, "name").unwrap_or_default().to_ascii_lowercase();
        if name == "key" {
            key = Some(value);
        } else if let Some(custom) = name.strip_prefix("x-goog-meta-") {
            metadata.set_custom(custom, &value);
        } else if let Some((_, field)) = HEADERS.iter().find(|(header, _)| *header == name) {
            metadata.set(field, &value)?;
        }
    }
    Err(Failure::Bad(format!("A form has at most {FIELDS_MAX} fields.")))
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let mut parameters = header.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let found = parameters.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(found.1.trim().trim_matches('"').to_owned())
}
