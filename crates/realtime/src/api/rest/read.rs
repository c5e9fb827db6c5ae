//! `GET`.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use serde_json::Value as Json;

use super::call::{Call, Refused};
use super::format::{etag, with_etag};
use crate::api::events;
use crate::failure::Failure;
use crate::model::{Key, Node, Path};
use crate::ops::Shallow;
use crate::query::{Query, RestParameters};
use crate::status;

/// The longest time that a client may set.
const TIMEOUT_MS_MAX: u64 = 15 * 60 * 1000;
/// Keys of a shallow answer, when the client does not say how many.
const SHALLOW_KEYS_MAX: usize = 1_000_000;

/// A value, some of its children or its keys.
pub async fn value(call: &Call, path: &Path) -> Result<Response, Refused> {
    refuse_if_match(call)?;
    let format = call.format()?;
    let timeout = timeout(call.parameters.one("timeout"))?;
    let answered = async {
        if call.parameters.is_true("shallow") && !call.wants_events() {
            return shallow(call, path).await;
        }
        let query = query(call)?;
        if call.wants_events() {
            return events::answer(call, path, query).await;
        }
        let read = call.namespace()?.read(&call.caller().await?, "Get", path, &query).await?;
        if !read.is_indexed {
            let child = query.index().unwrap_or_default();
            return Err(Failure::NoIndex { child, path: path.clone() }.into());
        }
        Ok(conditional(call, read.value.as_deref(), || format.value(read.value.as_deref())))
    };
    within(timeout, answered).await
}

/// A value's priority.
pub async fn priority(call: &Call, path: &Path) -> Result<Response, Refused> {
    refuse_if_match(call)?;
    let format = call.format()?;
    let timeout = timeout(call.parameters.one("timeout"))?;
    let answered = async {
        let read = call.namespace()?.read(&call.caller().await?, "Get", path, &Query::default()).await?;
        let priority = read.value.as_deref().and_then(Node::priority).cloned();
        let priority = priority.map(|priority| Node::leaf(priority, None));
        Ok(conditional(call, priority.as_deref(), || format.value(priority.as_deref())))
    };
    within(timeout, answered).await
}

fn refuse_if_match(call: &Call) -> Result<(), Refused> {
    if call.header(&IF_MATCH).is_some() { Err(Refused::bad(status::NO_IF_MATCH)) } else { Ok(()) }
}

async fn within(
    timeout: Option<Duration>,
    answered: impl Future<Output = Result<Response, Refused>>,
) -> Result<Response, Refused> {
    match timeout {
        None => answered.await,
        Some(timeout) => match tokio::time::timeout(timeout, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(Refused::bad(status::TIMED_OUT)),
        },
    }
}

/// The answer, or that the client has it.
fn conditional(call: &Call, node: Option<&Node>, answer: impl FnOnce() -> Response) -> Response {
    let known = call.header(&IF_NONE_MATCH);
    if known.is_none() && !call.wants_etag() {
        return answer();
    }
    let etag = etag(node);
    if known.is_some_and(|known| known.split(',').any(|known| is_etag(known, &etag))) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        if let Ok(value) = HeaderValue::from_str(&etag) {
            response.headers_mut().insert(ETAG, value);
        }
        return response;
    }
    with_etag(answer(), node)
}

/// Clients repeat the ETag as they got it, or in quotes as HTTP has it.
pub fn is_etag(text: &str, etag: &str) -> bool {
    text.trim().trim_matches('"') == etag
}

fn query(call: &Call) -> Result<Query, Refused> {
    let get = |name| call.parameters.one(name).map(str::to_owned);
    let parameters = RestParameters {
        order_by: get("orderBy"),
        start_at: get("startAt"),
        start_after: get("startAfter"),
        end_at: get("endAt"),
        end_before: get("endBefore"),
        equal_to: get("equalTo"),
        limit_to_first: get("limitToFirst"),
        limit_to_last: get("limitToLast"),
    };
    Query::from_rest(&parameters).map_err(|error| Refused::bad(error.to_string()))
}

/// The keys of a place. The CLI pages through them with a limit and a key without quotes.
async fn shallow(call: &Call, path: &Path) -> Result<Response, Refused> {
    for name in ["orderBy", "startAt", "endAt", "endBefore", "equalTo", "limitToLast"] {
        if call.parameters.one(name).is_some() {
            return Err(Refused::bad(format!("Invalid query: `shallow` may not be combined with `{name}`.")));
        }
    }
    let limit = match call.parameters.one("limitToFirst") {
        None => None,
        Some(text) => match text.parse::<usize>() {
            Ok(limit) if limit > 0 => Some(limit),
            _ => return Err(Refused::bad("limitToFirst must be a positive integer")),
        },
    };
    let after = match call.parameters.one("startAfter") {
        None => None,
        Some(text) => {
            let text = match serde_json::from_str(text) {
                Ok(Json::String(text)) => text,
                _ => text.to_owned(),
            };
            Some(Key::new(&text).map_err(|error| Refused::bad(error.to_string()))?)
        }
    };
    let max = limit.unwrap_or(SHALLOW_KEYS_MAX).min(SHALLOW_KEYS_MAX);
    let found = call.namespace()?.shallow(&call.caller().await?, path, after.as_ref(), max).await?;
    let json = match found {
        Shallow::Leaf(leaf) => {
            let mut json = String::new();
            crate::model::encode_plain(Some(&Node::leaf(leaf, None)), &mut json);
            json
        }
        Shallow::Keys(keys) => keys_as_json(&keys),
    };
    Ok(call.format()?.json(StatusCode::OK, json))
}

fn keys_as_json(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "null".to_owned();
    }
    let mut json = String::from("{");
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&Json::from(key.as_str()).to_string());
        json.push_str(":true");
    }
    json.push('}');
    json
}

/// A time with its unit.
fn timeout(text: Option<&str>) -> Result<Option<Duration>, Refused> {
    let Some(text) = text else { return Ok(None) };
    let bad = || Refused::bad(status::BAD_TIMEOUT);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| bad())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        _ => return Err(bad()),
    };
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms <= TIMEOUT_MS_MAX).ok_or_else(bad)?;
    Ok(Some(Duration::from_millis(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let ms = |text| timeout(Some(text)).ok().flatten().map(|time| time.as_millis());
        assert_eq!((ms("500ms"), ms("3s"), ms("15min")), (Some(500), Some(3_000), Some(900_000)));
        for text in ["", "3", "s", "-3s", "3 s", "16min", "1h", "99999999999999999999s", "3sec"] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn keys_are_texts_of_json() {
        let keys = [Key::new("a\"b").unwrap(), Key::new("c").unwrap()];
        assert_eq!(keys_as_json(&keys), r#"{"a\"b":true,"c":true}"#);
        assert_eq!(keys_as_json(&[]), "null");
    }

    #[test]
    fn etags_come_back_with_or_without_quotes() {
        assert!(is_etag("abc=", "abc=") && is_etag(" \"abc=\"", "abc=") && !is_etag("abd", "abc"));
    }
}
