//! Where rows lie.
//!
//! ```text
//! BUCKETS  bucket                 → Bucket
//! OBJECTS  bucket 00 name         → Object
//! UPLOADS  upload id              → Upload
//! BLOBS    SHA-256 (32 bytes)     → Uses
//! ```
//! Neither kind of name has a byte 00, so objects are in the order of their names' UTF-8 bytes.

use access::keyspace::{BLOBS, BUCKETS, OBJECTS, UPLOADS};
use kv::{Key, KeyRange};

use super::blob::BlobName;
use super::name::{BucketName, ObjectName};

const END_OF_BUCKET: u8 = 0;

/// A bucket's row.
pub fn bucket_key(bucket: &BucketName) -> Key {
    Key::new(BUCKETS, bucket.as_str().as_bytes())
}

/// An object's row.
pub fn object_key(bucket: &BucketName, name: &ObjectName) -> Key {
    Key::new(OBJECTS, &bytes_of(bucket, name.as_str().as_bytes()))
}

/// An upload's row.
pub fn upload_key(id: &str) -> Key {
    Key::new(UPLOADS, id.as_bytes())
}

/// The row of a file of bytes.
pub fn blob_key(blob: &BlobName) -> Key {
    Key::new(BLOBS, &blob.0)
}

/// All objects of a bucket.
pub fn objects_of(bucket: &BucketName) -> KeyRange {
    KeyRange::prefix(OBJECTS, &bytes_of(bucket, b""))
}

/// The name in the key of an object's row.
pub fn object_of(key: &Key) -> Option<&str> {
    let bytes = key.as_bytes();
    let end = bytes.iter().position(|&byte| byte == END_OF_BUCKET)?;
    std::str::from_utf8(bytes.get(end + 1..)?).ok()
}

/// The objects of a bucket whose names begin alike, from a place on.
pub struct PrefixRange<'a> {
    /// The bucket.
    pub bucket: &'a BucketName,
    /// How the names begin.
    pub prefix: &'a str,
}

impl PrefixRange<'_> {
    /// All of them.
    pub fn all(&self) -> KeyRange {
        KeyRange::prefix(OBJECTS, &bytes_of(self.bucket, self.prefix.as_bytes()))
    }

    /// Those whose names are not before these bytes.
    pub fn from(&self, start: &[u8]) -> KeyRange {
        let all = self.all();
        let start = Key::new(OBJECTS, &bytes_of(self.bucket, start));
        KeyRange::between(start.max(all.start), all.end)
    }

    /// Those before these bytes, of a range.
    pub fn before(&self, range: KeyRange, end: &[u8]) -> KeyRange {
        let end = Key::new(OBJECTS, &bytes_of(self.bucket, end));
        KeyRange::between(range.start, end.min(range.end))
    }

    /// Where the names end that begin with these bytes.
    pub fn behind(&self, prefix: &str) -> Vec<u8> {
        let end = KeyRange::prefix(OBJECTS, &bytes_of(self.bucket, prefix.as_bytes())).end;
        let skipped = self.bucket.as_str().len() + 1;
        end.as_bytes().get(skipped..).unwrap_or_default().to_vec()
    }
}

fn bytes_of(bucket: &BucketName, name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(bucket.as_str().len() + 1 + name.len());
    bytes.extend_from_slice(bucket.as_str().as_bytes());
    bytes.push(END_OF_BUCKET);
    bytes.extend_from_slice(name);
    bytes
}
