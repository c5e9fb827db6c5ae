//! `PUT`, `PATCH`, `POST`, `DELETE`.

use std::sync::Arc;

use access::Caller;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::IF_MATCH;
use serde_json::{Value as Json, json};

use super::call::{Call, Refused};
use super::format::{NULL_ETAG, json as compact, with_etag};
use crate::failure::Failure;
use crate::model::{Expected, Key, Node, Path, SizeLimit, Verb, Write, WriteError};
use crate::ops::{Namespace, Written};
use crate::status;

/// Overwrites a value or its priority.
pub async fn put(call: &Call, path: &Path, is_priority: bool, body: Body) -> Result<Response, Refused> {
    let caller = call.caller().await?;
    let body = call.body(&caller, body).await?;
    set(call, &caller, path, is_priority, &body).await
}

/// Deletes a value or its priority.
pub async fn delete(call: &Call, path: &Path, is_priority: bool) -> Result<Response, Refused> {
    let caller = call.caller().await?;
    set(call, &caller, path, is_priority, "null").await
}

async fn set(
    call: &Call,
    caller: &Caller,
    path: &Path,
    is_priority: bool,
    value: &str,
) -> Result<Response, Refused> {
    let format = call.format()?.of_write();
    let place = if is_priority { format!("{path}/.priority") } else { path.to_string() };
    let mut write = Write::set(&place, value)?;
    write.size_limit = size_limit(call)?;
    if let Some(etag) = call.header(&IF_MATCH) {
        if is_priority {
            return Err(Refused::bad(status::NO_IF_MATCH));
        }
        let etag = etag.trim().trim_matches('"');
        let hash = if etag == NULL_ETAG { "" } else { etag };
        write.expected = Some(Expected(hash.into()));
    }
    let is_conditional = write.expected.is_some();
    match call.namespace()?.write(caller, write).await {
        Ok(written) => {
            let value = value_at(&written, path);
            let value = if is_priority { priority_of(value) } else { value };
            let response = format.value(value.as_deref());
            let wants_etag = (is_conditional || call.wants_etag()) && !is_priority;
            Ok(if wants_etag { with_etag(response, value.as_deref()) } else { response })
        }
        Err(Failure::Stale { current }) => {
            let response = compact(StatusCode::PRECONDITION_FAILED, format.encode(current.as_deref()));
            Ok(with_etag(response, current.as_deref()))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Overwrites several places below one.
pub async fn patch(call: &Call, path: &Path, body: Body) -> Result<Response, Refused> {
    refuse_condition(call)?;
    if call.wants_etag() {
        return Err(Refused::bad(status::NO_ETAG));
    }
    let caller = call.caller().await?;
    let body = call.body(&caller, body).await?;
    if body.trim() == "null" {
        // The CLI deletes so.
        return set(call, &caller, path, false, "null").await;
    }
    let format = call.format()?.of_write();
    let mut write = Write::update(&path.to_string(), &body)?;
    write.size_limit = size_limit(call)?;
    let written = call.namespace()?.write(&caller, write).await?;
    let mut json = String::from("{");
    for (place, value) in &written.values {
        let Some(below) = place.relative_to(path) else { continue };
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&Json::from(below.to_string().trim_start_matches('/')).to_string());
        json.push(':');
        json.push_str(&format.encode(value.as_deref()));
    }
    json.push('}');
    Ok(format.json(StatusCode::OK, json))
}

/// Adds a child with a new push id.
pub async fn post(call: &Call, path: &Path, body: Body) -> Result<Response, Refused> {
    refuse_condition(call)?;
    let caller = call.caller().await?;
    let body = call.body(&caller, body).await?;
    let format = call.format()?.of_write();
    let namespace: Arc<Namespace> = call.namespace()?;
    let name = call
        .api
        .push_id()
        .map_err(|error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let key = Key::new(&name).map_err(|error| Refused::bad(error.to_string()))?;
    let child = path.child(key);
    let mut write = Write::set(&child.to_string(), &body)?;
    write.verb = Verb::Push;
    write.size_limit = size_limit(call)?;
    let written = namespace.write(&caller, write).await?;
    let response = format.json(StatusCode::OK, json!({ "name": name.as_str() }).to_string());
    Ok(if call.wants_etag() { with_etag(response, value_at(&written, &child).as_deref()) } else { response })
}

fn refuse_condition(call: &Call) -> Result<(), Refused> {
    if call.header(&IF_MATCH).is_some() { Err(Refused::bad(status::NO_IF_MATCH)) } else { Ok(()) }
}

/// What is at a place now.
fn value_at(written: &Written, path: &Path) -> Option<Arc<Node>> {
    written.values.iter().find(|(place, _)| place == path).and_then(|(_, value)| value.clone())
}

fn priority_of(node: Option<Arc<Node>>) -> Option<Arc<Node>> {
    node.and_then(|node| node.priority().cloned()).map(|priority| Node::leaf(priority, None))
}

fn size_limit(call: &Call) -> Result<Option<SizeLimit>, Refused> {
    let Some(name) = call.parameters.one("writeSizeLimit") else { return Ok(None) };
    SizeLimit::parse(name).map(Some).ok_or_else(|| Refused::bad(status::BAD_SIZE_LIMIT))
}

impl From<WriteError> for Refused {
    fn from(error: WriteError) -> Self {
        Self::bad(error.to_string())
    }
}
