//! The worker for calls that run as their callers: started by the first of them, and again when it has ended.
//!
//! It is apart because it has no identity: what its code asks outside of a call, or over a connection that calls share, is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::StartError;
use super::worker::Worker;
use crate::model::Codebase;

/// How soon after a start another one may follow.
const PAUSE_SECONDS: u64 = 2;

/// The worker, or how to start it.
#[derive(Debug)]
pub struct Apart {
    codebase: Codebase,
    variables: BTreeMap<String, String>,
    running: Mutex<Option<(Instant, Option<Arc<Worker>>)>>,
}

impl Apart {
    /// Nothing runs yet.
    pub fn new(codebase: Codebase, variables: BTreeMap<String, String>) -> Self {
        Self { codebase, variables, running: Mutex::default() }
    }

    /// The running worker; calls that come meanwhile wait for the same start.
    pub async fn worker(&self) -> Result<Arc<Worker>, StartError> {
        let mut running = self.running.lock().await;
        if let Some((began, worker)) = &*running {
            if let Some(worker) = worker.as_ref().filter(|worker| !worker.has_ended()) {
                return Ok(Arc::clone(worker));
            }
            if began.elapsed() < Duration::from_secs(PAUSE_SECONDS) {
                return Err(StartError::Code("the worker has just ended".to_owned()));
            }
        }
        *running = Some((Instant::now(), None));
        let worker = Arc::new(Worker::start(&self.codebase, &self.variables).await?);
        *running = Some((Instant::now(), Some(Arc::clone(&worker))));
        Ok(worker)
    }
}
