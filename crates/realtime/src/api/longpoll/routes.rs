//! Reads the requests of long polling and writes their answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::script::{self, Callback};
use super::segments::Segment;
use crate::api::opening;
use crate::api::parameters::Parameters;
use crate::api::shared::Api;
use crate::ops::Connection;
use crate::status;

/// Segments in one request: more do not fit its URL.
const SEGMENTS_MAX: usize = 300;
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Answers `/.lp`.
pub async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let parameters = match Parameters::read(parts.uri.query().unwrap_or_default()) {
        Ok(parameters) => parameters,
        Err(error) => return bad(error.to_string()),
    };
    if parameters.one("start").is_some() {
        return start(&api, &parameters, &parts).await;
    }
    let (id, password) = (parameters.one("id").unwrap_or_default(), parameters.one("pw").unwrap_or_default());
    let session = api.polls.find(id, password);
    if parameters.one("dframe").is_some() {
        return page(script::DISCONNECT_PAGE);
    }
    let Some(session) = session else { return scripted(script::close(None)) };
    if parameters.one("disconn").is_some() {
        session.end();
        return scripted(script::close(None));
    }
    match segments(&parameters) {
        Some(segments) => scripted(session.poll(segments).await),
        None => {
            session.end();
            scripted(script::close(None))
        }
    }
}

/// The first request of a session.
async fn start(api: &Arc<Api>, parameters: &Parameters, parts: &Parts) -> Response {
    let Some(callback) = parameters.one("cb").and_then(Callback::read) else {
        return bad(status::BAD_CALLBACK_NUMBER.to_owned());
    };
    let hello = match opening::hello(&api.realtime, parameters, parts) {
        Ok(hello) => hello,
        Err(message) => return bad(message),
    };
    let Ok(seat) = api.polls.seats().take(opening::network(parts)) else {
        return (StatusCode::SERVICE_UNAVAILABLE, status::TOO_MANY_SESSIONS).into_response();
    };
    let namespace = hello.namespace.clone();
    let (connection, mut outgoing) = match Connection::open(&api.realtime, hello) {
        Ok(opened) => opened,
        Err(failure) => {
            let last = opening::refusal(&failure);
            return scripted(
                last.map_or_else(|| script::close(None), |last| script::refused(&callback, &last)),
            );
        }
    };
    let Some(first) = outgoing.next().await else {
        connection.close().await;
        return scripted(script::close(None));
    };
    let ending = api.realtime.ending();
    match api.polls.open(seat, namespace, connection, outgoing, ending) {
        Ok(names) => scripted(script::start(&callback, &names.id, &names.password, &first)),
        Err(connection) => {
            connection.close().await;
            scripted(script::close(None))
        }
    }
}

/// The segments that a poll brings; `None` when they cannot be read.
fn segments(parameters: &Parameters) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    for index in 0..SEGMENTS_MAX {
        let Some(number) = parameters.one(&format!("seg{index}")) else { break };
        segments.push(Segment {
            number: number.parse().ok()?,
            of: parameters.one(&format!("ts{index}"))?.parse().ok()?,
            data: parameters.one(&format!("d{index}"))?.to_owned(),
        });
    }
    Some(segments)
}

fn scripted(parts: Vec<Bytes>) -> Response {
    let body = Body::from_stream(futures_util::stream::iter(
        parts.into_iter().map(Ok::<_, std::convert::Infallible>),
    ));
    typed(body, "application/javascript; charset=utf-8")
}

fn page(text: &'static str) -> Response {
    typed(Body::from(text), "text/html; charset=utf-8")
}

/// Scripts run in the page of any origin: that is what long polling is.
fn typed(body: Body, content_type: &'static str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}

fn bad(message: String) -> Response {
    (StatusCode::BAD_REQUEST, message).into_response()
}
