//! App Check: apps, the tokens that attest them, and which services require one.
//!
//! Invariants:
//! - A token is minted for a proof only: a debug token that an administrator made, a token that one of the project's service
//!   accounts signed, and in dev whatever stands for an attestation of a device.
//! - A token counts while its app is registered, its key is in use and neither was revoked; sessions of the gate hold callers to it.
//! - What one token may do once it does once: whoever uses it up reads and writes its row in one session.
//! - Only administrators see and change apps, debug tokens and what services require. Debug tokens are stored as hashes.
//! - This room decides nothing about other services: it implements [`access::Attest`], and the gate enforces.
//!
//! Source: the services reference, C; the discovery documents of `firebaseappcheck.googleapis.com`; what the SDKs send.

pub mod api;
mod cache;
pub mod model;
mod ops;
pub mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use access::{Enforcement, Gate, Service, TokenKeys};
use parking_lot::Mutex;

pub use ops::apps::{AppInfo, NewApp};
pub use ops::counts::{AppCount, ServiceCounts};
pub use ops::debug_tokens::{DebugTokenInfo, new_uuid4 as new_debug_token};
pub use ops::services::{ServiceInfo, service_of, short_name};

pub use model::settings::Settings;

use cache::Cache;

/// The App Check service.
pub struct AppCheck {
    gate: Gate,
    settings: Settings,
    keys: Arc<dyn TokenKeys>,
    cache: Cache,
    /// Tokens that are remembered as used up.
    consumed: AtomicUsize,
    /// What the project's file says that services require.
    configured: Mutex<BTreeMap<&'static str, Enforcement>>,
    /// Held from the commit of what a service requires until it does.
    enforcing: tokio::sync::Mutex<()>,
}

impl AppCheck {
    /// The service over a gate. It requires nothing before [`AppCheck::restore`].
    pub fn new(gate: Gate, settings: Settings, keys: Arc<dyn TokenKeys>) -> Arc<Self> {
        Arc::new(Self {
            gate,
            settings,
            keys,
            cache: Cache::default(),
            consumed: AtomicUsize::new(0),
            configured: Mutex::default(),
            enforcing: tokio::sync::Mutex::default(),
        })
    }

    fn now_s(&self) -> i64 {
        self.gate.clock().now().seconds
    }

    /// Whether a name in a path is the project's: its id or its number.
    fn is_project(&self, name: &str) -> bool {
        name == self.settings.project || name == self.settings.project_number
    }

    fn is_dev(&self) -> bool {
        self.gate.mode().dev().is_some()
    }

    /// What a service requires now.
    pub fn enforcement(&self, service: Service) -> Enforcement {
        self.gate.app_checks().of(service)
    }
}
