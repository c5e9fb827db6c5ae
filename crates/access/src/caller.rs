//! Who asks. A [`Caller`] is made in one place for every service, by whatever implements [`Authenticate`].

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use base::{Code, Fields, Status, Timestamp};
use kv::{Key, Row};
use policy::{App, Auth};

/// The one on whose behalf an operation runs.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub who: Principal,
    /// The app that App Check attested.
    pub app: Option<Arc<App>>,
    /// What sessions hold the caller to; `None` where nothing is to be held (dev's believed tokens, nobody).
    pub standing: Option<Arc<dyn Standing>>,
    /// When the credential ends: what stays open longer than a request ends with it. `None` where there is no end.
    pub until: Option<Timestamp>,
    /// What asks on the caller's behalf; `None` where the caller asks.
    pub origin: Option<Arc<Origin>>,
}

/// What asks on somebody's behalf: every record of it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The function.
    pub via: String,
    /// The trace of the call that it runs for; empty where there is none.
    pub trace: String,
}

/// The kinds of callers.
#[derive(Clone, Debug)]
pub enum Principal {
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

/// Whether a caller may still act, decided by one row of the store. A session reads that row in its own snapshot, and
/// its commit validates it: a caller who was disabled, deleted or revoked meanwhile cannot commit.
pub trait Standing: Debug + Send + Sync {
    /// The row.
    fn key(&self) -> &Key;

    /// A further row whose change ends the standing and of which [`Standing::check`] knows without reading it. Whoever changes it
    /// lets the check know first and commits then: so a session sees the one or conflicts with the other.
    fn depends_on(&self) -> Option<&Key> {
        None
    }

    /// Checks the row as it is. Errors: `UNAUTHENTICATED` when the caller lost their standing; `DATA_LOSS` for an
    /// unreadable row.
    fn check(&self, row: Option<&Row>) -> Result<(), Status>;

    /// What the row makes of the caller's claims now, for what stays open longer than a request; `None` leaves them as they
    /// are. Errors: as [`Standing::check`].
    fn renew(&self, row: Option<&Row>, _claims: &Fields) -> Result<Option<Fields>, Status> {
        self.check(row).map(|()| None)
    }
}

impl Caller {
    /// An administrator of this account.
    pub fn admin(account: impl Into<String>) -> Self {
        Principal::Admin(Admin { account: account.into() }).into()
    }

    /// A signed-in user.
    pub fn user(user: Arc<User>) -> Self {
        Principal::User(user).into()
    }

    /// Nobody in particular.
    pub fn unauthenticated() -> Self {
        Principal::Unauthenticated.into()
    }

    /// The same, held to a row of the store.
    #[must_use]
    pub fn held_to(self, standing: Arc<dyn Standing>) -> Self {
        Self { standing: Some(standing), ..self }
    }

    /// The same, until a time.
    #[must_use]
    pub fn until(self, until: Timestamp) -> Self {
        Self { until: Some(until), ..self }
    }

    /// The same, asked for by a function.
    #[must_use]
    pub fn via(self, origin: Origin) -> Self {
        Self { origin: Some(Arc::new(origin)), ..self }
    }

    /// The same, with the claims that a row of the store gives them now.
    pub(crate) fn renewed(mut self, row: Option<&Row>) -> Result<Self, Status> {
        let Some(standing) = &self.standing else { return Ok(self) };
        let claims = match &self.who {
            Principal::User(user) => standing.renew(row, &user.claims)?,
            Principal::Admin(_) | Principal::Unauthenticated => {
                standing.check(row)?;
                None
            }
        };
        if let (Some(claims), Principal::User(user)) = (claims, &self.who) {
            self.who = Principal::User(Arc::new(User { uid: user.uid.clone(), claims }));
        }
        Ok(self)
    }

    /// The word the access log uses for this kind of caller.
    pub fn kind(&self) -> &'static str {
        match self.who {
            Principal::Admin(_) => "admin",
            Principal::User(_) => "user",
            Principal::Unauthenticated => "unauthenticated",
        }
    }

    /// The uid or the account, when there is one.
    pub fn id(&self) -> Option<&str> {
        match &self.who {
            Principal::Admin(admin) => Some(&admin.account),
            Principal::User(user) => Some(&user.uid),
            Principal::Unauthenticated => None,
        }
    }

    /// Whether rules are passed over.
    pub fn is_admin(&self) -> bool {
        matches!(self.who, Principal::Admin(_))
    }

    /// The signed-in user as policies see one. Administrators have none: they are never asked about.
    pub fn auth(&self) -> Option<Auth<'_>> {
        match &self.who {
            Principal::User(user) => Some(Auth { uid: &user.uid, token: &user.claims }),
            Principal::Admin(_) | Principal::Unauthenticated => None,
        }
    }
}

impl From<Principal> for Caller {
    fn from(who: Principal) -> Self {
        Self { who, app: None, standing: None, until: None, origin: None }
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

/// Turns a credential into a caller. Implemented by the identity service; asked by the server for every request, and by
/// services whose protocol signs in within a connection.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The caller, for a project.
    ///
    /// Errors: `UNAUTHENTICATED` for a credential that is forged, expired, revoked or of another project;
    /// `UNAVAILABLE` when the store cannot be read. A fault is never reported as a refusal.
    async fn caller(&self, project: &str, credential: Credential<'_>) -> Result<Caller, Status>;

    /// The user of an account, as if they had just signed in: for services with keys that stand for accounts.
    ///
    /// Errors: `UNAUTHENTICATED` where there is none, or it is disabled; `UNAVAILABLE` when the store cannot be read.
    async fn account(&self, _project: &str, _uid: &str) -> Result<Caller, Status> {
        Err(Status::new(Code::Unauthenticated, "keys do not stand for accounts here"))
    }
}

/// Finds out which administrator signed something with a service account's key. Implemented by the identity service; asked by
/// services whose requests can be signed instead of carrying a token.
#[async_trait]
pub trait Signatures: Send + Sync {
    /// The administrator, held to the account and the key.
    ///
    /// Errors: `UNAUTHENTICATED` when no key of the account has signed this; `UNAVAILABLE` when the store cannot be read.
    async fn signer(
        &self,
        project: &str,
        account: &str,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Caller, Status>;
}
