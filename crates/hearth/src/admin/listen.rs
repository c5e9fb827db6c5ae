//! The server's side of acts: a unix socket in the data folder.

use std::path::Path;

use axum::extract::{Path as Segments, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use base::{Code, Status};
use serde_json::{Value, json};
use server::{SystemUser, UnixListening};

use super::{Entry, SOCKET_FILE, Site, system_caller};
use crate::house::House;

/// Begins to take acts for a house on the socket in its data folder. Where it cannot (a path of more than about 100 bytes,
/// say), it runs without, and a note says so.
pub fn listen(
    house: &House,
    data: Option<&Path>,
    acts: &'static [Entry],
    notes: &mut Vec<String>,
) -> Option<UnixListening> {
    let routes = Router::new()
        .route("/v1/{*act}", post(act))
        .fallback(async || refused(&unknown("this path")))
        .with_state((house.site(&SystemUser::current()), acts));
    let socket = data?.join(SOCKET_FILE);
    server::listen_unix(&socket, routes)
        .map_err(|error| {
            notes.push(format!(
                "`{}` cannot be listened on: {error}; the command line's verbs about this data will not work while this runs",
                socket.display()
            ));
        })
        .ok()
}

async fn act(
    State((site, acts)): State<(Site, &'static [Entry])>,
    Extension(user): Extension<SystemUser>,
    Segments(name): Segments<String>,
    Json(asked): Json<Value>,
) -> Response {
    let Some(entry) = acts.iter().find(|entry| entry.name == name) else { return refused(&unknown(&name)) };
    let site = Site { caller: system_caller(&user), ..site };
    // A task of its own: it ends also when the command line does not wait for it.
    match tokio::spawn((entry.run)(site, asked)).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(status)) => refused(&status),
        Err(error) => {
            tracing::error!(%error, act = name, "an act ended early");
            refused(&Status::new(Code::Internal, format!("`{name}` ended early; the server's log has more")))
        }
    }
}

fn unknown(name: &str) -> Status {
    let version = env!("CARGO_PKG_VERSION");
    Status::new(Code::Unimplemented, format!("the running server (version {version}) does not know `{name}`"))
}

fn refused(status: &Status) -> Response {
    let code = StatusCode::from_u16(status.code.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let error =
        json!({ "code": status.code.http(), "message": status.message, "status": status.code.name() });
    (code, Json(json!({ "error": error }))).into_response()
}
