//! The exact codes and texts clients see. SDKs map them to their own errors: JavaScript splits at `" : "`, the admin
//! SDKs at the first colon, so nothing here may change by a character.
//!
//! Source: the identity reference, sections 3, 6 and 17.

use std::borrow::Cow;

use base::{Code, Status};
use serde_json::{Value as Json, json};

/// A refusal: what the service answers when a request may not or cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub http: u16,
    /// `CODE` or `CODE : detail`.
    pub message: Cow<'static, str>,
    /// The canonical name, where the service gives one.
    pub status: Option<&'static str>,
    /// The reason inside `errors`.
    pub reason: &'static str,
}

impl Refused {
    /// A business error: HTTP 400, reason `invalid`, no status.
    pub const fn code(code: &'static str) -> Self {
        Self { http: 400, message: Cow::Borrowed(code), status: None, reason: "invalid" }
    }

    /// A business error whose text holds something of the request.
    pub fn text(message: impl Into<String>) -> Self {
        Self { http: 400, message: Cow::Owned(message.into()), status: None, reason: "invalid" }
    }

    /// The code alone: what the access log keeps.
    pub fn name(&self) -> &str {
        self.message.split(" : ").next().unwrap_or_default()
    }

    /// The JSON body of the answer.
    pub fn body(&self) -> Json {
        let mut error = json!({ "message": self.message, "reason": self.reason, "domain": "global" });
        if self.reason == "authError"
            && let Some(error) = error.as_object_mut()
        {
            error.insert("location".into(), "Authorization".into());
            error.insert("locationType".into(), "header".into());
        }
        let mut body = json!({ "code": self.http, "message": self.message, "errors": [error] });
        if let (Some(status), Some(body)) = (self.status, body.as_object_mut()) {
            body.insert("status".into(), status.into());
        }
        json!({ "error": body })
    }
}

/// The answer to every credential that is not good.
pub(crate) fn bad_credential() -> Status {
    Status::new(Code::Unauthenticated, "Request had invalid authentication credentials.")
}

/// Why an operation ended without its effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request was refused: the client's affair.
    #[error("refused: {}", .0.message)]
    Refused(Refused),
    /// The service could not do its work: never a denial.
    #[error("{0}")]
    Fault(Status),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Fault(status)
    }
}

impl From<access::Refusal> for Failure {
    fn from(refusal: access::Refusal) -> Self {
        match refusal {
            access::Refusal::Denied(_) => Self::Refused(UNAUTHENTICATED),
            access::Refusal::Fault(status) => Self::Fault(status),
        }
    }
}

impl From<base::id::RandomnessError> for Failure {
    fn from(error: base::id::RandomnessError) -> Self {
        tracing::error!(%error, "nothing secret can be made");
        Self::Fault(Status::unavailable("The service is currently unavailable."))
    }
}

const AUTHENTICATION_HELP: &str = " Expected OAuth 2 access token, login cookie or other valid authentication \
    credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

/// No key and no bearer where a key would do.
pub const MISSING_API_KEY: Refused = Refused {
    http: 403,
    message: Cow::Borrowed("The request is missing a valid API key."),
    status: Some("PERMISSION_DENIED"),
    reason: "forbidden",
};
/// A bearer that is not good.
pub const UNAUTHENTICATED: Refused = Refused {
    http: 401,
    message: Cow::Borrowed(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    ),
    status: Some("UNAUTHENTICATED"),
    reason: "authError",
};
/// A path nobody serves.
pub const NOT_FOUND: Refused =
    Refused { http: 404, message: Cow::Borrowed("Not Found"), status: Some("NOT_FOUND"), reason: "notFound" };

/// No bearer where only administrators may ask.
pub fn authentication_required() -> Refused {
    Refused {
        http: 401,
        message: format!("Request is missing required authentication credential.{AUTHENTICATION_HELP}")
            .into(),
        status: Some("UNAUTHENTICATED"),
        reason: "required",
    }
}

/// A part of the service that Hearth does not have.
pub fn not_implemented(what: &str) -> Refused {
    Refused {
        http: 501,
        message: format!("{what} is not implemented in Hearth.").into(),
        status: Some("NOT_IMPLEMENTED"),
        reason: "unimplemented",
    }
}

/// A body that is not JSON at all.
pub fn unparsable(detail: &str) -> Refused {
    Refused {
        http: 400,
        message: format!("Invalid JSON payload received. {detail}").into(),
        status: Some("INVALID_ARGUMENT"),
        reason: "parseError",
    }
}

/// A body whose fields have the wrong types.
pub fn wrong_shape(detail: &str) -> Refused {
    Refused {
        http: 400,
        message: format!("Invalid JSON payload received. {detail}").into(),
        status: Some("INVALID_ARGUMENT"),
        reason: "invalid",
    }
}

/// A body beyond [`crate::limits::BODY_BYTES_MAX`].
pub fn body_too_large() -> Refused {
    Refused {
        http: 413,
        message: "Request payload size exceeds the limit.".into(),
        status: Some("INVALID_ARGUMENT"),
        reason: "uploadTooLarge",
    }
}

/// A reserved claim name.
pub fn forbidden_claim(name: &str) -> Refused {
    Refused::text(format!("FORBIDDEN_CLAIM : {name}"))
}

/// A custom token that cannot be taken, and why.
pub fn invalid_custom_token(why: &str) -> Refused {
    Refused::text(format!("INVALID_CUSTOM_TOKEN : {why}"))
}

macro_rules! codes {
    ($($name:ident = $text:literal;)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $name: Refused = Refused::code($text);
        )*
    };
}

