//! The REST face: `/v1/projects/P/databases/D/documents…` and, in dev, the emulator's control route.
//!
//! [`target`] reads what a URL names and [`parameters`] what follows its question mark; here they become the same
//! messages gRPC carries. Bodies are proto3 JSON of any content type; an empty body is an empty message.
//!
//! Source: the `google.api.http` annotations of `google.firestore.v1` and what REST clients send.

mod admin;
mod emulator;
mod parameters;
mod target;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{any, get};
use base::limits::REQUEST_BYTES_MAX;
use base::{Code, Status};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::{Method, Response, StatusCode, header};
use wire::json::{self, Json, JsonOptions};
use wire::{status as wire_status, v1};

use super::caller;
use crate::{Firestore, status};
use parameters::Parameters;
use target::Target;

/// The routes.
pub fn router(firestore: Arc<Firestore>) -> Router {
    Router::new()
        .route("/v1/projects/{project}/databases/{database}/{*rest}", any(serve))
        .route("/v1beta1/projects/{project}/databases/{database}/{*rest}", any(serve))
        .route("/", get(async || "Ok\n"))
        .merge(admin::routes())
        .merge(emulator::routes())
        .with_state(firestore)
}

const JSON: &str = "application/json; charset=UTF-8";

/// Why a request is answered with an error, and in which form.
struct Failed {
    status: Status,
    /// Streaming methods answer with arrays, errors included.
    in_array: bool,
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self { status, in_array: false }
    }
}

async fn serve(State(firestore): State<Arc<Firestore>>, request: Request) -> Response<Body> {
    let below = request.uri().path().splitn(7, '/').nth(6).unwrap_or_default();
    if admin::is_admin(below) {
        return admin::serve(State(firestore), request).await;
    }
    match route(&firestore, request).await {
        Ok(response) => response,
        Err(Failed { status, in_array }) => {
            let body = if in_array {
                wire_status::rest_stream_body(&status)
            } else {
                wire_status::rest_body(&status)
            };
            respond(status.code.http(), body.into())
        }
    }
}

fn respond(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(JSON));
    response
}

fn message<M: Json>(result: Result<M, Status>, options: JsonOptions) -> Result<Response<Body>, Failed> {
    Ok(respond(200, json::to_string(&result?, options).into()))
}

fn empty(result: Result<(), Status>) -> Result<Response<Body>, Failed> {
    result?;
    Ok(respond(200, "{}".into()))
}

/// Reads a body up to the limit, as a message.
async fn read<M: Json>(body: Body) -> Result<M, Status> {
    let bytes = axum::body::to_bytes(body, REQUEST_BYTES_MAX)
        .await
        .map_err(|_| status::bad_payload("It cannot be read or is too large."))?;
    if bytes.trim_ascii().is_empty() { Ok(M::default()) } else { Ok(json::read(&bytes)?) }
}

fn not_found() -> Status {
    Status::new(Code::NotFound, "There is no such method.")
}

async fn route(firestore: &Arc<Firestore>, request: Request) -> Result<Response<Body>, Failed> {
    let (parts, body) = request.into_parts();
    let caller = caller(&parts.extensions)?;
    firestore.admit_app(&caller, parts.uri.path())?;
    let target = target::read(parts.uri.path())?;
    let parameters = Parameters::read(parts.uri.query().unwrap_or_default())?;
    if let Some(verb) = target.verb.clone() {
        if parts.method != Method::POST {
            return Err(not_found().into());
        }
        let in_array =
            matches!(verb.as_str(), "batchGet" | "runQuery" | "runAggregationQuery" | "executePipeline");
        let called = call(firestore, &caller, &verb, target, &parameters, body).await;
        return called.map_err(|failed| Failed { in_array, ..failed });
    }
    let options = parameters.options();
    match (parts.method, target.is_document()) {
        (Method::GET, true) => {
            let request = parameters.get_document(target.name())?;
            message(firestore.get_document(&caller, request).await, options)
        }
        (Method::GET, false) => {
            let (parent, collection_id) = target.collection().ok_or_else(not_found)?;
            let request = parameters.list_documents(parent, collection_id)?;
            message(firestore.list_documents(&caller, request).await, options)
        }
        (Method::POST, true) => Err(target.no_parent_above().into()),
        (Method::PATCH | Method::DELETE, false) if !target.is_root() => Err(target.no_document().into()),
        (Method::POST, false) => {
            let (parent, collection_id) = target.collection().ok_or_else(not_found)?;
            let mut request = parameters.create_document(parent, collection_id)?;
            request.document = Some(read(body).await?);
            message(firestore.create_document(&caller, request).await, options)
        }
        (Method::PATCH, true) => {
            let mut request = parameters.update_document()?;
            request.document = Some(v1::Document { name: target.name(), ..read(body).await? });
            message(firestore.update_document(&caller, request).await, options)
        }
        (Method::DELETE, true) => {
            let request = parameters.delete_document(target.name())?;
            empty(firestore.delete_document(&caller, request).await)
        }
        _ => Err(not_found().into()),
    }
}

