//! The sessions in use: found by their secrets, bounded in number and memory, each with the stream behind it.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use access::{Caller, ClientAddress, Network};
use async_trait::async_trait;
use base::Status;
use base::id::{RandomnessError, alphanumeric};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use parking_lot::Mutex;
use wire::json::JsonOptions;
use wire::webchannel::Map;
use wire::weight::{self, Account};

use super::channel::{Channel, Over};
use super::inbound::Breach;
use super::usage::{Books, Limits};

/// Characters of a session's id, and of the second id: 131 bits each, so that neither is guessed.
const ID_CHARS: usize = 22;
/// The last array of a stream that ended without an error.
const CLOSE: &str = r#"["close"]"#;

/// What sessions lead to.
#[async_trait]
pub trait Endpoint: Send + Sync {
    /// Serves one session of this client until its stream is over. Dropped when the client leaves.
    async fn serve(&self, client: Client, messages: Messages) -> Result<(), Status>;
}

/// A session as the stream behind it sees it.
#[derive(Clone)]
pub struct Messages {
    channel: Arc<Channel>,
    channels: Arc<Channels>,
}

impl Messages {
    /// The next message from the client, JSON text; `None` when none will come.
    pub async fn next(&self) -> Option<String> {
        self.channel.take().await
    }

    /// Sends a message, JSON in ASCII, once the client has taken enough of those before.
    pub async fn send(&self, json: &str) -> Result<(), Over> {
        self.channel.send(format!("[{json}]")).await?;
        self.channels.make_room_for_bytes(&self.channel);
        Ok(())
    }
}

/// Who opened a session, and what another connection must show to use it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Whose rights it has.
    pub caller: Caller,
    /// Where it comes from.
    pub address: ClientAddress,
    /// The web page's origin.
    pub origin: Option<HeaderValue>,
}

/// A session in use.
pub struct Entry {
    /// The session.
    pub channel: Arc<Channel>,
    /// Who opened it.
    pub client: Client,
    /// The second id, where the client asked for one.
    http_session: String,
}

/// The names of a session that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Its id.
    pub session: String,
    /// The second id; empty when it was not asked for.
    pub http_session: String,
}

/// Why no session can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The client's addresses have their share.
    #[error("too many open channels from this address")]
    Network,
    /// All are in use.
    #[error("too many open channels")]
    All,
    /// No ids can be made.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// The sessions in use.
pub struct Channels {
    limits: Limits,
    books: Arc<Books>,
    open: Mutex<HashMap<String, Arc<Entry>>>,
}

