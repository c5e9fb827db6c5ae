//! Server-sent events: a listener over REST.
//!
//! Source: the REST reference ("Streaming from the REST API"), and the Python Admin SDK, which compares the text of
//! `auth_revoked` without quotes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use serde_json::Value as Json;

use super::opening;
use super::rest::call::{Call, Refused};
use super::rest::format::typed;
use super::seats::Seat;
use crate::model::{Node, Path, encode_plain};
use crate::ops::{Event, Events};
use crate::query::Query;
use crate::status;

/// Without a charset some clients decode as Latin-1.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// Answers a GET with a stream. A read that is denied is answered as any other.
pub async fn answer(call: &Call, path: &Path, query: Query) -> Result<Response, Refused> {
    let seat = call.api.sockets.take(opening::network(&call.parts));
    let seat = seat.map_err(|full| Refused::new(StatusCode::SERVICE_UNAVAILABLE, full.to_string()))?;
    let caller = call.caller().await?;
    let namespace = call.namespace()?;
    let events = call.api.realtime.events(&namespace, caller, path.clone(), query).await?;
    let body = frames(events, seat).map(Ok::<_, Infallible>);
    Ok(typed(StatusCode::OK, EVENT_STREAM, Body::from_stream(body)))
}

/// The frames, each made when the one before has been taken. The seat is taken until the stream ends.
fn frames(events: Events, seat: Seat) -> impl Stream<Item = Bytes> + Send {
    stream::unfold((events, seat), async |(mut events, seat)| {
        let event = events.next().await?;
        Some((frame(&event), (events, seat)))
    })
}

fn frame(event: &Event) -> Bytes {
    match event {
        Event::Put(path, value) => {
            let mut data = opened(path);
            encode_plain(value.as_deref(), &mut data);
            data.push('}');
            named("put", &data)
        }
        Event::Patch(path, values) => {
            let mut data = opened(path);
            encode_values(values, &mut data);
            data.push('}');
            named("patch", &data)
        }
        Event::KeepAlive => named("keep-alive", "null"),
        Event::Cancelled => named("cancel", &Json::from(status::CANCELLED).to_string()),
        Event::AuthRevoked => named("auth_revoked", status::AUTH_REVOKED),
    }
}

fn opened(path: &Path) -> String {
    format!("{{\"path\":{},\"data\":", Json::from(path.to_string()))
}

fn encode_values(values: &[(Path, Option<Arc<Node>>)], data: &mut String) {
    data.push('{');
    for (index, (path, value)) in values.iter().enumerate() {
        if index > 0 {
            data.push(',');
        }
        data.push_str(&Json::from(path.to_string().trim_start_matches('/')).to_string());
        data.push(':');
        encode_plain(value.as_deref(), data);
    }
    data.push('}');
}

/// JSON has no line breaks, so that its data is one line.
fn named(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Leaf;

    fn text(event: &Event) -> String {
        String::from_utf8(frame(event).to_vec()).unwrap()
    }

    #[test]
    fn frames_are_what_clients_read() {
        let path = |text| Path::parse(text).unwrap();
        let value = Some(Node::leaf(Leaf::Text("a\nb".into()), None));
        let put = Event::Put(Path::ROOT, value.clone());
        assert_eq!(text(&put), "event: put\ndata: {\"path\":\"/\",\"data\":\"a\\nb\"}\n\n");
        let gone = Event::Put(path("x/y"), None);
        assert_eq!(text(&gone), "event: put\ndata: {\"path\":\"/x/y\",\"data\":null}\n\n");
        let patch = Event::Patch(path("x"), vec![(path("a/b"), value), (path("c"), None)]);
        assert_eq!(
            text(&patch),
            "event: patch\ndata: {\"path\":\"/x\",\"data\":{\"a/b\":\"a\\nb\",\"c\":null}}\n\n"
        );
        assert_eq!(text(&Event::KeepAlive), "event: keep-alive\ndata: null\n\n");
        assert_eq!(text(&Event::Cancelled), "event: cancel\ndata: \"Permission denied.\"\n\n");
        assert_eq!(text(&Event::AuthRevoked), "event: auth_revoked\ndata: credential is no longer valid\n\n");
    }
}
