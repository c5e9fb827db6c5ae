//! The Rules API: paths and JSON.
//!
//! Paths are those of `firebaserules.googleapis.com`, with that name as their first segment or, as the Firebase CLI asks
//! when it is pointed here (`FIREBASE_RULES_URL`), without it.

use std::sync::Arc;

use access::Caller;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::routing::any;
use base::Status;
use bytes::Bytes;
use http::{Method, Response, Uri};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{caller, cli, encoded, read, respond_with};
use crate::model::names::{Path, Target, release_name};
use crate::model::resource::Listed;
use crate::model::source::RulesSource;
use crate::ops::releases::Existing;
use crate::suite::TestSuite;
use crate::{Deploy, status};

/// Bytes of one request: a ruleset is at most 256 KiB, a test suite may be larger.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Hosts whose paths are read alike.
const HOSTS: [&str; 2] = ["/firebaserules.googleapis.com", "/cloudresourcemanager.googleapis.com"];

/// The routes.
pub fn routes() -> Router<Arc<Deploy>> {
    Router::new()
        .route("/firebaserules.googleapis.com/{*rest}", any(serve))
        .route("/cloudresourcemanager.googleapis.com/v1/projects/{project}", any(serve))
        .route("/v1/projects/{project}", any(serve))
        .route("/v1/projects/{project}/rulesets", any(serve))
        .route("/v1/projects/{project}/rulesets/{*ruleset}", any(serve))
        .route("/v1/projects/{project}/releases", any(serve))
        .route("/v1/projects/{project}/releases/{*release}", any(serve))
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

impl ListParameters {
    fn read(uri: &Uri) -> Result<Self, Status> {
        let Query(parameters) =
            Query::<Self>::try_from_uri(uri).map_err(|error| Status::invalid(error.to_string()))?;
        match parameters.filter.as_deref() {
            None | Some("") => Ok(parameters),
            Some(_) => Err(status::no_filters()),
        }
    }
}

/// One request, read but for its body's meaning.
struct Call<'a> {
    deploy: &'a Arc<Deploy>,
    caller: Caller,
    method: Method,
    uri: Uri,
    project: String,
    verb: Option<String>,
    body: Bytes,
}

async fn serve(State(deploy): State<Arc<Deploy>>, request: Request) -> Response<Body> {
    respond_with(answer(&deploy, request).await)
}

async fn answer(deploy: &Arc<Deploy>, request: Request) -> Result<Json, Status> {
    let caller = caller(&request)?;
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = HOSTS.iter().find_map(|host| path.strip_prefix(host)).unwrap_or(path);
    let path = path.strip_prefix("/v1/").unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    let Path { project, target, verb } = Path::parse(&path).ok_or_else(status::no_method)?;
    // Whoever may not ask at all does not have the server read much.
    if !caller.is_admin() {
        deploy.refuse(&caller, &path).await?;
    }
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| status::too_large(BODY_BYTES_MAX))?;
    let call = Call { deploy, caller, method: parts.method, uri: parts.uri, project, verb, body };
    match target {
        Target::Project => call.project().await,
        Target::Rulesets => call.rulesets().await,
        Target::Ruleset(id) => call.ruleset(&id).await,
        Target::Releases => call.releases().await,
        Target::Release(name) => call.release(&name).await,
    }
}

impl Call<'_> {
    async fn project(&self) -> Result<Json, Status> {
        match (&self.method, self.verb.as_deref()) {
            (&Method::POST, Some("test")) => self.test(None).await,
            (&Method::POST, Some("testIamPermissions")) => {
                cli::permissions(self.deploy, &self.caller, &self.project, &self.body).await
            }
            _ => Err(status::no_method()),
        }
    }

    async fn rulesets(&self) -> Result<Json, Status> {
        let Self { deploy, caller, project, .. } = self;
        match (&self.method, self.verb.as_deref()) {
            (&Method::POST, None) => {
                let CreateRuleset { source } = read(&self.body)?;
                encoded(deploy.create_ruleset(caller, project, source).await?)
            }
            (&Method::GET, None) => {
                let list = ListParameters::read(&self.uri)?;
                let page = deploy.list_rulesets(caller, project, list.page_size, list.page_token.as_deref());
                page_of("rulesets", page.await?)
            }
            _ => Err(status::no_method()),
        }
    }

    async fn ruleset(&self, id: &str) -> Result<Json, Status> {
        let Self { deploy, caller, project, .. } = self;
        match (&self.method, self.verb.as_deref()) {
            (&Method::POST, Some("test")) => self.test(Some(id)).await,
            (&Method::GET, None) => encoded(deploy.get_ruleset(caller, project, id).await?),
            (&Method::DELETE, None) => {
                deploy.delete_ruleset(caller, project, id).await?;
                Ok(json!({}))
            }
            _ => Err(status::no_method()),
        }
    }

    async fn releases(&self) -> Result<Json, Status> {
        let Self { deploy, caller, project, .. } = self;
        match (&self.method, self.verb.as_deref()) {
            (&Method::POST, None) => {
                let ReleaseBody { name, ruleset_name } = read(&self.body)?;
                let name = release_name(project, &name.unwrap_or_default())?;
                let released = deploy.release(caller, project, &name, &ruleset_name, Existing::Absent);
                encoded(released.await?)
            }
            (&Method::GET, None) => {
                let list = ListParameters::read(&self.uri)?;
                let page = deploy.list_releases(caller, project, list.page_size, list.page_token.as_deref());
                page_of("releases", page.await?)
            }
            _ => Err(status::no_method()),
        }
    }

    async fn release(&self, name: &str) -> Result<Json, Status> {
        let Self { deploy, caller, project, .. } = self;
        match (&self.method, self.verb.as_deref()) {
            (&Method::GET, None) => encoded(deploy.get_release(caller, project, name).await?),
            (&Method::PATCH, None) => {
                let UpdateRelease { release } = read(&self.body)?;
                let updated = deploy.release(caller, project, name, &release.ruleset_name, Existing::Present);
                encoded(updated.await?)
            }
            (&Method::DELETE, None) => {
                deploy.delete_release(caller, project, name).await?;
                Ok(json!({}))
            }
            (&Method::GET, Some("getExecutable")) => Err(status::no_executables()),
            _ => Err(status::no_method()),
        }
    }

    /// Tests the source in the body, or a stored ruleset.
    async fn test(&self, id: Option<&str>) -> Result<Json, Status> {
        let Test { source, test_suite } = read(&self.body)?;
        encoded(self.deploy.test(&self.caller, &self.project, id, source, test_suite).await?)
    }
}

fn page_of<T: Serialize>(name: &str, listed: Listed<T>) -> Result<Json, Status> {
    let mut page = serde_json::Map::new();
    if !listed.entries.is_empty() {
        page.insert(name.to_owned(), encoded(listed.entries)?);
    }
    if let Some(token) = listed.next_page_token {
        page.insert("nextPageToken".to_owned(), token.into());
    }
    Ok(Json::Object(page))
}
