//! The exact codes and messages that clients see.
//!
//! Source: `src/emulator/storage/apis` of firebase-tools; the error tables of Cloud Storage's JSON API; what the web SDK
//! makes of codes (`storage/src/implementation/error.ts`): 402 ends an upload for good, 5xx and 429 are tried again.

use access::{Denial, Reason, Refusal};
use base::{Code, Status};

use crate::files::{FilesError, ReceiveError};
use crate::model::{MetadataError, NameError};

const LIST_NEEDS_VERSION_2: &str =
    "Permission denied. List operations are only allowed for rules_version='2'.";

/// Why a request is not answered with what it asks for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The rules do not allow it.
    #[error("{0}")]
    Denied(String),
    /// Only an administrator may do it.
    #[error("Missing admin credentials.")]
    NotAdmin,
    /// It needs a credential.
    #[error("{0}")]
    Unauthenticated(String),
    /// There is no such object.
    #[error("No such object: {0}")]
    NoObject(String),
    /// There is no such bucket.
    #[error("The specified bucket does not exist.")]
    NoBucket,
    /// The bucket is there already.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketExists,
    /// The bucket has objects.
    #[error("The bucket you tried to delete is not empty.")]
    BucketNotEmpty,
    /// A name that none can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Metadata that no object can have.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The request is malformed.
    #[error("{0}")]
    Bad(String),
    /// A condition of the request does not hold.
    #[error("At least one of the pre-conditions you specified did not hold.")]
    Precondition,
    /// The client has it already.
    #[error("Not Modified")]
    NotModified,
    /// There are no such bytes; how many there are.
    #[error("The requested range cannot be satisfied.")]
    Range(u64),
    /// There is no such upload.
    #[error("No such upload, or it has expired.")]
    NoUpload,
    /// The upload is over, and no object came of it.
    #[error("The upload is not active any more.")]
    UploadOver,
    /// The upload is an object by now.
    #[error("The upload is final.")]
    UploadFinal,
    /// Bytes for another place than the upload has come to.
    #[error("The upload has {received} bytes, the request's offset is {offset}.")]
    Offset {
        /// What has come.
        received: u64,
        /// What the request says.
        offset: u64,
    },
    /// More uploads are open than may be.
    #[error("Too many uploads are open {0}: finish or cancel some, or try again later.")]
    TooManyUploads(&'static str),
    /// More is in transfer than may be.
    #[error("Too many transfers at once {0}: try again later.")]
    TooManyTransfers(&'static str),
    /// More bytes than announced or allowed.
    #[error("The request has more than the {0} bytes that were announced or are allowed.")]
    TooLong(u64),
    /// Fewer bytes than announced.
    #[error("The upload has {received} bytes of the {declared} that were announced.")]
    TooShort {
        /// What has come.
        received: u64,
        /// What was announced.
        declared: u64,
    },
    /// The bytes are not those that the client has sent.
    #[error("Provided {name} hash \"{given}\" doesn't match calculated {name} hash \"{found}\".")]
    Checksum {
        /// `MD5` or `CRC32C`.
        name: &'static str,
        /// What the request says.
        given: String,
        /// What was computed.
        found: String,
    },
    /// The disk is full.
    #[error("There is no room left for objects: the server's disk is full.")]
    Full,
    /// The body did not come to its end.
    #[error("The request's body ended early: {0}")]
    Broken(String),
    /// Something failed that is nobody's doing.
    #[error("{}", .0.message)]
    Fault(Status),
}

impl Failure {
    /// The HTTP status.
    pub fn http(&self) -> u16 {
        match self {
            Failure::Denied(_) | Failure::NotAdmin => 403,
            Failure::Unauthenticated(_) => 401,
            Failure::NoObject(_) | Failure::NoBucket | Failure::NoUpload => 404,
            Failure::BucketExists | Failure::BucketNotEmpty => 409,
            Failure::Precondition => 412,
            Failure::NotModified => 304,
            Failure::Range(_) => 416,
            Failure::TooManyUploads(_) | Failure::TooManyTransfers(_) => 429,
            Failure::TooLong(_) => 413,
            // Quota exceeded, for the web SDK: it does not try again.
            Failure::Full => 402,
            Failure::Name(_)
            | Failure::Metadata(_)
            | Failure::Bad(_)
            | Failure::UploadOver
            | Failure::UploadFinal
            | Failure::Offset { .. }
            | Failure::TooShort { .. }
            | Failure::Checksum { .. }
            | Failure::Broken(_) => 400,
            Failure::Fault(status) => status.code.http(),
        }
    }

    /// The reason in the JSON API's list of errors.
    pub fn reason(&self) -> &'static str {
        match self.http() {
            401 => "required",
            403 => "forbidden",
            404 => "notFound",
            409 => "conflict",
            412 => "conditionNotMet",
            413 => "uploadTooLarge",
            416 => "requestedRangeNotSatisfiable",
            429 => "rateLimitExceeded",
            402 => "quotaExceeded",
            400 => "invalid",
            _ => "backendError",
        }
    }

    /// An upload that was refused is refused again.
    pub fn refused_write() -> Self {
        Failure::Denied("Permission denied. No WRITE permission.".to_owned())
    }

    /// Others kept changing what this one read.
    pub fn contention() -> Status {
        Status::unavailable("Others keep changing this object. Try again.")
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        match status.code {
            // Clients look for the text, with 401.
            _ if access::is_unattested(&status) => Failure::Unauthenticated(status.message),
            Code::Unauthenticated => Failure::Unauthenticated(status.message),
            Code::PermissionDenied => Failure::Denied(status.message),
            _ => Failure::Fault(status),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denial) => match denial.reason {
                Reason::NotAdmin => Failure::NotAdmin,
                _ => Failure::Denied(denied(&denial)),
            },
            Refusal::Fault(status) => status.into(),
        }
    }
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Full(error) => {
                tracing::error!(%error, "there is no room left for objects");
                Failure::Full
            }
            error => {
                tracing::error!(%error, "Cloud Storage's files failed");
                Failure::Fault(Status::unavailable("The service is currently unavailable."))
            }
        }
    }
}

impl From<ReceiveError> for Failure {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::TooLong(bytes) => Failure::TooLong(bytes),
            ReceiveError::Broken(why) => Failure::Broken(why),
            ReceiveError::Files(error) => error.into(),
        }
    }
}

/// A denial in the words of the Firebase API.
fn denied(denial: &Denial) -> String {
    if let Reason::Rules(causes) = &denial.reason
        && causes.iter().any(|cause| cause.text() == LIST_NEEDS_VERSION_2)
    {
        return LIST_NEEDS_VERSION_2.to_owned();
    }
    let permission = match denial.method {
        "get" => "READ",
        "list" => "LIST",
        _ => "WRITE",
    };
    format!("Permission denied. No {permission} permission.")
}

/// Whether a denial of what was declared of an upload says anything of the finished object: not when a rule asked for
/// what is known only then.
pub fn is_final(denial: &Denial) -> bool {
    let Reason::Rules(causes) = &denial.reason else { return true };
    const LATER: [&str; 5] = ["md5Hash", "crc32c", "etag", "generation", "size"];
    let waits = |text: &str| LATER.iter().any(|name| text.contains(&format!("Property {name} is undefined")));
    !causes.iter().any(|cause| waits(cause.text()))
}
