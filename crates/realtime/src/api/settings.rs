//! `/.settings`: what administrators set for a database: its rules, and how large writes may be.
//!
//! Source: the Firebase CLI (`database:settings:*`, `deploy`), the Admin SDKs' rules client and
//! `@firebase/rules-unit-testing`, whose users match `Parse error`.

use access::{Caller, ForeignOrigin};
use axum::body::Body;
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::rest::call::{Call, Refused};
use super::rest::format;
use super::strict;
use crate::model::SizeLimit;
use crate::ops::{RulesProblem, SignIn, TokenKind};
use crate::status;

/// Answers what `/.settings/NAME.json` asks.
pub async fn answer(call: &Call, name: &str, body: Body) -> Result<Response, Refused> {
    let caller = administrator(call).await?;
    match (&call.method, name) {
        (&Method::GET, "rules") => rules(call, &caller).await,
        (&Method::PUT, "rules") => put_rules(call, &caller, body).await,
        (&Method::GET, "defaultWriteSizeLimit") => {
            let limit = call.namespace()?.size_limit(&caller).await?;
            Ok(json_of(&Json::from(limit.as_str())))
        }
        (&Method::PUT, "defaultWriteSizeLimit") => {
            let body = call.body(&caller, body).await?;
            let named = serde_json::from_str::<String>(&body).ok().and_then(|name| SizeLimit::parse(&name));
            let limit = named.filter(|limit| *limit != SizeLimit::Tiny);
            let limit = limit.ok_or_else(|| Refused::bad(status::BAD_DEFAULT_LIMIT))?;
            call.namespace()?.put_size_limit(&caller, limit).await?;
            Ok(json_of(&Json::from(limit.as_str())))
        }
        (&Method::GET, "strictTriggerValidation") => Ok(json_of(&json!({ "value": true }))),
        // Triggers are registered by the functions emulator; Hearth has no functions yet.
        (&Method::POST | &Method::PUT, "functionTriggers") => {
            let body = call.body(&caller, body).await?;
            match serde_json::from_str::<Json>(&body) {
                Ok(Json::Object(_)) => Ok(json_of(&json!({ "status": "ok" }))),
                _ => Err(Refused::bad(status::BAD_BODY)),
            }
        }
        (
            _,
            "rules"
            | "functionTriggers"
            | "defaultWriteSizeLimit"
            | "strictTriggerValidation"
            | "rulesets"
            | "ruleset_labels"
            | "profile",
        ) => Err(Refused::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("{} /.settings/{name}.json is not implemented in Hearth.", call.method),
        )),
        _ => Err(Refused::new(StatusCode::NOT_FOUND, format!("There is no setting `{name}`."))),
    }
}

/// Who may ask for settings. In dev the Admin SDKs show their own credential here, whatever it is: any will do, unless a web
/// page from elsewhere shows it.
async fn administrator(call: &Call) -> Result<Caller, Refused> {
    let is_foreign = call.parts.extensions.get::<ForeignOrigin>().is_some();
    let caller = if call.api.realtime.is_dev() && call.bearer().is_some() && !is_foreign {
        let owner = SignIn::Token { kind: TokenKind::Google, token: "owner", auth_override: None };
        call.api.realtime.sign_in(&owner).await?
    } else {
        call.caller().await?
    };
    if caller.is_admin() {
        Ok(caller)
    } else {
        Err(Refused::new(StatusCode::UNAUTHORIZED, status::UNAUTHORIZED))
    }
}

async fn rules(call: &Call, caller: &Caller) -> Result<Response, Refused> {
    let text = call.namespace()?.rules_text(caller).await?;
    if call.parameters.one("format") != Some("strict") {
        return Ok(format::json(StatusCode::OK, text));
    }
    match strict::read(&text) {
        Some(json) => Ok(json_of(&json)),
        None => Err(Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The rules in force are not JSON: they were made of another language.",
        )),
    }
}

async fn put_rules(call: &Call, caller: &Caller, body: Body) -> Result<Response, Refused> {
    let text = call.body(caller, body).await?;
    let is_dry_run = call.parameters.is_true("dryRun");
    match call.namespace()?.put_rules(caller, text, is_dry_run).await {
        Ok(()) => Ok(json_of(&json!({ "status": "ok" }))),
        Err(RulesProblem::Invalid(problem)) => Err(Refused::bad(problem)),
        Err(RulesProblem::Failed(failure)) => Err(failure.into()),
    }
}

fn json_of(value: &Json) -> Response {
    format::json(StatusCode::OK, value.to_string())
}
