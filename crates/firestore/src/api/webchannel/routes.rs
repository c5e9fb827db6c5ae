//! WebChannel's requests. A POST without a session opens one and brings the caller's token in its body; later requests
//! name the session by two secrets, which stand for that token until the session ends.
//!
//! What another connection can do that has learned both secrets: what the session's caller can, until the stream behind it
//! ends with the token's validity, as at the real service. It must come from the same web origin, and if it says who it is,
//! it must be the same caller.

use std::sync::Arc;
use std::time::Duration;

use access::{Attest, Attestation, Authenticate, Caller, ClientAddress, Credential, ForeignOrigin};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::any;
use base::Status;
use base::limits::REQUEST_BYTES_MAX;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use wire::webchannel::{Form, Parameters, Purpose, frame};

use super::channels::{Channels, Client, Endpoint, Entry, Names, Refused};
use super::session::{KEEP_ALIVE_MS, Kind, POLL_MS_MAX};
use crate::api::caller;

/// A body. Escaped as it is in a form, a message takes up to three times its size.
const BODY_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;
/// How long a request waits for the stream to take those before.
const ROOM_SECONDS_MAX: u64 = 60;
/// The version of the server that a client is told.
const SERVER_VERSION: u32 = 14;

const HTTP_SESSION: HeaderName = HeaderName::from_static("x-http-session-id");
const WIRE_PROTOCOL: HeaderName = HeaderName::from_static("x-client-wire-protocol");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const AUTHORIZATION: &str = "authorization";
const APP_CHECK: &str = "x-firebase-appcheck";

/// What the routes of one stream need.
pub struct Door {
    /// The sessions.
    pub channels: Arc<Channels>,
    /// What they lead to.
    pub endpoint: Arc<dyn Endpoint>,
    /// Finds the caller of a token that came in a body.
    pub authenticate: Arc<dyn Authenticate>,
    /// Finds the app of a token that came in a body.
    pub attest: Arc<dyn Attest>,
    /// The project's id.
    pub project: String,
}

/// The route of one stream.
pub fn route(path: &str, door: Door) -> Router {
    Router::new().route(path, any(serve)).with_state(Arc::new(door))
}

/// A request that is not granted: a status and a text.
struct Refusal(StatusCode, String);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, refused.to_string())
    }
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, format!("Bad request: {error}"))
}

/// Clients look for these words behind a text's beginning, with this status, and open another session.
fn unknown_session() -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, "Error: Unknown SID".to_owned())
}

async fn serve(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answered = match parts.method {
        Method::GET | Method::POST => door.answer(&parts, body).await,
        _ => Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "Use GET or POST.".to_owned())),
    };
    let mut response = answered.unwrap_or_else(|Refusal(status, text)| {
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response
    });
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Nothing on the way may keep, compress or collect what is sent.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if parts.version == Version::HTTP_2 {
        // Over HTTP/2 a client has several requests under way; over HTTP/1 it must save connections.
        headers.insert(WIRE_PROTOCOL, HeaderValue::from_static("h2"));
    }
    response
}

