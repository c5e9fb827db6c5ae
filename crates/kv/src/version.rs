//! The store's time: one number per commit.

use std::fmt;

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

    /// Reads what [`Version::to_bytes`] wrote; `None` for anything but 8 bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Version> {
        bytes.try_into().ok().map(|bytes| Version(i64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
