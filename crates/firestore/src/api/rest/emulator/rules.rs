//! Rules and their coverage.

use axum::body::Body;
use base::Status;
use http::{HeaderValue, Response, header};
use policy::coverage::{Issue, IssueSeverity};
use serde::Deserialize;
use serde_json::json;

use super::{Call, respond};

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

/// `PUT …:securityRules`.
pub(super) fn put(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let asked: PutRules = serde_json::from_slice(&call.body)
        .map_err(|error| Status::invalid(format!("Invalid JSON payload received. {error}")))?;
    let [file] = &asked.rules.files[..] else {
        return Err(Status::invalid("Exactly one rules file is expected."));
    };
    let put = call.firestore.put_rules(call.permit, &call.rules_of(), file.name.as_deref(), &file.content);
    match put {
        Err(found) if !asked.ignore_errors => Err(Status::invalid(compile_error(&found))),
        Ok(found) | Err(found) if found.is_empty() => Ok(respond(200, "{}".into())),
        Ok(found) | Err(found) => Ok(respond(200, json!({ "issues": found }).to_string().into())),
    }
}

/// `GET …:securityRules`.
pub(super) fn get(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let files = call
        .firestore
        .rules(call.permit, &call.rules_of())
        .map(|source| json!({ "name": &*source.name, "content": &*source.text }));
    let files: Vec<_> = files.into_iter().collect();
    Ok(respond(200, json!({ "rules": { "files": files } }).to_string().into()))
}

/// `GET …:ruleCoverage`.
pub(super) fn coverage(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let coverage = call.firestore.coverage(call.permit, &call.rules_of());
    let report = coverage.map_or_else(|| json!({ "rules": { "files": [] } }), |coverage| coverage.json());
    Ok(respond(200, report.to_string().into()))
}

/// The page `GET …:ruleCoverage.html`.
pub(super) fn coverage_page(call: &Call<'_>) -> Result<Response<Body>, Status> {
    let coverage = call.firestore.coverage(call.permit, &call.rules_of());
    let page = coverage.map_or_else(|| NO_RULES_PAGE.to_owned(), |coverage| coverage.html());
    let mut response = respond(200, page.into());
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    Ok(response)
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
