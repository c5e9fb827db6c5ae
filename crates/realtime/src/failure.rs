//! Why an operation came to nothing. The words for clients are in `status`.

use std::sync::Arc;

use access::{CommitFailure, Denial, Refusal};
use base::{Code, Status};

use crate::model::{Node, Path, PathError, ValueError, WriteError};
use crate::ops::RowsError;
use crate::query::QueryError;

/// Why an operation came to nothing.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Rules do not allow it.
    Denied(Denial),
    /// What a transaction expects is not there; what is there instead. Only for who may read it.
    Stale {
        /// What is there.
        current: Option<Arc<Node>>,
    },
    /// It concerns more than one operation may.
    TooBig,
    /// It cannot be understood; why.
    Invalid(String),
    /// A query that needs an index that the rules do not name.
    NoIndex {
        /// The child, or `.value`.
        child: String,
        /// The place that is queried.
        path: Path,
    },
    /// The token cannot be believed; why.
    InvalidToken(String),
    /// The token has expired, or its user was disabled, deleted or signed out everywhere.
    ExpiredToken,
    /// The database requires an App Check token, and there is none that is good.
    Unattested,
    /// There is no such database.
    UnknownNamespace,
    /// It could not be decided or done: never a denial.
    Unavailable(Status),
}

impl Failure {
    /// Others were in the way for too long.
    pub fn busy() -> Self {
        Failure::Unavailable(Status::unavailable("The database is busy. Try again."))
    }

    /// What rows that are to be written cannot be.
    pub fn of_write(error: RowsError) -> Self {
        error.into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => Failure::Denied(denial),
            Refusal::Fault(fault) => Failure::Unavailable(fault),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if access::is_unattested(&status) {
            return Failure::Unattested;
        }
        match status.code {
            // The caller lost their standing.
            Code::Unauthenticated => Failure::ExpiredToken,
            // The store's limits.
            Code::InvalidArgument => Failure::TooBig,
            _ => Failure::Unavailable(status),
        }
    }
}

impl From<CommitFailure> for Failure {
    fn from(failure: CommitFailure) -> Self {
        match failure {
            CommitFailure::Conflict => Failure::busy(),
            CommitFailure::Failed(status) => status.into(),
        }
    }
}

impl From<RowsError> for Failure {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::TooMany => Failure::TooBig,
            RowsError::Fault(fault) => Failure::Unavailable(fault),
        }
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Failure::Invalid(error.to_string())
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        Failure::Invalid(error.to_string())
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Failure::Invalid(error.to_string())
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Failure::Invalid(error.to_string())
    }
}
