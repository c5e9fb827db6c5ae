//! The App Check API: paths and JSON, as at `firebaseappcheck.googleapis.com`, with that name (or that for web clients) as their
//! first segment; where nothing else has the path, without it.

mod admin;
mod exchange;
mod path;

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::routing::any;
use base::Status;
use http::{HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use wire::weight;

use crate::{AppCheck, status};
use path::{Path, Target};

/// Bytes of one request: the longest is a custom token.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long clients may keep the published keys, in seconds: as long as Google's.
const KEYS_MAX_AGE_S: u32 = 6 * 3600;
/// Hosts whose paths are read alike.
const HOSTS: [&str; 2] = ["/firebaseappcheck.googleapis.com", "/content-firebaseappcheck.googleapis.com"];

/// All routes of the service. Every request must carry its [`Caller`] as an extension.
pub fn router(app_check: Arc<AppCheck>) -> Router {
    Router::new()
        .route("/firebaseappcheck.googleapis.com/{*rest}", any(serve))
        .route("/content-firebaseappcheck.googleapis.com/{*rest}", any(serve))
        .route("/v1/jwks", any(serve))
        .route("/v1/projects/{project}/apps/{*rest}", any(serve))
        .route("/v1beta/projects/{project}", any(serve))
        .with_state(app_check)
}

async fn serve(State(app_check): State<Arc<AppCheck>>, request: Request) -> Response<Body> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(status::no_caller);
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = HOSTS.iter().find_map(|host| path.strip_prefix(host)).unwrap_or(path);
    let path = percent_decode_str(path).decode_utf8_lossy();
    if matches!((&parts.method, path.as_ref()), (&Method::GET, "/v1/jwks" | "/v1beta/jwks")) {
        return published(&app_check).await;
    }
    let answer = async {
        let caller = caller?;
        let path = Path::parse(&path).ok_or_else(status::no_method)?;
        if !app_check.is_project(path.project) {
            return Err(status::not_served(path.project));
        }
        // Whoever may not ask at all does not have the server read much.
        if !matches!(path.target, Target::App(_)) {
            app_check.only_admins(&caller, &format!("/{}", path.rest)).await?;
        }
        let read = to_bytes(body, BODY_BYTES_MAX).await;
        let body = read.map_err(|_| status::too_large(BODY_BYTES_MAX))?;
        let call = Call {
            app_check: &app_check,
            caller,
            method: parts.method,
            query: parts.uri.query(),
            body: &body,
        };
        call.answer(&path).await
    };
    respond_with(answer.await)
}

/// One request, read but for its body's meaning.
struct Call<'a> {
    app_check: &'a Arc<AppCheck>,
    caller: Caller,
    method: Method,
    query: Option<&'a str>,
    body: &'a [u8],
}

impl Call<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Status> {
        let body = if self.body.trim_ascii().is_empty() { b"{}" } else { self.body };
        weight::json::charge_tree(body)?;
        serde_json::from_slice(body).map_err(|error| status::bad_payload(&error))
    }

    async fn answer(&self, path: &Path<'_>) -> Result<Json, Status> {
        match (&path.target, path.verb) {
            (Target::App(app), Some(verb)) => self.exchange(app, verb).await,
            (Target::Project, Some("verifyAppCheckToken")) => self.verify().await,
            (Target::DebugTokens(app), None) => self.debug_tokens(app).await,
            (Target::DebugToken(app, id), None) => self.debug_token(app, id).await,
            (Target::Services, verb) => self.services(verb).await,
            (Target::Service(id), None) => self.service(id).await,
            _ => Err(status::no_method()),
        }
    }
}

/// The public keys.
async fn published(app_check: &AppCheck) -> Response<Body> {
    let mut response = respond_with(app_check.keys.published().await);
    if response.status() == StatusCode::OK
        && let Ok(policy) =
            HeaderValue::try_from(format!("public, max-age={KEYS_MAX_AGE_S}, must-revalidate"))
    {
        response.headers_mut().insert(header::CACHE_CONTROL, policy);
    }
    response
}

/// The answer, or the error in the form of Google's services.
fn respond_with(answer: Result<Json, Status>) -> Response<Body> {
    match answer {
        Ok(body) => respond(200, &body),
        Err(status) => {
            let (code, name) = (status.code.http(), status.code.name());
            respond(code, &json!({ "error": { "code": code, "message": status.message, "status": name } }))
        }
    }
}

fn respond(code: u16, body: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
