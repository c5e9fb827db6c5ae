//! Why a JSON text is not the message it should be, in the words of Google's front ends.

use base::Status;

/// The text cannot be read. The message is what a client is told, one fault a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    message: String,
}

impl JsonError {
    pub(super) fn new(message: String) -> Self {
        Self { message }
    }
}

impl From<JsonError> for Status {
    fn from(error: JsonError) -> Self {
        Status::invalid(error.message)
    }
}
