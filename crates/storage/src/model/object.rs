//! An object: what is known of it.

use std::collections::BTreeMap;

use base::{Fields, Timestamp, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use super::blob::BlobName;
use super::digest::{Digest, crc32c_text};
use super::name::{BucketName, ObjectName};
use super::rows::Acl;

/// The custom key that sets download tokens and is never shown by the Firebase API.
pub const TOKENS_KEY: &str = "firebaseStorageDownloadTokens";

/// What becomes headers of downloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Headers {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// A time that its user gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_time: Option<String>,
    /// The class; without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// An object that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its bucket.
    pub bucket: String,
    /// Its name.
    pub name: String,
    /// Raised by each write of bytes; microseconds, unless writes come faster.
    pub generation: i64,
    /// Raised by each write of metadata.
    pub metageneration: i64,
    /// Bytes.
    pub size: u64,
    /// The file that has them.
    pub blob: BlobName,
    /// MD5, base64.
    pub md5: Option<String>,
    /// CRC-32C.
    pub crc32c: u32,
    /// When its bytes were written, microseconds.
    pub created: i64,
    /// When it was changed last, microseconds.
    pub updated: i64,
    /// What becomes headers.
    pub headers: Headers,
    /// What its users say of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, String>,
    /// Its access control list, kept without effect.
    #[serde(default, skip_serializing_if = "Acl::is_empty")]
    pub acl: Acl,
    /// Who shows one of these may read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
}

impl Object {
    /// A new object of these bytes, written now in the place of another.
    pub fn new(
        bucket: &BucketName,
        name: &ObjectName,
        digest: &Digest,
        now_micros: i64,
        before: Option<&Object>,
    ) -> Self {
        let generation = before.map_or(now_micros, |before| now_micros.max(before.generation + 1));
        Self {
            bucket: bucket.as_str().to_owned(),
            name: name.as_str().to_owned(),
            generation,
            metageneration: 1,
            size: digest.size,
            blob: digest.blob,
            md5: Some(digest.md5.clone()),
            crc32c: digest.crc32c,
            created: now_micros,
            updated: now_micros,
            headers: Headers::default(),
            custom: BTreeMap::new(),
            acl: Acl::new(),
            tokens: Vec::new(),
        }
    }

    /// The content type, where none was given the usual one.
    pub fn content_type(&self) -> &str {
        self.headers.content_type.as_deref().unwrap_or("application/octet-stream")
    }

    /// Changes with every write.
    pub fn etag(&self) -> String {
        STANDARD_NO_PAD.encode(Md5::digest(format!("{}/{}", self.generation, self.metageneration)))
    }

    /// The CRC-32C as clients see it.
    pub fn crc32c_text(&self) -> String {
        crc32c_text(self.crc32c)
    }

    /// As rules see it.
    pub fn fields(&self) -> Fields {
        let text = |text: &str| Value::String(text.to_owned());
        let time = |micros: i64| Value::Timestamp(Timestamp::from_micros(micros).truncate_to_millis());
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        let custom = self.custom.iter().map(|(key, value)| (key.clone(), text(value)));
        let mut fields = Fields::from([
            ("name".to_owned(), text(&self.name)),
            ("bucket".to_owned(), text(&self.bucket)),
            ("generation".to_owned(), Value::Integer(self.generation)),
            ("metageneration".to_owned(), Value::Integer(self.metageneration)),
            ("size".to_owned(), Value::Integer(size)),
            ("timeCreated".to_owned(), time(self.created)),
            ("updated".to_owned(), time(self.updated)),
            ("crc32c".to_owned(), text(&self.crc32c_text())),
            ("etag".to_owned(), text(&self.etag())),
            ("contentType".to_owned(), text(self.content_type())),
            ("metadata".to_owned(), Value::Map(custom.collect())),
        ]);
        let of = &self.headers;
        for (name, value) in [
            ("md5Hash", &self.md5),
            ("contentEncoding", &of.content_encoding),
            ("contentDisposition", &of.content_disposition),
            ("contentLanguage", &of.content_language),
            ("cacheControl", &of.cache_control),
        ] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), text(value));
            }
        }
        fields
    }

    /// As rules see it before its bytes are there: what follows from them is absent.
    pub fn declared_fields(&self, size: Option<u64>) -> Fields {
        let mut fields = self.fields();
        for name in ["md5Hash", "crc32c", "etag", "generation", "size"] {
            fields.remove(name);
        }
        if let Some(size) = size.and_then(|size| i64::try_from(size).ok()) {
            fields.insert("size".to_owned(), Value::Integer(size));
        }
        fields
    }
}
