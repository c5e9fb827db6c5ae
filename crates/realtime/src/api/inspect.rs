//! `/.inspect`: which databases there are, and what their rules decided. The emulator's, so in dev only.

use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::rest::call::{Call, Refused};
use super::rest::format;
use crate::status;

/// Answers what `/.inspect/NAME` asks.
pub async fn answer(call: &Call, name: &str) -> Result<Response, Refused> {
    let Some(permit) = call.api.realtime.dev() else {
        return Err(Refused::new(StatusCode::NOT_FOUND, status::NO_JSON));
    };
    if call.method != Method::GET {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "/.inspect only answers GET."));
    }
    match name {
        "databases.json" => {
            let names = call.api.realtime.namespaces(permit).await?;
            let names: Vec<Json> = names.iter().map(|name| json!({ "name": name })).collect();
            Ok(format::json(StatusCode::OK, Json::from(names).to_string()))
        }
        "coverage.json" => {
            let coverage = call.namespace()?.coverage(permit);
            let report =
                coverage.map_or_else(|| json!({ "rules": { "files": [] } }), |coverage| coverage.json());
            Ok(format::json(StatusCode::OK, report.to_string()))
        }
        "coverage" => {
            let coverage = call.namespace()?.coverage(permit);
            let page = coverage.map_or_else(|| NO_RULES_PAGE.to_owned(), |coverage| coverage.html());
            Ok(format::typed(StatusCode::OK, "text/html; charset=utf-8", Body::from(page)))
        }
        _ => Err(Refused::new(
            StatusCode::NOT_FOUND,
            "There is only /.inspect/coverage, coverage.json and databases.json.",
        )),
    }
}

const NO_RULES_PAGE: &str = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Coverage</title>\n\
    <p>No rules are in force: there is nothing to cover.\n";
