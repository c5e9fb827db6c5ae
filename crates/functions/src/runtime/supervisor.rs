//! Keeps one codebase running: starts its worker, replaces it when files change, starts it again when it ends.
//!
//! A worker that is replaced ends when its last call has ended: whoever calls holds it. A codebase that does not load leaves the
//! one before in service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::Invocation;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::StartError;
use super::apart::Apart;
use super::discovery::discover;
use super::packages::Packages;
use super::sources::fingerprint;
use super::variables;
use super::worker::Worker;
use crate::model::{Codebase, Endpoint, Settings, environment, resolve, secrets};

/// How often files are looked at.
const LOOK_MILLIS: u64 = 200;
/// The pause before an ended worker is started again, doubled for each end that follows soon.
const BACK_OFF_MILLIS: u64 = 250;
/// The longest pause.
const BACK_OFF_MILLIS_MAX: u64 = 30_000;
/// A worker that has run for so long has not ended soon.
const STEADY_SECONDS: u64 = 30;

/// A codebase in service.
#[derive(Debug)]
pub struct Live {
    /// Its functions.
    pub endpoints: Vec<Endpoint>,
    /// Its process.
    pub worker: Worker,
    /// The process for calls that run as their callers.
    pub apart: Apart,
    /// Whether the package's root is its second generation.
    pub has_second_generation_root: bool,
}

/// How it stands with a codebase.
#[derive(Clone, Debug)]
pub enum State {
    /// It is being loaded for the first time, or again after its worker ended.
    Starting,
    /// It is in service.
    Live(Arc<Live>),
    /// It is not, for this reason.
    Broken(Arc<str>),
}

/// Keeps one codebase running.
#[derive(Debug)]
pub struct Supervisor {
    settings: Arc<Settings>,
    codebase: Codebase,
    /// What its worker does outside of any call, it does as this.
    identity: Invocation,
    state: watch::Sender<State>,
    /// Ends a worker that does not answer any more.
    hung: Notify,
}

impl Supervisor {
    /// Nothing runs yet.
    pub fn new(settings: Arc<Settings>, codebase: Codebase, identity: Invocation) -> Arc<Self> {
        let state = watch::Sender::new(State::Starting);
        Arc::new(Self { settings, codebase, identity, state, hung: Notify::new() })
    }

    /// The codebase's name.
    pub fn name(&self) -> &str {
        &self.codebase.name
    }

    /// How it stands, and word of each change.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Has the worker in service ended: it has been found not to answer.
    pub fn end_hung(&self, live: &Arc<Live>) {
        let is_current = matches!(&*self.state.borrow(), State::Live(current) if Arc::ptr_eq(current, live));
        if is_current {
            self.hung.notify_one();
        }
    }

    /// Runs until it is dropped.
    pub async fn run(self: Arc<Self>) {
        let (mut seen, mut pause) = (fingerprint(&self.codebase.source), BACK_OFF_MILLIS);
        loop {
            let began = Instant::now();
            match self.start().await {
                Ok(live) => {
                    self.said_ready(&live);
                    self.state.send_replace(State::Live(live));
                }
                Err(error) => self.failed(&error),
            }
            // Files that change keep a worker from counting as one that ended.
            let ended = self.until_change(&mut seen).await;
            let Some(how) = ended else {
                pause = BACK_OFF_MILLIS;
                continue;
            };
            if began.elapsed() > Duration::from_secs(STEADY_SECONDS) {
                pause = BACK_OFF_MILLIS;
            }
            let text = format!("the worker {how}; it is started again in {pause} ms");
            tracing::error!(codebase = self.name(), "{text}");
            self.state.send_replace(State::Broken(text.into()));
            tokio::select! {
                () = sleep(Duration::from_millis(pause)) => {}
                _ = self.changed(&mut seen) => {}
            }
            pause = (pause * 2).min(BACK_OFF_MILLIS_MAX);
            self.state.send_replace(State::Starting);
        }
    }

