//! The codes and texts that clients see, in one place.
//!
//! SDKs compare some of them letter by letter: `permission_denied`, `datastale`, `Permission denied`, `Index not defined, …`.
//! What is added for people in dev stands beside them, never in them.
//!
//! Source: firebase-js-sdk, firebase-android-sdk, firebase-admin-python and recorded answers of the service.

use access::Denial;
use base::Code;
use http::StatusCode;

use crate::failure::Failure;
use crate::model::Path;

/// A denial, in every protocol.
pub const DENIED: &str = "Permission denied";
/// A token that is none, on a socket and in REST.
pub const BAD_TOKEN: &str = "Could not parse auth token.";
/// A token that was one, on a socket.
pub const EXPIRED_TOKEN: &str = "Auth token is expired.";
/// The same in REST, without a full stop.
pub const EXPIRED_TOKEN_REST: &str = "Auth token is expired";
/// An App Check token that is missing or no good, where one is required.
pub const BAD_APP_CHECK: &str = "Invalid appcheck token";
/// Only administrators may ask for it.
pub const UNAUTHORIZED: &str = "Unauthorized request.";
/// A write beyond the limit of its size.
pub const TOO_BIG: &str =
    "Data to write exceeds the maximum size that can be modified with a single request.";
/// A read beyond it.
pub const TOO_BIG_TO_READ: &str =
    "The data requested exceeds the maximum size that can be accessed with a single request.";
/// A path in REST that does not end like one.
pub const NO_JSON: &str = "append .json to your request URI to use the REST API.";
/// No database of this name.
pub const NO_DATABASE: &str = "404 Not Found: there is no database with this name.";
/// No name at all.
pub const NO_NAMESPACE: &str = "The request names no database. Add `?ns=NAME` to the URL, or use a host name that begins with the database's name.";
/// A stream whose reader lost its right to it.
pub const CANCELLED: &str = "Permission denied.";
/// A stream whose credential ended. Clients compare it without quotes.
pub const AUTH_REVOKED: &str = "credential is no longer valid";
/// Long polling without the number of a callback.
pub const BAD_CALLBACK_NUMBER: &str = "The parameter `cb` must be a number of up to 20 digits.";
/// A function's name that is none.
pub const BAD_CALLBACK: &str =
    "The parameter `callback` must be the name of a function: letters, digits, `_`, `$` and dots.";
/// Long polling beyond what one address may have.
pub const TOO_MANY_SESSIONS: &str = "too many open long-polling sessions";
/// A body in REST that cannot be read.
pub const BAD_BODY: &str = "Invalid data; couldn't parse JSON object, array, or value.";
/// A condition where there can be none.
pub const NO_IF_MATCH: &str = "if-match header is not supported for this request: it is for PUT and DELETE.";
/// An ETag where there is none.
pub const NO_ETAG: &str = "X-Firebase-ETag header is not supported for PATCH requests.";
/// A time that is none.
pub const BAD_TIMEOUT: &str =
    "The parameter `timeout` must be a whole number with a unit, like 500ms, 3s or 2min, of 15min at most.";
/// A time that was over.
pub const TIMED_OUT: &str = "The request took longer than its `timeout`.";
/// A limit of sizes that is none.
pub const BAD_SIZE_LIMIT: &str =
    "The parameter `writeSizeLimit` must be tiny, small, medium, large or unlimited.";
/// A limit that is none for all writes.
pub const BAD_DEFAULT_LIMIT: &str =
    "defaultWriteSizeLimit must be a JSON string: small, medium, large or unlimited.";
/// A format that is none.
pub const BAD_FORMAT: &str = "The parameter `format` must be `export`.";
/// A way to print that is none.
pub const BAD_PRINT: &str = "The parameter `print` must be `pretty` or `silent`.";
/// An override that is no JSON.
pub const BAD_OVERRIDE: &str = "The parameter `auth_variable_override` must be a JSON object or null.";
/// A client that speaks another version.
pub fn wrong_version(version: &str) -> String {
    let version: String = version.chars().take(20).collect();
    format!("The parameter `v` is `{version}`: this server speaks version 5 of the protocol.")
}

/// A query that needs an index. Clients match this text.
pub fn no_index(child: &str, path: &Path) -> String {
    format!("Index not defined, add \".indexOn\": \"{child}\", for path \"{path}\", to the rules")
}

