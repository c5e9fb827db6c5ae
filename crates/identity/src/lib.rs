//! Identity: sign-in, users and their claims, administrators, and the one place where a bearer token becomes a
//! [`access::Caller`] for every service.
//!
//! Invariants:
//! - What exists only in dev (unsigned tokens, `Bearer owner`, readable passwords) demands an [`access::DevPermit`].
//! - Every request to a verb is one session of the gate and leaves a record; nothing reads or writes beside it.
//! - An e-mail address, phone number or federated identity belongs to one user: its index row is read and written in
//!   the session that changes the user.
//! - A refresh token, an e-mail code and a service account's private key are never stored; a password only as hash.
//! - A fault of the store never looks like a refusal: it would sign people out.
//!
//! Source: the identity reference.

pub mod api;
mod authenticate;
mod clock_watch;
mod events;
pub mod keys;
pub mod limits;
pub mod model;
mod ops;
pub mod password;
mod signatures;
mod standing;
pub mod status;
pub mod token;
mod tokens;
mod turns;

use std::sync::{Arc, OnceLock};

use access::{Blocking, Gate, Mode};
use arc_swap::ArcSwapOption;

pub use authenticate::Authenticator;
pub use clock_watch::behind_s;
pub use events::Events;
pub use ops::account_keys::{
    AccountInfo, AccountKeyInfo, create_service_account, revoke_service_account, rotate_service_account,
    service_accounts,
};
pub use ops::past_claims::past_claims;
pub use ops::signing_keys::{KeyState, SigningKeyInfo};
pub use status::{Failure, Refused};

use clock_watch::ClockWatch;
use keys::seal::Seal;
use password::Passwords;
use tokens::Tokens;
use turns::Turns;

/// What the binary decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The project behind every API key.
    pub project: String,
    /// Its number, as clients see it.
    pub project_number: String,
    /// Hosts whose pages may ask to sign in.
    pub authorized_domains: Vec<String>,
    /// Where service accounts change their signature for an access token, besides Google's own address of it.
    pub token_uri: String,
    /// Where this house is reached from outside; `None` when requests' `Host` says it.
    pub public_url: Option<String>,
    /// What private keys are sealed with in the store; those that are not are sealed at the start.
    pub seal: Option<Seal>,
    /// Accounts that people may make for themselves from one address within an hour, in serve; 0 is any number.
    pub sign_ups_per_address_hour: u32,
}

impl Settings {
    /// The usual ones for a project.
    pub fn new(project: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            project_number: "12345".into(),
            authorized_domains: vec!["localhost".into(), "127.0.0.1".into()],
            token_uri: GOOGLE_TOKEN_URI.into(),
            public_url: None,
            seal: None,
            sign_ups_per_address_hour: limits::SIGN_UPS_PER_ADDRESS_HOUR,
        }
    }
}

/// The token endpoint that Google's libraries have built in.
pub const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// The one that older of them have, the Firebase CLI's among them.
pub const GOOGLE_TOKEN_URI_OLDER: &str = "https://www.googleapis.com/oauth2/v4/token";

/// The identity service.
pub struct Identity {
    gate: Gate,
    settings: Settings,
    passwords: Passwords,
    tokens: Tokens,
    turns: Arc<Turns>,
    clock_watch: ClockWatch,
    /// Held while the signing keys change: what is in use is what was stored last.
    key_changes: tokio::sync::Mutex<()>,
    /// What the private keys are sealed with at present.
    seal: ArcSwapOption<Seal>,
    /// The project's code that has a say.
    blocking: OnceLock<Arc<dyn Blocking>>,
}

impl Identity {
    /// Opens the service. In serve this reads the signing keys, or makes the first one.
    pub async fn new(gate: Gate, settings: Settings) -> Result<Arc<Self>, Failure> {
        let passwords = match gate.mode() {
            Mode::Dev(permit) => Passwords::fake(*permit),
            Mode::Serve => Passwords::argon2id(),
        };
        let tokens = Tokens::new(gate.mode());
        // Half of the machine at most: the other half answers everybody else.
        let turns = Turns::new(std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2));
        let clock_watch = ClockWatch::new(gate.clock().now_micros());
        let key_changes = tokio::sync::Mutex::default();
        let seal = ArcSwapOption::from(settings.seal.clone().map(Arc::new));
        let identity = Arc::new(Self {
            gate,
            settings,
            passwords,
            tokens,
            turns,
            clock_watch,
            key_changes,
            seal,
            blocking: OnceLock::new(),
        });
        identity.rotate_keys().await?;
        Ok(identity)
    }

    /// What makes callers, for every service.
    pub fn authenticator(self: &Arc<Self>) -> Authenticator {
        Authenticator::new(self.clone())
    }

    /// Has code of the project asked before accounts are made and before somebody signs in. The first word counts.
    pub fn set_blocking(&self, blocking: Arc<dyn Blocking>) {
        let _ = self.blocking.set(blocking);
    }

    fn serves(&self) -> bool {
        *self.gate.mode() == Mode::Serve
    }

    fn now_s(&self) -> i64 {
        self.gate.clock().now().seconds
    }
}
