//! A whole identity service in one process: memory for a store, a clock that stands still, a log that can be read.

#![allow(dead_code, missing_docs, reason = "every test file uses a part of it")]

use std::sync::Arc;

use access::{AccessLog, Caller, ClientAddress, Credential, DevPermit, Gate, Mode};
use axum::Router;
use axum::body::Body;
use base::{ManualClock, Status};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use identity::{Identity, Settings};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

/// Beside a request's headers: the address it comes from, as the server finds it out.
pub const FROM: &str = "(from)";
pub const START_S: i64 = 1_764_000_000;
pub const PROJECT: &str = "demo-hearth";

pub struct House {
    pub identity: Arc<Identity>,
    pub gate: Gate,
    pub clock: Arc<ManualClock>,
    pub router: Router,
}

impl House {
    pub async fn dev() -> Self {
        Self::open(kv::Mem::default(), Mode::Dev(DevPermit::for_development_only()), START_S).await
    }

    pub async fn serve() -> Self {
        Self::open(kv::Mem::default(), Mode::Serve, START_S).await
    }

    pub async fn open(engine: impl kv::Engine, mode: Mode, now_s: i64) -> Self {
        let clock = Arc::new(ManualClock::at(now_s * 1_000_000));
        let options = kv::Options { clock: clock.clone(), ..kv::Options::default() };
        let store = kv::Store::open(engine, options).await.unwrap();
        let gate = Gate::new(store, AccessLog::in_memory(), clock.clone(), mode);
        let identity = Identity::new(gate.clone(), Settings::new(PROJECT)).await.unwrap();
        let router = identity::api::router(identity.clone());
        Self { identity, gate, clock, router }
    }

    pub fn advance_s(&self, seconds: i64) {
        self.clock.advance(seconds * 1_000_000);
    }

    pub async fn caller(&self, token: &str) -> Result<Caller, Status> {
        use access::Authenticate as _;
        self.identity.authenticator().caller(PROJECT, Credential::Bearer(token)).await
    }

    /// Sends a request; the answer's status, content type and body.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (StatusCode, String, String) {
        let mut request = Request::builder().method(method).uri(target).header("host", "localhost:9099");
        for (name, value) in headers {
            request = match *name {
                FROM => request.extension(ClientAddress(value.parse().unwrap())),
                name => request.header(name, *value),
            };
        }
        let answer = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = answer.status();
        let kind = answer
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// A client's call.
    pub async fn call(&self, verb: &str, body: Json) -> Result<Json, String> {
        let path = match verb {
            "token" => "/securetoken.googleapis.com/v1/token?key=k".to_owned(),
            verb => format!("/identitytoolkit.googleapis.com/v1/accounts:{verb}?key=k"),
        };
        self.outcome(&path, &[], body).await
    }

    /// A client's call from an address.
    pub async fn call_from(&self, address: &str, verb: &str, body: Json) -> Result<Json, String> {
        let path = format!("/identitytoolkit.googleapis.com/v1/accounts:{verb}?key=k");
        self.outcome(&path, &[(FROM, address)], body).await
    }

    /// The same data and clock, served by a process that has just started.
    pub async fn restarted(&self) -> Self {
        let identity = Identity::new(self.gate.clone(), Settings::new(PROJECT)).await.unwrap();
        let router = identity::api::router(identity.clone());
        Self { identity, gate: self.gate.clone(), clock: self.clock.clone(), router }
    }

    /// An administrator's call.
    pub async fn admin(&self, bearer: &str, verb: &str, body: Json) -> Result<Json, String> {
        let path = format!("/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts{verb}");
        self.outcome(&path, &[("authorization", &format!("Bearer {bearer}"))], body).await
    }

    async fn outcome(&self, path: &str, headers: &[(&str, &str)], body: Json) -> Result<Json, String> {
        let (status, _, body) = self.send("POST", path, headers, body.to_string()).await;
        let body: Json = serde_json::from_str(&body).unwrap_or(Json::Null);
        if status.is_success() {
            Ok(body)
        } else {
            Err(body["error"]["message"].as_str().unwrap_or("not json").to_owned())
        }
    }

    /// Signs up with e-mail and password.
    pub async fn sign_up(&self, email: &str) -> Json {
        self.call("signUp", json!({ "email": email, "password": "hunter22" })).await.unwrap()
    }
}

/// A token's claims, unverified.
pub fn claims(token: &str) -> Json {
    let jwt = identity::token::Jwt::parse(token).unwrap();
    Json::Object(jwt.claims)
}
