//! What is stored: objects, buckets, uploads under way, how many objects use a file; and where the rows lie.

mod blob;
mod digest;
mod key;
mod name;
mod object;
mod patch;
mod rows;
mod upload;

pub use blob::BlobName;
pub use digest::{Digest, Digests, crc32c_text};
pub use key::{PrefixRange, blob_key, bucket_key, object_key, object_of, objects_of, upload_key};
pub use name::{BucketName, NameError, ObjectName};
pub use object::{Headers, Object, TOKENS_KEY};
pub use patch::{MetadataError, Patch};
pub use rows::{Acl, Bucket, Uses, decode, encode};
pub use upload::{Owner, Upload, UploadState};
