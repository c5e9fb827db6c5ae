//! App Check: which app a request comes from, and which services require one.
//!
//! Invariants:
//! - One decision for all services: [`Gate::begin`] and its kin ask it for every session, so no operation passes by it; protocols
//!   ask it before they read a request, too ([`Gate::admit_app`]).
//! - A service that requires an app admits a token that was verified, and nothing else. Administrators need none.
//! - A token that is no good is a verdict ([`Attestation::Invalid`]); a fault of the store is an error and never one.
//!
//! Source: the services reference, C; the texts are those of the real services.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use base::{Code, Status, Timestamp};
use parking_lot::Mutex;
use policy::App;
use serde::{Deserialize, Serialize};

use crate::service::Service;
use crate::standing::Standing;

/// What clients read when their token is missing or no good. SDKs compare it letter by letter.
pub const APP_CHECK_INVALID: &str = "Firebase App Check token is invalid.";

/// Apps that are counted by their id at once; those beyond share one line.
const COUNTED_APPS_MAX: usize = 1000;

/// What is known of the app that a request comes from.
#[derive(Clone, Debug, Default)]
pub enum Attestation {
    /// No token came.
    #[default]
    Missing,
    /// What came is no token of an app of this project.
    Invalid(Flaw),
    /// A token of this app.
    Valid(Arc<Attested>),
    /// No token is needed: the right was proved in another way, or the app (if there was one) was attested when the work was
    /// asked for.
    Exempt(Option<Arc<App>>),
}

/// An app whose token was verified.
#[derive(Debug)]
pub struct Attested {
    /// The app.
    pub app: App,
    /// When the token ends.
    pub until: Timestamp,
    /// What sessions hold the app to: its registration, and the key that signed the token.
    pub standing: Arc<dyn Standing>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The SDK's placeholder: it could not obtain a token.
    #[error("the client has no App Check token: its SDK sent the placeholder for a failed attestation")]
    Placeholder,
    /// No token at all.
    #[error("the App Check token is malformed")]
    Malformed,
    /// Several tokens.
    #[error("the request has several App Check tokens")]
    Several,
    /// Nobody here has signed it.
    #[error("the App Check token is not signed by this server")]
    Forged,
    /// It is of another project, or for something else.
    #[error("the App Check token is of another project or service")]
    Foreign,
    /// Its time is over.
    #[error("the App Check token has expired")]
    Expired,
    /// It is of a time that has not come.
    #[error("the App Check token was issued in the future")]
    Future,
    /// Its app is not registered.
    #[error("the app of the App Check token is not registered")]
    UnknownApp,
    /// The app, or its tokens up to a time, or the key that signed it, were revoked.
    #[error("the App Check token was revoked")]
    Revoked,
    /// It was used before, where a token may be used once.
    #[error("the App Check token was consumed before")]
    Consumed,
}

/// What came of a request's App Check token, for the log and the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppVerdict {
    /// A token of an app of this project.
    Valid,
    /// A token that is no good.
    Invalid,
    /// No token.
    Missing,
    /// None was needed.
    Exempt,
}

impl Attestation {
    /// The app, as rules see it.
    pub fn app(&self) -> Option<&App> {
        match self {
            Attestation::Valid(attested) => Some(&attested.app),
            Attestation::Exempt(app) => app.as_deref(),
            Attestation::Missing | Attestation::Invalid(_) => None,
        }
    }

    /// The word for it.
    pub fn verdict(&self) -> AppVerdict {
        match self {
            Attestation::Missing => AppVerdict::Missing,
            Attestation::Invalid(_) => AppVerdict::Invalid,
            Attestation::Valid(_) => AppVerdict::Valid,
            Attestation::Exempt(_) => AppVerdict::Exempt,
        }
    }