impl Door {
    async fn answer(&self, parts: &Parts, body: Body) -> Result<Response<Body>, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let parameters = Parameters::read(query, parts.method == Method::GET).map_err(bad)?;
        match parameters.purpose {
            Purpose::Open => self.open(parts, &parameters, body).await,
            Purpose::Send => self.receive(parts, parameters, body).await,
            Purpose::Receive { is_streaming, wait_ms } => {
                let kind = match is_streaming {
                    true => Kind::Streaming,
                    false => Kind::Poll(wait_ms.unwrap_or(POLL_MS_MAX)),
                };
                self.send(parts, parameters, kind)
            }
            Purpose::Terminate => {
                self.entry(parts, parameters)?.channel.terminate();
                Ok(Response::new(Body::empty()))
            }
        }
    }

    async fn open(
        &self,
        parts: &Parts,
        parameters: &Parameters,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let form = read(body).await?;
        // Who is not let in learns it in the session, as from a stream: a client takes a refused request for a lost
        // connection and asks again.
        let caller = self.caller(parts, &form).await;
        let endpoint = caller.as_ref().map(|_| Arc::clone(&self.endpoint)).map_err(Clone::clone);
        let caller = caller.unwrap_or_else(|_| Caller::unauthenticated());
        let address = parts.extensions.get::<ClientAddress>().copied();
        let client = Client {
            caller,
            address: address.unwrap_or(ClientAddress([0, 0, 0, 0].into())),
            origin: parts.headers.get(ORIGIN).cloned(),
        };
        let opened = self.channels.open(client, parameters.wants_http_session, form.maps, endpoint)?;
        let Names { session, http_session } = opened.map_err(bad)?;
        let text = format!(r#"[[0,["c","{session}","",8,{SERVER_VERSION},{KEEP_ALIVE_MS}]]]"#);
        let mut response = Response::new(Body::from(frame(&text)));
        if let Ok(value) = HeaderValue::try_from(http_session)
            && !value.is_empty()
        {
            response.headers_mut().insert(HTTP_SESSION, value);
        }
        Ok(response)
    }

    /// The caller of a new session: a token in the body counts as one in the head would.
    async fn caller(&self, parts: &Parts, form: &Form) -> Result<Caller, Status> {
        let caller = match form.header(AUTHORIZATION) {
            Some(value) => self.authenticate.caller(&self.project, Credential::from_header(value)).await?,
            None => caller(&parts.extensions)?,
        };
        let caller = match form.header(APP_CHECK) {
            Some(token) => caller.from_app(self.attest.app(&self.project, Some(token)).await?),
            None => caller.from_app(parts.extensions.get::<Attestation>().cloned().unwrap_or_default()),
        };
        match parts.extensions.get::<ForeignOrigin>() {
            Some(foreign) if caller.is_admin() => Err(foreign.refusal()),
            _ => Ok(caller),
        }
    }

    async fn receive(
        &self,
        parts: &Parts,
        parameters: Parameters,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let received = parameters.received;
        let channel = Arc::clone(&self.entry(parts, parameters)?.channel);
        let room = tokio::time::timeout(Duration::from_secs(ROOM_SECONDS_MAX), channel.room_for_requests());
        room.await.map_err(|_| Refusal(StatusCode::SERVICE_UNAVAILABLE, "The stream is busy.".to_owned()))?;
        let form = read(body).await?;
        let receipt = channel.receive(form.maps, received).map_err(|breach| {
            channel.terminate();
            bad(breach)
        })?;
        self.channels.make_room_for_bytes(&channel);
        Ok(Response::new(Body::from(frame(&receipt))))
    }

    fn send(&self, parts: &Parts, parameters: Parameters, kind: Kind) -> Result<Response<Body>, Refusal> {
        let received = parameters.received;
        let entry = self.entry(parts, parameters)?;
        let body = entry.channel.open(received, kind, parts.version < Version::HTTP_2).map_err(bad)?;
        let body = body.ok_or_else(|| bad("a later request has overtaken this one"))?;
        Ok(Response::new(Body::from_stream(body.frames())))
    }

    /// The session that a request names, if it may use it.
    fn entry(&self, parts: &Parts, parameters: Parameters) -> Result<Arc<Entry>, Refusal> {
        let names = Names { session: parameters.session, http_session: parameters.http_session };
        let entry = self.channels.find(&names).ok_or_else(unknown_session)?;
        if parts.headers.get(ORIGIN) != entry.client.origin.as_ref() {
            tracing::warn!("a channel was asked for by another web page than the one that opened it");
            return Err(unknown_session());
        }
        let (named, own) = (parts.extensions.get::<Caller>(), &entry.client.caller);
        let is_other = |named: &Caller| named.kind() != "unauthenticated" && !is_same(named, own);
        if named.is_some_and(is_other) {
            return Err(Refusal(StatusCode::FORBIDDEN, "The channel is another caller's.".to_owned()));
        }
        Ok(entry)
    }
}

fn is_same(one: &Caller, other: &Caller) -> bool {
    (one.kind(), one.id()) == (other.kind(), other.id())
}

async fn read(body: Body) -> Result<Form, Refusal> {
    let bytes: Bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let text = format!("The body cannot be read or has more than {BODY_BYTES_MAX} bytes.");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    Form::read(&bytes).map_err(bad)
}
