//! Messages to a client, in order. Who puts one in waits while the client has not taken those before.

use std::sync::Arc;

use tokio::sync::mpsc;

/// Messages that wait for the transport.
const WAITING_MAX: usize = 64;

/// What a transport sends.
pub struct Outgoing(mpsc::Receiver<Arc<str>>);

/// The other end.
#[derive(Clone)]
pub struct Sender(mpsc::Sender<Arc<str>>);

/// A way for messages.
pub fn channel() -> (Sender, Outgoing) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (Sender(sender), Outgoing(receiver))
}

impl Outgoing {
    /// The next message: whole JSON. `None`: the connection is over.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        self.0.recv().await
    }
}

/// The transport has gone.
#[derive(Debug)]
pub struct Gone;

impl Sender {
    /// Puts a message in.
    pub async fn send(&self, message: impl Into<Arc<str>>) -> Result<(), Gone> {
        self.0.send(message.into()).await.map_err(|_| Gone)
    }
}
