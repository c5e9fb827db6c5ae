//! The verbs: calling a function. Only the files here talk to the gate.

mod admit;
mod events;
mod guards;
mod slots;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use access::{Attest, Attestation, Authenticate, Enforcement, Gate, Service};
use arc_swap::{ArcSwap, ArcSwapOption};
use base::Code;
use kv::Version;
use tokio::time::timeout;

use crate::model::{Endpoint, Kind, Settings};
use crate::runtime::{Live, State, Supervisor};
use crate::status::Failure;

pub use admit::Call;
pub use events::Delivery;
pub use guards::{AppGuard, GuardText, Guards};
pub use slots::{Slot, Slots};

/// How long a call waits for code that is being loaded.
const LOAD_SECONDS_MAX: u64 = 60;

/// The service. One per process.
pub struct Functions {
    gate: Gate,
    authenticate: Arc<dyn Authenticate>,
    attest: Arc<dyn Attest>,
    project: String,
    guards: ArcSwap<Guards>,
    codebases: ArcSwapOption<Vec<Arc<Supervisor>>>,
    /// Bounds of what is in flight and what waits.
    pub slots: Slots,
    /// What is committed from here on is of this process.
    began: Version,
    delivery: Delivery,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Function {
    /// The codebase as it is in service.
    pub live: Arc<Live>,
    /// The function.
    pub endpoint: Endpoint,
    supervisor: Arc<Supervisor>,
}

impl Functions {
    /// The service over a gate; it has no codebases yet.
    pub fn new(
        gate: Gate,
        project: &str,
        authenticate: Arc<dyn Authenticate>,
        attest: Arc<dyn Attest>,
    ) -> Arc<Self> {
        let began = *gate.published().borrow();
        Arc::new(Self {
            gate,
            began: Version(began.0 + 1),
            delivery: Delivery::default(),
            authenticate,
            attest,
            project: project.to_owned(),
            guards: ArcSwap::default(),
            codebases: ArcSwapOption::empty(),
            slots: Slots::default(),
        })
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Whether what exists for development only is there.
    pub fn is_dev(&self) -> bool {
        self.gate.mode().dev().is_some()
    }

    /// Whether code may see an App Check token: it takes every token for verified. Where dev asks nobody for tokens, it sees those
    /// of other servers, too, as at the official emulator.
    pub fn shows_token(&self, app: &Attestation) -> bool {
        let asks = self.gate.app_checks().of(Service::Functions) != Enforcement::Off;
        matches!(app, Attestation::Valid(_)) || (self.is_dev() && !asks)
    }

    /// Puts guards in force.
    pub fn set_guards(&self, guards: Guards) {
        self.guards.store(Arc::new(guards));
    }

    /// Runs the codebases until it is dropped.
    pub async fn run(self: Arc<Self>, settings: Settings) {
        let settings = Arc::new(settings);
        let codebases = settings.codebases.iter().cloned();
        let supervisors: Vec<_> =
            codebases.map(|codebase| Supervisor::new(Arc::clone(&settings), codebase)).collect();
        self.codebases.store(Some(Arc::new(supervisors.clone())));
        let triggers = supervisors.iter().map(|supervisor| self.follow_triggers(supervisor));
        let triggers = futures_util::future::join_all(triggers);
        let codebases = futures_util::future::join_all(supervisors.iter().cloned().map(Supervisor::run));
        tokio::join!(codebases, triggers, self.delivery.run(&self));
    }

    /// The function of this name in this region. Waits for code that is being loaded.
    pub async fn find(&self, region: &str, name: &str) -> Result<Function, Failure> {
        let codebases = self.codebases.load_full().map(|all| all.to_vec()).unwrap_or_default();
        let (mut names, mut broken) = (BTreeSet::new(), None);
        for supervisor in codebases {
            let mut state = supervisor.state();
            let settled = state.wait_for(|state| !matches!(state, State::Starting));
            let settled = timeout(Duration::from_secs(LOAD_SECONDS_MAX), settled).await;
            let state = settled.ok().and_then(Result::ok).map(|state| state.clone());
            let live = match state {
                Some(State::Live(live)) => live,
                Some(State::Broken(why)) => {
                    broken.get_or_insert((supervisor.name().to_owned(), why));
                    continue;
                }
                Some(State::Starting) | None => {
                    let why = format!("it was not loaded within {LOAD_SECONDS_MAX} s");
                    broken.get_or_insert((supervisor.name().to_owned(), why.into()));
                    continue;
                }
            };
            let is_asked = |endpoint: &&Endpoint| {
                endpoint.name == name && endpoint.regions.iter().any(|one| one == region)
            };
            if let Some(endpoint) = live.endpoints.iter().find(is_asked).cloned() {
                return Ok(Function { live, endpoint, supervisor });
            }
            let callable = live.endpoints.iter().filter(|endpoint| endpoint.kind != Kind::Background);
            names.extend(callable.flat_map(|endpoint| {
                endpoint.regions.iter().map(|region| format!("{region}-{}", endpoint.name))
            }));
        }
        if let Some((codebase, why)) = broken {
            let shown = if self.is_dev() { format!(": {why}") } else { String::new() };
            return Err(Failure::of(
                Code::Unavailable,
                format!("The codebase `{codebase}` is not in service{shown}"),
            ));
        }
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        Err(Failure::Unknown(format!(
            "Function {region}-{name} does not exist, valid functions are: {names}"
        )))
    }
}

impl Function {
    /// After a call that has taken too long: ends a worker whose code holds its only thread.
    pub fn look_after(self) {
        tokio::spawn(async move {
            if !self.live.worker.is_responsive().await {
                self.supervisor.end_hung(&self.live);
            }
        });
    }
}
