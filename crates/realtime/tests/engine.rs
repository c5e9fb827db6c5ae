//! The engine through its connections: what clients send, and what they get.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::sync::Arc;
use std::time::Duration;

use access::{AccessLog, Authenticate, Caller, Credential, DevPermit, Gate, Mode, User};
use async_trait::async_trait;
use base::{Code, Fields, Status, SystemClock, Value};
use kv::{Mem, Options, Store};
use policy::Source;
use realtime::Realtime;
use realtime::ops::{Connection, Hello, Outgoing};
use serde_json::{Value as Json, json};

/// `owner` is an administrator, `uid:role` a user with a claim.
struct Names;

#[async_trait]
impl Authenticate for Names {
    async fn caller(&self, _: &str, credential: Credential<'_>) -> Result<Caller, Status> {
        match credential {
            Credential::None => Ok(Caller::unauthenticated()),
            Credential::Bearer("owner") => Ok(Caller::admin("owner")),
            Credential::Bearer("bad") => Err(Status::new(Code::Unauthenticated, "no token")),
            Credential::Bearer(name) => {
                let (uid, role) = name.split_once(':').unwrap_or((name, ""));
                let claims: Fields = [("role".to_owned(), Value::String(role.to_owned()))].into();
                Ok(Caller::user(Arc::new(User { uid: uid.to_owned(), claims })))
            }
        }
    }
}

struct House {
    realtime: Arc<Realtime>,
    gate: Gate,
}

async fn house_over(store: Store, rules: &str) -> House {
    let mode = Mode::Dev(DevPermit::for_development_only());
    let gate = Gate::new(store, AccessLog::in_memory(), Arc::new(SystemClock), mode);
    if !rules.is_empty() {
        gate.rules().database.load(Source::new("database.rules.json", rules)).unwrap();
    }
    let realtime = Realtime::new(gate.clone(), "demo", Arc::new(Names), Arc::new(access::NoApps));
    tokio::spawn(Arc::clone(&realtime).run());
    House { realtime, gate }
}

async fn house(rules: &str) -> House {
    house_over(Store::open(Mem::default(), Options::default()).await.unwrap(), rules).await
}

struct Client {
    connection: Connection,
    outgoing: Outgoing,
    number: u64,
    /// What came unasked.
    pushed: Vec<Json>,
}

impl House {
    async fn connect(&self) -> Client {
        self.connect_as(Hello { namespace: "demo".to_owned(), host: "h:1".to_owned(), ..Hello::default() })
            .await
    }

    async fn connect_as(&self, hello: Hello) -> Client {
        let (connection, mut outgoing) = Connection::open(&self.realtime, hello).unwrap();
        let greeting: Json = serde_json::from_str(&outgoing.next().await.unwrap()).unwrap();
        assert_eq!(greeting["d"]["t"], "h");
        assert_eq!(greeting["d"]["d"]["h"], "h:1");
        Client { connection, outgoing, number: 0, pushed: Vec::new() }
    }
}

impl Client {
    async fn send(&mut self, action: &str, body: Json) -> u64 {
        self.number += 1;
        let message = json!({"t": "d", "d": {"r": self.number, "a": action, "b": body}});
        self.connection.receive(&message.to_string()).await.unwrap();
        self.number
    }

    async fn next(&mut self) -> Json {
        let message = tokio::time::timeout(Duration::from_secs(5), self.outgoing.next()).await.unwrap();
        serde_json::from_str(&message.unwrap()).unwrap()
    }

    async fn answer(&mut self, number: u64) -> (String, Json) {
        loop {
            let message = self.next().await;
            if message["d"]["r"] == number {
                return (message["d"]["b"]["s"].as_str().unwrap().to_owned(), message["d"]["b"]["d"].clone());
            }
            self.pushed.push(message["d"].clone());
        }
    }

    async fn ask(&mut self, action: &str, body: Json) -> (String, Json) {
        let number = self.send(action, body).await;
        self.answer(number).await
    }

    async fn ok(&mut self, action: &str, body: Json) -> Json {
        let (status, data) = self.ask(action, body).await;
        assert_eq!(status, "ok", "{data}");
        data
    }

    async fn push(&mut self) -> Json {
        if self.pushed.is_empty() { self.next().await["d"].clone() } else { self.pushed.remove(0) }
    }
}

const OPEN: &str = r#"{"rules": {".read": true, ".write": true, "list": {".indexOn": "n"}}}"#;

