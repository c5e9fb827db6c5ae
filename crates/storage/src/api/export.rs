//! Exports and imports in the layout of the official emulator. Development only.
//!
//! ```text
//! buckets.json        {"buckets": [{"id"}]}
//! blobs/ID            an object's bytes
//! metadata/ID.json    what is known of it
//! ```
//! Source: `src/emulator/storage/files.ts` (`export`, `import`) and `metadata.ts` of firebase-tools.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{Caller, ClientAddress, DevPermit};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base::Timestamp;
use futures_util::stream;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::control::permit;
use super::{Api, v0};
use crate::Storage;
use crate::files::{FilesError, ReceiveError};
use crate::model::{BucketName, Object, ObjectName, Patch};
use crate::ops::control::file_fault;
use crate::ops::{Body, BucketChange, Conditions, Expected, Put};
use crate::status::Failure;

/// What is read or written of a file at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of the request.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// `POST /internal/export {"path"}`
pub async fn export(State(storage): Api, request: Request) -> Response {
    done(async {
        let (permit, path) = path_of(&storage, request).await?;
        to_folder(&storage, permit, &path).await.map_err(|failure| v0::refused(&failure))
    })
    .await
}

/// `POST /internal/import {"path"}`
pub async fn import(State(storage): Api, request: Request) -> Response {
    done(async {
        let (permit, path) = path_of(&storage, request).await?;
        from_folder(&storage, permit, &path).await.map_err(|failure| v0::refused(&failure))
    })
    .await
}

async fn done(work: impl Future<Output = Result<(), Response>>) -> Response {
    match work.await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(response) => response,
    }
}

async fn path_of(storage: &Storage, request: Request) -> Result<(DevPermit, PathBuf), Response> {
    let permit = permit(storage, &request).map_err(|failure| v0::refused(&failure))?;
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let json: Value = body.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    match json.get("path").and_then(Value::as_str) {
        Some(path) if !path.is_empty() => Ok((permit, PathBuf::from(path))),
        _ => Err((StatusCode::BAD_REQUEST, "Export request body must include 'path'.").into_response()),
    }
}

async fn to_folder(storage: &Arc<Storage>, permit: DevPermit, folder: &Path) -> Result<(), Failure> {
    let caller = Caller::admin("owner");
    let (blobs, metadata) = (folder.join("blobs"), folder.join("metadata"));
    for made in [&blobs, &metadata] {
        tokio::fs::create_dir_all(made).await.map_err(|error| file_fault(made, &error))?;
    }
    let mut buckets: Vec<Value> = Vec::new();
    let mut from = Some(String::new());
    while let Some(start) = from.take() {
        let page = storage.buckets(&caller, "", &start, usize::MAX).await?;
        buckets.extend(page.items.iter().map(|(id, _)| json!({"id": id})));
        from = page.next;
    }
    write(&folder.join("buckets.json"), &json!({"buckets": buckets})).await?;
    for (index, object) in storage.all_objects(permit, &caller).await?.iter().enumerate() {
        let id = format!("{index:08}-{}", object.generation);
        let path = blobs.join(&id);
        let written = write_bytes(storage, permit, object, &path).await;
        written?;
        write(&metadata.join(format!("{id}.json")), &described(object)).await?;
    }
    Ok(())
}

async fn write_bytes(
    storage: &Storage,
    permit: DevPermit,
    object: &Object,
    path: &Path,
) -> Result<(), Failure> {
    let blob = storage.bytes_of(permit, object).await?;
    let fault = |error: std::io::Error| file_fault(path, &error);
    let mut file = tokio::fs::File::create(path).await.map_err(fault)?;
    let mut at = 0;
    while at < blob.size() {
        let piece = blob.read(at, PIECE_BYTES).await?;
        at += piece.len() as u64;
        file.write_all(&piece).await.map_err(fault)?;
    }
    file.sync_all().await.map_err(fault)
}

async fn write(path: &Path, json: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    tokio::fs::write(path, text).await.map_err(|error| file_fault(path, &error))
}

/// What is known of an object, as the emulator keeps it.
fn described(object: &Object) -> Value {
    let of = &object.headers;
    let time = |micros: i64| Timestamp::from_micros(micros).truncate_to_millis().to_string();
    let mut json = json!({
        "name": object.name,
        "bucket": object.bucket,
        "contentType": object.content_type(),
        "metageneration": object.metageneration,
        "generation": object.generation,
        "storageClass": of.storage_class.as_deref().unwrap_or("STANDARD"),
        "contentDisposition": of.content_disposition,
        "cacheControl": of.cache_control,
        "contentLanguage": of.content_language,
        "customTime": of.custom_time,
        "contentEncoding": of.content_encoding.as_deref().unwrap_or("identity"),
        "downloadTokens": object.tokens,
        "etag": object.etag(),
        "customMetadata": (!object.custom.is_empty()).then_some(&object.custom),
        "timeCreated": time(object.created),
        "updated": time(object.updated),
        "size": object.size,
        "md5Hash": object.md5,
        "crc32c": object.crc32c.to_string(),
    });
    if let Some(json) = json.as_object_mut() {
        json.retain(|_, value| !value.is_null());
    }
    json
}

