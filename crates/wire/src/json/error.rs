//! Why a JSON text is not the message it should be, in the words of Google's front ends.

use base::{Code, Status};

use crate::weight::WeightError;

/// The text cannot be read. The message is what a client is told, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    code: Code,
    message: String,
}

impl JsonError {
    pub(super) fn new(message: String) -> Self {
        Self { code: Code::InvalidArgument, message }
    }
}

impl From<WeightError> for JsonError {
    fn from(error: WeightError) -> Self {
        let Status { code, message, .. } = error.into();
        Self { code, message }
    }
}

impl From<JsonError> for Status {
    fn from(error: JsonError) -> Self {
        Status::new(error.code, error.message)
    }
}
