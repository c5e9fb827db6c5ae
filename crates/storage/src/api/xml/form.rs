//! A form posted to a bucket: fields first, the file last. An administrator posts what it likes, others what a policy allows
//! that an administrator has signed.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use http::StatusCode;

use super::policy::{self, Allowed, Fields};
use super::{HEADERS, put_of, shown};
use crate::Storage;
use crate::api::asked::Asked;
use crate::api::gcs::require_admin;
use crate::api::multipart::{self, Reader};
use crate::api::signed;
use crate::files::ReceiveError;
use crate::model::Patch;
use crate::ops::Body;
use crate::status::Failure;

/// Bytes of one field of a form.
const FIELD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a form.
const FIELDS_MAX: usize = 100;

/// Answers a form. The bucket is in the path, or only in the policy where the server has no other paths.
pub async fn answer(storage: &Arc<Storage>, mut asked: Asked, bucket: &str) -> Result<Response, Failure> {
    let content_type = asked.header("content-type").unwrap_or_default().to_owned();
    let boundary = multipart::boundary(&content_type, "multipart/form-data")
        .map_err(|_| Failure::Bad("Content-Type must be multipart/form-data".to_owned()))?;
    let mut reader = Reader { body: asked.bytes(), buffer: BytesMut::new(), is_over: false };
    reader.until(format!("--{boundary}").as_bytes(), FIELD_BYTES_MAX).await?;
    let delimiter = format!("\r\n--{boundary}");
    let (fields, file_type) = fields(&mut reader, delimiter.as_bytes()).await?;
    let bucket = match bucket {
        "" => policy::bucket(&fields).unwrap_or_default(),
        bucket => bucket.to_owned(),
    };
    let allowed = admit(storage, &mut asked, &fields, &bucket).await?;
    let key = fields.get("key").ok_or_else(|| Failure::Bad("Missing 'key' or file.".to_owned()))?;
    let mut metadata = metadata(&fields)?;
    if let Some(file_type) = file_type {
        metadata.or_content_type(&file_type)?;
    }
    let put = put_of(&asked, &bucket, key, metadata)?;
    let bytes = bounded(reader.data(delimiter.into_bytes()), allowed);
    let object = storage.put(&asked.caller, asked.network, put, bytes).await?;
    match fields.get("success_action_status") {
        Some("201") => Ok(shown::xml(StatusCode::CREATED, shown::posted(&asked.origin, &object))),
        Some("200") => Ok(StatusCode::OK.into_response()),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The fields before the file, and the file's type.
async fn fields(reader: &mut Reader, delimiter: &[u8]) -> Result<(Fields, Option<String>), Failure> {
    let mut fields = Vec::new();
    for _ in 0..FIELDS_MAX {
        let headers = reader.header_lines().await?;
        let header = |name: &str| {
            let of_name = |line: &&String| line.to_ascii_lowercase().starts_with(name);
            headers.iter().find(of_name).map_or("", String::as_str).to_owned()
        };
        let disposition = header("content-disposition:");
        let name = parameter(&disposition, "name").unwrap_or_default().to_ascii_lowercase();
        if name == "file" || parameter(&disposition, "filename").is_some() {
            let file_type = header("content-type:");
            let file_type = file_type.split_once(':').map(|(_, value)| value.trim().to_owned());
            return Ok((Fields(fields), file_type));
        }
        let value = reader.until(delimiter, FIELD_BYTES_MAX).await?;
        if fields.iter().any(|(known, _)| *known == name) {
            return Err(Failure::Bad(format!("The form has the field `{name}` twice.")));
        }
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Err(Failure::Bad(format!("A form has at most {FIELDS_MAX} fields.")))
}

/// Who posts: an administrator, or who has what one has signed. A policy binds administrators, too.
async fn admit(
    storage: &Storage,
    asked: &mut Asked,
    fields: &Fields,
    bucket: &str,
) -> Result<Allowed, Failure> {
    let Some(signature) = policy::signature(fields)? else {
        require_admin(asked)?;
        return Ok(Allowed { bytes_min: 0, bytes_max: u64::MAX });
    };
    let allowed = policy::check(fields, bucket, storage.gate().clock().now())?;
    if !asked.caller.is_admin() {
        asked.caller = signed::signer(storage, &signature).await?;
    }
    Ok(allowed)
}

fn metadata(fields: &Fields) -> Result<Patch, Failure> {
    let mut metadata = Patch::default();
    for (name, value) in &fields.0 {
        if let Some(custom) = name.strip_prefix("x-goog-meta-") {
            metadata.set_custom(custom, value);
        } else if let Some((_, field)) = HEADERS.iter().find(|(header, _)| header == name) {
            metadata.set(field, value)?;
        }
    }
    Ok(metadata)
}

/// The file, as long as it has as many bytes as are allowed.
fn bounded(body: Body, allowed: Allowed) -> Body {
    Box::pin(stream::unfold(Some((body, 0u64)), move |state| async move {
        let (mut body, size) = state?;
        match body.next().await {
            Some(Ok(piece)) => {
                let size = size + piece.len() as u64;
                if size > allowed.bytes_max {
                    return Some((Err(ReceiveError::TooLong(allowed.bytes_max)), None));
                }
                Some((Ok(piece), Some((body, size))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if size < allowed.bytes_min => {
                let text = format!("the file has {size} bytes, the policy asks for {}", allowed.bytes_min);
                Some((Err(ReceiveError::Broken(text)), None))
            }
            None => None,
        }
    }))
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let mut parameters = header.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let found = parameters.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(found.1.trim().trim_matches('"').to_owned())
}
