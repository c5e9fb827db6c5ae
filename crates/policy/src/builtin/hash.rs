//! `hashing.*`: digests of bytes, as bytes.

use sha2::Digest as _;

/// MD5, 16 bytes.
pub fn md5(bytes: &[u8]) -> Vec<u8> {
    md5::Md5::digest(bytes).to_vec()
}

/// SHA-256, 32 bytes.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    sha2::Sha256::digest(bytes).to_vec()
}

/// CRC-32 (the one of zip and Ethernet), 4 bytes, the lowest first.
pub fn crc32(bytes: &[u8]) -> Vec<u8> {
    crc32fast::hash(bytes).to_le_bytes().to_vec()
}

/// CRC-32C (Castagnoli), 4 bytes, the lowest first.
pub fn crc32c(bytes: &[u8]) -> Vec<u8> {
    crc32c::crc32c(bytes).to_le_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::text::to_hex;

    #[test]
    fn known_digests() {
        assert_eq!(to_hex(&crc32(b"123456789")), "2639F4CB");
        assert_eq!(to_hex(&crc32c(b"123456789")), "839206E3");
        assert_eq!(to_hex(&md5(b"abc")), "900150983CD24FB0D6963F7D28E17F72");
        assert_eq!(
            to_hex(&sha256(b"abc")),
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
        );
        assert_eq!(to_hex(&crc32(b"")), "00000000");
    }
}