async fn from_folder(storage: &Arc<Storage>, permit: DevPermit, folder: &Path) -> Result<(), Failure> {
    make_buckets(storage, folder).await?;
    let (blobs, metadata) = (folder.join("blobs"), folder.join("metadata"));
    let mut waiting = vec![metadata.clone()];
    while let Some(inside) = waiting.pop() {
        let mut entries = match tokio::fs::read_dir(&inside).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| file_fault(&inside, &error))?,
        };
        while let Some(entry) = entries.next_entry().await.map_err(|error| file_fault(&inside, &error))? {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let relative = path.strip_prefix(&metadata).ok().and_then(|path| path.to_str());
            if let Some(id) = relative.and_then(|relative| relative.strip_suffix(".json")) {
                from_files(storage, permit, &path, &blobs, id).await?;
            }
        }
    }
    Ok(())
}

/// The buckets of an export, those without objects, too.
async fn make_buckets(storage: &Arc<Storage>, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("buckets.json");
    let text = match tokio::fs::read_to_string(&path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(|error| file_fault(&path, &error))?,
    };
    let json: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Bad(format!("{}:{}:{}: {error}", path.display(), error.line(), error.column()))
    })?;
    let buckets = json.get("buckets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for bucket in buckets.iter().filter_map(|bucket| bucket.get("id")?.as_str()) {
        let (name, create) = (BucketName::new(bucket)?, BucketChange::Create(Map::new()));
        match storage.change_bucket(&Caller::admin("owner"), &name, Conditions::default(), &create).await {
            Ok(_) | Err(Failure::BucketExists) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// One object; bytes that are missing are passed over, as by the emulator.
async fn from_files(
    storage: &Arc<Storage>,
    permit: DevPermit,
    metadata: &Path,
    blobs: &Path,
    id: &str,
) -> Result<(), Failure> {
    let text = tokio::fs::read_to_string(metadata).await.map_err(|error| file_fault(metadata, &error))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| {
        Failure::Bad(format!("{}:{}:{}: {error}", metadata.display(), error.line(), error.column()))
    })?;
    // Exports of other systems have their separators in names, or encode names once more.
    let decoded = percent_decode_str(id).decode_utf8_lossy().into_owned();
    let blob = [id, &decoded].into_iter().map(|id| blobs.join(id)).find(|path| path.is_file());
    let Some(blob) = blob else {
        tracing::warn!(id, "an export has no bytes of an object");
        return Ok(());
    };
    let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut described = json.clone();
    if let Some(described) = described.as_object_mut() {
        let custom = described.remove("customMetadata").unwrap_or(Value::Null);
        described.insert("metadata".to_owned(), custom);
        described.remove("customTime");
    }
    let put = Put {
        bucket: BucketName::new(&text("bucket"))?,
        name: ObjectName::new(&of_any_system(&text("name")))?,
        metadata: Patch::from_json(&described)?,
        conditions: Conditions::default(),
        declared_size: None,
        expected: Expected::default(),
        is_firebase: false,
    };
    let size = tokio::fs::metadata(&blob).await.map_err(|error| file_fault(&blob, &error))?.len();
    let declared = json.get("size").and_then(Value::as_u64);
    if let Some(declared) = declared.filter(|declared| *declared != size) {
        let text = format!("`{}` has {size} bytes, its metadata says {declared}.", blob.display());
        return Err(Failure::Bad(text));
    }
    let put = Put { declared_size: Some(size), ..put };
    let body = body_of(&blob).await?;
    let network = ClientAddress([127, 0, 0, 1].into()).network();
    let exported = exported(&put, &json);
    storage.import(permit, &Caller::admin("owner"), network, put, body, &exported).await
}

/// A name as it was given: exports made on Windows have backslashes for its slashes. As the emulator does, the separator that
/// comes first is taken for the one that is meant.
fn of_any_system(name: &str) -> String {
    match name.find(['/', '\\']) {
        Some(at) if name.get(at..).is_some_and(|rest| rest.starts_with('\\')) => name.replace('\\', "/"),
        _ => name.to_owned(),
    }
}

/// What an import keeps of the exported object: its tokens, numbers and times.
fn exported(put: &Put, json: &Value) -> Object {
    let number = |name: &str| json.get(name).and_then(Value::as_i64);
    let micros = |name: &str| {
        let text = json.get(name).and_then(Value::as_str).unwrap_or_default();
        Timestamp::parse(text).map_or(0, Timestamp::micros)
    };
    let digest = crate::model::Digests::default().finish();
    let mut object = Object::new(&put.bucket, &put.name, &digest, micros("timeCreated"), None);
    object.generation = number("generation").unwrap_or(1);
    object.metageneration = number("metageneration").unwrap_or(1);
    object.updated = micros("updated");
    let tokens = json.get("downloadTokens").and_then(Value::as_array);
    let tokens = tokens.map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_str);
    object.tokens = tokens.map(str::to_owned).collect();
    object
}

async fn body_of(path: &Path) -> Result<Body, Failure> {
    let file = tokio::fs::File::open(path).await.map_err(|error| file_fault(path, &error))?;
    Ok(Box::pin(stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE_BYTES];
        let read =
            file.read(&mut piece).await.map_err(|error| ReceiveError::Files(FilesError::from(error)))?;
        piece.truncate(read);
        Ok((read > 0).then(|| (piece.into(), file)))
    })))
}
