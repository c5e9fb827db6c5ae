//! What the Firebase CLI and editors ask of the emulator. Source: the reference, §3.5.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::DataConnect;

/// The version that is reported: the tool whose output is printed.
const VERSION: &str = "3.4.18";

pub(super) fn router(dataconnect: Arc<DataConnect>) -> Router {
    Router::new()
        .route("/", get(async || "Ok\n"))
        .route("/emulator/info", get(info))
        .route("/emulator/configure", post(async || Json(json!({}))))
        .route("/emulator/stream_issues", get(issues))
        .with_state(dataconnect)
}

async fn info(State(dataconnect): State<Arc<DataConnect>>) -> Json<Value> {
    let live = dataconnect.live();
    let services: Vec<Value> = live
        .iter()
        .flat_map(|live| live.services())
        .map(|served| json!({"serviceId": served.id, "connectionString": format!("postgresql:///{}", served.database.name)}))
        .collect();
    Json(json!({"version": VERSION, "services": services}))
}

/// An open answer without issues: they are in the log of `dev`.
async fn issues() -> Response {
    let none = futures_util::stream::pending::<Result<bytes::Bytes, std::convert::Infallible>>();
    Response::new(Body::from_stream(none))
}
