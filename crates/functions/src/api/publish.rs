//! What functions listen to, published as the SDKs do it in development: messages (`google.pubsub.v1.Publisher` over gRPC and REST),
//! custom events (Eventarc), tasks (Cloud Tasks).
//!
//! Topics and channels need not be made: whatever is published is told to the functions that listen. Nothing here is production's: there
//! these routes do not exist.
//!
//! Source: the functions reference, A5; `pubsub.proto`, `tasksEmulator.ts` and `eventarcEmulator.ts` of firebase-tools.

use std::sync::Arc;

use access::{Caller, Credential};
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json as Answer, Router};
use base::{Code, Status, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value as Json, json};

use super::pubsub;
use crate::Functions;
use crate::ops::{Message, Task};
use crate::status::error;

/// Bytes of a request.
pub const BODY_BYTES_MAX: usize = 10 << 20;

type Api = State<Arc<Functions>>;

/// The routes.
pub fn routes() -> Router<Arc<Functions>> {
    Router::new()
        .route("/google.pubsub.v1.Publisher/{method}", post(pubsub::call))
        .route("/google.pubsub.v1.Subscriber/{method}", post(pubsub::no_subscriber))
        .route("/v1/projects/{project}/topics/{topic}", post(publish_or_get).get(topic).put(topic))
        .route("/projects/{project}/locations/{location}/channels/{channel}", post(publish_events))
        .route("/projects/{project}/locations/{location}/queues/{queue}", post(make_queue).put(make_queue))
        .route("/projects/{project}/locations/{location}/queues/{queue}/tasks", post(enqueue))
        .route("/projects/{project}/locations/{location}/queues/{queue}/tasks/{task}", delete(delete_task))
        .route("/queueStats", get(stats))
        .route("/functions/disableBackgroundTriggers", put(disable))
        .route("/functions/enableBackgroundTriggers", put(enable))
}

/// Who publishes. `PUBSUB_EMULATOR_HOST` has clients send no credential at all: in development that is the project's own server.
pub async fn publisher(functions: &Functions, headers: &HeaderMap) -> Result<Caller, Status> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.map_or(Credential::None, Credential::from_header) {
        Credential::None => functions.local_server(),
        bearer => functions.caller_of(bearer).await,
    }
}

fn refused(status: &Status) -> Response {
    error(status.code.http(), status.code.name(), &status.message)
}

async fn body(request: Request) -> Result<Json, Status> {
    let bytes = to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| {
        Status::invalid(format!("The body has more than {} MB, or broke off.", BODY_BYTES_MAX >> 20))
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Status::invalid(format!("The body is no JSON: {error}")))
}

fn answered(answer: Result<Json, Status>) -> Response {
    match answer {
        Ok(json) => Answer(json).into_response(),
        Err(status) => refused(&status),
    }
}

fn own(functions: &Functions, project: &str) -> Result<(), Status> {
    if project == functions.project() {
        return Ok(());
    }
    let text = format!("This is the project `{}`, not `{project}`.", functions.project());
    Err(Status::new(Code::NotFound, text))
}

async fn topic(Path((project, topic)): Path<(String, String)>) -> Response {
    Answer(json!({ "name": format!("projects/{project}/topics/{topic}") })).into_response()
}

async fn publish_or_get(
    State(functions): Api,
    Path((project, topic)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answer = async {
        own(&functions, &project)?;
        let Some(topic) = topic.strip_suffix(":publish") else {
            return Err(Status::new(Code::NotFound, "Not found: publish with `:publish`."));
        };
        let caller = publisher(&functions, request.headers()).await?;
        let said = body(request).await?;
        let messages = said.get("messages").and_then(Json::as_array).cloned().unwrap_or_default();
        let text = |message: &Json, name: &str| {
            message.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let attributes = |message: &Json| {
            let members = message.get("attributes").and_then(Json::as_object);
            let members = members.into_iter().flatten();
            members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let messages = messages.iter().map(|message| Message {
            data: text(message, "data"),
            attributes: attributes(message),
            ordering_key: text(message, "orderingKey"),
        });
        let ids = functions.publish(&caller, topic, messages.collect()).await?;
        Ok(json!({ "messageIds": ids }))
    };
    answered(answer.await)
}

async fn publish_events(
    State(functions): Api,
    Path((project, location, channel)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let answer = async {
        own(&functions, &project)?;
        let Some(channel) = channel.strip_suffix(":publishEvents") else {
            return Err(Status::new(Code::NotFound, "Not found: publish with `:publishEvents`."));
        };
        let caller = publisher(&functions, request.headers()).await?;
        let said = body(request).await?;
        let events = said.get("events").and_then(Json::as_array).cloned().unwrap_or_default();
        let channel = format!("locations/{location}/channels/{channel}");
        functions.publish_events(&caller, &channel, &events).await?;
        Ok(json!({}))
    };
    answered(answer.await)
}

/// Queues are those of functions; making one is accepted and does nothing.
async fn make_queue(Path((project, location, queue)): Path<(String, String, String)>) -> Response {
    Answer(json!({ "name": format!("projects/{project}/locations/{location}/queues/{queue}") }))
        .into_response()
}

async fn enqueue(
    State(functions): Api,
    Path((project, location, queue)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let answer = async {
        own(&functions, &project)?;
        let caller = publisher(&functions, request.headers()).await?;
        let said = body(request).await?;
        let mut shown = said.get("task").cloned().unwrap_or_default();
        let task = task_of(&shown)?;
        let name = functions.enqueue(&caller, (&location, &queue), task).await?;
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("name".to_owned(), name.into());
        }
        Ok(json!({ "task": shown }))
    };
    answered(answer.await)
}

fn task_of(task: &Json) -> Result<Task, Status> {
    let text = |path: &str| task.pointer(path).and_then(Json::as_str);
    let due = text("/scheduleTime")
        .map(|time| Timestamp::parse(time).map_err(|_| Status::invalid(format!("`{time}` is no time."))))
        .transpose()?;
    let body = text("/httpRequest/body").unwrap_or_default();
    if STANDARD.decode(body).is_err() {
        return Err(Status::invalid("The task's body is no base64."));
    }
    Ok(Task {
        id: text("/name").and_then(|name| name.rsplit('/').next()).map(str::to_owned),
        due,
        body: body.to_owned(),
        headers: task.pointer("/httpRequest/headers").cloned().unwrap_or_default(),
    })
}

async fn delete_task(
    State(functions): Api,
    Path((project, location, queue, task)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        own(&functions, &project)?;
        let caller = publisher(&functions, &headers).await?;
        let name = format!("projects/{project}/locations/{location}/queues/{queue}/tasks/{task}");
        functions.delete_task(&caller, &name).await?;
        Ok(json!({}))
    };
    answered(answer.await)
}

async fn stats(State(functions): Api) -> Response {
    Answer(json!({ "waiting": functions.events_waiting() })).into_response()
}

async fn disable(State(functions): Api) -> Response {
    functions.pause_events(true);
    Answer(json!({ "enabled": false })).into_response()
}

async fn enable(State(functions): Api) -> Response {
    functions.pause_events(false);
    Answer(json!({ "enabled": true })).into_response()
}
