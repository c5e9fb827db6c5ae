//! Decompression of what streams out. Little goes in at a time, so little comes out: gzip makes at most a thousandfold.

use std::io::Write;

use flate2::write::MultiGzDecoder;

/// What goes in at once; a mebibyte comes out at most.
pub const INPUT_BYTES_MAX: usize = 1024;

/// Bytes that are being decompressed.
pub struct Gunzip(MultiGzDecoder<Vec<u8>>);

impl Gunzip {
    pub fn new() -> Self {
        Self(MultiGzDecoder::new(Vec::new()))
    }

    /// Takes in at most [`INPUT_BYTES_MAX`] bytes; returns what came of them. Errors: it is no gzip.
    pub fn push(&mut self, compressed: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.write_all(compressed)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// What is left at the end.
    pub fn finish(self) -> std::io::Result<Vec<u8>> {
        self.0.finish()
    }
}
