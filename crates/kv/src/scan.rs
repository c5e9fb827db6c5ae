//! How a range is walked.

/// How to walk a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// From the end to the start.
    pub reverse: bool,
    /// Rows at most. At least one is given if there is one.
    pub rows_max: usize,
    /// Bytes of keys and values at most. The first row is given whatever its size.
    pub bytes_max: usize,
}

impl Default for Scan {
    fn default() -> Self {
        Self { reverse: false, rows_max: 1000, bytes_max: 4 << 20 }
    }
}
