//! The work of one connection.
//!
//! One task for each takes the client's requests in their order. Writes are handed in without waiting for them; everything
//! else waits until the client's earlier writes are durable, so that a client sees what it wrote. What listeners are told
//! of a write goes out before its acknowledgement.

mod requests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Caller, ForeignOrigin};
use serde_json::{Value as Json, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::Realtime;
use super::hello::Hello;
use super::listen::Listen;
use super::message::Message;
use super::namespace::{Namespace, Outcome};
use super::outbox::{Outbox, Taken};
use super::outgoing::{Gone, Sender};
use super::sessions::Place;
use crate::failure::Failure;
use crate::model::Sparse;
use crate::status;

/// Writes of one connection that are not acknowledged yet.
const WRITES_MAX: usize = 256;
/// How often listeners are decided again whose rules look at the time.
const TIME_LOOK: Duration = Duration::from_secs(5);

/// Why a connection ends.
enum End {
    /// The client has gone, or does not take what it is sent.
    Gone,
    /// Another connection of the same client is there, or this process ends.
    Told,
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        End::Gone
    }
}

/// The work of one connection.
pub struct Pump {
    realtime: Arc<Realtime>,
    namespace: Arc<Namespace>,
    id: String,
    caller: Caller,
    foreign: Option<ForeignOrigin>,
    sender: Sender,
    outbox: Arc<Outbox>,
    listens: HashMap<u64, Open>,
    next: u64,
    writes: VecDeque<(u64, Outcome)>,
    departure: Sparse,
    /// When the listeners whose rules look at the time were decided again.
    looked: Instant,
    place: Place,
}

struct Open {
    listen: Listen,
    /// As the client wrote it, JSON.
    query: Option<String>,
    tag: Option<String>,
}

/// Requests in their order, each with what it holds of the connection's share.
type Requests = mpsc::Receiver<(Message, OwnedSemaphorePermit)>;

impl Pump {
    /// A connection that has nothing yet.
    pub fn new(
        realtime: &Arc<Realtime>,
        namespace: Arc<Namespace>,
        id: String,
        sender: Sender,
        foreign: Option<ForeignOrigin>,
    ) -> Self {
        let outbox = Arc::<Outbox>::default();
        realtime.listens(&outbox);
        Self {
            place: realtime.sessions.open(&id),
            realtime: Arc::clone(realtime),
            namespace,
            id,
            caller: Caller::unauthenticated(),
            foreign,
            sender,
            outbox,
            listens: HashMap::new(),
            next: 0,
            writes: VecDeque::new(),
            departure: Sparse::default(),
            looked: Instant::now(),
        }
    }

    /// Works until the connection is over, and does then what its client has left.
    pub async fn run(mut self, hello: Hello, mut requests: Requests, mut ending: watch::Receiver<bool>) {
        // What the client's last session left is done before this one sees anything.
        if let Some(last) = hello.last_session.as_deref().filter(|last| *last != self.id) {
            self.realtime.sessions.end(last).await;
            Box::pin(self.realtime.departures.fulfil(&self.namespace, last)).await;
        }
        let greeted = self.greet(&hello).await;
        if greeted.is_ok() {
            let _ = self.follow(&mut requests, &mut ending).await;
        }
        self.listens.clear();
        // Nobody hears of these any more; they are done all the same.
        while let Some((_, outcome)) = self.writes.pop_front() {
            let _ = outcome.await;
        }
        if !self.departure.is_empty() {
            Box::pin(self.realtime.departures.fulfil(&self.namespace, &self.id)).await;
        }
    }

    async fn greet(&self, hello: &Hello) -> Result<(), Gone> {
        // The time is that of sending: clients take it for the server's.
        let now_ms = self.realtime.gate().clock().now_micros().div_euclid(1000);
        let greeting = json!({"t": "c", "d": {"t": "h", "d": {
            "ts": now_ms, "v": "5", "h": hello.host, "s": self.id,
        }}});
        self.sender.send(greeting.to_string()).await
    }

    async fn follow(
        &mut self,
        requests: &mut Requests,
        ending: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        let outbox = Arc::clone(&self.outbox);
        let end = Arc::clone(&self.place.end);
        loop {
            let (expires, look) = (self.expires_in(), self.looks_in());
            tokio::select! {
                biased;
                ended = ended(&mut self.writes) => self.acknowledge(ended).await?,
                () = outbox.woken() => self.tell().await?,
                request = requests.recv(), if self.writes.len() < WRITES_MAX => match request {
                    // Boxed, or every idle connection would keep room for the largest request's work.
                    Some((message, _held)) => Box::pin(self.answer(message)).await?,
                    None => return Err(End::Gone),
                },
                () = end.notified() => return Err(End::Told),
                () = super::is_ending(ending) => return Err(End::Told),
                () = after(expires) => return self.expire().await,
                () = after(look) => self.decide_in_time().await?,
            }
        }
    }