#[tokio::test]
async fn what_is_written_is_read_and_told() {
    let house = house(OPEN).await;
    let (mut writer, mut reader) = (house.connect().await, house.connect().await);
    assert_eq!(reader.ok("q", json!({"p": "/a", "h": ""})).await, json!({}));
    assert!(reader.pushed.is_empty(), "the hash of nothing is known");
    assert_eq!(writer.ok("p", json!({"p": "/a/b", "d": {"x": 1, "y": [true, "z"]}})).await, json!(""));
    let told = reader.push().await;
    assert_eq!(told, json!({"a": "d", "b": {"p": "a/b", "d": {"x": 1, "y": {"0": true, "1": "z"}}}}));
    assert_eq!(writer.ok("m", json!({"p": "a", "d": {"b/x": null, "c": 2.5}})).await, json!(""));
    assert_eq!(reader.push().await, json!({"a": "m", "b": {"p": "a", "d": {"b/x": null, "c": 2.5}}}));
    let value = json!({"b": {"y": {"0": true, "1": "z"}}, "c": 2.5});
    assert_eq!(writer.ok("g", json!({"p": "/a", "q": {}})).await, value);
    assert_eq!(reader.ok("q", json!({"p": "/a/b/y/0", "h": "x"})).await, json!({}));
    assert_eq!(reader.push().await, json!({"a": "d", "b": {"p": "a/b/y/0", "d": true}}));
    writer.ok("p", json!({"p": "/", "d": null})).await;
    let mut told = [reader.push().await, reader.push().await];
    told.sort_by_key(|push| push["b"]["p"].to_string());
    assert_eq!(told[0]["b"], json!({"p": "a", "d": null}));
    assert_eq!(writer.ok("g", json!({"p": "", "q": {}})).await, Json::Null);
}

#[tokio::test]
async fn writes_take_effect_in_their_order_without_waiting() {
    let house = house(OPEN).await;
    let (mut writer, mut reader) = (house.connect().await, house.connect().await);
    reader.ok("q", json!({"p": "n", "h": ""})).await;
    for _ in 0..100 {
        writer.send("p", json!({"p": "n", "d": {".sv": {"increment": 1}}})).await;
    }
    let last = writer.number;
    assert_eq!(writer.answer(last).await.0, "ok");
    for expected in 1..=100 {
        assert_eq!(reader.push().await["b"]["d"], expected);
    }
    assert_eq!(writer.ok("g", json!({"p": "n", "q": {}})).await, 100);
}

#[tokio::test]
async fn a_transaction_takes_place_on_what_it_was_made_for() {
    let house = house(OPEN).await;
    let mut client = house.connect().await;
    client.ok("p", json!({"p": "n", "d": 1})).await;
    let stale = client.ask("p", json!({"p": "n", "d": 2, "h": ""})).await;
    assert_eq!(stale.0, "datastale");
    client.ok("p", json!({"p": "n", "d": 2, "h": "YPVfR2bXt/lcDjiQZ8pOkAd3qkQ="})).await;
    assert_eq!(client.ok("g", json!({"p": "n", "q": {}})).await, 2);
}

