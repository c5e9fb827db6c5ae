//! A listener of a stream of server-sent events.

use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use tokio::sync::mpsc;

use super::Realtime;
use super::delta::Changed;
use super::listen::Listen;
use super::namespace::Namespace;
use super::outbox::{Outbox, Taken};
use crate::failure::Failure;
use crate::model::{Node, Path};
use crate::query::Query;

/// How often a stream with nothing to say shows that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Events that wait for the transport.
const WAITING_MAX: usize = 8;

/// What a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// All that is at a place, relative to that of the stream.
    Put(Path, Option<Arc<Node>>),
    /// Some places below one.
    Patch(Path, Vec<(Path, Option<Arc<Node>>)>),
    /// Nothing new.
    KeepAlive,
    /// The right to read has ended. The last event.
    Cancelled,
    /// The credential has ended. The last event.
    AuthRevoked,
}

/// The events of a stream, the first of which has been decided and read.
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next event; `None`: the stream is over.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Realtime {
    /// Listens for a stream. The first event is what is there.
    ///
    /// Errors: as a read.
    pub async fn events(
        self: &Arc<Self>,
        namespace: &Namespace,
        caller: Caller,
        path: Path,
        query: Query,
    ) -> Result<Events, Failure> {
        let outbox = Arc::<Outbox>::default();
        self.listens(&outbox);
        let (listen, first) =
            Listen::open(&namespace.database, &caller, (path.clone(), query), (0, &outbox)).await?;
        let (sender, events) = mpsc::channel(WAITING_MAX);
        // There is room for the first.
        let _ = sender.try_send(Event::Put(Path::ROOT, first.value));
        let stream = Stream { listen, outbox, caller, path, sender };
        tokio::spawn(stream.run(self.ending()));
        Ok(Events(events))
    }
}

struct Stream {
    listen: Listen,
    outbox: Arc<Outbox>,
    caller: Caller,
    path: Path,
    sender: mpsc::Sender<Event>,
}

impl Stream {
    async fn run(mut self, mut ending: tokio::sync::watch::Receiver<bool>) {
        let clock = self.listen.clock();
        loop {
            let expires = self.caller.until.map(|until| {
                let left = until.micros().saturating_sub(clock.now_micros()).max(0);
                Duration::from_micros(u64::try_from(left).unwrap_or_default())
            });
            let expired = async {
                match expires {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.outbox.woken() => {}
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    if self.sender.send(Event::KeepAlive).await.is_err() {
                        return;
                    }
                }
                () = expired => {
                    let _ = self.sender.send(Event::AuthRevoked).await;
                    return;
                }
                () = self.sender.closed() => return,
                () = super::is_ending(&mut ending) => return,
            }
            while let Some(taken) = self.outbox.take() {
                if !self.tell(taken).await {
                    return;
                }
            }
        }
    }

    /// Says something; `false`: the stream is over.
    async fn tell(&mut self, taken: Taken) -> bool {
        let push = match taken {
            Taken::Overflown => return false,
            Taken::Stale => None,
            Taken::Push(push) if !self.listen.is_new(push.version) => return true,
            Taken::Push(push) => Some(push),
        };
        match self.listen.confirm(&self.caller).await {
            Ok(()) => {}
            Err(Failure::Denied(_)) => {
                let _ = self.sender.send(Event::Cancelled).await;
                return false;
            }
            Err(Failure::ExpiredToken | Failure::InvalidToken(_) | Failure::Unattested) => {
                let _ = self.sender.send(Event::AuthRevoked).await;
                return false;
            }
            // A fault ends the stream and is no denial.
            Err(_) => return false,
        }
        let Some(push) = push else { return true };
        let relative = push.delta.path.relative_to(&self.path).unwrap_or_default();
        let event = match &push.delta.change {
            Changed::Set(value) => Event::Put(relative, value.clone()),
            Changed::Merge(values) => Event::Patch(relative, values.clone()),
        };
        self.sender.send(event).await.is_ok()
    }
}