    /// When it ends, where it does.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Attestation::Valid(attested) => Some(attested.until),
            _ => None,
        }
    }

    /// The same for work that goes on, or is done later, on behalf of whoever was admitted with this.
    pub fn settled(&self) -> Self {
        Attestation::Exempt(self.app().cloned().map(Arc::new))
    }

    /// Why a service that requires an app refuses.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Attestation::Missing => Some("the request has no App Check token".to_owned()),
            Attestation::Invalid(flaw) => Some(flaw.to_string()),
            Attestation::Valid(_) | Attestation::Exempt(_) => None,
        }
    }

    /// What a client hears that is refused for this: another token may help who has sent one.
    pub(crate) fn refusal(&self) -> Status {
        let code = match self {
            Attestation::Invalid(flaw) if *flaw != Flaw::Placeholder => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        };
        Status::new(code, APP_CHECK_INVALID)
    }
}

/// Whether a status says that a service requires an app and has not got one.
pub fn is_unattested(status: &Status) -> bool {
    status.message == APP_CHECK_INVALID
}

/// In the extensions of a response: its status line says why, too. The web SDK of Storage looks there.
#[derive(Clone, Copy, Debug)]
pub struct AppCheckRefused;

/// Finds out which app a request comes from. Implemented by the App Check service; asked by the server for every request, and by
/// services whose protocol brings the token within a connection.
#[async_trait]
pub trait Attest: Send + Sync {
    /// What a token is worth, for a project. `None`: none came.
    ///
    /// Errors: `UNAVAILABLE` when the store cannot be read.
    async fn app(&self, project: &str, token: Option<&str>) -> Result<Attestation, Status>;

    /// Uses a token up: `false` if it was used before. Only for what is [`Attestation::Valid`].
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when no more can be remembered; the store's faults.
    async fn consume(&self, project: &str, token: &str) -> Result<bool, Status>;
}

/// Where no app is known: every token is a stranger's.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoApps;

#[async_trait]
impl Attest for NoApps {
    async fn app(&self, _: &str, token: Option<&str>) -> Result<Attestation, Status> {
        Ok(if token.is_some() { Attestation::Invalid(Flaw::Forged) } else { Attestation::Missing })
    }

    async fn consume(&self, _: &str, _: &str) -> Result<bool, Status> {
        Ok(false)
    }
}

/// Whether a service requires an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Enforcement {
    /// It does not ask.
    #[default]
    Off,
    /// It counts, and admits everybody.
    Unenforced,
    /// It does.
    Enforced,
}

/// The services that can require an app.
pub const ENFORCEABLE: [Service; 6] = [
    Service::Firestore,
    Service::Realtime,
    Service::Storage,
    Service::Identity,
    Service::DataConnect,
    Service::Functions,
];

/// Requests of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counted {
    /// The service's name.
    pub service: String,
    /// What their tokens were worth.
    pub verdict: AppVerdict,
    /// The app's id; empty where there is none, or where there are too many apps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub app: String,
}

/// Which services require an app, and what was counted.
#[derive(Default)]
pub struct AppChecks {
    modes: [AtomicU8; ENFORCEABLE.len()],
    counts: Mutex<BTreeMap<Counted, u64>>,
}

impl AppChecks {
    /// What a service requires.
    pub fn of(&self, service: Service) -> Enforcement {
        match self.mode(service).map(|mode| mode.load(Ordering::Relaxed)) {
            Some(1) => Enforcement::Unenforced,
            Some(2) => Enforcement::Enforced,
            _ => Enforcement::Off,
        }
    }

    /// Has a service require an app, or not; says whether that is new.
    pub(crate) fn set(&self, service: Service, enforcement: Enforcement) -> bool {
        let number = match enforcement {
            Enforcement::Off => 0,
            Enforcement::Unenforced => 1,
            Enforcement::Enforced => 2,
        };
        self.mode(service).is_some_and(|mode| mode.swap(number, Ordering::Relaxed) != number)
    }

