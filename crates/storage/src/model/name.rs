//! Names of buckets and objects.
//!
//! Source: "Bucket naming" and "Object name considerations" of Cloud Storage.

use std::fmt;

/// Bytes of an object's name.
const OBJECT_BYTES_MAX: usize = 1024;
/// Bytes of a bucket's name.
const BUCKET_BYTES_MAX: usize = 222;

/// A bucket's name. Emulators take capitals and underscores, too, and so does this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(String);

/// An object's name within its bucket: any text without line ends. Slashes and dots mean nothing to the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Of a bucket.
    #[error("Invalid bucket name: '{0}'")]
    Bucket(String),
    /// Of an object: it has no characters.
    #[error("An object name is required.")]
    NoObject,
    /// Of an object: it is too long.
    #[error("The object name has {0} bytes, the limit is {OBJECT_BYTES_MAX}.")]
    ObjectTooLong(usize),
    /// Of an object: it has what no name has.
    #[error("Invalid object name: '{}'", .0.escape_debug())]
    Object(String),
}

impl BucketName {
    /// The name with this text.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = text.as_bytes();
        let good = bytes.len() <= BUCKET_BYTES_MAX
            && bytes.iter().copied().all(is_allowed)
            && is_edge(bytes.first())
            && is_edge(bytes.last());
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Bucket(text.chars().take(100).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ObjectName {
    /// The name with this text.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::NoObject);
        }
        if text.len() > OBJECT_BYTES_MAX {
            return Err(NameError::ObjectTooLong(text.len()));
        }
        let reserved = text == "." || text == ".." || text.starts_with(".well-known/acme-challenge/");
        if reserved || text.contains(['\r', '\n', '\0']) {
            return Err(NameError::Object(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments as rules match them: every one between two slashes, empty ones too.
    pub fn segments(&self) -> Vec<String> {
        self.0.split('/').map(str::to_owned).collect()
    }

    /// What stands behind the last slash.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name_and_what_is_none() {
        for good in ["a", "my-project.appspot.com", "A_b.c9"] {
            assert!(BucketName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a-", "a/b", "a\0b", "a b", "ä", &"a".repeat(223)] {
            assert!(BucketName::new(bad).is_err(), "{bad}");
        }
        for good in ["a", "a/../b", "../x", "a//b", "/a", "a/", "ä?&%2F", &"a".repeat(1024)] {
            assert!(ObjectName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a\nb", "a\rb", "a\0", ".well-known/acme-challenge/x", &"a".repeat(1025)] {
            assert!(ObjectName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ObjectName::new("a//b/").unwrap().segments(), ["a", "", "b", ""]);
    }
}
