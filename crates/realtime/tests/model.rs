//! The engine beside a plain tree of JSON: whatever clients write, in whatever order, listeners and reads agree with it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::{AccessLog, Authenticate, Caller, Credential, DevPermit, Gate, Mode};
use async_trait::async_trait;
use base::{Status, SystemClock};
use kv::{Mem, Options, Sqlite, Store};
use realtime::Realtime;
use realtime::ops::{Connection, Hello, Outgoing};
use serde_json::{Map, Value as Json, json};

struct Nobody;

#[async_trait]
impl Authenticate for Nobody {
    async fn caller(&self, _: &str, _: Credential<'_>) -> Result<Caller, Status> {
        Ok(Caller::unauthenticated())
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    fn path(&mut self) -> Vec<String> {
        (0..self.below(4)).map(|_| ["a", "b", "c", "7"][self.below(4) as usize].to_owned()).collect()
    }

    fn value(&mut self, depth: u64) -> Json {
        match self.below(if depth > 2 { 4 } else { 7 }) {
            0 => Json::Null,
            1 => json!(self.below(5)),
            2 => json!(["x", "y", ""][self.below(3) as usize]),
            3 => json!(self.below(2) == 0),
            _ => {
                let entries = (0..self.below(4)).map(|_| {
                    (["a", "b", "c", "7"][self.below(4) as usize].to_owned(), self.value(depth + 1))
                });
                Json::Object(entries.collect())
            }
        }
    }
}

/// Puts a value where a Realtime Database would have it.
fn put(tree: &mut Json, path: &[String], value: Json) {
    match path.split_first() {
        None => *tree = clean(value),
        Some((key, rest)) => {
            let is_null = clean(value.clone()).is_null();
            if !tree.is_object() {
                if is_null {
                    return;
                }
                *tree = Json::Object(Map::new());
            }
            let children = tree.as_object_mut().unwrap();
            let mut child = children.remove(key).unwrap_or(Json::Null);
            put(&mut child, rest, value);
            if !child.is_null() {
                children.insert(key.clone(), child);
            }
            if children.is_empty() {
                *tree = Json::Null;
            }
        }
    }
}

/// Without nulls and what is empty.
fn clean(value: Json) -> Json {
    match value {
        Json::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| (key, clean(value)));
            let entries: Map<_, _> = entries.filter(|(_, value)| !value.is_null()).collect();
            if entries.is_empty() { Json::Null } else { Json::Object(entries) }
        }
        other => other,
    }
}

fn at<'t>(tree: &'t Json, path: &[String]) -> &'t Json {
    path.iter().fold(tree, |tree, key| tree.get(key).unwrap_or(&Json::Null))
}

/// The same whatever the order of keys.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(entries) => {
            let entries: BTreeMap<_, _> =
                entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            Json::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

struct Client {
    connection: Connection,
    outgoing: Outgoing,
    number: u64,
    /// By tag, what its listener has been told.
    seen: BTreeMap<u64, Json>,
    /// What it has been told without a tag, from the root.
    tree: Json,
}

impl Client {
    async fn of(realtime: &Arc<Realtime>) -> Self {
        let hello = Hello { namespace: "demo".to_owned(), ..Hello::default() };
        let (connection, mut outgoing) = Connection::open(realtime, hello).unwrap();
        outgoing.next().await.unwrap();
        Self { connection, outgoing, number: 0, seen: BTreeMap::new(), tree: Json::Null }
    }

    async fn send(&mut self, action: &str, body: Json) -> u64 {
        self.number += 1;
        let message = json!({"t": "d", "d": {"r": self.number, "a": action, "b": body}});
        self.connection.receive(&message.to_string()).await.unwrap();
        self.number
    }

    async fn until(&mut self, number: u64) -> Json {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.outgoing.next()).await.unwrap();
            let message: Json = serde_json::from_str(&next.unwrap()).unwrap();
            let data = &message["d"];
            if data["r"] == number {
                assert_eq!(data["b"]["s"], "ok", "{data}");
                return data["b"]["d"].clone();
            }
            self.take_in(data);
        }
    }

    fn take_in(&mut self, data: &Json) {
        let body = &data["b"];
        let keys = |path: &str| -> Vec<String> {
            path.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect()
        };
        let Some(path) = body["p"].as_str().map(keys) else { return };
        let (tree, path) = match body["t"].as_u64() {
            // A listener with a tag is always told of its own place.
            Some(tag) => (self.seen.entry(tag).or_default(), Vec::new()),
            None => (&mut self.tree, path),
        };
        if data["a"] == "d" {
            put(tree, &path, body["d"].clone());
        } else {
            for (relative, value) in body["d"].as_object().unwrap() {
                let whole = [path.clone(), keys(relative)].concat();
                put(tree, &whole, value.clone());
            }
        }
    }
}

