//! Cloud Storage's XML API: objects at `/BUCKET/NAME`, their list at `/BUCKET`, forms posted there. For administrators, and
//! for what they have signed: a URL, or the policy of a form.
//!
//! Source: "XML API overview" of Cloud Storage; `src/emulator/storage/apis/gcloud.ts` of firebase-tools.

mod form;
mod policy;
mod shown;

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::asked::Asked;
use super::gcs::{require_admin, resume};
use super::media;
use crate::Storage;
use crate::model::{BucketName, Object, ObjectName, Patch};
use crate::ops::{Conditions, Expected, Listing, Put, Wanted};
use crate::status::Failure;

pub use shown::refused;

/// Headers that are metadata.
const HEADERS: [(&str, &str); 7] = [
    ("content-type", "contentType"),
    ("cache-control", "cacheControl"),
    ("content-disposition", "contentDisposition"),
    ("content-encoding", "contentEncoding"),
    ("content-language", "contentLanguage"),
    ("x-goog-custom-time", "customTime"),
    ("x-goog-storage-class", "storageClass"),
];

/// Answers a request for an object by its path.
pub async fn answer(storage: &Arc<Storage>, asked: Asked) -> Response {
    answered(storage, asked).await.unwrap_or_else(|failure| refused(&failure))
}

