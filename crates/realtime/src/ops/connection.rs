//! A client that is connected, whatever carries its messages.
//!
//! One task for each takes its requests in their order. Writes are handed in without waiting for them; everything else
//! waits until the client's earlier writes are durable, so that a client sees what it wrote. What listeners are told of a
//! write goes out before its acknowledgement.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Caller, ClientAddress, ForeignOrigin, Principal};
use base::Code;
use serde_json::{Value as Json, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::listen::Listen;
use super::message::{self, Message, Request};
use super::namespace::{Namespace, Outcome};
use super::outbox::{Outbox, Taken};
use super::outgoing::{self, Gone, Outgoing, Sender};
use super::sessions::Place;
use super::sign_in::{SignIn, TokenKind};
use super::{Realtime, claims, departure};
use crate::failure::Failure;
use crate::model::{Change, Sparse, Verb, Write, encode_export};
use crate::query::Query;
use crate::status;

/// Requests of one connection that wait.
const REQUESTS_MAX: usize = 128;
/// Bytes of them.
const REQUEST_BYTES_MAX: usize = 20 << 20;
/// Writes of one connection that are not acknowledged yet.
const WRITES_MAX: usize = 256;
/// Listeners of one connection.
const LISTENS_MAX: usize = 5_000;

/// How often listeners are decided again whose rules look at the time.
const TIME_LOOK: Duration = Duration::from_secs(5);

/// What a client says when it connects.
#[derive(Clone, Debug, Default)]
pub struct Hello {
    /// The database.
    pub namespace: String,
    /// The host that it asked for: where it is to come again.
    pub host: String,
    /// The session that it had before.
    pub last_session: Option<String>,
    /// A token of App Check.
    pub app_check: Option<String>,
    /// A bearer token of the request that opened the connection.
    pub bearer: Option<String>,
    /// What it says that it is.
    pub user_agent: String,
    /// Where it comes from.
    pub address: Option<ClientAddress>,
    /// The web page from elsewhere that it is of.
    pub foreign: Option<ForeignOrigin>,
}

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
        let outbox = Arc::<Outbox>::default();
        realtime.listens(&outbox);
        let pump = Pump {
            place: realtime.sessions.open(&id),
            realtime: Arc::clone(realtime),
            namespace,
            id: id.clone(),
            caller: Caller::unauthenticated(),
            foreign: hello.foreign.clone(),
            sender,
            outbox,
            listens: HashMap::new(),
            next: 0,
            writes: VecDeque::new(),
            departure: Sparse::default(),
            looked: Instant::now(),
        };
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

struct Pump {
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

type Requests = mpsc::Receiver<(Message, OwnedSemaphorePermit)>;

impl Pump {
    async fn run(mut self, hello: Hello, mut requests: Requests, mut ending: watch::Receiver<bool>) {
        // What the client's last session left is done before this one sees anything.
        if let Some(last) = hello.last_session.as_deref().filter(|last| *last != self.id) {
            self.realtime.sessions.end(last).await;
            self.realtime.departures.fulfil(&self.namespace, last).await;
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
            self.realtime.departures.fulfil(&self.namespace, &self.id).await;
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
                    Some((message, _held)) => self.answer(message).await?,
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

    async fn reply(&self, number: u64, status: &str, data: &Json) -> Result<(), End> {
        let reply = json!({"t": "d", "d": {"r": number, "b": {"s": status, "d": data}}});
        Ok(self.sender.send(reply.to_string()).await?)
    }

    /// In dev the client's console shows why.
    async fn explain(&self, failure: &Failure) -> Result<(), End> {
        let Failure::Denied(denial) = failure else { return Ok(()) };
        if let Some(reasons) = status::reasons(denial) {
            let said = json!({"t": "d", "d": {"a": "sd", "b": {"msg": reasons}}});
            self.sender.send(said.to_string()).await?;
        }
        Ok(())
    }

    async fn refuse(&self, number: u64, failure: &Failure) -> Result<(), End> {
        self.explain(failure).await?;
        let (status, text) = status::wire(failure);
        self.reply(number, status, &Json::from(text)).await
    }

    async fn answer(&mut self, message: Message) -> Result<(), End> {
        let (number, request) = match message {
            Message::Nothing => return Ok(()),
            Message::Ping => {
                let pong = json!({"t": "c", "d": {"t": "o", "d": null}});
                return Ok(self.sender.send(pong.to_string()).await?);
            }
            Message::Refused(number, failure) => return self.refuse(number, &failure).await,
            Message::Request(number, request) => (number, request),
        };
        let request = *request;
        if let Request::Write(write) = request {
            let outcome = self.namespace.hand_in(self.caller.clone(), Arc::new(write), Vec::new()).await;
            self.writes.push_back((number, outcome));
            return Ok(());
        }
        self.settle().await?;
        let done = match request {
            Request::Write(_) | Request::Acknowledged => Ok(Json::from("")),
            Request::Unknown(action) => Err(Failure::Invalid(format!("Unknown action `{action}`"))),
            Request::Get(path, query) => return self.get(number, &path, &query).await,
            Request::Listen { path, query, text, tag, hash } => {
                return self.listen(number, (path, query), (text, tag), hash).await;
            }
            Request::Unlisten { path, query, tag } => {
                self.listens.retain(|_, open| {
                    open.listen.path != path || open.listen.query != query || open.tag != tag
                });
                Ok(Json::from(""))
            }
            Request::OnDisconnect(write) => self.leave(&write).await,
            Request::Cancel(path) => self.take_back(path).await,
            Request::SignIn { kind, token, auth_override } => {
                return self.sign_in(number, kind, &token, auth_override).await;
            }
            Request::SignOut => {
                self.become_caller(Caller::unauthenticated()).await?;
                Ok(Json::from("unauthenticated"))
            }
        };
        match done {
            Ok(data) => self.reply(number, "ok", &data).await,
            Err(failure) => self.refuse(number, &failure).await,
        }
    }

    async fn get(&mut self, number: u64, path: &crate::model::Path, query: &Query) -> Result<(), End> {
        let read = self.namespace.read(&self.caller, "Get", path, query).await;
        let read = match read {
            Ok(read) if !read.is_indexed => {
                Err(Failure::NoIndex { child: query.index().unwrap_or_default(), path: path.clone() })
            }
            read => read,
        };
        match read {
            Ok(read) => {
                let mut reply = format!("{{\"t\":\"d\",\"d\":{{\"r\":{number},\"b\":{{\"s\":\"ok\",\"d\":");
                encode_export(read.value.as_deref(), &mut reply);
                reply.push_str("}}}");
                Ok(self.sender.send(reply).await?)
            }
            Err(failure) => self.refuse(number, &failure).await,
        }
    }

    async fn listen(
        &mut self,
        number: u64,
        (path, query): (crate::model::Path, Query),
        (text, tag): (Option<String>, Option<String>),
        hash: Option<String>,
    ) -> Result<(), End> {
        self.listens
            .retain(|_, open| open.listen.path != path || open.listen.query != query || open.tag != tag);
        if self.listens.len() >= LISTENS_MAX {
            let failure = Failure::Invalid(format!("a connection may have {LISTENS_MAX} listeners"));
            return self.refuse(number, &failure).await;
        }
        self.next += 1;
        let id = self.next;
        let at = (path.clone(), query);
        let opened = Listen::open(&self.namespace.database, &self.caller, at, (id, &self.outbox)).await;
        let (listen, first) = match opened {
            Ok(opened) => opened,
            Err(failure) => return self.refuse(number, &failure).await,
        };
        let is_known = hash.is_some_and(|hash| hash == first.value.as_ref().map_or("", |node| node.hash()));
        if !is_known {
            let delta = super::Delta::new(path, super::Changed::Set(first.value));
            self.sender.send(delta.message(tag.as_deref())).await?;
        }
        self.listens.insert(id, Open { listen, query: text, tag });
        let warnings = if first.is_indexed { json!({}) } else { json!({"w": ["no_index"]}) };
        self.reply(number, "ok", &warnings).await
    }

    /// Leaves something to be written when the client goes.
    async fn leave(&mut self, write: &Write) -> Result<Json, Failure> {
        let mut departure = self.departure.clone();
        for change in &write.changes {
            match change {
                Change::Set { path, value } => departure.remember(path, value.clone()),
                Change::Priority { path, value } => departure.remember_priority(path, value.clone()),
            }
            .map_err(|_| Failure::TooBig)?;
        }
        let row = departure::encode(&self.caller, &departure)?;
        let key = departure::row_key(self.namespace.name(), &self.id);
        let asked = Write { verb: Verb::OnDisconnect, ..write.clone() };
        self.namespace.database.register(&self.caller, &asked, vec![(key, row)]).await?;
        self.departure = departure;
        Ok(Json::from(""))
    }

    async fn take_back(&mut self, path: crate::model::Path) -> Result<Json, Failure> {
        let mut departure = self.departure.clone();
        departure.forget(&path);
        let row = departure::encode(&self.caller, &departure)?;
        let key = departure::row_key(self.namespace.name(), &self.id);
        self.namespace.database.put_row(&key, row).await?;
        self.departure = departure;
        Ok(Json::from(""))
    }

    async fn sign_in(
        &mut self,
        number: u64,
        kind: TokenKind,
        token: &str,
        auth_override: Option<Option<Json>>,
    ) -> Result<(), End> {
        let asked = SignIn::Token { kind, token, auth_override };
        let found = self.realtime.sign_in(&asked).await;
        let found = found.and_then(|caller| match &self.foreign {
            Some(foreign) if caller.is_admin() => Err(Failure::InvalidToken(foreign.refusal().message)),
            _ => Ok(caller),
        });
        match found {
            Ok(caller) => {
                let answer = signed_in(&caller);
                self.become_caller(caller).await?;
                self.reply(number, "ok", &answer).await
            }
            Err(failure) => {
                self.become_caller(Caller::unauthenticated()).await?;
                self.refuse(number, &failure).await
            }
        }
    }
}

/// What a client is told of who it is now.
fn signed_in(caller: &Caller) -> Json {
    let mut answer = json!({"auth": null});
    if let Principal::User(user) = &caller.who {
        let token = claims::object(&user.claims);
        let provider = token.get("firebase").and_then(|firebase| firebase.get("sign_in_provider")).cloned();
        answer = json!({"auth": {"uid": user.uid, "provider": provider, "token": token}});
    }
    if let (Some(until), Some(answer)) = (caller.until, answer.as_object_mut()) {
        answer.insert("expires".to_owned(), Json::from(until.micros().div_euclid(1_000_000)));
    }
    answer
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
