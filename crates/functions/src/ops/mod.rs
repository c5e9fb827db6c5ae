//! The verbs: calling a function. Only the files here talk to the gate.

mod admit;
mod events;
mod guards;
mod partners;
mod rates;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use access::events::Interest;
use access::{Authenticate, Caller, Gate, Invocation, Origin};
use arc_swap::{ArcSwap, ArcSwapOption};
use base::{Code, Timestamp};
use kv::Version;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::model::{Endpoint, Kind, Settings};
use crate::runtime::{Live, State, Supervisor, Worker};
use crate::status::Failure;
use rates::Buckets;

pub use admit::{Admitted, Call};
pub use events::{Delivery, Message, Task};
pub use guards::{GuardText, Guards, RunAs};
pub use partners::{add_partner, change_partner, partners};
pub use slots::{Slot, Slots};

/// How long a call waits for code that is being loaded.
const LOAD_SECONDS_MAX: u64 = 60;

/// The service. One per process.
pub struct Functions {
    gate: Gate,
    authenticate: Arc<dyn Authenticate>,
    project: String,
    guards: ArcSwap<Guards>,
    codebases: ArcSwapOption<Vec<Arc<Supervisor>>>,
    buckets: Buckets,
    /// Bounds of what is in flight and what waits.
    pub slots: Slots,
    /// What is committed from here on is of this process.
    began: Version,
    delivery: Delivery,
    /// Functions that have a say before somebody signs in, by codebase.
    blocking: Mutex<BTreeMap<String, Vec<Interest>>>,
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
    pub fn new(gate: Gate, project: &str, authenticate: Arc<dyn Authenticate>) -> Arc<Self> {
        let began = *gate.published().borrow();
        let functions = Arc::new(Self {
            gate,
            began: Version(began.0 + 1),
            delivery: Delivery::default(),
            blocking: Mutex::default(),
            authenticate,
            project: project.to_owned(),
            guards: ArcSwap::default(),
            codebases: ArcSwapOption::empty(),
            buckets: Buckets::default(),
            slots: Slots::default(),
        });
        functions.register_sources();
        functions
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Whether what exists for development only is there.
    pub fn is_dev(&self) -> bool {
        self.gate.mode().dev().is_some()
    }

    /// Puts guards in force.
    pub fn set_guards(&self, guards: Guards) {
        self.guards.store(Arc::new(guards));
    }

    /// Runs the codebases until it is dropped.
    pub async fn run(self: Arc<Self>, settings: Settings) {
        let settings = Arc::new(settings);
        let mut supervisors = Vec::new();
        for codebase in settings.codebases.iter().cloned() {
            let identity = self.identity_of(&codebase.name);
            let Ok(identity) = identity.inspect_err(|error| tracing::error!("no function runs: {error}"))
            else {
                return;
            };
            supervisors.push(Supervisor::new(Arc::clone(&settings), codebase, identity));
        }
        self.codebases.store(Some(Arc::new(supervisors.clone())));
        let triggers = supervisors.iter().map(|supervisor| self.follow_triggers(supervisor));
        let triggers = futures_util::future::join_all(triggers);
        let schedules = supervisors.iter().map(|supervisor| self.fire_schedules(supervisor));
        let schedules = futures_util::future::join_all(schedules);
        let codebases = futures_util::future::join_all(supervisors.iter().cloned().map(Supervisor::run));
        tokio::join!(codebases, triggers, schedules, self.delivery.run(&self));
    }

    /// What a codebase's worker does outside of any call, it does as this.
    fn identity_of(&self, codebase: &str) -> Result<Invocation, base::id::RandomnessError> {
        let via = format!("codebase:{codebase}");
        let caller = Caller::admin(via.clone()).via(Origin { via, trace: String::new() });
        self.gate.invocations().begin(&self.project, caller)
    }

    /// Begins a call: what its code reads and writes from now on, it does on the caller's behalf or as the function itself, and
    /// every record of it has the call's trace. The credential ends with the call, or with the time it may take.
    pub fn begin(
        &self,
        function: &Function,
        admitted: &Admitted,
        trace: &str,
    ) -> Result<Invocation, Failure> {
        match admitted.run_as {
            RunAs::Function => self.begin_own(function, trace),
            RunAs::Caller => self.begin_as(function, admitted.caller.clone(), trace),
        }
    }

    /// Begins what a function does by itself: an event, a schedule.
    pub fn begin_own(&self, function: &Function, trace: &str) -> Result<Invocation, Failure> {
        self.begin_as(function, Caller::admin(via(function)), trace)
    }

    fn begin_as(&self, function: &Function, caller: Caller, trace: &str) -> Result<Invocation, Failure> {
        let endpoint = &function.endpoint;
        let now = self.gate.clock().now();
        let seconds = now.seconds.saturating_add(i64::try_from(endpoint.timeout_s).unwrap_or(i64::MAX));
        let ends = Timestamp { seconds, nanos: now.nanos };
        let until = caller.until.map_or(ends, |until| until.min(ends));
        let caller = caller.until(until).via(Origin { via: via(function), trace: trace.to_owned() });
        let begun = self.gate.invocations().begin(&self.project, caller);
        begun.map_err(|error| Failure::of(Code::Unavailable, error.to_string()))
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
    /// The worker for calls that run as their callers: it has no identity of its own. `None`: the worker of all others.
    pub async fn worker_apart(&self, run_as: RunAs) -> Result<Option<Arc<Worker>>, Failure> {
        match run_as {
            RunAs::Function => Ok(None),
            RunAs::Caller => match self.live.apart.worker().await {
                Ok(worker) => Ok(Some(worker)),
                Err(error) => {
                    tracing::error!(function = %self.endpoint.name, "{error}");
                    Err(Failure::of(Code::Unavailable, format!("`{}` is not in service", self.endpoint.name)))
                }
            },
        }
    }

    /// After a call that has taken too long: ends a worker whose code holds its only thread.
    pub fn look_after(self, apart: Option<Arc<Worker>>) {
        tokio::spawn(async move {
            match apart {
                Some(worker) if !worker.is_responsive().await => worker.end(),
                Some(_) => {}
                None if !self.live.worker.is_responsive().await => self.supervisor.end_hung(&self.live),
                None => {}
            }
        });
    }
}

/// What records of a function's work say it was done by.
fn via(function: &Function) -> String {
    format!("function:{}", function.endpoint.name)
}
