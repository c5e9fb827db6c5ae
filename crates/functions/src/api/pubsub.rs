//! `google.pubsub.v1.Publisher`, as far as publishing needs it: unary gRPC without compression.
//!
//! Source: `google/pubsub/v1/pubsub.proto`, gRPC over HTTP/2.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use base::{Code, Status};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use prost::Message as _;

use super::publish::{BODY_BYTES_MAX, publisher};
use crate::Functions;
use crate::ops::Message;

#[derive(Clone, PartialEq, prost::Message)]
struct PubsubMessage {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
    #[prost(map = "string, string", tag = "2")]
    attributes: HashMap<String, String>,
    #[prost(string, tag = "5")]
    ordering_key: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PublishRequest {
    #[prost(string, tag = "1")]
    topic: String,
    #[prost(message, repeated, tag = "2")]
    messages: Vec<PubsubMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PublishResponse {
    #[prost(string, repeated, tag = "1")]
    message_ids: Vec<String>,
}

/// A topic, and every request that has a topic's name first.
#[derive(Clone, PartialEq, prost::Message)]
struct Topic {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListTopicsResponse {
    #[prost(message, repeated, tag = "1")]
    topics: Vec<Topic>,
}

/// A method of the publisher.
pub async fn call(
    State(functions): State<Arc<Functions>>,
    Path(method): Path<String>,
    request: Request,
) -> Response {
    match answer(&functions, &method, request).await {
        Ok(message) => answered(message),
        Err(status) => refused(&status),
    }
}

/// Subscriptions are functions.
pub async fn no_subscriber(Path(method): Path<String>) -> Response {
    let text = format!("Hearth has topics only for functions that listen to them, and no `{method}`.");
    refused(&Status::new(Code::Unimplemented, text))
}

async fn answer(functions: &Functions, method: &str, request: Request) -> Result<Vec<u8>, Status> {
    let caller = publisher(functions, request.headers()).await?;
    let body = to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Status::invalid("The request is too long, or broke off."))?;
    let message = unframed(body)?;
    match method {
        "Publish" => {
            let request = PublishRequest::decode(message).map_err(|_| undecodable())?;
            let topic = topic_of(functions, &request.topic)?;
            let messages = request.messages.into_iter().map(|message| Message {
                data: STANDARD.encode(&message.data),
                attributes: message.attributes.into_iter().collect(),
                ordering_key: message.ordering_key,
            });
            let message_ids = functions.publish(&caller, topic, messages.collect()).await?;
            Ok(PublishResponse { message_ids }.encode_to_vec())
        }
        "CreateTopic" | "GetTopic" => {
            let topic = Topic::decode(message).map_err(|_| undecodable())?;
            topic_of(functions, &topic.name)?;
            Ok(topic.encode_to_vec())
        }
        "DeleteTopic" => Ok(Vec::new()),
        "ListTopics" => Ok(ListTopicsResponse::default().encode_to_vec()),
        other => Err(Status::new(Code::Unimplemented, format!("Hearth has no `{other}` of topics."))),
    }
}

fn topic_of<'a>(functions: &Functions, name: &'a str) -> Result<&'a str, Status> {
    let topic = name.strip_prefix("projects/").and_then(|rest| rest.split_once("/topics/"));
    match topic {
        Some((project, topic)) if project == functions.project() && !topic.is_empty() => Ok(topic),
        Some((project, _)) => {
            let text = format!("This is the project `{}`, not `{project}`.", functions.project());
            Err(Status::new(Code::NotFound, text))
        }
        None => Err(Status::invalid(format!("`{name}` is no topic: projects/PROJECT/topics/TOPIC"))),
    }
}

fn undecodable() -> Status {
    Status::invalid("The request cannot be decoded.")
}

/// The one message of a unary request.
fn unframed(mut body: Bytes) -> Result<Bytes, Status> {
    let head = (body.try_get_u8(), body.try_get_u32());
    match head {
        (Ok(0), Ok(length)) if usize::try_from(length).is_ok_and(|length| length == body.len()) => Ok(body),
        (Ok(1), _) => Err(Status::new(Code::Unimplemented, "Compressed messages are not taken.")),
        _ => Err(undecodable()),
    }
}

fn answered(message: Vec<u8>) -> Response {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or_default());
    framed.put_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    with_type(Response::new(Body::new(body)))
}

fn refused(status: &Status) -> Response {
    let mut response = Response::new(Body::empty());
    let code = HeaderValue::from(status.code as i32);
    response.headers_mut().insert("grpc-status", code);
    let message: String = status.message.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
    if let Ok(message) = HeaderValue::from_str(&message.replace('%', "%25")) {
        response.headers_mut().insert("grpc-message", message);
    }
    with_type(response)
}

fn with_type(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_none_are_refused() {
        for bytes in [&b""[..], &[0], &[0, 0, 0, 0, 5, 1], &[1, 0, 0, 0, 0], &[7, 0, 0, 0, 0]] {
            assert!(unframed(Bytes::copy_from_slice(bytes)).is_err(), "{bytes:?}");
        }
        assert_eq!(unframed(Bytes::from_static(&[0, 0, 0, 0, 1, 9])).unwrap(), &[9][..]);
    }
}