    fn mode(&self, service: Service) -> Option<&AtomicU8> {
        let index = ENFORCEABLE.iter().position(|one| *one == service)?;
        self.modes.get(index)
    }

    pub(crate) fn count(&self, service: Service, app: &Attestation) {
        let verdict = app.verdict();
        if verdict == AppVerdict::Exempt || self.of(service) == Enforcement::Off {
            return;
        }
        let mut counts = self.counts.lock();
        let is_full = counts.len() >= COUNTED_APPS_MAX;
        let app = app.app().filter(|_| !is_full).map(|app| app.id.clone()).unwrap_or_default();
        *counts.entry(Counted { service: service.name().to_owned(), verdict, app }).or_default() += 1;
    }

    /// What was counted since this was last asked.
    pub fn take_counts(&self) -> BTreeMap<Counted, u64> {
        std::mem::take(&mut *self.counts.lock())
    }

    /// What was counted since [`AppChecks::take_counts`].
    pub fn counts(&self) -> BTreeMap<Counted, u64> {
        self.counts.lock().clone()
    }

    /// Counts again what was taken and could not be kept.
    pub fn give_back(&self, taken: BTreeMap<Counted, u64>) {
        let mut counts = self.counts.lock();
        for (counted, number) in taken {
            *counts.entry(counted).or_default() += number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounded_by_apps_and_only_kept_where_somebody_asks() {
        let checks = AppChecks::default();
        let exempt = |id: usize| Attestation::Exempt(Some(Arc::new(App { id: id.to_string() })));
        checks.count(Service::Firestore, &Attestation::Missing);
        assert!(checks.take_counts().is_empty(), "the service is off");
        checks.modes[0].store(1, Ordering::Relaxed);
        checks.count(Service::Firestore, &exempt(1));
        checks.count(Service::Firestore, &Attestation::Missing);
        checks.count(Service::Firestore, &Attestation::Invalid(Flaw::Forged));
        checks.count(Service::Rules, &Attestation::Missing);
        let counts: Vec<_> = checks.counts().into_iter().collect();
        assert_eq!(counts.len(), 2, "{counts:?}");
        assert_eq!(checks.of(Service::Rules), Enforcement::Off);
        #[derive(Debug)]
        struct Nothing(kv::Key);
        impl Standing for Nothing {
            fn key(&self) -> &kv::Key {
                &self.0
            }
            fn check(&self, _: Option<&kv::Row>) -> Result<(), Status> {
                Ok(())
            }
        }
        let key = kv::Key::new(crate::keyspace::APPS, &[]);
        let standing: Arc<dyn Standing> = Arc::new(Nothing(key));
        for id in 0..2 * COUNTED_APPS_MAX {
            let (app, standing) = (App { id: id.to_string() }, Arc::clone(&standing));
            let attested = Attested { app, until: Timestamp::EPOCH, standing };
            checks.count(Service::Firestore, &Attestation::Valid(Arc::new(attested)));
        }
        let counts = checks.take_counts();
        assert!(counts.len() <= COUNTED_APPS_MAX + 1, "{}", counts.len());
        assert_eq!(counts.values().sum::<u64>(), 2 + 2 * COUNTED_APPS_MAX as u64);
        checks.give_back(counts);
        assert_eq!(checks.counts().values().sum::<u64>(), 2 + 2 * COUNTED_APPS_MAX as u64);
    }

    #[test]
    fn a_placeholder_counts_as_no_token_and_a_bad_one_asks_for_another() {
        let code = |attestation: Attestation| attestation.refusal().code;
        assert_eq!(code(Attestation::Missing), Code::PermissionDenied);
        assert_eq!(code(Attestation::Invalid(Flaw::Placeholder)), Code::PermissionDenied);
        for flaw in [Flaw::Forged, Flaw::Expired, Flaw::Revoked, Flaw::Foreign] {
            assert_eq!(code(Attestation::Invalid(flaw)), Code::Unauthenticated);
        }
    }
}
