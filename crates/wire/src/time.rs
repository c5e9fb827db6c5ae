//! Points in time, between the form messages carry and the form the house reckons with.

use base::time::TimestampError;

/// For a message.
pub fn to_wire(at: base::Timestamp) -> prost_types::Timestamp {
    // Nanoseconds are below 10^9, which an `i32` holds.
    prost_types::Timestamp { seconds: at.seconds, nanos: i32::try_from(at.nanos).unwrap_or(0) }
}

/// From a message, which may hold anything.
pub fn from_wire(at: &prost_types::Timestamp) -> Result<base::Timestamp, TimestampError> {
    let nanos = u32::try_from(at.nanos).map_err(|_| TimestampError)?;
    base::Timestamp::new(at.seconds, nanos)
}
