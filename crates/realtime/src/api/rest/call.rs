//! What every request of the REST API has: a method, parameters, a database, somebody who asks, perhaps a body.

use std::sync::Arc;

use access::{Attestation, Caller, ForeignOrigin};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value as Json;

use super::format::{self, Format};
use super::target::{Target, TargetError};
use crate::api::opening;
use crate::api::parameters::{ParameterError, Parameters};
use crate::api::shared::Api;
use crate::failure::Failure;
use crate::ops::{Namespace, SignIn, TokenKind};
use crate::status;

/// Bytes of a body.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Bytes of an administrator's body: an import. What all requests hold together is bounded by the server.
pub const ADMIN_BODY_BYTES_MAX: usize = 256 << 20;

const METHOD_OVERRIDE: &str = "x-http-method-override";
/// A GET is answered by a stream of events when it accepts this.
const EVENT_STREAM: &str = "text/event-stream";
/// Wants the ETag.
pub const WANTS_ETAG: HeaderName = HeaderName::from_static("x-firebase-etag");

/// A request.
pub struct Call {
    /// The service.
    pub api: Arc<Api>,
    /// Its method, as far as it was overridden.
    pub method: Method,
    /// What follows the question mark.
    pub parameters: Parameters,
    /// Its head.
    pub parts: Parts,
}

/// Why there is no other answer.
#[derive(Debug)]
pub struct Refused(StatusCode, Json);

impl Refused {
    /// With this text.
    pub fn new(code: StatusCode, text: impl Into<String>) -> Self {
        Self(code, serde_json::json!({ "error": text.into() }))
    }

    /// 400.
    pub fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// The answer.
    pub fn response(self) -> Response {
        format::json(self.0, self.1.to_string())
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let (code, text) = status::http(&failure);
        let mut body = serde_json::json!({ "error": text });
        // SDKs read `error`; what is beside it is for the developer.
        let reasons = match &failure {
            Failure::Denied(denial) => status::reasons(denial),
            _ => None,
        };
        if let (Some(reasons), Some(body)) = (reasons, body.as_object_mut()) {
            body.insert("reason".to_owned(), reasons.into());
        }
        Self(code, body)
    }
}

impl From<ParameterError> for Refused {
    fn from(error: ParameterError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<TargetError> for Refused {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::NoJson => Self::new(StatusCode::NOT_FOUND, status::NO_JSON),
            error => Self::bad(error.to_string()),
        }
    }
}

impl Call {
    /// Reads a request's head.
    pub fn read(api: &Arc<Api>, request: Request) -> Result<(Self, Target, Body), Refused> {
        let (parts, body) = request.into_parts();
        let mut parameters = Parameters::read(parts.uri.query().unwrap_or_default())?;
        let hidden = parameters.take_hidden_path()?;
        let target = Target::read(hidden.as_deref().unwrap_or(parts.uri.path()))?;
        let method = method(&parts, &parameters)?;
        Ok((Self { api: Arc::clone(api), method, parameters, parts }, target, body))
    }

    /// The database it is about.
    pub fn namespace(&self) -> Result<Arc<Namespace>, Refused> {
        Ok(self.api.realtime.namespace(&self.namespace_name()?)?)
    }

    /// Its name.
    pub fn namespace_name(&self) -> Result<String, Refused> {
        let host = opening::host(&self.parts);
        let name = opening::namespace(&self.api.realtime, &self.parameters, &host);
        name.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, status::NO_NAMESPACE))
    }

    /// Who asks.
    pub async fn caller(&self) -> Result<Caller, Refused> {
        let auth_override = match self.parameters.one("auth_variable_override") {
            None => None,
            Some(text) => match serde_json::from_str(text) {
                Ok(Json::Null) => Some(None),
                Ok(variable @ Json::Object(_)) => Some(Some(variable)),
                _ => return Err(Refused::bad(status::BAD_OVERRIDE)),
            },
        };
        let token = |kind, token| SignIn::Token { kind, token, auth_override };
        let sign_in = if let Some(auth) = self.parameters.one("auth").filter(|token| !token.is_empty()) {
            token(TokenKind::Auth, auth)
        } else if let Some(access) = self.parameters.one("access_token").or_else(|| self.bearer()) {
            token(TokenKind::Google, access)
        } else {
            SignIn::Nobody
        };
        let caller = self.admitted(self.api.realtime.sign_in(&sign_in).await?)?;
        let app = match self.parameters.one("ac").filter(|token| !token.is_empty()) {
            Some(token) => self.api.realtime.app(token).await?,
            None => opening::app(&self.parts),
        };
        let is_settled = matches!(caller.app, Attestation::Exempt(_));
        let caller = if is_settled { caller } else { caller.from_app(app) };
        self.api.realtime.admit_app(&caller)?;
        Ok(caller)
    }

    /// A page from elsewhere is nobody's administrator.
    pub fn admitted(&self, caller: Caller) -> Result<Caller, Refused> {
        match self.parts.extensions.get::<ForeignOrigin>() {
            Some(foreign) if caller.is_admin() => {
                Err(Refused::new(StatusCode::FORBIDDEN, foreign.refusal().message))
            }
            _ => Ok(caller),
        }
    }

    /// The token of the `Authorization` header.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = opening::text(&self.parts.headers, AUTHORIZATION.as_str())?.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }

    /// A header that is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        opening::text(&self.parts.headers, name.as_str())
    }

    /// Whether the answer is to have its ETag.
    pub fn wants_etag(&self) -> bool {
        self.header(&WANTS_ETAG).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the answer is to be a stream of events.
    pub fn wants_events(&self) -> bool {
        let accepted = self.header(&http::header::ACCEPT).unwrap_or_default();
        accepted.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == EVENT_STREAM))
    }

    /// How the answer is written.
    pub fn format(&self) -> Result<Format, Refused> {
        Format::read(&self.parameters).map_err(Refused::bad)
    }

    /// The body, as far as this caller may send one.
    pub async fn body(&self, caller: &Caller, body: Body) -> Result<String, Refused> {
        let max = if caller.is_admin() { ADMIN_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
        let bytes = to_bytes(body, max).await.map_err(|_| Refused::bad(status::TOO_BIG))?;
        String::from_utf8(bytes.into()).map_err(|_| Refused::bad(status::BAD_BODY))
    }
}

/// The method, or the one that stands for it in a POST. In a GET it would be a write by a link.
fn method(parts: &Parts, parameters: &Parameters) -> Result<Method, Refused> {
    let named = opening::text(&parts.headers, METHOD_OVERRIDE).or_else(|| parameters.one(METHOD_OVERRIDE));
    match named {
        Some(named) if parts.method == Method::POST => {
            Method::from_bytes(named.to_ascii_uppercase().as_bytes())
                .map_err(|_| Refused::bad("The method override is no method."))
        }
        Some(_) | None => Ok(parts.method.clone()),
    }
}