    /// Waits until the code has to be loaded again. `Some`: how the worker in service ended.
    async fn until_change(&self, seen: &mut u64) -> Option<String> {
        let live = match &*self.state.borrow() {
            State::Live(live) => Some(Arc::clone(live)),
            State::Starting | State::Broken(_) => None,
        };
        let Some(live) = live else {
            self.changed(seen).await;
            return None;
        };
        tokio::select! {
            () = self.changed(seen) => None,
            how = live.worker.exited() => Some(how),
            () = self.hung.notified() => {
                live.worker.end();
                Some("did not answer any more and was ended".to_owned())
            }
        }
    }

    /// Waits until files have changed and then rested.
    async fn changed(&self, seen: &mut u64) {
        let mut before = *seen;
        loop {
            sleep(Duration::from_millis(LOOK_MILLIS)).await;
            let source = self.codebase.source.clone();
            let now = tokio::task::spawn_blocking(move || fingerprint(&source)).await.unwrap_or(before);
            if now == before && now != *seen {
                *seen = now;
                return;
            }
            before = now;
        }
    }

    async fn start(&self) -> Result<Arc<Live>, StartError> {
        let Codebase { source, .. } = &self.codebase;
        let packages = Packages::of(source)?;
        let mut own = environment(source, &self.settings.project)?;
        let secret_values = secrets(source)?;
        let base = |own: &BTreeMap<String, String>| variables::of(&self.settings, &self.codebase, own);
        let discovered = discover(&self.codebase, &packages, &base(&own)).await;
        let manifest = discovered.map_err(|error| with_mend(error, &packages))?;
        let mut known = own.clone();
        known.extend(secret_values.clone());
        let values = resolve(&manifest.params, &known, &self.settings.params)?;
        let mut params = values.clone();
        params.insert("PROJECT_ID".to_owned(), self.settings.project.clone());
        let endpoints = manifest.endpoints(&params)?;
        own.extend(values);
        for secret in endpoints.iter().flat_map(|endpoint| &endpoint.secrets) {
            if let Some(value) = secret_values.get(secret) {
                own.insert(secret.clone(), value.clone());
            }
        }
        let variables = |house: String| {
            let mut variables = base(&own);
            variables.insert("HEARTH_HOUSE".to_owned(), house);
            variables
        };
        let house = variables::house(&self.settings, Some(self.identity.credential()));
        let worker = Worker::start(&self.codebase, &variables(house)).await?;
        let apart = Apart::new(self.codebase.clone(), variables(variables::house(&self.settings, None)));
        let has_second_generation_root = packages.has_second_generation_root();
        Ok(Arc::new(Live { endpoints, worker, apart, has_second_generation_root }))
    }

    fn said_ready(&self, live: &Live) {
        let names: Vec<&str> = live.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
        let version = &live.worker.health.version;
        tracing::info!(target: "function", codebase = self.name(), firebase_functions = %version, "serves {}", names.join(", "));
        for place in &live.worker.health.outdated {
            tracing::warn!(codebase = self.name(), "{place}: {}", crate::status::mend(version));
        }
    }

    fn failed(&self, error: &StartError) {
        let text = error.to_string();
        let is_live = matches!(&*self.state.borrow(), State::Live(_));
        if is_live {
            tracing::error!(
                codebase = self.name(),
                "{text}; the code that was loaded before stays in service"
            );
        } else {
            tracing::error!(
                codebase = self.name(),
                "{text}; its functions are not served until a file changes"
            );
            self.state.send_replace(State::Broken(text.into()));
        }
    }
}

/// An error of code that asks the package's root for what its second generation does not have, with what mends it.
fn with_mend(error: StartError, packages: &Packages) -> StartError {
    match error {
        StartError::Code(text)
            if packages.has_second_generation_root()
                && (text.contains("is not a function")
                    || text.contains("Cannot read properties of undefined")) =>
        {
            StartError::Code(format!(
                "{text}; if this is code of the first generation: {}",
                crate::status::mend(&packages.version)
            ))
        }
        error => error,
    }
}