#[tokio::test]
async fn queries_show_their_window() {
    let house = house(OPEN).await;
    let (mut writer, mut reader) = (house.connect().await, house.connect().await);
    writer.ok("p", json!({"p": "list", "d": {"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 3}}})).await;
    let query = json!({"p": "list", "q": {"i": "n", "l": 2, "vf": "l"}, "t": 7, "h": ""});
    assert_eq!(reader.ok("q", query).await, json!({}));
    assert_eq!(
        reader.push().await,
        json!({"a": "d", "b": {"p": "list", "d": {"a": {"n": 1}, "b": {"n": 2}}, "t": 7}})
    );
    writer.ok("p", json!({"p": "list/0", "d": {"n": 0}})).await;
    assert_eq!(
        reader.push().await,
        json!({"a": "m", "b": {"p": "list", "d": {"0": {"n": 0}, "b": null}, "t": 7}})
    );
    writer.ok("p", json!({"p": "list/a", "d": null})).await;
    assert_eq!(
        reader.push().await,
        json!({"a": "m", "b": {"p": "list", "d": {"a": null, "b": {"n": 2}}, "t": 7}})
    );
    writer.ok("p", json!({"p": "list/c/n", "d": 9})).await;
    writer.ok("p", json!({"p": "list/0/m", "d": true})).await;
    assert_eq!(
        reader.push().await,
        json!({"a": "m", "b": {"p": "list", "d": {"0": {"m": true, "n": 0}}, "t": 7}})
    );
    let unindexed = json!({"p": "list", "q": {"i": "m", "l": 1, "vf": "l"}, "t": 8, "h": ""});
    assert_eq!(reader.ok("q", unindexed).await, json!({"w": ["no_index"]}));
    let (status, text) = reader.ask("g", json!({"p": "list", "q": {"i": "m", "l": 1}})).await;
    assert_ne!(status, "ok");
    assert_eq!(text, "Index not defined, add \".indexOn\": \"m\", for path \"/list\", to the rules");
}

const ROLES: &str = r#"{"rules": {
    "roles": {".read": "auth.token.role === 'admin'", ".write": "auth.token.role === 'admin'"},
    "notes": {
        ".read": "root.child('roles').child(auth.uid).val() === 'reader'",
        "$note": {".write": "auth != null", ".validate": "newData.isString()"}
    }
}}"#;

#[tokio::test]
async fn a_role_that_is_taken_away_ends_what_it_allowed() {
    let house = house(ROLES).await;
    let (mut admin, mut ann) = (house.connect().await, house.connect().await);
    let auth = admin.ok("auth", json!({"cred": "root:admin"})).await;
    assert_eq!(auth["auth"]["uid"], "root");
    ann.ok("auth", json!({"cred": "ann"})).await;
    let (status, text) = ann.ask("q", json!({"p": "notes", "h": ""})).await;
    assert_eq!((status.as_str(), &text), ("permission_denied", &json!("Permission denied")));
    assert!(ann.push().await["b"]["msg"].as_str().unwrap().contains("root.child('roles')"));
    admin.ok("p", json!({"p": "roles/ann", "d": "reader"})).await;
    ann.ok("q", json!({"p": "notes", "h": ""})).await;
    admin.ok("p", json!({"p": "notes/1", "d": "hello"})).await;
    assert_eq!(ann.push().await["b"], json!({"p": "notes/1", "d": "hello"}));
    // Without data: the listener is told at once.
    admin.ok("p", json!({"p": "roles/ann", "d": null})).await;
    let mut told = ann.push().await;
    if told["a"] == "sd" {
        told = ann.push().await;
    }
    assert_eq!(told, json!({"a": "c", "b": {"p": "notes"}}));
    admin.ok("p", json!({"p": "notes/2", "d": "secret"})).await;
    assert_eq!(ann.ask("g", json!({"p": "notes", "q": {}})).await.0, "permission_denied");
    assert!(ann.pushed.iter().all(|push| push["a"] == "sd"), "{:?}", ann.pushed);
    let refused = ann.ask("p", json!({"p": "notes/3", "d": 3})).await;
    assert_eq!(refused.0, "permission_denied");
}

#[tokio::test]
async fn other_rules_end_what_they_do_not_allow() {
    let house = house(OPEN).await;
    let mut client = house.connect().await;
    client.ok("q", json!({"p": "notes", "h": ""})).await;
    house.gate.rules().database.load(Source::new("database.rules.json", r#"{"rules": {}}"#)).unwrap();
    let mut told = client.push().await;
    if told["a"] == "sd" {
        told = client.push().await;
    }
    assert_eq!(told, json!({"a": "c", "b": {"p": "notes"}}));
}

#[tokio::test]
async fn what_a_client_leaves_is_done_when_it_goes() {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let house = house_over(store.clone(), OPEN).await;
    let (mut client, mut other) = (house.connect().await, house.connect().await);
    client.ok("o", json!({"p": "presence/a", "d": {".sv": "timestamp"}})).await;
    client.ok("o", json!({"p": "presence/b", "d": "gone"})).await;
    client.ok("oc", json!({"p": "presence/b", "d": null})).await;
    assert_eq!(other.ok("g", json!({"p": "presence", "q": {}})).await, Json::Null);
    client.connection.close().await;
    let left = other.ok("g", json!({"p": "presence", "q": {}})).await;
    assert!(left["a"].is_i64() && left["b"].is_null(), "{left}");
    // A process that ended first: another does it.
    let mut client = house.connect().await;
    client.ok("om", json!({"p": "presence", "d": {"c": {".sv": {"increment": 1}}}})).await;
    let next = house_over(store, OPEN).await;
    let mut reader = next.connect().await;
    for _ in 0..100 {
        if !reader.ok("g", json!({"p": "presence/c", "q": {}})).await.is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(reader.ok("g", json!({"p": "presence/c", "q": {}})).await, 1);
}

#[tokio::test]
async fn a_client_that_comes_again_sees_what_it_left() {
    let house = house(OPEN).await;
    let mut client = house.connect().await;
    client.ok("o", json!({"p": "left", "d": true})).await;
    let id = client.connection.id().to_owned();
    let hello = Hello {
        namespace: "demo".to_owned(),
        host: "h:1".to_owned(),
        last_session: Some(id),
        ..Hello::default()
    };
    let mut again = house.connect_as(hello).await;
    assert_eq!(again.ok("g", json!({"p": "left", "q": {}})).await, true);
    assert!(client.outgoing.next().await.is_none(), "the earlier one has ended");
}
