//! Protocols: the Firebase API (`/v0`), Cloud Storage's JSON API and its way of addressing objects by path, and the control
//! routes of the emulator. They decode and encode, nothing else.

mod asked;
mod control;
mod export;
mod gcs;
mod gunzip;
mod media;
mod multipart;
mod range;
mod signed;
mod v0;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post, put};

use crate::Storage;
use asked::Asked;

pub(crate) use gcs::shown::object as shown_object;

type Api = State<Arc<Storage>>;

/// Where each surface is found on its own port; below `HOST.googleapis.com` the same.
const FIREBASE: [&str; 2] = ["/v0/b/{*path}", "/firebasestorage.googleapis.com/v0/b/{*path}"];
const JSON: [&str; 8] = [
    "/storage/v1/{*path}",
    "/upload/storage/v1/{*path}",
    "/download/storage/v1/{*path}",
    "/storage.googleapis.com/storage/v1/{*path}",
    "/storage.googleapis.com/upload/storage/v1/{*path}",
    "/storage.googleapis.com/download/storage/v1/{*path}",
    "/www.googleapis.com/storage/v1/{*path}",
    "/www.googleapis.com/upload/storage/v1/{*path}",
];

/// The routes. Callers are in the requests' extensions.
pub fn router(storage: Arc<Storage>) -> Router {
    let mut routes: Router<Arc<Storage>> = Router::new().route("/v0", get(v0::welcome));
    for path in FIREBASE {
        routes = routes.route(path, any(firebase));
    }
    for path in JSON {
        routes = routes.route(path, any(json));
    }
    routes = routes.route("/storage.googleapis.com/{bucket}/{*object}", any(by_path));
    if storage.is_dev() {
        // On its own port, where nothing else answers.
        routes = routes
            .route("/internal/setRules", put(control::set_rules))
            .route("/internal/reset", post(control::reset))
            .route("/internal/export", post(export::export))
            .route("/internal/import", post(export::import))
            .route("/b", any(json))
            .route("/b/{*path}", any(json))
            .route("/{bucket}", any(by_path))
            .route("/{bucket}/{*object}", any(by_path));
    }
    routes.with_state(storage)
}

async fn firebase(State(storage): Api, request: Request) -> Response {
    match Asked::of(&storage, request, asked::Surface::Firebase) {
        Ok(asked) => v0::answer(&storage, asked).await,
        Err(failure) => v0::refused(&failure).into_response(),
    }
}

async fn json(State(storage): Api, request: Request) -> Response {
    match Asked::of(&storage, request, asked::Surface::Json) {
        Ok(asked) => gcs::answer(&storage, asked).await,
        Err(failure) => gcs::refused(&failure).into_response(),
    }
}

async fn by_path(State(storage): Api, request: Request) -> Response {
    match Asked::of(&storage, request, asked::Surface::ByPath) {
        Ok(mut asked) => match signed::admit(&storage, &mut asked).await {
            Ok(()) => gcs::answer_by_path(&storage, asked).await,
            Err(failure) => gcs::refused(&failure).into_response(),
        },
        Err(failure) => gcs::refused(&failure).into_response(),
    }
}
