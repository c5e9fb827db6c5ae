//! The protocols: they decode, call a verb and encode, nothing else.

pub mod grpc;
pub mod rest;

use access::Caller;
use base::Status;

use crate::status;

/// The caller that the front door has put with a request. Its absence is a fault of ours, never a default.
fn caller(extensions: &http::Extensions) -> Result<Caller, Status> {
    extensions.get::<Caller>().cloned().ok_or_else(status::no_caller)
}