codes! {
    ADMIN_ONLY_OPERATION = "ADMIN_ONLY_OPERATION";
    CLAIMS_TOO_LARGE = "CLAIMS_TOO_LARGE";
    CREDENTIAL_MISMATCH = "CREDENTIAL_MISMATCH";
    CREDENTIAL_TOO_OLD = "CREDENTIAL_TOO_OLD_LOGIN_AGAIN";
    DUPLICATE_LOCAL_ID = "DUPLICATE_LOCAL_ID";
    EMAIL_EXISTS = "EMAIL_EXISTS";
    EMAIL_NOT_FOUND = "EMAIL_NOT_FOUND";
    EXPIRED_OOB_CODE = "EXPIRED_OOB_CODE";
    FEDERATED_USER_ID_ALREADY_LINKED = "FEDERATED_USER_ID_ALREADY_LINKED";
    INSUFFICIENT_PERMISSION = "INSUFFICIENT_PERMISSION";
    INVALID_CLAIMS = "INVALID_CLAIMS";
    INVALID_CONTINUE_URI = "INVALID_CONTINUE_URI";
    INVALID_DURATION = "INVALID_DURATION";
    INVALID_EMAIL = "INVALID_EMAIL";
    INVALID_GRANT_TYPE = "INVALID_GRANT_TYPE";
    INVALID_IDENTIFIER = "INVALID_IDENTIFIER";
    INVALID_ID_TOKEN = "INVALID_ID_TOKEN";
    INVALID_LOCAL_ID = "INVALID_LOCAL_ID";
    INVALID_LOGIN_CREDENTIALS = "INVALID_LOGIN_CREDENTIALS";
    INVALID_OOB_CODE = "INVALID_OOB_CODE";
    INVALID_PAGE_SELECTION = "INVALID_PAGE_SELECTION";
    INVALID_PASSWORD = "INVALID_PASSWORD";
    INVALID_PHONE_NUMBER = "INVALID_PHONE_NUMBER : Invalid format.";
    INVALID_PROJECT_ID = "INVALID_PROJECT_ID";
    INVALID_REFRESH_TOKEN = "INVALID_REFRESH_TOKEN";
    LOCAL_ID_LIST_EXCEEDS_LIMIT = "LOCAL_ID_LIST_EXCEEDS_LIMIT";
    MISSING_CONTINUE_URI = "MISSING_CONTINUE_URI";
    MISSING_CUSTOM_TOKEN = "MISSING_CUSTOM_TOKEN";
    MISSING_EMAIL = "MISSING_EMAIL";
    MISSING_GRANT_TYPE = "MISSING_GRANT_TYPE";
    MISSING_IDENTIFIER = "MISSING_IDENTIFIER";
    MISSING_ID_TOKEN = "MISSING_ID_TOKEN";
    MISSING_LOCAL_ID = "MISSING_LOCAL_ID";
    MISSING_NEW_EMAIL = "MISSING_NEW_EMAIL";
    MISSING_OOB_CODE = "MISSING_OOB_CODE";
    MISSING_PASSWORD = "MISSING_PASSWORD";
    MISSING_PROVIDER_ID = "MISSING_PROVIDER_ID";
    MISSING_RAW_ID = "MISSING_RAW_ID";
    MISSING_REFRESH_TOKEN = "MISSING_REFRESH_TOKEN";
    MISSING_REQ_TYPE = "MISSING_REQ_TYPE";
    MISSING_USER_ACCOUNT = "MISSING_USER_ACCOUNT";
    OPERATION_NOT_ALLOWED = "OPERATION_NOT_ALLOWED";
    PASSWORD_LOGIN_DISABLED = "PASSWORD_LOGIN_DISABLED";
    PASSWORD_TOO_LONG = "PASSWORD_DOES_NOT_MEET_REQUIREMENTS : Password may contain at most 4096 characters";
    PHONE_NUMBER_EXISTS = "PHONE_NUMBER_EXISTS";
    TENANT_ID_MISMATCH = "TENANT_ID_MISMATCH";
    TOKEN_EXPIRED = "TOKEN_EXPIRED";
    TOO_MANY_ATTEMPTS = "TOO_MANY_ATTEMPTS_TRY_LATER";
    TOO_MANY_SIGN_UPS = "TOO_MANY_ATTEMPTS_TRY_LATER : Too many accounts were made from this address.";
    UNEXPECTED_USER_ID = "UNEXPECTED_PARAMETER : User ID";
    UNSUPPORTED_REQUEST = "INVALID_REQ_TYPE : Unsupported request parameters.";
    UNSUPPORTED_TENANT_OPERATION = "UNSUPPORTED_TENANT_OPERATION";
    USER_DISABLED = "USER_DISABLED";
    USER_NOT_FOUND = "USER_NOT_FOUND";
    VERIFY_EMAIL_FIRST = "OPERATION_NOT_ALLOWED : Please verify the new email before changing email.";
    WEAK_PASSWORD = "WEAK_PASSWORD : Password should be at least 6 characters";
    WRONG_PROJECT = "INSUFFICIENT_PERMISSION : Only authenticated requests can specify target_project_id.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_shape_sdks_read() {
        let body = WEAK_PASSWORD.body();
        assert_eq!(body["error"]["code"], 400);
        assert_eq!(body["error"]["message"], "WEAK_PASSWORD : Password should be at least 6 characters");
        assert_eq!(body["error"]["errors"][0]["reason"], "invalid");
        assert!(body["error"].get("status").is_none());
        assert_eq!(WEAK_PASSWORD.name(), "WEAK_PASSWORD");
        assert_eq!(UNAUTHENTICATED.body()["error"]["errors"][0]["location"], "Authorization");
        assert_eq!(MISSING_API_KEY.body()["error"]["status"], "PERMISSION_DENIED");
    }
}
