//! A client that is connected, whatever carries its messages.

use std::sync::Arc;

use base::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::Realtime;
use super::hello::Hello;
use super::message::{self, Message};
use super::outgoing::{self, Outgoing};
use super::pump::Pump;
use crate::failure::Failure;

/// Requests of one connection that wait.
const REQUESTS_MAX: usize = 128;
/// Bytes of them.
const REQUEST_BYTES_MAX: usize = 20 << 20;

/// The connection has ended: nothing that is received has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// A connection. Dropped, it ends as when the client goes.
pub struct Connection {
    id: String,
    requests: Option<mpsc::Sender<(Message, OwnedSemaphorePermit)>>,
    bytes: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Begins a connection. The first message to the client is the greeting.
    ///
    /// Errors: an unknown database; no randomness for an id.
    pub fn open(realtime: &Arc<Realtime>, hello: Hello) -> Result<(Connection, Outgoing), Failure> {
        let namespace = realtime.namespace(&hello.namespace)?;
        let id = base::id::document_id()
            .map_err(|_| Failure::Unavailable(base::Status::new(Code::Internal, "no randomness")))?;
        let (sender, outgoing) = outgoing::channel();
        let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
        let pump = Pump::new(realtime, namespace, id.clone(), sender, hello.foreign.clone());
        let ending = realtime.ending();
        let task = tokio::spawn(pump.run(hello, waiting, ending));
        let bytes = Arc::new(Semaphore::new(REQUEST_BYTES_MAX));
        Ok((Connection { id, requests: Some(requests), bytes, task }, outgoing))
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes in a message: whole JSON. Waits while too much waits already.
    ///
    /// Errors: the connection has ended, or the message is none.
    pub async fn receive(&mut self, message: &str) -> Result<(), Closed> {
        let requests = self.requests.as_ref().ok_or(Closed)?;
        let weight = u32::try_from(message.len().clamp(1, REQUEST_BYTES_MAX)).map_err(|_| Closed)?;
        let held = Arc::clone(&self.bytes).acquire_many_owned(weight).await.map_err(|_| Closed)?;
        let message = message::read(message).ok_or(Closed)?;
        requests.send((message, held)).await.map_err(|_| Closed)
    }

    /// Ends it: what the client left for this is done when it returns.
    pub async fn close(mut self) {
        self.requests = None;
        let _ = (&mut self.task).await;
    }
}