const QUERIES: &[&str] = &[
    r#"{"i": ".key", "l": 2, "vf": "l"}"#,
    r#"{"i": ".key", "l": 1, "vf": "r"}"#,
    r#"{"i": ".value", "l": 2, "vf": "r"}"#,
    r#"{"i": "a", "l": 2, "vf": "l"}"#,
    r#"{"i": "a", "sp": 1, "ep": 3}"#,
    r#"{"i": "b/c", "sp": "x"}"#,
];

async fn agrees(store: Store, seed: u64, steps: usize) {
    let mode = Mode::Dev(DevPermit::for_development_only());
    let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
    let realtime = Realtime::new(gate, "demo", Arc::new(Nobody), Arc::new(access::NoApps));
    let random = &mut Random(seed);
    let mut writers = [Client::of(&realtime).await, Client::of(&realtime).await];
    let mut reader = Client::of(&realtime).await;
    let mut listens: Vec<(Vec<String>, Option<u64>, Json)> = Vec::new();
    let mut model = Json::Null;
    for step in 0..steps {
        if random.below(6) == 0 {
            let (path, tag) = (random.path(), step as u64);
            let query = (random.below(2) == 0)
                .then(|| QUERIES[random.below(QUERIES.len() as u64) as usize])
                .map(|query| serde_json::from_str::<Json>(query).unwrap());
            let mut body = json!({"p": path.join("/"), "h": ""});
            if let Some(query) = &query {
                body["q"] = query.clone();
                body["t"] = json!(tag);
                reader.seen.insert(tag, Json::Null);
            }
            let number = reader.send("q", body).await;
            reader.until(number).await;
            listens.push((path, query.as_ref().map(|_| tag), query.unwrap_or_default()));
        }
        // Both write without waiting; one after the other, so that the model knows the order.
        let writer = &mut writers[random.below(2) as usize];
        let mut last = 0;
        for _ in 0..=random.below(5) {
            let path = random.path();
            if random.below(4) == 0 {
                let keys = ["a", "b/a", "c", "7/b/c"];
                let changes: Map<String, Json> = keys
                    .iter()
                    .filter(|_| random.below(2) == 0)
                    .map(|key| ((*key).to_owned(), Json::Null))
                    .collect();
                let mut body = Json::Object(changes);
                for value in body.as_object_mut().unwrap().values_mut() {
                    *value = random.value(1);
                }
                for (relative, value) in body.as_object().unwrap() {
                    let relative = relative.split('/').map(str::to_owned);
                    let whole: Vec<String> = path.iter().cloned().chain(relative).collect();
                    put(&mut model, &whole, value.clone());
                }
                last = writer.send("m", json!({"p": path.join("/"), "d": body})).await;
            } else {
                let value = random.value(0);
                put(&mut model, &path, value.clone());
                last = writer.send("p", json!({"p": path.join("/"), "d": value})).await;
            }
        }
        writer.until(last).await;
        let number = reader.send("g", json!({"p": "", "q": {}})).await;
        let read = reader.until(number).await;
        assert_eq!(sorted(&read), sorted(&model), "seed {seed}, step {step}");
        for (path, tag, query) in &listens {
            let (told, expected) = match tag {
                None => (at(&reader.tree, path).clone(), at(&model, path).clone()),
                Some(tag) => {
                    let told = reader.seen[tag].clone();
                    let body = json!({"p": path.join("/"), "q": query});
                    // Without an index `g` is refused: a second listener finds it anew.
                    let again = json!({"p": body["p"], "q": query, "t": 1_000_000, "h": ""});
                    reader.seen.insert(1_000_000, Json::Null);
                    let number = reader.send("q", again).await;
                    reader.until(number).await;
                    let fresh = reader.seen[&1_000_000].clone();
                    let number = reader.send("n", json!({"p": body["p"], "q": query, "t": 1_000_000})).await;
                    reader.until(number).await;
                    (told, fresh)
                }
            };
            assert_eq!(sorted(&told), sorted(&expected), "seed {seed}, step {step}, {path:?} {query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_and_reads_agree_with_a_plain_tree() {
    for seed in 0..30 {
        agrees(Store::open(Mem::default(), Options::default()).await.unwrap(), seed, 30).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_disk_too() {
    for seed in 100..104 {
        let folder = tempfile::tempdir().unwrap();
        let engine = Sqlite::open(folder.path()).unwrap();
        let store = Store::open(engine, Options::default()).await.unwrap();
        agrees(store.clone(), seed, 20).await;
        store.close().await.unwrap();
    }
}
