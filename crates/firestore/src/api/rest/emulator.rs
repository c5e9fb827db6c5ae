//! The official emulator's control routes: clearing documents, putting rules, their coverage. They exist in dev only and
//! have no authentication: whoever reaches a dev port is its owner.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::routing::{any, put};
use base::Status;
use base::limits::REQUEST_BYTES_MAX;
use http::{HeaderValue, Method, Response, header};
use policy::coverage::{Issue, IssueSeverity};
use serde::Deserialize;
use serde_json::json;
use wire::status as wire_status;

use super::target;
use super::{not_found, respond};
use crate::Firestore;

pub(super) fn routes() -> Router<Arc<Firestore>> {
    Router::new()
        .route("/emulator/v1/projects/{project}/databases/{database}/{*rest}", any(clear))
        .route("/emulator/v1/{*project}", put(rules).get(coverage))
}

/// `DELETE /emulator/v1/projects/P/databases/D/documents[/path]`.
async fn clear(State(firestore): State<Arc<Firestore>>, request: Request) -> Response<Body> {
    let path = request.uri().path().strip_prefix("/emulator").unwrap_or_default();
    let cleared = match (firestore.dev(), request.method(), target::read(path)) {
        (Some(permit), &Method::DELETE, Ok(target)) if target.verb.is_none() => {
            firestore.clear(permit, &target.name()).await
        }
        (_, _, Err(status)) => Err(status),
        _ => Err(not_found()),
    };
    match cleared {
        Ok(()) => respond(200, "{}".into()),
        Err(status) => refuse(&status),
    }
}

#[derive(Deserialize)]
struct PutRules {
    rules: Files,
    #[serde(default, alias = "ignoreErrors")]
    ignore_errors: bool,
}

#[derive(Deserialize)]
struct Files {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    content: String,
}

/// `PUT /emulator/v1/projects/P:securityRules`.
async fn rules(
    State(firestore): State<Arc<Firestore>>,
    Path(target): Path<String>,
    request: Request,
) -> Response<Body> {
    let project = target.strip_prefix("projects/").and_then(|rest| rest.strip_suffix(":securityRules"));
    let (Some(permit), Some(project)) = (firestore.dev(), project) else { return refuse(&not_found()) };
    let Ok(body) = to_bytes(request.into_body(), REQUEST_BYTES_MAX).await else {
        return refuse(&Status::invalid("The rules are too large."));
    };
    let asked: PutRules = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refuse(&Status::invalid(format!("Invalid JSON payload received. {error}"))),
    };
    let [file] = &asked.rules.files[..] else {
        return refuse(&Status::invalid("Exactly one rules file is expected."));
    };
    let put = firestore.put_rules(permit, project, file.name.as_deref(), &file.content);
    match put {
        Err(found) if !asked.ignore_errors => refuse(&Status::invalid(compile_error(&found))),
        Ok(found) | Err(found) if found.is_empty() => respond(200, "{}".into()),
        Ok(found) | Err(found) => respond(200, json!({ "issues": found }).to_string().into()),
    }
}

/// `GET /emulator/v1/projects/P:ruleCoverage` and the page `…:ruleCoverage.html`.
async fn coverage(State(firestore): State<Arc<Firestore>>, Path(target): Path<String>) -> Response<Body> {
    let asked = target.strip_prefix("projects/").and_then(|rest| rest.rsplit_once(':'));
    let (Some(permit), Some((project, verb))) = (firestore.dev(), asked) else { return refuse(&not_found()) };
    let coverage = firestore.coverage(permit, project);
    match verb {
        "ruleCoverage" => {
            let report =
                coverage.map_or_else(|| json!({ "rules": { "files": [] } }), |coverage| coverage.json());
            respond(200, report.to_string().into())
        }
        "ruleCoverage.html" => {
            let page = coverage.map_or_else(|| NO_RULES_PAGE.to_owned(), |coverage| coverage.html());
            let mut response = respond(200, page.into());
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
        _ => refuse(&not_found()),
    }
}

const NO_RULES_PAGE: &str = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Coverage</title>\n\
     <p>No rules are in force: there is nothing to cover.</p>\n";

/// The official emulator's words: `Error compiling rules:` and a line for each error.
fn compile_error(found: &[Issue]) -> String {
    let errors = found.iter().filter(|issue| issue.severity == IssueSeverity::Error);
    let lines: Vec<String> = errors
        .map(|issue| {
            let place = &issue.source_position;
            format!("L{}:{} {}", place.line, place.column, issue.description)
        })
        .collect();
    format!("Error compiling rules:\n{}", lines.join("\n"))
}

fn refuse(status: &Status) -> Response<Body> {
    respond(status.code.http(), wire_status::rest_body(status).into())
}
