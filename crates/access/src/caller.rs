//! Who asks. A [`Caller`] is made in one place for every service, by whatever implements [`Authenticate`].

use std::sync::Arc;

use async_trait::async_trait;
use base::{Fields, Status};

/// The one on whose behalf an operation runs.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A server of the project's owner: rules do not apply, the record still does.
    Admin(Admin),
    /// A signed-in user.
    User(Arc<User>),
    /// Nobody in particular: `request.auth` is null.
    Unauthenticated,
}

/// An administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A service account's e-mail; `owner` in dev.
    pub account: String,
}

/// A user and what their ID token says of them.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The user id, 1 to 128 characters.
    pub uid: String,
    /// Every claim of the token: what rules see as `request.auth.token`.
    pub claims: Fields,
}

impl Caller {
    /// The word the access log uses for this kind of caller.
    pub fn kind(&self) -> &'static str {
        match self {
            Caller::Admin(_) => "admin",
            Caller::User(_) => "user",
            Caller::Unauthenticated => "unauthenticated",
        }
    }

    /// The uid or the account, when there is one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Caller::Admin(admin) => Some(&admin.account),
            Caller::User(user) => Some(&user.uid),
            Caller::Unauthenticated => None,
        }
    }

    /// Whether rules are passed over.
    pub fn is_admin(&self) -> bool {
        matches!(self, Caller::Admin(_))
    }
}

/// What came in the `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// No header.
    None,
    /// A bearer token.
    Bearer(&'a str),
}

impl<'a> Credential<'a> {
    /// Reads an `Authorization` header's value. A scheme that is not `Bearer` or `Firebase` counts as none, as at
    /// the real services.
    pub fn from_header(value: &'a str) -> Self {
        match value.split_once(' ') {
            Some((scheme, token))
                if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("firebase") =>
            {
                Credential::Bearer(token.trim())
            }
            _ => Credential::None,
        }
    }
}

/// Turns a credential into a caller. Implemented by the identity service, asked by the server for every request.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The caller, for a project.
    ///
    /// Errors: `UNAUTHENTICATED` for a credential that is forged, expired, revoked or of another project;
    /// `UNAVAILABLE` when the store cannot be read. A fault is never reported as a refusal.
    async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status>;
}
