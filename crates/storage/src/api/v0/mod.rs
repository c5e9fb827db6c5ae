//! The Firebase API: what the web and mobile SDKs speak.
//!
//! Source: `src/emulator/storage/apis/firebase.ts` of firebase-tools; the requests of the JS SDK
//! (`storage/src/implementation/requests.ts`).

mod shown;
mod upload;

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::asked::Asked;
use super::media;
use crate::Storage;
use crate::model::{BucketName, Object, Patch};
use crate::ops::{Listing, TokenChange, Wanted};
use crate::status::Failure;

const PREFIX_WITHOUT_SLASH: &str =
    "The prefix parameter is required to be empty or ends with a single / character.";

/// What probes ask for.
pub async fn welcome() -> Json<Value> {
    Json(json!({"emulator": "storage"}))
}

/// A failure in the words of this API.
pub fn refused(failure: &Failure) -> Response {
    let code = StatusCode::from_u16(failure.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code == StatusCode::NOT_MODIFIED {
        return code.into_response();
    }
    let message = match failure {
        Failure::NoObject(_) => "Not Found.".to_owned(),
        failure => failure.to_string(),
    };
    let body = json!({"error": {"code": failure.http(), "message": message}});
    let mut response = (code, Json(body)).into_response();
    if matches!(failure, Failure::Unauthenticated(text) if text == access::APP_CHECK_INVALID) {
        response.extensions_mut().insert(access::AppCheckRefused);
    }
    if let Failure::Range(size) = failure
        && let Ok(value) = format!("bytes */{size}").parse()
    {
        response.headers_mut().insert(http::header::CONTENT_RANGE, value);
    }
    response
}

/// Answers a request below `/v0/b`.
pub async fn answer(storage: &Arc<Storage>, asked: Asked) -> Response {
    answered(storage, asked).await.unwrap_or_else(|failure| refused(&failure))
}

async fn answered(storage: &Arc<Storage>, mut asked: Asked) -> Result<Response, Failure> {
    // `b/BUCKET/o/NAME`: a name whose slashes are not encoded is meant, too.
    let (Some("b"), Some(bucket), Some("o")) = (asked.segment(0), asked.segment(1), asked.segment(2)) else {
        return Err(Failure::NoObject(asked.raw_path));
    };
    // Who opens a link with a download token has no app.
    let may_be_link =
        matches!(asked.method, Method::GET | Method::HEAD) && asked.parameter("token").is_some();
    if !may_be_link {
        storage.admit_app(&asked.caller, &asked.raw_path)?;
    }
    let bucket = BucketName::new(bucket)?;
    let name = asked.rest(3).filter(|name| !name.is_empty());
    let is_patch =
        asked.header("x-http-method-override").is_some_and(|verb| verb.eq_ignore_ascii_case("patch"));
    match (asked.method.clone(), name) {
        (Method::GET | Method::HEAD, Some(name)) => read(storage, &asked, &bucket, &name).await,
        (Method::GET, None) => list(storage, &asked, bucket).await,
        (Method::DELETE, Some(name)) => {
            let wanted = asked.wanted(bucket.as_str(), &name)?;
            storage.delete(&asked.caller, &wanted).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        (Method::PATCH, Some(name)) => patch(storage, &mut asked, &bucket, &name).await,
        (Method::PUT | Method::POST, Some(name)) if is_patch => {
            patch(storage, &mut asked, &bucket, &name).await
        }
        (Method::PUT | Method::POST, name) => match token_change(&asked)? {
            Some(change) => {
                let name = name.ok_or_else(|| Failure::Bad("An object name is required.".to_owned()))?;
                let wanted = asked.wanted(bucket.as_str(), &name)?;
                let object = storage.change_tokens(&asked.caller, &wanted, &change).await?;
                Ok(Json(shown::object(&object)).into_response())
            }
            None => upload::answer(storage, asked, bucket, name).await,
        },
        _ => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
    }
}

fn token_change(asked: &Asked) -> Result<Option<TokenChange>, Failure> {
    match (asked.parameter("create_token"), asked.parameter("delete_token")) {
        (Some("true"), _) => Ok(Some(TokenChange::Create)),
        (Some(other), _) => Err(Failure::Bad(format!("create_token is `{other}`, not `true`."))),
        (None, Some(token)) => Ok(Some(TokenChange::Revoke(token.to_owned()))),
        (None, None) => Ok(None),
    }
}

async fn read(
    storage: &Arc<Storage>,
    asked: &Asked,
    bucket: &BucketName,
    name: &str,
) -> Result<Response, Failure> {
    let token = asked.parameter("token").map(str::to_owned);
    let wanted = Wanted { token, ..asked.wanted(bucket.as_str(), name)? };
    if asked.parameter("alt") == Some("media") {
        let opened = storage.open(&asked.caller, asked.network, &wanted).await?;
        return media::send(&asked.method, &asked.headers, opened);
    }
    let object: Object = storage.get_with_token(&asked.caller, &wanted).await?;
    Ok(Json(shown::object(&object)).into_response())
}

async fn list(storage: &Arc<Storage>, asked: &Asked, bucket: BucketName) -> Result<Response, Failure> {
    let prefix = asked.parameter("prefix").unwrap_or_default().to_owned();
    if !prefix.is_empty() && !prefix.ends_with('/') {
        return Err(Failure::Bad(PREFIX_WITHOUT_SLASH.to_owned()));
    }
    let entries_max = Asked::number("maxResults", asked.parameter("maxResults"))?;
    let listing = Listing {
        bucket,
        prefix,
        delimiter: asked.parameter("delimiter").unwrap_or_default().to_owned(),
        entries_max: entries_max.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
        page_token: asked.parameter("pageToken").map(str::to_owned),
        start: String::new(),
        end: String::new(),
        glob: None,
    };
    let listed = storage.list(&asked.caller, &listing).await?;
    Ok(Json(shown::listed(&listed)).into_response())
}

async fn patch(
    storage: &Arc<Storage>,
    asked: &mut Asked,
    bucket: &BucketName,
    name: &str,
) -> Result<Response, Failure> {
    let wanted = asked.wanted(bucket.as_str(), name)?;
    let patch = Patch::from_json(&asked.json().await?)?;
    let object = storage.patch(&asked.caller, &wanted, &patch).await?;
    Ok(Json(shown::object(&object)).into_response())
}