async fn answered(storage: &Arc<Storage>, mut asked: Asked) -> Result<Response, Failure> {
    asked.refuse_encryption()?;
    let bucket = asked.segment(0).unwrap_or_default().to_owned();
    let name = asked.rest(1).filter(|name| !name.is_empty());
    if asked.method == Method::POST && name.is_none() {
        // Who may is found in the form.
        return form::answer(storage, asked, &bucket).await;
    }
    if let Some(id) = asked.parameter("upload_id").map(str::to_owned) {
        return resume(storage, asked, &id).await;
    }
    require_admin(&asked)?;
    match (asked.method.clone(), name) {
        (Method::GET | Method::HEAD, Some(name)) => read(storage, &asked, &bucket, &name).await,
        (Method::GET, None) => list(storage, &asked, &bucket).await,
        (Method::HEAD, None) => {
            storage.bucket(&asked.caller, &BucketName::new(&bucket)?).await?;
            Ok(StatusCode::OK.into_response())
        }
        (Method::PUT, Some(name)) if asked.header("x-goog-copy-source").is_some() => {
            copy(storage, &asked, &bucket, &name).await
        }
        (Method::PUT, Some(name)) => {
            let mut put = put_of(&asked, &bucket, &name, of_headers(&asked)?)?;
            put.declared_size = asked.content_length();
            let body = asked.bytes();
            let object = storage.put(&asked.caller, asked.network, put, body).await?;
            Ok((StatusCode::OK, written(&object)).into_response())
        }
        (Method::POST, Some(name)) if asked.header("x-goog-resumable") == Some("start") => {
            start(storage, &asked, &bucket, &name).await
        }
        (Method::DELETE, Some(name)) => {
            storage.delete(&asked.caller, &wanted(&asked, &bucket, &name)?).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(Failure::NoObject(asked.raw_path)),
    }
}

/// Preconditions are headers here.
fn conditions(asked: &Asked) -> Result<Conditions, Failure> {
    let mut conditions = asked.conditions()?;
    for (header, name) in [
        ("x-goog-if-generation-match", "ifGenerationMatch"),
        ("x-goog-if-metageneration-match", "ifMetagenerationMatch"),
    ] {
        if let Some(value) = asked.header(header) {
            conditions.set(name, value)?;
        }
    }
    Ok(conditions)
}

fn wanted(asked: &Asked, bucket: &str, name: &str) -> Result<Wanted, Failure> {
    Ok(Wanted { conditions: conditions(asked)?, ..asked.wanted(bucket, name)? })
}

fn put_of(asked: &Asked, bucket: &str, name: &str, metadata: Patch) -> Result<Put, Failure> {
    Ok(Put {
        bucket: BucketName::new(bucket)?,
        name: ObjectName::new(name)?,
        metadata,
        conditions: conditions(asked)?,
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

/// What a write is answered with.
fn written(object: &Object) -> [(HeaderName, String); 3] {
    [
        (ETAG, format!("\"{}\"", object.etag())),
        (HeaderName::from_static("x-goog-generation"), object.generation.to_string()),
        (HeaderName::from_static("x-goog-hash"), format!("crc32c={}", object.crc32c_text())),
    ]
}

/// An object's bytes. A signed URL says how browsers take them; what they would run stays an attachment.
async fn read(storage: &Arc<Storage>, asked: &Asked, bucket: &str, name: &str) -> Result<Response, Failure> {
    let mut opened = storage.open(&asked.caller, asked.network, &wanted(asked, bucket, name)?).await?;
    let headers = &mut opened.object.headers;
    for (parameter, place) in [
        ("response-content-type", &mut headers.content_type),
        ("response-content-disposition", &mut headers.content_disposition),
    ] {
        if let Some(value) = asked.parameter(parameter) {
            *place = Some(value.to_owned());
        }
    }
    media::send(&asked.method, &asked.headers, opened)
}

async fn list(storage: &Arc<Storage>, asked: &Asked, bucket: &str) -> Result<Response, Failure> {
    let text = |name: &str| asked.parameter(name).unwrap_or_default().to_owned();
    let entries_max = Asked::number("max-keys", asked.parameter("max-keys"))?;
    let after = asked.parameter("marker").or_else(|| asked.parameter("start-after"));
    let listing = Listing {
        bucket: BucketName::new(bucket)?,
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        entries_max: entries_max.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
        page_token: asked.parameter("continuation-token").map(str::to_owned),
        // Behind a name is before all names that go on from it.
        start: after.map_or_else(String::new, |after| format!("{after}\0")),
        end: String::new(),
        glob: None,
    };
    let listed = storage.list(&asked.caller, &listing).await?;
    Ok(shown::xml(StatusCode::OK, shown::listed(&listing, &listed)))
}

async fn copy(storage: &Arc<Storage>, asked: &Asked, bucket: &str, name: &str) -> Result<Response, Failure> {
    let source = asked.header("x-goog-copy-source").unwrap_or_default();
    let source = percent_decode_str(source.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let (from, of) = source
        .split_once('/')
        .ok_or_else(|| Failure::Bad("x-goog-copy-source is `/BUCKET/NAME`.".to_owned()))?;
    let source = Wanted {
        bucket: BucketName::new(from)?,
        name: ObjectName::new(of)?,
        generation: None,
        conditions: Conditions::default(),
        token: None,
    };
    let is_replaced =
        asked.header("x-goog-metadata-directive").is_some_and(|what| what.eq_ignore_ascii_case("replace"));
    let metadata = if is_replaced { of_headers(asked)? } else { Patch::default() };
    let put = Put { expected: Expected::default(), ..put_of(asked, bucket, name, metadata)? };
    let object = storage.copy(&asked.caller, &source, &put, is_replaced, false).await?;
    Ok(shown::xml(StatusCode::OK, shown::copied(&object)))
}

/// Begins a resumable upload. Its address is enough for the rest of it.
async fn start(storage: &Arc<Storage>, asked: &Asked, bucket: &str, name: &str) -> Result<Response, Failure> {
    let length = Asked::number("X-Upload-Content-Length", asked.header("x-upload-content-length"))?;
    let put = Put { declared_size: length, ..put_of(asked, bucket, name, of_headers(asked)?)? };
    let id = storage.start(&asked.caller, asked.network, &put).await?;
    let location = format!("{}{}?upload_id={id}", asked.origin, asked.raw_path);
    let mut response = (StatusCode::CREATED, [(LOCATION, location)]).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    Ok(response)
}
