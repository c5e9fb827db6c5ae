//! The HTTP face: paths, JSON and errors. It decodes, asks one verb and encodes.
//!
//! Paths are those of `firebaserules.googleapis.com`, with that name as their first segment or, as the Firebase CLI asks
//! when it is pointed here (`FIREBASE_RULES_URL`), without it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::routing::any;
use base::{Code, Status};
use http::{HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::model::RulesSource;
use super::names::{Path, Target, release_name};
use super::ops::Existing;
use super::suite::TestSuite;
use super::{Deploy, cli};
use crate::caller::Caller;

/// Bytes of one request: a ruleset is at most 256 KiB, a test suite may be larger.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Hosts whose paths are read alike.
const HOSTS: [&str; 2] = ["/firebaserules.googleapis.com", "/cloudresourcemanager.googleapis.com"];

/// All routes.
pub fn routes(deploy: Arc<Deploy>) -> Router {
    Router::new()
        .route("/firebaserules.googleapis.com/{*rest}", any(serve))
        .route("/cloudresourcemanager.googleapis.com/v1/projects/{project}", any(serve))
        .route("/v1/projects/{project}", any(serve))
        .route("/v1/projects/{project}/rulesets", any(serve))
        .route("/v1/projects/{project}/rulesets/{*ruleset}", any(serve))
        .route("/v1/projects/{project}/releases", any(serve))
        .route("/v1/projects/{project}/releases/{*release}", any(serve))
        .merge(cli::routes())
        .with_state(deploy)
}

#[derive(Deserialize)]
struct CreateRuleset {
    source: RulesSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseBody {
    name: Option<String>,
    #[serde(alias = "ruleset_name")]
    ruleset_name: String,
}

#[derive(Deserialize)]
struct UpdateRelease {
    release: ReleaseBody,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Test {
    source: Option<RulesSource>,
    #[serde(alias = "test_suite")]
    test_suite: TestSuite,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListParameters {
    page_size: Option<usize>,
    page_token: Option<String>,
    filter: Option<String>,
}

async fn serve(State(deploy): State<Arc<Deploy>>, request: Request) -> Response<Body> {
    respond_with(answer(&deploy, request).await)
}

/// The answer, or the error in the form of Google's services.
pub fn respond_with(answer: Result<Json, Status>) -> Response<Body> {
    match answer {
        Ok(body) => respond(200, &body),
        Err(status) => {
            let error = json!({ "code": status.code.http(), "message": status.message, "status": status.code.name() });
            respond(status.code.http(), &json!({ "error": error }))
        }
    }
}

/// The caller that the front door has put with a request.
pub fn caller_of(request: &Request) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| {
        tracing::error!("a request came without its caller");
        Status::new(Code::Internal, "Internal error encountered.")
    })
}

fn respond(code: u16, body: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn encoded(answer: impl Serialize) -> Result<Json, Status> {
    serde_json::to_value(answer).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Status::new(Code::Internal, "Internal error encountered.")
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Status> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Status::invalid(format!("Invalid JSON payload received. {error}")))
}

async fn answer(deploy: &Arc<Deploy>, request: Request) -> Result<Json, Status> {
    let caller = caller_of(&request)?;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = HOSTS.iter().find_map(|host| path.strip_prefix(host)).unwrap_or(path);
    let path = path.strip_prefix("/v1/").unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    let unknown = || Status::new(Code::NotFound, "There is no such method.");
    let Path { project, target, verb } = Path::parse(&path).ok_or_else(unknown)?;
    // Whoever may not ask at all does not have the server read much.
    if !caller.is_admin() {
        deploy.refuse(&caller, &path).await?;
    }
    let body = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Status::invalid(format!("A request may have {} MiB.", BODY_BYTES_MAX >> 20)))?;
    let list = || -> Result<ListParameters, Status> {
        let parameters = axum::extract::Query::<ListParameters>::try_from_uri(&parts.uri)
            .map_err(|error| Status::invalid(error.to_string()))?
            .0;
        match parameters.filter.as_deref() {
            None | Some("") => Ok(parameters),
            Some(_) => Err(Status::new(Code::Unimplemented, "`filter` is not supported.")),
        }
    };
    match (&parts.method, target, verb.as_deref()) {
        (&Method::POST, Target::Project, Some("test")) => {
            let Test { source, test_suite } = read(&body)?;
            encoded(deploy.test(&caller, &project, None, source, test_suite).await?)
        }
        (&Method::POST, Target::Project, Some("testIamPermissions")) => {
            cli::permissions(deploy, &caller, &project, &body).await
        }
        (&Method::POST, Target::Ruleset(id), Some("test")) => {
            let Test { source, test_suite } = read(&body)?;
            encoded(deploy.test(&caller, &project, Some(&id), source, test_suite).await?)
        }
        (&Method::POST, Target::Rulesets, None) => {
            let CreateRuleset { source } = read(&body)?;
            encoded(deploy.create_ruleset(&caller, &project, source).await?)
        }
        (&Method::GET, Target::Rulesets, None) => {
            let list = list()?;
            let page = deploy.list_rulesets(&caller, &project, list.page_size, list.page_token.as_deref());
            page_of("rulesets", page.await?.entries_and_token())
        }
        (&Method::GET, Target::Ruleset(id), None) => {
            encoded(deploy.get_ruleset(&caller, &project, &id).await?)
        }
        (&Method::DELETE, Target::Ruleset(id), None) => {
            deploy.delete_ruleset(&caller, &project, &id).await?;
            Ok(json!({}))
        }
        (&Method::POST, Target::Releases, None) => {
            let ReleaseBody { name, ruleset_name } = read(&body)?;
            let name = release_name(&project, &name.unwrap_or_default())?;
            let released = deploy.release(&caller, &project, &name, &ruleset_name, Existing::Absent);
            encoded(released.await?)
        }
        (&Method::GET, Target::Releases, None) => {
            let list = list()?;
            let page = deploy.list_releases(&caller, &project, list.page_size, list.page_token.as_deref());
            page_of("releases", page.await?.entries_and_token())
        }
        (&Method::GET, Target::Release(name), None) => {
            encoded(deploy.get_release(&caller, &project, &name).await?)
        }
        (&Method::PATCH, Target::Release(name), None) => {
            let UpdateRelease { release } = read(&body)?;
            let updated = deploy.release(&caller, &project, &name, &release.ruleset_name, Existing::Present);
            encoded(updated.await?)
        }
        (&Method::DELETE, Target::Release(name), None) => {
            deploy.delete_release(&caller, &project, &name).await?;
            Ok(json!({}))
        }
        (&Method::GET, Target::Release(_), Some("getExecutable")) => {
            Err(Status::new(Code::Unimplemented, "Compiled rules are not given out."))
        }
        _ => Err(unknown()),
    }
}

fn page_of<T: Serialize>(name: &str, (entries, token): (Vec<T>, Option<String>)) -> Result<Json, Status> {
    let mut page = serde_json::Map::new();
    if !entries.is_empty() {
        page.insert(name.to_owned(), encoded(entries)?);
    }
    if let Some(token) = token {
        page.insert("nextPageToken".to_owned(), token.into());
    }
    Ok(Json::Object(page))
}
