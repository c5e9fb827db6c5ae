//! The store's time: one number per commit.

use std::fmt;

use crate::error::StoreError;

/// Microseconds since the epoch of a commit: `max(clock, last + 1)`, so strictly increasing for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub i64);

impl Version {
    /// Before every commit.
    pub const ZERO: Version = Version(0);

    /// The version of a commit made at this time after this version.
    pub(crate) fn following(self, now_micros: i64) -> Version {
        Version(now_micros.max(self.0.saturating_add(1)))
    }

    /// Eight bytes that order as the versions do (versions are not negative).
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Reads what [`Version::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Version, StoreError> {
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| StoreError::corrupt("a version is not 8 bytes"))?;
        Ok(Version(i64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
