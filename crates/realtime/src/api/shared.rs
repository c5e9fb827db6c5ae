//! What all requests of the service share.

use std::sync::Arc;

use base::id::{RandomnessError, random_bytes};
use parking_lot::Mutex;
use smol_str::SmolStr;

use super::longpoll::sessions::Sessions;
use super::seats::{SOCKETS, Seats};
use crate::model::PushIds;
use crate::ops::Realtime;

/// What all requests share.
pub struct Api {
    /// The service.
    pub realtime: Arc<Realtime>,
    /// The seats of WebSockets and of streams of events.
    pub sockets: Arc<Seats>,
    /// The long-polling sessions.
    pub polls: Arc<Sessions>,
    push_ids: Mutex<PushIds>,
}

impl Api {
    /// For a service.
    pub fn new(realtime: Arc<Realtime>) -> Arc<Self> {
        let (sockets, polls) = (Seats::new(SOCKETS), Sessions::new());
        Arc::new(Self { realtime, sockets, polls, push_ids: Mutex::default() })
    }

    /// A key that is greater than all that were made before.
    pub fn push_id(&self) -> Result<SmolStr, RandomnessError> {
        let random = random_bytes()?;
        Ok(self.push_ids.lock().next(self.realtime.now_ms(), || random))
    }
}
