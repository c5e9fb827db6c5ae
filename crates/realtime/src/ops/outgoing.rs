//! Messages to a client, in order. Who puts one in waits while the client has not taken enough of those before: they are
//! bounded by their number and their bytes, but for one message that is larger than all may be.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Messages that wait for the transport.
const WAITING_MAX: usize = 64;
/// Bytes of them.
const BYTES_MAX: u32 = 1 << 20;

type Waiting = (Arc<str>, OwnedSemaphorePermit);

/// What a transport sends.
pub struct Outgoing(mpsc::Receiver<Waiting>);

/// The other end.
#[derive(Clone)]
pub struct Sender {
    messages: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// A way for messages.
pub fn channel() -> (Sender, Outgoing) {
    let (messages, receiver) = mpsc::channel(WAITING_MAX);
    let room = Arc::new(Semaphore::new(usize::try_from(BYTES_MAX).unwrap_or(Semaphore::MAX_PERMITS)));
    (Sender { messages, room }, Outgoing(receiver))
}

impl Outgoing {
    /// The next message: whole JSON. `None`: the connection is over. Nothing is lost when this is dropped.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        self.0.recv().await.map(|(message, _)| message)
    }
}

/// The transport has gone.
#[derive(Debug)]
pub struct Gone;

impl Sender {
    /// Puts a message in.
    pub async fn send(&self, message: impl Into<Arc<str>>) -> Result<(), Gone> {
        let message = message.into();
        let bytes = u32::try_from(message.len()).unwrap_or(BYTES_MAX).clamp(1, BYTES_MAX);
        let room = tokio::select! {
            room = Arc::clone(&self.room).acquire_many_owned(bytes) => room.map_err(|_| Gone)?,
            () = self.messages.closed() => return Err(Gone),
        };
        self.messages.send((message, room)).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_who_waits_hears_of_the_end() {
        let (sender, mut outgoing) = channel();
        let large = "x".repeat(3 << 20);
        sender.send(large.as_str()).await.unwrap();
        assert!(sender.send("y").now_or_never().is_none(), "the large one fills it");
        assert_eq!(outgoing.next().await.map(|message| message.len()), Some(large.len()));
        for _ in 0..WAITING_MAX {
            sender.send("y").await.unwrap();
        }
        assert!(sender.send("z").now_or_never().is_none(), "so many are enough");
        sender.room.forget_permits(usize::MAX);
        let (waits, ()) = tokio::join!(sender.send("z"), async { drop(outgoing) });
        assert!(waits.is_err());
    }
}
