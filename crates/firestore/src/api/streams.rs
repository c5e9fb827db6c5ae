//! `Listen` and `Write` over WebChannel: each message of a session is a request or a response in proto3 JSON.

use std::sync::Arc;

use access::{Attest, Authenticate};
use async_trait::async_trait;
use axum::Router;
use base::Status;
use futures_util::stream::{self, BoxStream, StreamExt};
use wire::json::{self, Json, JsonOptions};
use wire::v1;

use super::webchannel::{Channels, Client, Door, Endpoint, LIMITS, Messages, route};
use crate::Firestore;
use crate::ops::stream::Responses;

/// The path of `Listen`.
const LISTEN: &str = "/google.firestore.v1.Firestore/Listen/channel";
/// The path of `Write`.
const WRITE: &str = "/google.firestore.v1.Firestore/Write/channel";

/// The streams' routes. They find callers themselves where a token comes in a body; every request must carry its
/// [`access::Caller`] as an extension all the same.
pub fn router(
    firestore: &Arc<Firestore>,
    authenticate: &Arc<dyn Authenticate>,
    attest: &Arc<dyn Attest>,
    project: &str,
) -> Router {
    let channels = Channels::new(LIMITS);
    let door = |endpoint: Arc<dyn Endpoint>| Door {
        channels: Arc::clone(&channels),
        endpoint,
        authenticate: Arc::clone(authenticate),
        attest: Arc::clone(attest),
        project: project.to_owned(),
    };
    route(LISTEN, door(Arc::new(Listen(Arc::clone(firestore)))))
        .merge(route(WRITE, door(Arc::new(Write(Arc::clone(firestore))))))
}

struct Listen(Arc<Firestore>);

#[async_trait]
impl Endpoint for Listen {
    async fn serve(&self, client: Client, messages: Messages) -> Result<(), Status> {
        let requests = requests::<v1::ListenRequest>(messages.clone());
        let responses = self.0.listen(&client.caller, Some(client.address), requests)?;
        send(responses.map(|response| response?.into_message()).boxed(), messages).await
    }
}

struct Write(Arc<Firestore>);

#[async_trait]
impl Endpoint for Write {
    async fn serve(&self, client: Client, messages: Messages) -> Result<(), Status> {
        let requests = requests::<v1::WriteRequest>(messages.clone());
        let responses = self.0.write(&client.caller, Some(client.address), requests)?;
        send(responses, messages).await
    }
}

/// The requests of a session.
fn requests<M: Json + Send + 'static>(messages: Messages) -> BoxStream<'static, Result<M, Status>> {
    let next = |messages: Messages| async move {
        let text = messages.next().await?;
        Some((json::read(text.as_bytes()).map_err(Status::from), messages))
    };
    stream::unfold(messages, next).boxed()
}

/// Sends the responses as the client takes them.
async fn send<M: Json>(mut responses: Responses<M>, messages: Messages) -> Result<(), Status> {
    let mut text = String::new();
    while let Some(response) = responses.next().await {
        text.clear();
        json::write(&response?, JsonOptions { ascii: true, ..JsonOptions::default() }, &mut text);
        if messages.send(&text).await.is_err() {
            break;
        }
    }
    Ok(())
}
