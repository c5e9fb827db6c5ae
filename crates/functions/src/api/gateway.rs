//! `ANY /{project}/{region}/{name}` and below.
//!
//! Source: the functions reference, A1: the prefix is removed before the code sees the path.

use std::sync::Arc;
use std::time::Duration;

use access::{Attestation, ClientAddress};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
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

/// What a path without the project begins with.
const SHORT: &str = "fn";
/// Regions of Google's that clients may name: in production their paths are beside those of other services.
const REGIONS: [&str; 24] = [
    "us-central1",
    "us-east1",
    "us-east4",
    "us-west1",
    "us-west2",
    "us-west3",
    "us-west4",
    "northamerica-northeast1",
    "southamerica-east1",
    "europe-west1",
    "europe-west2",
    "europe-west3",
    "europe-west4",
    "europe-west6",
    "europe-central2",
    "europe-north1",
    "asia-east1",
    "asia-east2",
    "asia-northeast1",
    "asia-northeast2",
    "asia-northeast3",
    "asia-south1",
    "asia-southeast1",
    "australia-southeast1",
];

/// The routes of a socket that has nothing else.
pub fn router(functions: Arc<Functions>) -> Router {
    // What stands in for Google's services exists for development only.
    let routes = if functions.is_dev() { super::publish::routes() } else { Router::new() };
    routes.fallback(serve).with_state(functions)
}

/// The routes beside those of other services: `/fn/NAME`, `/fn/REGION/NAME` and the emulator's `/PROJECT/REGION/NAME`.
pub fn shared_router(functions: Arc<Functions>) -> Router {
    let mut routes = Router::new().route("/fn/{*rest}", any(serve));
    for region in REGIONS {
        routes = routes.route(&format!("/{}/{region}/{{*rest}}", functions.project()), any(serve));
    }
    routes.with_state(functions)
}

async fn serve(State(functions): State<Arc<Functions>>, request: Request) -> Response {
    call(&functions, request).await.unwrap_or_else(|failure| failure.response())
}

/// What a URL names.
struct Named<'a> {
    /// `None`: the function's first.
    region: Option<&'a str>,
    name: &'a str,
    /// From its slash on, with the query.
    rest: String,
}

impl<'a> Named<'a> {
    fn of(uri: &'a Uri, project: &str) -> Option<Self> {
        let (of, path) = uri.path().strip_prefix('/')?.split_once('/')?;
        let (first, after) = path.split_once('/').map_or((path, None), |(first, after)| (first, Some(after)));
        let is_short = of == SHORT && !REGIONS.contains(&first);
        let (region, name, rest) = match after {
            rest if is_short => (None, first, rest),
            Some(after) if of == SHORT || of == project => {
                let (name, rest) =
                    after.split_once('/').map_or((after, None), |(name, rest)| (name, Some(rest)));
                (Some(first), name, rest)
            }
            _ => return None,
        };
        if region == Some("") || name.is_empty() {
            return None;
        }
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self { region, name, rest: format!("/{}{query}", rest.unwrap_or_default()) })
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
        let text = format!("Function {} is called by events, not by clients", named.name);
        return Err(Failure::Unknown(text));
    }
    let trace = headers::trace(request.headers())?;
    let client = request.extensions().get::<ClientAddress>().copied();
    let call = Call {
        method: request.method().as_str().to_owned(),
        path: named.rest.split('?').next().unwrap_or("/").to_owned(),
        authorization: headers::authorization(request.headers()),
        key: headers::key(request.headers()),
        app: request.extensions().get::<Attestation>().cloned().unwrap_or_default(),
        app_token: headers::app_token(request.headers()),
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
    if !functions.shows_token(&call.app) {
        head.headers.remove(headers::APP_CHECK);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_functions_with_and_without_a_region() {
        let named = |uri: &str| {
            let uri = uri.parse().unwrap();
            Named::of(&uri, "p")
                .map(|named| format!("{} {} {}", named.region.unwrap_or("-"), named.name, named.rest))
        };
        for (uri, expected) in [
            ("/p/us-central1/f", Some("us-central1 f /")),
            ("/p/anywhere/f/a/b?c=d", Some("anywhere f /a/b?c=d")),
            ("/fn/f", Some("- f /")),
            ("/fn/f/a?b", Some("- f /a?b")),
            ("/fn/europe-west1/f/a", Some("europe-west1 f /a")),
            ("/fn/europe-west1", None),
            ("/other/us-central1/f", None),
            ("/p/us-central1", None),
            ("/p//f", None),
            ("/fn/", None),
            ("/", None),
        ] {
            assert_eq!(named(uri).as_deref(), expected, "{uri}");
        }
    }
}
