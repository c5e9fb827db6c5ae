//! `bytes.toBase64()` and `bytes.toHexString()`.

use base64::Engine as _;

/// Base64 with the URL-safe alphabet and padding, as production prints it.
pub fn to_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

/// Hexadecimal in capitals, as production prints it.
pub fn to_hex(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_spelling() {
        assert_eq!(to_base64(b"~~~"), "fn5-");
        assert_eq!(to_base64(b"hi"), "aGk=");
        assert_eq!(to_base64(b""), "");
        assert_eq!(to_hex(&[0x0A, 0xFF]), "0AFF");
    }
}