/// The status and the data of an answer on a socket. The data is always text: Android casts it.
pub fn wire(failure: &Failure) -> (&'static str, String) {
    match failure {
        Failure::Denied(_) => ("permission_denied", DENIED.to_owned()),
        Failure::Stale { .. } => ("datastale", "Transaction hash does not match.".to_owned()),
        Failure::TooBig => ("too_big", TOO_BIG.to_owned()),
        Failure::Invalid(text) => ("failure", text.clone()),
        Failure::NoIndex { child, path } => ("failed", no_index(child, path)),
        Failure::InvalidToken(_) => ("invalid_token", BAD_TOKEN.to_owned()),
        Failure::ExpiredToken => ("expired_token", EXPIRED_TOKEN.to_owned()),
        Failure::Unattested => ("permission_denied", BAD_APP_CHECK.to_owned()),
        Failure::UnknownNamespace => ("failure", NO_DATABASE.to_owned()),
        Failure::Unavailable(status) if status.code == Code::Unavailable => {
            ("unavailable", status.message.clone())
        }
        Failure::Unavailable(status) => ("failure", status.message.clone()),
    }
}

/// The status and the text of an answer in REST. A denial is 401, never 403: SDKs map 401.
pub fn http(failure: &Failure) -> (StatusCode, String) {
    match failure {
        Failure::Denied(_) => (StatusCode::UNAUTHORIZED, DENIED.to_owned()),
        Failure::Stale { .. } => (StatusCode::PRECONDITION_FAILED, "ETag does not match.".to_owned()),
        Failure::TooBig => (StatusCode::BAD_REQUEST, TOO_BIG.to_owned()),
        Failure::Invalid(text) => (StatusCode::BAD_REQUEST, text.clone()),
        Failure::NoIndex { child, path } => (StatusCode::BAD_REQUEST, no_index(child, path)),
        Failure::InvalidToken(_) => (StatusCode::UNAUTHORIZED, BAD_TOKEN.to_owned()),
        Failure::ExpiredToken => (StatusCode::UNAUTHORIZED, EXPIRED_TOKEN_REST.to_owned()),
        Failure::Unattested => (StatusCode::UNAUTHORIZED, BAD_APP_CHECK.to_owned()),
        Failure::UnknownNamespace => (StatusCode::NOT_FOUND, NO_DATABASE.to_owned()),
        Failure::Unavailable(status) if status.code == Code::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, status.message.clone())
        }
        Failure::Unavailable(status) => {
            let code = StatusCode::from_u16(status.code.http());
            // A fault is never reported as a denial, whatever code it has.
            let code = code.ok().filter(|code| *code != StatusCode::UNAUTHORIZED);
            (code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), status.message.clone())
        }
    }
}

/// Why rules deny, for the developer; `None` in production.
pub fn reasons(denial: &Denial) -> Option<String> {
    denial.shows_reasons?;
    Some(match &denial.reason {
        access::Reason::Rules(causes) if causes.is_empty() => {
            format!("no rule allows this {}", denial.method)
        }
        access::Reason::Rules(causes) => causes.iter().map(reason).collect::<Vec<_>>().join("; "),
        access::Reason::NoRules(reason) => reason.to_string(),
        access::Reason::NotAdmin => "only administrators may do this".to_owned(),
        access::Reason::Retracted(reason) => reason.clone(),
    })
}

fn reason(cause: &policy::Cause) -> String {
    let line = cause.allow_line;
    match (cause.expression(), cause.observed()) {
        ("", _) => format!("line {line}: {}", cause.text()),
        (expression, "") => format!("line {line}: {}: `{expression}`", cause.text()),
        (expression, observed) => format!("line {line}: {}: `{expression}` with {observed}", cause.text()),
    }
}

#[cfg(test)]
mod tests {
    use base::Status;

    use super::*;

    #[test]
    fn a_denial_is_401_and_a_fault_is_never_one() {
        let denial = access::Denial { method: "read", reason: access::Reason::NotAdmin, shows_reasons: None };
        let denied = Failure::Denied(denial);
        assert_eq!(http(&denied), (StatusCode::UNAUTHORIZED, "Permission denied".to_owned()));
        assert_eq!(wire(&denied), ("permission_denied", "Permission denied".to_owned()));
        for code in
            [Code::Unavailable, Code::Unauthenticated, Code::PermissionDenied, Code::Internal, Code::DataLoss]
        {
            let fault = Failure::Unavailable(Status::new(code, "x"));
            assert_ne!(http(&fault).0, StatusCode::UNAUTHORIZED, "{code:?}");
            assert_ne!(wire(&fault).0, "permission_denied", "{code:?}");
        }
    }

    #[test]
    fn the_text_about_an_index_is_the_one_that_clients_match() {
        let path = Path::parse("rooms/1").unwrap();
        assert_eq!(
            no_index("size", &path),
            "Index not defined, add \".indexOn\": \"size\", for path \"/rooms/1\", to the rules"
        );
    }
}
