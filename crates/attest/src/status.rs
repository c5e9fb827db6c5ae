//! The exact codes and texts clients see, in one place.
//!
//! Source: what the SDKs and `firebase-admin` look for; where nothing is known of the real service, the words are ours.

use access::Refusal;
use base::{Code, Status};
use kv::Key;

/// Something of ours went wrong; its cause is in the operator's log.
fn internal() -> Status {
    Status::new(Code::Internal, "Internal error encountered.")
}

/// What a client hears of a refusal.
pub fn refused(refusal: Refusal) -> Status {
    refusal.status(|_| "Missing or insufficient permissions.".to_owned())
}

/// An exchange for a proof that proves nothing.
pub fn attestation_failed() -> Status {
    Status::new(Code::PermissionDenied, "App attestation failed.")
}

/// A request came past the front door without its caller.
pub fn no_caller() -> Status {
    tracing::error!("a request came without its caller");
    internal()
}

/// Work in a task of its own ended early.
pub fn ended_early(error: &tokio::task::JoinError) -> Status {
    tracing::error!(%error, "a change of what a service requires ended early");
    internal()
}

/// A row or an answer cannot be written.
pub fn cannot_encode(error: &serde_json::Error) -> Status {
    tracing::error!(%error, "a row or an answer of App Check cannot be written");
    internal()
}

/// A row that is not what was stored.
pub fn unreadable(key: &Key, error: &serde_json::Error) -> Status {
    tracing::error!(%error, %key, "a row of App Check cannot be read");
    Status::new(Code::DataLoss, "A stored row of App Check cannot be read.")
}

/// A path that names no method.
pub fn no_method() -> Status {
    Status::new(Code::NotFound, "There is no such method.")
}

/// A body that is not the JSON of its method.
pub fn bad_payload(error: &serde_json::Error) -> Status {
    Status::invalid(format!("Invalid JSON payload received. {error}"))
}

/// A body beyond the limit, in bytes.
pub fn too_large(bytes_max: usize) -> Status {
    Status::invalid(format!("A request may have {} KiB.", bytes_max >> 10))
}

/// Somebody else's project.
pub fn not_served(project: &str) -> Status {
    Status::new(Code::PermissionDenied, format!("The project `{project}` is not served here."))
}

/// Something that is not there.
pub fn not_found(what: &str, id: &str) -> Status {
    Status::new(Code::NotFound, format!("There is no {what} `{id}`."))
}

/// An app that is registered twice.
pub fn app_exists(id: &str) -> Status {
    Status::new(Code::AlreadyExists, format!("The app `{id}` is registered already."))
}

/// An id that none can have.
pub fn bad_app_id(id: &str) -> Status {
    let text = format!(
        "`{id}` is not an app id such as 1:1234567890:web:0123456789abcdef (`appId` of the app's config)."
    );
    Status::invalid(text)
}

/// A name beyond the limit.
pub fn bad_name(len_max: usize) -> Status {
    Status::invalid(format!("A display name is one line of at most {len_max} characters."))
}

/// A life that no token may have.
pub fn bad_ttl(given: &str) -> Status {
    Status::invalid(format!("`{given}` is not a time to live from 1800s to 604800s."))
}

/// A debug token that is none.
pub fn bad_debug_token() -> Status {
    Status::invalid("A debug token is a UUID of version 4, such as `uuidgen` prints.")
}

/// The id of a limited-use token that is none.
pub fn bad_jti() -> Status {
    Status::invalid("`jti` has 16 to 250 bytes, and is for limited-use tokens.")
}

/// More of something than there may be.
pub fn too_many(what: &str, max: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("There are {max} {what}, which is the most. Delete some."))
}

/// No further token can be remembered as used up.
pub fn replay_store_full(max: usize) -> Status {
    tracing::error!(max, "no further App Check token can be remembered as used up");
    Status::new(Code::ResourceExhausted, "Too many App Check tokens were consumed lately. Try again later.")
}

/// A service that cannot require an app.
pub fn no_service(id: &str, ids: &[&str]) -> Status {
    Status::new(
        Code::NotFound,
        format!("`{id}` is no service that App Check protects: they are {}.", ids.join(", ")),
    )
}

/// Replay protection of a whole service.
pub fn no_replay_protection() -> Status {
    let text = "`replayProtection` of a whole service is not supported: set it for a function, with `app-check = \"consume\"` in \
                [functions.NAME] of hearth.toml, or call `verifyToken(token, { consume: true })`.";
    Status::new(Code::Unimplemented, text)
}

/// A mode that none is.
pub fn bad_enforcement(given: &str) -> Status {
    Status::invalid(format!("`enforcementMode` is `{given}`: it is OFF, UNENFORCED or ENFORCED."))
}

/// Others were in the way of every attempt.
pub fn contention() -> Status {
    Status::new(Code::Aborted, "Others are changing the same rows. Try again.")
}

/// What only dev has.
pub fn only_in_dev(provider: &str) -> Status {
    let text = format!(
        "{provider} attests with Google, which this server does not ask: exchange a custom token of your own backend \
         (docs/app-check.md)."
    );
    Status::new(Code::Unimplemented, text)
}
