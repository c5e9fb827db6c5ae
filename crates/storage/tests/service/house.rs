//! A service in this process, asked over its routes.

use std::sync::Arc;

use access::{AccessLog, Caller, DevPermit, DocumentSource, Gate, Mode, Operation, Service, User, keyspace};
use axum::Router;
use axum::body::{Body, to_bytes};
use base::{Fields, ManualClock, Status, Value};
use http::{HeaderMap, Method, Request};
use kv::{Key, Mem, Options, Row, Store};
use policy::Source;
use serde_json::Value as Json;
use storage::Storage;
use storage::files::{Files, Memory};
use tower::ServiceExt;

pub const BUCKET: &str = "demo.appspot.com";

/// Documents of one text field, `role`.
struct Roles;

fn role_key(path: &str) -> Key {
    Key::new(keyspace::DOCUMENTS, path.as_bytes())
}

impl DocumentSource for Roles {
    fn key(&self, _database: &str, path: &[String]) -> Key {
        role_key(&path.join("/"))
    }

    fn decode(&self, row: &Row) -> Result<Fields, Status> {
        let role = String::from_utf8_lossy(&row.value).into_owned();
        Ok(Fields::from([("role".to_owned(), Value::String(role))]))
    }
}

pub struct House {
    pub gate: Gate,
    pub files: Arc<dyn Files>,
    pub storage: Arc<Storage>,
    pub clock: Arc<ManualClock>,
    routes: Router,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub fn user(uid: &str, claims: &[(&str, &str)]) -> Caller {
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), Value::String((*value).to_owned())));
    Caller::user(Arc::new(User { uid: uid.to_owned(), claims: claims.collect() }))
}

pub fn admin() -> Caller {
    Caller::admin("owner")
}

impl House {
    pub async fn new(rules: &str) -> Self {
        Self::with(rules, Arc::new(Memory::default()), Mode::Dev(DevPermit::for_development_only())).await
    }

    pub async fn with(rules: &str, files: Arc<dyn Files>, mode: Mode) -> Self {
        let store = Store::open(Mem::default(), Options::default()).await.unwrap();
        let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
        let gate = Gate::new(store, AccessLog::in_memory(), Arc::<ManualClock>::clone(&clock), mode);
        gate.rules().storage.load(Source::new("storage.rules", rules)).unwrap();
        let storage = Storage::new(gate.clone(), "demo", Arc::new(Roles), None, Arc::clone(&files));
        Self { gate, files, routes: storage::api::router(Arc::clone(&storage)), storage, clock }
    }

    /// The same data in a new process.
    pub fn restarted(&self) -> Self {
        let (gate, files) = (self.gate.clone(), Arc::clone(&self.files));
        let storage = Storage::new(gate.clone(), "demo", Arc::new(Roles), None, Arc::clone(&files));
        let clock = Arc::clone(&self.clock);
        Self { gate, files, routes: storage::api::router(Arc::clone(&storage)), storage, clock }
    }

    pub async fn set_role(&self, path: &str, role: Option<&str>) {
        let operation =
            Operation { service: Service::Firestore, verb: "Write", resource: format!("/{path}") };
        let mut session = self.gate.begin(&admin(), operation).await.unwrap();
        let permit = session.authorize_admin(path).unwrap();
        session.write(&permit, role_key(path), role.map(|role| role.as_bytes().to_vec().into()));
        session.commit().await.unwrap();
    }

    pub async fn ask(
        &self,
        caller: &Caller,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:9199");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.extension(caller.clone()).body(body.into()).unwrap();
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub async fn upload(&self, caller: &Caller, name: &str, bytes: &str) -> Answer {
        let uri = format!("/v0/b/{BUCKET}/o?name={name}");
        self.ask(caller, "POST", &uri, &[("content-type", "text/plain")], bytes.to_owned()).await
    }

    pub async fn download(&self, caller: &Caller, name: &str) -> Answer {
        let uri = format!("/v0/b/{BUCKET}/o/{}?alt=media", name.replace('/', "%2F"));
        self.ask(caller, "GET", &uri, &[], "").await
    }

    /// Begins an upload; its address.
    pub async fn start(&self, caller: &Caller, name: &str, size: Option<usize>) -> Result<String, Answer> {
        let uri = format!("/v0/b/{BUCKET}/o?name={name}");
        let size = size.map(|size| size.to_string());
        let mut headers = vec![("x-goog-upload-protocol", "resumable"), ("x-goog-upload-command", "start")];
        headers.push(("x-goog-upload-header-content-type", "text/plain"));
        headers.extend(size.as_ref().map(|size| ("x-goog-upload-header-content-length", size.as_str())));
        let answer = self.ask(caller, "POST", &uri, &headers, "{}").await;
        if answer.status != 200 {
            return Err(answer);
        }
        let url = answer.header("x-goog-upload-url");
        Ok(url.strip_prefix("http://127.0.0.1:9199").unwrap().to_owned())
    }

    pub async fn chunk(
        &self,
        caller: &Caller,
        url: &str,
        command: &str,
        offset: usize,
        bytes: &str,
    ) -> Answer {
        let offset = offset.to_string();
        let headers = [("x-goog-upload-command", command), ("x-goog-upload-offset", offset.as_str())];
        self.ask(caller, "POST", url, &headers, bytes.to_owned()).await
    }

    /// How many files of bytes there are.
    pub async fn blobs(&self) -> usize {
        let mut count = 0;
        for first in 0..=u8::MAX {
            count += self.files.blobs(first).await.unwrap().len();
        }
        count
    }
}