/// A method with a name of its own: `…:commit`.
async fn call(
    firestore: &Arc<Firestore>,
    caller: &Caller,
    verb: &str,
    target: Target,
    parameters: &Parameters,
    body: Body,
) -> Result<Response<Body>, Failed> {
    let options = parameters.options();
    parameters.only_standard()?;
    // Methods of the database are called on its root, the others on a document or the root.
    let parent = || if target.collection().is_none() { Ok(target.name()) } else { Err(target.no_parent()) };
    let root = || if target.is_root() { Ok(target.database()) } else { parent().and(Err(not_found())) };
    match verb {
        "batchGet" => {
            let request = v1::BatchGetDocumentsRequest { database: root()?, ..read(body).await? };
            let responses = firestore.batch_get_documents(caller, request).await?;
            array(firestore.send(caller, responses)?, options).await
        }
        "beginTransaction" => {
            let request = v1::BeginTransactionRequest { database: root()?, ..read(body).await? };
            message(firestore.begin_transaction(caller, request).await, options)
        }
        "commit" => {
            let request = v1::CommitRequest { database: root()?, ..read(body).await? };
            message(firestore.commit(caller, request).await, options)
        }
        "rollback" => {
            let request = v1::RollbackRequest { database: root()?, ..read(body).await? };
            empty(firestore.rollback(caller, request).await)
        }
        "batchWrite" => {
            let request = v1::BatchWriteRequest { database: root()?, ..read(body).await? };
            message(firestore.batch_write(caller, request).await, options)
        }
        "runQuery" => {
            let request = v1::RunQueryRequest { parent: parent()?, ..read(body).await? };
            array(firestore.run_query(caller, request).await?, options).await
        }
        "runAggregationQuery" => {
            let request = v1::RunAggregationQueryRequest { parent: parent()?, ..read(body).await? };
            let response = firestore.run_aggregation_query(caller, request).await;
            array(stream::iter([response]), options).await
        }
        "listCollectionIds" => {
            let request = v1::ListCollectionIdsRequest { parent: parent()?, ..read(body).await? };
            message(firestore.list_collection_ids(caller, request).await, options)
        }
        "partitionQuery" => {
            let request = v1::PartitionQueryRequest { parent: parent()?, ..read(body).await? };
            message(firestore.partition_query(caller, request).await, options)
        }
        "executePipeline" => Ok(firestore.refuse_pipeline(&root()?)?),
        "write" => Err(status::unimplemented("Write over REST").into()),
        "listen" => Err(status::unimplemented("Listen over REST").into()),
        _ => Err(not_found().into()),
    }
}

/// A stream of messages as a JSON array. An error before the first message is the answer's own; one after it ends the
/// array with an error object.
async fn array<M: Json + Send + 'static>(
    messages: impl Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
    options: JsonOptions,
) -> Result<Response<Body>, Failed> {
    let mut messages = messages;
    let first = match messages.next().await {
        None => return Ok(respond(200, "[]".into())),
        Some(first) => first?,
    };
    let element = move |text: &str, message: Result<M, Status>| {
        let mut text = text.to_owned();
        match message {
            Ok(message) => json::write(&message, options, &mut text),
            Err(status) => wire_status::write_body(&status, options, &mut text),
        }
        Ok::<_, std::convert::Infallible>(Bytes::from(text))
    };
    let chunks = stream::once(std::future::ready(element("[", Ok(first))))
        .chain(messages.map(move |message| element(",\n", message)))
        .chain(stream::once(std::future::ready(Ok(Bytes::from_static(b"]")))));
    Ok(respond(200, Body::from_stream(chunks)))
}
