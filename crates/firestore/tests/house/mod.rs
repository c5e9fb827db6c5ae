//! A service over a store in memory, for the tests of the verbs and of the protocols.

#![allow(dead_code, reason = "not every test file needs everything")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::{AccessLog, Caller, DevPermit, Gate, Mode, User};
use async_trait::async_trait;
use base::{Clock, ManualClock, SystemClock, Value};
use bytes::Bytes;
use firestore::Firestore;
use kv::{Batch, Engine, Key, KeyRange, Mem, Options, Scan, Slice, Store, StoreError, Version, View};
use wire::json;
use wire::v1;

pub const ROOT: &str = "projects/p/databases/(default)/documents";
pub const DATABASE: &str = "projects/p/databases/(default)";

/// The service, and what stands behind it.
pub struct House {
    pub gate: Gate,
    pub firestore: Arc<Firestore>,
}

/// A service in dev with these rules, as production answers otherwise.
pub async fn house(rules: &str) -> House {
    with(rules, Mode::Dev(DevPermit::for_development_only()), Arc::new(SystemClock)).await
}

/// A service in production, with the default database of `p` only.
pub async fn production(rules: &str) -> House {
    with(rules, Mode::Serve, Arc::new(SystemClock)).await
}

/// The same with a clock that stands still.
pub async fn timed(rules: &str, clock: Arc<ManualClock>) -> House {
    with(rules, Mode::Serve, clock).await
}

/// A service in production whose store counts the views that are held.
pub async fn watched(rules: &str) -> (House, Arc<AtomicUsize>) {
    let (house, counts) = counted(rules).await;
    (house, Arc::clone(&counts.views))
}

/// What is asked of a store.
#[derive(Clone, Default)]
pub struct Asked {
    /// Views that are held.
    pub views: Arc<AtomicUsize>,
    /// Scans so far.
    pub scans: Arc<AtomicUsize>,
}

/// A service in production whose store counts what it is asked.
pub async fn counted(rules: &str) -> (House, Asked) {
    let asked = Asked::default();
    let engine = Watched { engine: Mem::default(), asked: asked.clone() };
    (over(engine, rules, Mode::Serve, Arc::new(SystemClock)).await, asked)
}

/// An engine in memory, and how many views of it are held.
struct Watched {
    engine: Mem,
    asked: Asked,
}

struct WatchedView {
    view: Arc<dyn View>,
    asked: Asked,
}

impl Drop for WatchedView {
    fn drop(&mut self) {
        self.asked.views.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Engine for Watched {
    async fn view(&self) -> Result<Arc<dyn View>, StoreError> {
        self.asked.views.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(WatchedView { view: self.engine.view().await?, asked: self.asked.clone() }))
    }

    async fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.engine.apply(batch).await
    }

    async fn backup(&self, to: &Path, replace: &[(Key, Bytes)]) -> Result<Version, StoreError> {
        self.engine.backup(to, replace).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.engine.close().await
    }
}

#[async_trait]
impl View for WatchedView {
    fn version(&self) -> Version {
        self.view.version()
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.view.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.view.get_many(keys).await
    }

    async fn scan(&self, range: &KeyRange, scan: Scan) -> Result<Slice, StoreError> {
        self.asked.scans.fetch_add(1, Ordering::SeqCst);
        self.view.scan(range, scan).await
    }
}

async fn with(rules: &str, mode: Mode, clock: Arc<dyn Clock>) -> House {
    over(Mem::default(), rules, mode, clock).await
}

async fn over(engine: impl Engine, rules: &str, mode: Mode, clock: Arc<dyn Clock>) -> House {
    let options = Options { clock: clock.clone(), ..Options::default() };
    let store = Store::open(engine, options).await.unwrap();
    let gate = Gate::new(store, AccessLog::in_memory(), clock, mode);
    if !rules.is_empty() {
        let text = format!(
            "rules_version = '2'; service cloud.firestore {{ match /databases/{{database}}/documents {{ {rules} }} }}"
        );
        gate.rules().firestore.load(policy::Source::new("firestore.rules", text)).unwrap();
    }
    let firestore = Arc::new(Firestore::new(gate.clone(), "p"));
    House { gate, firestore }
}

pub fn admin() -> Caller {
    Caller::admin("owner")
}

pub fn user(uid: &str) -> Caller {
    let claims = [("sub".to_owned(), Value::String(uid.to_owned()))].into();
    Caller::user(Arc::new(User { uid: uid.to_owned(), claims }))
}

/// A message from JSON; `$` in it stands for the root of the documents.
pub fn message<M: json::Json>(text: &str) -> M {
    json::read(text.replace('$', ROOT).as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl House {
    /// A commit of these writes, as a JSON list.
    pub async fn commit(&self, caller: &Caller, writes: &str) -> Result<v1::CommitResponse, base::Status> {
        let text = format!("{{\"database\": \"{DATABASE}\", \"writes\": {writes}}}");
        self.firestore.commit(caller, message(&text)).await
    }

    /// A document's fields as JSON, as an administrator sees them; `None` when there is none.
    pub async fn look(&self, path: &str) -> Option<v1::Document> {
        let request = v1::GetDocumentRequest { name: format!("{ROOT}/{path}"), ..Default::default() };
        match self.firestore.get_document(&admin(), request).await {
            Ok(document) => Some(document),
            Err(status) if status.code == base::Code::NotFound => None,
            Err(status) => panic!("{status}"),
        }
    }

    /// One integer field of a document.
    pub async fn number(&self, path: &str, field: &str) -> Option<i64> {
        match self.look(path).await?.fields.get(field)?.value_type {
            Some(v1::value::ValueType::IntegerValue(integer)) => Some(integer),
            _ => None,
        }
    }

    /// Every document of a collection group, as an administrator sees them.
    pub async fn look_group(&self, group: &str) -> Vec<v1::Document> {
        self.select(&format!(r#"{{"from": [{{"collectionId": "{group}", "allDescendants": true}}]}}"#)).await
    }

    /// How many documents of a collection a filter finds.
    pub async fn find(&self, collection: &str, filter: &str) -> usize {
        let query = format!(r#"{{"from": [{{"collectionId": "{collection}"}}], "where": {filter}}}"#);
        self.select(&query).await.len()
    }

    async fn select(&self, query: &str) -> Vec<v1::Document> {
        let text = format!(r#"{{"parent": "{ROOT}", "structuredQuery": {query}}}"#);
        let responses = self.firestore.run_query(&admin(), message(&text)).await.unwrap();
        let responses: Vec<_> = futures_util::StreamExt::collect(responses).await;
        responses.into_iter().filter_map(|response| response.unwrap().document).collect()
    }
}
