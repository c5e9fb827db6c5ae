//! The `Write` stream: commits one after the other, each answered in its turn.
//!
//! Source: `google.firestore.v1` and its clients. A client that is refused one request begins a new stream and sends the
//! rest again: what is queued behind a request that failed must not be done.

use std::sync::Arc;

use access::{Caller, ClientAddress};
use base::{DatabaseName, Status, id};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::watch;
use wire::v1;

use super::Firestore;
use super::away::away;
use super::lifetime::{Lifetime, ended};
use super::places::Place;
use super::stream::{Requests, Responses};
use crate::model::value::version_to_wire;
use crate::status;
use crate::write::decode_all;

/// Characters of a stream's id.
const STREAM_ID_LEN: usize = 20;

/// An open `Write` stream.
struct Writing {
    service: Arc<Firestore>,
    caller: Caller,
    requests: Requests<v1::WriteRequest>,
    /// Once the client has said it.
    database: Option<DatabaseName>,
    answered: u64,
    lifetime: Lifetime,
    ending: watch::Receiver<bool>,
    _place: Place,
}

impl Firestore {
    /// `Write`: the answers to a stream of requests. Its end is the stream's; an error is its last answer.
    ///
    /// A request is taken up when the answer to the one before has been taken.
    pub fn write(
        self: &Arc<Self>,
        caller: &Caller,
        address: Option<ClientAddress>,
        requests: Requests<v1::WriteRequest>,
    ) -> Result<Responses<v1::WriteResponse>, Status> {
        let writing = Writing {
            service: Arc::clone(self),
            caller: caller.clone(),
            requests,
            database: None,
            answered: 0,
            lifetime: Lifetime::of(caller, self.gate.clock()),
            ending: self.ending.subscribe(),
            _place: self.places.take(caller, address)?,
        };
        Ok(stream::unfold(Some(writing), |writing| async move {
            let mut writing = writing?;
            match writing.next().await {
                Ok(Some(response)) => Some((Ok(response), Some(writing))),
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        })
        .boxed())
    }
}

impl Writing {
    async fn next(&mut self) -> Result<Option<v1::WriteResponse>, Status> {
        loop {
            let request = tokio::select! {
                biased;
                () = ended(&mut self.ending) => return Err(status::server_stops()),
                over = self.lifetime.over() => return Err(over),
                request = self.requests.next() => request,
            };
            let Some(request) = request.transpose()? else { return Ok(None) };
            self.check_database(&request)?;
            if self.answered == 0 {
                return self.greet(&request).map(Some);
            }
            // A client that is about to leave says so with nothing.
            if request.writes.is_empty() {
                continue;
            }
            return self.commit(request).await.map(Some);
        }
    }

    fn check_database(&mut self, request: &v1::WriteRequest) -> Result<(), Status> {
        match &self.database {
            None => self.database = Some(self.service.database(&request.database)?),
            Some(database) => {
                if !request.database.is_empty() && request.database != database.to_string() {
                    return Err(status::stream_of_other_database());
                }
            }
        }
        Ok(())
    }

    /// The answer to the first request: the stream's id and its first token.
    fn greet(&mut self, request: &v1::WriteRequest) -> Result<v1::WriteResponse, Status> {
        if !request.stream_id.is_empty() || !request.stream_token.is_empty() {
            return Err(status::no_resumed_writes());
        }
        if !request.writes.is_empty() {
            return Err(status::writes_before_handshake());
        }
        let stream_id = id::alphanumeric(STREAM_ID_LEN)
            .map_err(|_| Status::unavailable("The service is currently unavailable."))?;
        Ok(v1::WriteResponse { stream_id, stream_token: self.token(), ..Default::default() })
    }

    async fn commit(&mut self, request: v1::WriteRequest) -> Result<v1::WriteResponse, Status> {
        let database = self.database.clone().ok_or_else(|| status::missing_part("A database"))?;
        let writes = decode_all(&database, request.writes)?;
        let (service, caller) = (Arc::clone(&self.service), self.caller.clone());
        let commit = async move { service.commit_alone(&caller, "Write", &database, &writes).await };
        let committed = away(commit).await?;
        Ok(v1::WriteResponse {
            stream_id: String::new(),
            stream_token: self.token(),
            write_results: committed.results,
            commit_time: Some(version_to_wire(committed.version)),
        })
    }

    /// How many answers the client has had with this one.
    fn token(&mut self) -> Bytes {
        self.answered += 1;
        Bytes::copy_from_slice(&self.answered.to_be_bytes())
    }
}
