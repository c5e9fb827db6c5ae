//! The text form of paths.

use std::fmt::Write;

/// The segments of a path as text, percent-encoded: `/databases/%28default%29/documents/a/b`.
pub fn path_text<'s>(segments: impl Iterator<Item = &'s str>) -> String {
    let mut out = String::new();
    for segment in segments {
        out.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