    /// When listeners whose rules look at the time are decided again, where there are any.
    fn looks_in(&self) -> Option<Duration> {
        let is_due = self.listens.values().any(|open| open.listen.depends_on_time());
        is_due.then(|| TIME_LOOK.saturating_sub(self.looked.elapsed()))
    }

    async fn decide_in_time(&mut self) -> Result<(), End> {
        self.looked = Instant::now();
        let open = self.listens.iter().filter(|(_, open)| open.listen.depends_on_time());
        self.decide_all(open.map(|(id, _)| *id).collect()).await
    }

    async fn decide_all(&mut self, ids: Vec<u64>) -> Result<(), End> {
        for id in ids {
            let Some(open) = self.listens.get_mut(&id) else { continue };
            if let Err(failure) = open.listen.decide(&self.caller).await {
                self.lose(id, &failure).await?;
            }
        }
        Ok(())
    }

    /// How long the caller's credential lasts; `None`: for ever.
    fn expires_in(&self) -> Option<Duration> {
        let until = self.caller.until?.micros();
        let left = until.saturating_sub(self.realtime.gate().clock().now_micros()).max(0);
        Some(Duration::from_micros(u64::try_from(left).unwrap_or_default()))
    }

    /// The credential has ended: the client comes again with another.
    async fn expire(&mut self) -> Result<(), End> {
        let revoked =
            json!({"t": "d", "d": {"a": "ac", "b": {"s": "expired_token", "d": status::EXPIRED_TOKEN}}});
        self.sender.send(revoked.to_string()).await?;
        Err(End::Told)
    }

    /// Answers the first write that has not been acknowledged.
    async fn acknowledge(&mut self, outcome: Result<(), Failure>) -> Result<(), End> {
        let Some((number, _)) = self.writes.pop_front() else { return Ok(()) };
        // Listeners were told before: what is for this client goes first.
        self.tell().await?;
        match outcome {
            Ok(()) => self.reply(number, "ok", &Json::from("")).await,
            Err(failure) => self.refuse(number, &failure).await,
        }
    }

    /// Waits until every write has been acknowledged.
    async fn settle(&mut self) -> Result<(), End> {
        while !self.writes.is_empty() {
            let outcome = ended(&mut self.writes).await;
            self.acknowledge(outcome).await?;
        }
        Ok(())
    }

    /// Sends what waits for the client's listeners.
    async fn tell(&mut self) -> Result<(), End> {
        while let Some(taken) = self.outbox.take() {
            match taken {
                Taken::Overflown => return Err(End::Gone),
                Taken::Stale => self.confirm_all().await?,
                Taken::Push(push) => {
                    let Some(open) = self.listens.get_mut(&push.listen) else { continue };
                    if !open.listen.is_new(push.version) {
                        continue;
                    }
                    if let Err(failure) = open.listen.confirm(&self.caller).await {
                        self.lose(push.listen, &failure).await?;
                        continue;
                    }
                    match &open.tag {
                        None => self.sender.send(push.delta.frame()).await?,
                        Some(tag) => self.sender.send(push.delta.message(Some(tag))).await?,
                    }
                }
            }
        }
        Ok(())
    }

    async fn confirm_all(&mut self) -> Result<(), End> {
        let ids: Vec<u64> = self.listens.keys().copied().collect();
        for id in ids {
            let Some(open) = self.listens.get_mut(&id) else { continue };
            if let Err(failure) = open.listen.confirm(&self.caller).await {
                self.lose(id, &failure).await?;
            }
        }
        Ok(())
    }

    /// Somebody else than before asks: every listener is decided again.
    async fn become_caller(&mut self, caller: Caller) -> Result<(), End> {
        self.caller = caller;
        self.decide_all(self.listens.keys().copied().collect()).await
    }

    /// A listener is lost. A fault ends the connection: it is no denial.
    async fn lose(&mut self, id: u64, failure: &Failure) -> Result<(), End> {
        match failure {
            Failure::Denied(_) => {}
            // The caller has no standing any more: the client needs another token.
            Failure::ExpiredToken | Failure::InvalidToken(_) => return self.expire().await,
            _ => return Err(End::Told),
        }
        let Some(Open { listen, query, .. }) = self.listens.remove(&id) else { return Ok(()) };
        let path = listen.path.to_string();
        let path = path.strip_prefix('/').unwrap_or(&path);
        let mut body = json!({"p": path});
        if let (Some(query), Some(body)) = (query, body.as_object_mut()) {
            let query = serde_json::from_str(&query).unwrap_or_default();
            body.insert("q".to_owned(), Json::Array(vec![query]));
        }
        self.explain(failure).await?;
        let revoked = json!({"t": "d", "d": {"a": "c", "b": body}});
        Ok(self.sender.send(revoked.to_string()).await?)
    }
}

/// Waits for the outcome of the first write.
async fn ended(writes: &mut VecDeque<(u64, Outcome)>) -> Result<(), Failure> {
    match writes.front_mut() {
        Some((_, outcome)) => match outcome.await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(Failure::busy()),
        },
        None => std::future::pending().await,
    }
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
