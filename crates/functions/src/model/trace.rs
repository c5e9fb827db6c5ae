//! Traces of the W3C's standard, by which the records of a call and the code's own log lines are found.

use base::{Code, Status};

/// The `traceparent` of a new trace. Errors: `UNAVAILABLE` without randomness.
pub fn new_trace() -> Result<String, Status> {
    let unavailable = |_| Status::new(Code::Unavailable, "the system's source of randomness failed");
    let bytes: [u8; 24] = base::id::random_bytes().map_err(unavailable)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let (id, span) = digits.split_at(32);
    Ok(format!("00-{id}-{span}-01"))
}

/// The id in a `traceparent`: 32 hexadecimal digits.
pub fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}
