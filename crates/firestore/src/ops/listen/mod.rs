//! The `Listen` stream: targets come and go, each decided by the rules, loaded, and then followed.
//!
//! One stream is one loop ([`pump`]): it takes its client's requests, has decided again what is stale, loads what is new,
//! and takes out what commits have left for it. It begins something only when its client asks for more; whoever does not
//! read costs what its outbox may hold and nothing else.
//!
//! Invariants:
//! - Nothing leaves under a grant that a commit up to the same version has touched, or that other rules gave.
//! - A snapshot (`NO_CHANGE` of all targets) has everything up to its version of every target; its versions never fall.
//! - One `ADD` for each target that is added, one `REMOVE` without cause for each that the client removes.
//! - A denial ends its target, never the stream; a fault ends the stream and is never a denial.
//!
//! Source: `google.firestore.v1` and its clients.

mod cohort;
mod cut;
mod decide;
mod follow;
mod load;
mod pages;
mod pump;
mod resume;
mod state;
mod wait;

use std::sync::{Arc, OnceLock};

use access::{Caller, ClientAddress, Gate};
use base::Status;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::task::JoinHandle;
use wire::v1;

use self::cohort::Cohorts;
use self::pump::Pump;
use super::Firestore;
use super::stream::Requests;
use crate::listen::{Hub, Response, ResumeTokens};

/// First results that may begin to be loaded at the same time, each of another query.
const FIRST_LOADS: usize = 64;

/// Targets of one stream.
pub const TARGETS_MAX: usize = 1_000;

/// The answers of an open stream.
pub type Responses = BoxStream<'static, Result<Response, Status>>;

/// What all `Listen` streams share.
pub struct Listeners {
    hub: Arc<Hub>,
    tokens: ResumeTokens,
    cohorts: Arc<Cohorts>,
    /// For the first page of a view, by its number.
    first: Vec<tokio::sync::Mutex<()>>,
    /// Follows the store's commits, from the first stream on.
    follower: OnceLock<JoinHandle<()>>,
}

impl Listeners {
    /// Of a store.
    pub fn new(gate: &Gate) -> Self {
        Self {
            hub: Arc::default(),
            tokens: ResumeTokens::new(gate.epoch()),
            cohorts: Cohorts::new(gate.clone()),
            first: std::iter::repeat_with(Default::default).take(FIRST_LOADS).collect(),
            follower: OnceLock::new(),
        }
    }
}

impl Listeners {
    /// The turn to load the first page of a view.
    async fn first_of(&self, view: u64) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let at = usize::try_from(view).unwrap_or_default() % FIRST_LOADS;
        Some(self.first.get(at)?.lock().await)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.get() {
            follower.abort();
        }
    }
}

impl Firestore {
    /// `Listen`: the answers to a stream of requests. Its end is the stream's; an error is its last answer.
    ///
    /// Nothing is computed while no answer is asked for.
    pub fn listen(
        self: &Arc<Self>,
        caller: &Caller,
        address: Option<ClientAddress>,
        requests: Requests<v1::ListenRequest>,
    ) -> Result<Responses, Status> {
        let place = self.places.take(caller, address)?;
        self.listeners
            .follower
            .get_or_init(|| tokio::spawn(follow::follow(self.gate.clone(), Arc::clone(&self.listeners.hub))));
        let pump = Box::new(Pump::new(Arc::clone(self), caller.clone(), requests, place));
        let responses = stream::unfold(Some(pump), |pump| async move {
            match pump?.next().await {
                Ok(Some((response, pump))) => Some((Ok(response), Some(pump))),
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(responses.boxed())
    }
}
