//! A channel's client, and an endpoint that repeats what it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::{Authenticate, Caller, ClientAddress, Credential, User};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use base::{Code, Status, Value};
use firestore::api::webchannel::{Channels, Client, Door, Endpoint, LIMITS, Limits, Messages, route};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use tower::ServiceExt;

use crate::steps::unframed;

pub const PATH: &str = "/stream/channel";

/// Answers each message with `{"caller":…,"echo":message}`; `{"fail":true}` ends it with an error, `{"end":true}` without,
/// `{"flood":N}` sends N messages of a thousand bytes, `{"wide":N}` one of N bytes.
pub struct Echo {
    /// Streams that are being served.
    pub serving: Arc<AtomicUsize>,
}

struct Served(Arc<AtomicUsize>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Endpoint for Echo {
    async fn serve(&self, client: Client, messages: Messages) -> Result<(), Status> {
        self.serving.fetch_add(1, Ordering::SeqCst);
        let _served = Served(self.serving.clone());
        let who = client.caller.id().unwrap_or("nobody").to_owned();
        while let Some(message) = messages.next().await {
            let json: Json = serde_json::from_str(&message).map_err(|_| Status::invalid("no JSON"))?;
            if json["fail"] == true {
                return Err(Status::new(Code::PermissionDenied, "näh"));
            }
            if json["end"] == true {
                return Ok(());
            }
            let count = json["flood"].as_u64().unwrap_or(0);
            for _ in 0..count {
                if messages.send(&format!("\"{}\"", "x".repeat(1000))).await.is_err() {
                    return Ok(());
                }
            }
            let wide = json["wide"].as_u64().unwrap_or(0);
            let text = if wide > 0 {
                format!("\"{}\"", "x".repeat(usize::try_from(wide).unwrap()))
            } else {
                serde_json::json!({ "caller": who, "echo": json }).to_string()
            };
            if messages.send(&text).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// `Bearer owner` is an administrator, `Bearer bad` is refused, any other token is its user's.
pub struct Tokens;

#[async_trait]
impl Authenticate for Tokens {
    async fn caller(&self, _: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        match credential {
            Credential::None => Ok(Caller::unauthenticated()),
            Credential::Bearer("owner") => Ok(Caller::admin("owner")),
            Credential::Bearer("bad") => Err(Status::new(Code::Unauthenticated, "The token is expired.")),
            Credential::Bearer(uid) => {
                let claims = [("sub".to_owned(), Value::String(uid.to_owned()))].into();
                Ok(Caller::user(Arc::new(User { uid: uid.to_owned(), claims })))
            }
        }
    }
}

/// A server with one route.
pub struct Server {
    pub routes: Router,
    pub channels: Arc<Channels>,
    pub serving: Arc<AtomicUsize>,
    /// Where requests go.
    pub path: &'static str,
}

/// A server of other routes.
pub fn server_of(routes: Router) -> Server {
    Server { routes, channels: Channels::new(LIMITS), serving: Arc::default(), path: PATH }
}

pub fn server(limits: Limits) -> Server {
    let (channels, serving) = (Channels::new(limits), Arc::new(AtomicUsize::new(0)));
    let endpoint = Arc::new(Echo { serving: serving.clone() });
    let door = Door {
        channels: channels.clone(),
        endpoint,
        authenticate: Arc::new(Tokens),
        attest: Arc::new(access::NoApps),
        project: "p".to_owned(),
    };
    Server { routes: route(PATH, door), channels, serving, path: PATH }
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Answer {
    pub async fn text(self) -> String {
        String::from_utf8(self.body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    /// The arrays of the next frame; `None` at the end.
    pub async fn arrays(&mut self) -> Option<Vec<Json>> {
        let frame = self.body.frame().await?.unwrap().into_data().unwrap();
        Some(unframed(std::str::from_utf8(&frame).unwrap()))
    }
}

impl Server {
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.routes.clone().oneshot(request).await.unwrap().into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn post(&self, query: &str, body: impl Into<Body>) -> Answer {
        let request = from("POST", query, [10, 0, 0, 1]).uri(format!("{}?{query}", self.path));
        self.ask(request.body(body.into()).unwrap()).await
    }

    pub async fn get(&self, query: &str) -> Answer {
        let request = from("GET", query, [10, 0, 0, 1]).uri(format!("{}?{query}", self.path));
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// Opens a session; its names as a query.
    pub async fn open(&self, body: &str) -> String {
        let answer = self.post("VER=8&RID=1&CVER=22&X-HTTP-Session-Id=gsessionid", body.to_owned()).await;
        assert_eq!(answer.status, 200);
        names(answer).await
    }
}

/// A request of a caller who is nobody, from this address.
pub fn from(method: &str, query: &str, address: [u8; 4]) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("{PATH}?{query}"))
        .extension(Caller::unauthenticated())
        .extension(ClientAddress(address.into()))
}

/// What later requests name a session by.
pub async fn names(answer: Answer) -> String {
    let http_session =
        answer.headers.get("x-http-session-id").map(|value| value.to_str().unwrap().to_owned());
    let opened = unframed(&answer.text().await);
    assert_eq!((&opened[0][0], &opened[0][1][0]), (&Json::from(0), &Json::from("c")));
    let session = opened[0][1][1].as_str().unwrap();
    match http_session {
        Some(http_session) => format!("VER=8&SID={session}&gsessionid={http_session}"),
        None => format!("VER=8&SID={session}"),
    }
}

/// A form with these messages.
pub fn form(offset: u64, messages: &[&str]) -> String {
    let maps: String = messages
        .iter()
        .enumerate()
        .map(|(n, text)| {
            format!(
                "&req{n}___data__={}",
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
            )
        })
        .collect();
    format!("count={}&ofs={offset}{maps}", messages.len())
}
