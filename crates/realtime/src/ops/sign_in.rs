//! Who signs in, within a connection or with a request.

use std::sync::Arc;

use access::{Attestation, Caller, Credential, Enforcement, Service, User};
use base::{Code, Fields, Value};
use serde_json::Value as Json;

use super::{Realtime, claims};
use crate::failure::Failure;

/// How a client says who it is.
#[derive(Clone, Debug)]
pub enum SignIn<'a> {
    /// Not at all.
    Nobody,
    /// By a token.
    Token {
        /// Which kind of token the client says that it is.
        kind: TokenKind,
        /// The token.
        token: &'a str,
        /// Rules see this as `auth` although an administrator asks; `Some(None)`: nobody.
        auth_override: Option<Option<Json>>,
    },
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A user's ID token.
    Auth,
    /// An access token of an administrator.
    Google,
}

impl Realtime {
    /// The caller.
    ///
    /// Errors: a token that cannot be believed, or is none of what it is said to be; faults.
    pub async fn sign_in(&self, sign_in: &SignIn<'_>) -> Result<Caller, Failure> {
        let SignIn::Token { kind, token, auth_override } = sign_in else {
            return Ok(Caller::unauthenticated());
        };
        let found = self.authenticate.caller(&self.ground.project, Credential::Bearer(token)).await;
        let caller = found.map_err(|status| match status.code {
            Code::Unauthenticated if is_expired(&status.message) => Failure::ExpiredToken,
            Code::Unauthenticated => Failure::InvalidToken(status.message),
            _ => Failure::Unavailable(status),
        })?;
        if *kind == TokenKind::Google && !caller.is_admin() && !self.is_dev() {
            return Err(Failure::InvalidToken("an administrator's access token is expected".to_owned()));
        }
        match auth_override {
            Some(auth) if caller.is_admin() => as_overridden(caller, auth.as_ref()),
            _ => Ok(caller),
        }
    }
}

impl Realtime {
    /// What an App Check token is worth.
    ///
    /// Errors: faults.
    pub async fn app(&self, token: &str) -> Result<Attestation, Failure> {
        let found = self.attest.app(&self.ground.project, Some(token)).await;
        found.map_err(Failure::Unavailable)
    }

    /// Whether the database is open to the app that a caller comes from: asked before a request is read.
    ///
    /// Errors: it is not; the refusal is recorded.
    pub fn admit_app(&self, caller: &Caller) -> Result<(), Failure> {
        Ok(self.gate().admit_app(caller, Service::Realtime, "/")?)
    }

    /// Whether anybody asks for App Check tokens.
    pub(super) fn asks_for_apps(&self) -> bool {
        self.gate().app_checks().of(Service::Realtime) != Enforcement::Off
    }
}

fn is_expired(message: &str) -> bool {
    message.contains("expired")
}

/// An administrator whom rules see as somebody else. What ends the administrator's standing ends theirs.
fn as_overridden(admin: Caller, auth: Option<&Json>) -> Result<Caller, Failure> {
    let mut caller = match auth {
        None | Some(Json::Null) => Caller::unauthenticated(),
        Some(Json::Object(variable)) => {
            let token = match variable.get("token") {
                Some(Json::Object(token)) => claims::fields(token),
                _ => Fields::new(),
            };
            let uid = variable.get("uid").and_then(Json::as_str).unwrap_or_default().to_owned();
            let mut claims = token;
            if let Some(provider) = variable.get("provider").and_then(Json::as_str) {
                let firebase = [("sign_in_provider".to_owned(), Value::String(provider.to_owned()))];
                claims.entry("firebase".to_owned()).or_insert_with(|| Value::Map(firebase.into()));
            }
            Caller::user(Arc::new(User { uid, claims }))
        }
        Some(_) => {
            return Err(Failure::Invalid("auth_variable_override must be an object or null.".to_owned()));
        }
    };
    (caller.standing, caller.until) = (admin.standing, admin.until);
    // Who asks is an administrator still.
    caller.app = Attestation::Exempt(None);
    Ok(caller)
}
