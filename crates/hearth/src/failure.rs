//! How a verb fails: what is said, and the exit code.

use std::process::ExitCode;

use kv::StoreError;

use crate::house::OpenError;

/// The exit code when stored data is not as it was written.
const DAMAGED: u8 = 3;

/// Why a verb did not do its work.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong and what to do.
    pub message: String,
    /// 1; 2 when it could not begin; 3 when stored data is damaged.
    pub code: ExitCode,
}

impl Failure {
    /// It could not begin: bad arguments, files that cannot be read.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: ExitCode::from(2) }
    }

    /// Stored data is not as it was written.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: ExitCode::from(DAMAGED) }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { message, code: ExitCode::FAILURE }
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Store(StoreError::Damaged { .. } | StoreError::Corrupt { .. }) => {
                Self::damaged(format!(
                    "{error}. Nothing was changed. `hearth verify --data DATA` lists all that is damaged; `hearth restore --from \
                 BACKUP --to DATA` makes a new data folder of a backup"
                ))
            }
            _ => error.to_string().into(),
        }
    }
}
