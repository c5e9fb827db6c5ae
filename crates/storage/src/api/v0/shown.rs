//! Objects as the Firebase API shows them: numbers are strings, download tokens have a field of their own.

use base::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::model::Object;
use crate::ops::Listed;

/// A time with three digits behind the point.
pub fn time(micros: i64) -> String {
    let text = Timestamp::from_micros(micros).truncate_to_millis().to_string();
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

/// What is known of an object.
pub fn object(object: &Object) -> Json {
    let of = &object.headers;
    let mut shown = json!({
        "name": object.name,
        "bucket": object.bucket,
        "generation": object.generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "contentType": object.content_type(),
        "timeCreated": time(object.created),
        "updated": time(object.updated),
        "storageClass": of.storage_class.as_deref().unwrap_or("STANDARD"),
        "size": object.size.to_string(),
        "md5Hash": object.md5,
        "contentEncoding": of.content_encoding.as_deref().unwrap_or("identity"),
        "contentDisposition": of.content_disposition,
        "contentLanguage": of.content_language,
        "cacheControl": of.cache_control,
        "crc32c": object.crc32c_text(),
        "etag": object.etag(),
        "downloadTokens": object.tokens.join(","),
    });
    if let Some(shown) = shown.as_object_mut() {
        shown.retain(|_, value| !value.is_null());
        if !object.custom.is_empty() {
            let custom = object.custom.iter().map(|(key, value)| (key.clone(), value.clone().into()));
            shown.insert("metadata".to_owned(), Json::Object(custom.collect::<Map<_, _>>()));
        }
    }
    shown
}

/// A page of a list. Names that the SDKs' references cannot have are left out.
pub fn listed(listed: &Listed) -> Json {
    let is_good = |name: &str| !name.starts_with('/') && !name.ends_with('/') && !name.contains("//");
    let items = listed.items.iter().filter(|object| is_good(&object.name));
    let items: Vec<Json> =
        items.map(|object| json!({"name": object.name, "bucket": object.bucket})).collect();
    let prefixes = listed.prefixes.iter();
    let prefixes: Vec<&String> =
        prefixes.filter(|prefix| prefix.strip_suffix('/').is_some_and(is_good)).collect();
    let mut shown = json!({"prefixes": prefixes, "items": items});
    if let (Some(next), Some(shown)) = (&listed.next, shown.as_object_mut()) {
        shown.insert("nextPageToken".to_owned(), next.clone().into());
    }
    shown
}
