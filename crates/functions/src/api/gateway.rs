//! `ANY /{project}/{region}/{name}` and below.
//!
//! Source: the functions reference, A1: the prefix is removed before the code sees the path.

use std::sync::Arc;
use std::time::Duration;

use access::ClientAddress;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base::Code;
use http::header::CONTENT_LENGTH;
use http::{StatusCode, Uri};
use http_body_util::Limited;
use tokio::time::{Instant, timeout_at};

use super::answer::{Running, answer};
use super::headers;
use crate::Functions;
use crate::model::Kind;
use crate::ops::{Call, Function};
use crate::runtime::Worker;
use crate::status::{self, Failure};

/// Bytes of a request's body, of the second generation.
const BODY_BYTES_MAX: usize = 32 << 20;
/// The same of the first.
const FIRST_GENERATION_BODY_BYTES_MAX: usize = 10 << 20;

/// The routes. They are everything on their socket.
pub fn router(functions: Arc<Functions>) -> Router {
    super::publish::routes().fallback(serve).with_state(functions)
}

async fn serve(State(functions): State<Arc<Functions>>, request: Request) -> Response {
    call(&functions, request).await.unwrap_or_else(|failure| failure.response())
}

/// What a URL names.
struct Named<'a> {
    region: &'a str,
    name: &'a str,
    /// From its slash on, with the query.
    rest: String,
}

impl<'a> Named<'a> {
    fn of(uri: &'a Uri, project: &str) -> Option<Self> {
        let mut parts = uri.path().strip_prefix('/')?.splitn(4, '/');
        let (of, region, name) = (parts.next()?, parts.next()?, parts.next()?);
        if of != project || region.is_empty() || name.is_empty() {
            return None;
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let rest = format!("/{}{query}", parts.next().unwrap_or_default());
        Some(Self { region, name, rest })
    }
}

async fn call(functions: &Functions, request: Request) -> Result<Response, Failure> {
    let uri = request.uri().clone();
    let project = functions.project();
    let named = Named::of(&uri, project).ok_or_else(|| {
        let text = format!("No function is at {}: functions are at /{project}/REGION/NAME", uri.path());
        Failure::Unknown(text)
    })?;
    let function = functions.find(named.region, named.name).await?;
    let endpoint = &function.endpoint;
    if endpoint.kind == Kind::Background {
        let text = format!("Function {}-{} is called by events, not by clients", named.region, named.name);
        return Err(Failure::Unknown(text));
    }
    let trace = headers::trace(request.headers())?;
    let client = request.extensions().get::<ClientAddress>().copied();
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: named.rest.split('?').next().unwrap_or("/").to_owned(),
        authorization: headers::authorization(request.headers()),
        key: headers::key(request.headers()),
        headers: headers::decided_on(request.headers()),
        ip: client.map(|client| client.0.to_string()).unwrap_or_default(),
        network: client.map(|client| client.network().to_string()).unwrap_or_default(),
        trace: trace.id.clone(),
    };
    let admitted = functions.admit(&function, &call).await?;
    let bytes_max =
        if endpoint.is_first_generation { FIRST_GENERATION_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > bytes_max) {
        return Err(Failure::TooLarge(bytes_max));
    }
    let seconds = Duration::from_secs(endpoint.timeout_s);
    let slot = functions.slots.take(endpoint, Instant::now() + seconds).await?;
    let apart = function.worker_apart(admitted.run_as).await?;
    // A call that has waited has its whole time before it.
    let until = Instant::now() + seconds;
    let invocation = functions.begin(&function, &admitted, &call.trace)?;
    let (mut head, body) = request.into_parts();
    headers::forward(&mut head, endpoint, &call.ip, &trace);
    // A partner's key has done its work: the code does not get it.
    if admitted.has_key {
        head.headers.remove(headers::API_KEY);
    }
    head.uri = named.rest.parse().map_err(|_| Failure::of(Code::InvalidArgument, "Bad Request"))?;
    head.version = http::Version::HTTP_11;
    let request = http::Request::from_parts(head, Body::new(Limited::new(body, bytes_max)));
    let worker = apart.as_deref().unwrap_or(&function.live.worker);
    match timeout_at(until, worker.send(request, &invocation)).await {
        Err(_) => Err(timed_out(function, apart)),
        Ok(Err(error)) => {
            tracing::debug!(%error, function = named.name, "a call has no answer");
            Err(Failure::of(Code::Unavailable, format!("`{}` ended before it answered", named.name)))
        }
        Ok(Ok((response, _))) if is_outdated(functions, &function, response.status()) => {
            let text = status::mend(&function.live.worker.health.version);
            tracing::error!(function = named.name, "{text}");
            Ok(status::error(500, "INTERNAL", &format!("INTERNAL: {text}")))
        }
        Ok(Ok((response, connection))) => {
            Ok(answer(response, Running { function, apart, invocation, slot, connection, until }))
        }
    }
}

/// Whether a callable has failed in dev whose code is of the other generation than the package's root.
fn is_outdated(functions: &Functions, function: &Function, status: StatusCode) -> bool {
    functions.is_dev()
        && status == StatusCode::INTERNAL_SERVER_ERROR
        && function.endpoint.kind == Kind::Callable
        && !function.endpoint.is_first_generation
        && !function.live.worker.health.outdated.is_empty()
}

fn timed_out(function: Function, apart: Option<Arc<Worker>>) -> Failure {
    let (name, seconds) = (&function.endpoint.name, function.endpoint.timeout_s);
    tracing::warn!(function = %name, "a call has taken longer than its {seconds} s");
    let failure =
        Failure::of(Code::DeadlineExceeded, format!("`{name}` has not answered within {seconds} s"));
    function.look_after(apart);
    failure
}
