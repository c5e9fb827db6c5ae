//! Resources as the JSON API shows them.

use base::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};

use crate::model::{Bucket, Object, TOKENS_KEY};
use crate::ops::Listed;

/// What JavaScript's `encodeURIComponent` encodes.
pub const NOT_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// A time with three digits behind the point.
pub fn time(micros: i64) -> String {
    let text = Timestamp::from_micros(micros).truncate_to_millis().to_string();
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

/// An object.
pub fn object(origin: &str, object: &Object) -> Json {
    let of = &object.headers;
    let name = utf8_percent_encode(&object.name, NOT_COMPONENT);
    let (bucket, generation) = (&object.bucket, object.generation);
    let mut custom: Map<String, Json> =
        object.custom.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    if !object.tokens.is_empty() {
        custom.insert(TOKENS_KEY.to_owned(), object.tokens.join(",").into());
    }
    let mut shown = json!({
        "kind": "storage#object",
        "name": object.name,
        "bucket": bucket,
        "generation": generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "contentType": object.content_type(),
        "contentDisposition": of.content_disposition,
        "contentEncoding": of.content_encoding,
        "contentLanguage": of.content_language,
        "cacheControl": of.cache_control,
        "customTime": of.custom_time,
        "timeCreated": time(object.created),
        "updated": time(object.updated),
        "timeStorageClassUpdated": time(object.created),
        "storageClass": of.storage_class.as_deref().unwrap_or("STANDARD"),
        "size": object.size.to_string(),
        "md5Hash": object.md5,
        "crc32c": object.crc32c_text(),
        "etag": object.etag(),
        "metadata": (!custom.is_empty()).then_some(custom),
        "id": format!("{bucket}/{}/{generation}", object.name),
        "selfLink": format!("{origin}/storage/v1/b/{bucket}/o/{name}"),
        "mediaLink": format!("{origin}/download/storage/v1/b/{bucket}/o/{name}?generation={generation}&alt=media"),
    });
    if let Some(shown) = shown.as_object_mut() {
        shown.retain(|_, value| !value.is_null());
    }
    shown
}

/// A page of objects.
pub fn listed(origin: &str, listed: &Listed) -> Json {
    let mut shown = json!({"kind": "storage#objects"});
    if let Some(shown) = shown.as_object_mut() {
        if !listed.items.is_empty() {
            let items = listed.items.iter().map(|item| object(origin, item)).collect();
            shown.insert("items".to_owned(), Json::Array(items));
        }
        if !listed.prefixes.is_empty() {
            shown.insert("prefixes".to_owned(), json!(listed.prefixes));
        }
        if let Some(next) = &listed.next {
            shown.insert("nextPageToken".to_owned(), next.clone().into());
        }
    }
    shown
}

/// A bucket.
pub fn bucket(origin: &str, name: &str, bucket: &Bucket) -> Json {
    let mut shown = json!({
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "selfLink": format!("{origin}/storage/v1/b/{name}"),
        "projectNumber": "000000000000",
        "metageneration": bucket.metageneration.to_string(),
        "location": "US",
        "locationType": "multi-region",
        "storageClass": "STANDARD",
        "etag": format!("CA{}=", bucket.metageneration),
        "timeCreated": time(bucket.created),
        "updated": time(bucket.created),
    });
    if let Some(shown) = shown.as_object_mut() {
        for (key, value) in &bucket.settings {
            let is_its_own =
                ["kind", "id", "name", "selfLink", "timeCreated", "updated", "metageneration", "etag"];
            if !is_its_own.contains(&key.as_str()) {
                shown.insert(key.clone(), value.clone());
            }
        }
    }
    shown
}