impl Channels {
    /// None yet.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, books: Books::new(&limits), open: Mutex::default() })
    }

    /// Opens a session with the maps of its first request, and the stream behind it: an endpoint's, or what is wrong.
    pub fn open(
        self: &Arc<Self>,
        client: Client,
        wants_http_session: bool,
        maps: Vec<Map>,
        endpoint: Result<Arc<dyn Endpoint>, Status>,
    ) -> Result<Result<Names, Breach>, Refused> {
        let network = client.address.network();
        self.make_room_for_session(network)?;
        let session = alphanumeric(ID_CHARS)?;
        let http_session = if wants_http_session { alphanumeric(ID_CHARS)? } else { String::new() };
        let channel = Channel::new(self.books.enter(network), self.limits.patience);
        if let Err(breach) = channel.receive(maps, 0) {
            return Ok(Err(breach));
        }
        let messages = Messages { channel: Arc::clone(&channel), channels: Arc::clone(self) };
        let entry = Entry {
            channel: Arc::clone(&channel),
            client: client.clone(),
            http_session: http_session.clone(),
        };
        self.open.lock().insert(session.clone(), Arc::new(entry));
        self.make_room_for_bytes(&channel);
        let serving: BoxFuture<'static, Result<(), Status>> = match endpoint {
            Ok(endpoint) => async move { endpoint.serve(client, messages).await }.boxed(),
            Err(status) => std::future::ready(Err(status)).boxed(),
        };
        tokio::spawn(Arc::clone(self).live(session.clone(), channel, serving));
        Ok(Ok(Names { session, http_session }))
    }

    /// A session's life.
    async fn live(
        self: Arc<Self>,
        session: String,
        channel: Arc<Channel>,
        serving: BoxFuture<'static, Result<(), Status>>,
    ) {
        // What the stream decodes is the session's.
        let account: Arc<dyn Account> = Arc::clone(&channel) as _;
        let serving = weight::charged(account, serving);
        tokio::select! {
            ended = AssertUnwindSafe(serving).catch_unwind() => channel.finish(last(ended)),
            () = channel.expired() => {}
        }
        channel.expired().await;
        self.open.lock().remove(&session);
        // Whoever still waits for it goes.
        channel.terminate();
    }

    /// The session of these names.
    pub fn find(&self, names: &Names) -> Option<Arc<Entry>> {
        let entry = Arc::clone(self.open.lock().get(&names.session)?);
        let same = is_same(entry.http_session.as_bytes(), names.http_session.as_bytes());
        (same || entry.http_session.is_empty()).then_some(entry)
    }

    /// How many sessions are in use, and what they hold in bytes.
    pub fn in_use(&self) -> (usize, usize) {
        (self.books.sessions(), self.books.bytes())
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        self.open.lock().values().cloned().collect()
    }

    /// Ends a session that its client has left, where there would be too many.
    fn make_room_for_session(&self, network: Network) -> Result<(), Refused> {
        if self.books.sessions_of(network) >= self.limits.sessions_of_network
            && !self.evict_left(|entry| entry.channel.usage().network() == network)
        {
            return Err(Refused::Network);
        }
        if self.books.sessions() >= self.limits.sessions && !self.evict_left(|_| true) {
            return Err(Refused::All);
        }
        Ok(())
    }

    /// Ends the session, of those that are meant, whose client has been without a response for longest.
    fn evict_left(&self, is_meant: impl Fn(&Entry) -> bool) -> bool {
        let mut open = self.open.lock();
        let left = open.iter().filter(|(_, entry)| is_meant(entry)).filter_map(|(session, entry)| {
            let left_ms = entry
                .channel
                .left_for_ms()
                .filter(|left_ms| *left_ms >= self.limits.patience.evictable_ms)?;
            Some((left_ms, session))
        });
        let Some((_, session)) = left.max() else { return false };
        let session = session.clone();
        let evicted = open.remove(&session);
        drop(open);
        if let Some(entry) = evicted {
            entry.channel.terminate();
        }
        true
    }

    /// Ends sessions while too much is held: of this session's addresses, or of all.
    pub fn make_room_for_bytes(&self, channel: &Channel) {
        let usage = channel.usage();
        while usage.bytes_of_network() > self.limits.bytes_of_network {
            if !self.evict_largest(|entry| entry.channel.usage().network() == usage.network()) {
                return;
            }
        }
        while self.books.bytes() > self.limits.bytes {
            if !self.evict_largest(|_| true) {
                return;
            }
        }
    }

    /// Ends the session, of those that are meant, that holds most.
    fn evict_largest(&self, is_meant: impl Fn(&Entry) -> bool) -> bool {
        let entries = self.entries();
        let largest =
            entries.iter().filter(|entry| is_meant(entry)).max_by_key(|entry| entry.channel.bytes());
        let Some(entry) = largest.filter(|entry| entry.channel.bytes() > 0) else { return false };
        entry.channel.discard();
        true
    }
}

/// The last array of a stream that is over.
fn last(ended: std::thread::Result<Result<(), Status>>) -> String {
    let status = match ended {
        Ok(Ok(())) => return CLOSE.to_owned(),
        Ok(Err(status)) => status,
        Err(_) => {
            tracing::error!("a stream panicked: this is a defect of Hearth, please report it");
            Status::new(base::Code::Internal, "internal error")
        }
    };
    let mut json = String::from("[[");
    wire::status::write_body(&status, JsonOptions { ascii: true, ..JsonOptions::default() }, &mut json);
    json.push_str("]]");
    json
}

/// Whether two secrets are the same, in a time that depends on their lengths only.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}
