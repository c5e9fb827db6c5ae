//! What is computed of bytes while they stream in: the name of their file, and what clients verify them by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::blob::BlobName;

/// The digests of the bytes so far. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    sha256: Sha256,
    md5: Md5,
    crc32c: u32,
    size: u64,
}

/// The digests of all bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The name of the file.
    pub blob: BlobName,
    /// MD5, as metadata has it: base64.
    pub md5: String,
    /// CRC-32C.
    pub crc32c: u32,
    /// How many bytes.
    pub size: u64,
}

impl Digests {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.size += bytes.len() as u64;
    }

    /// How many bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digests of what was taken in.
    pub fn finish(self) -> Digest {
        Digest {
            blob: BlobName(self.sha256.finalize().into()),
            md5: STANDARD.encode(self.md5.finalize()),
            crc32c: self.crc32c,
            size: self.size,
        }
    }
}

/// A CRC-32C as metadata has it: base64 of its four bytes, big-endian.
pub fn crc32c_text(crc32c: u32) -> String {
    STANDARD.encode(crc32c.to_be_bytes())
}
