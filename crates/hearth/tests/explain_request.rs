//! `hearth explain --request`: a logged decision, made again by the rules and on the documents of its moment and of today.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod running;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use running::{Running, project};
use serde_json::{Value, json};

const OWNERS: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /rooms/{id} {
      allow get: if resource.data.owner == request.auth.uid;
      allow list: if request.auth.token.role == 'staff' && resource.data.open == true;
      allow create: if request.resource.data.owner == request.auth.uid
        && getAfter(/databases/$(database)/documents/counts/rooms).data.n == 1;
    }
    match /counts/{id} { allow write: if request.auth != null; }
  }
}";
const SIGNED_IN: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /{path=**} { allow read, write: if request.auth != null; }
  }
}";

fn hearth(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn ask(port: u16, method: &str, path: &str, bearer: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let bearer =
        if bearer.is_empty() { String::new() } else { format!("Authorization: Bearer {bearer}\r\n") };
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{bearer}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let (from, to) = (body.find(['{', '[']).unwrap_or(0), body.rfind(['}', ']']).map_or(0, |at| at + 1));
    (status, serde_json::from_str(body.get(from..to).unwrap_or_default()).unwrap_or_default())
}

const SERVE: [&str; 8] =
    ["serve", "--listen", "127.0.0.1:0", "--data", ".hearth", "--project", "p", "--json"];
const ROOT: &str = "/v1/projects/p/databases/(default)/documents";

/// A token of the kind that dev believes.
fn token(uid: &str, claims: &Value) -> String {
    let mut payload = json!({ "sub": uid, "user_id": uid, "iat": 1, "exp": 4_000_000_000_u64, "aud": "p" });
    payload.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&payload))
}

fn owned_by(owner: &str) -> Value {
    json!({ "fields": { "owner": { "stringValue": owner }, "open": { "booleanValue": true } } })
}

/// The lines of the log, once they are there.
fn log(folder: &Path, options: &[&str], wanted: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut arguments = vec!["log", "--json"];
        arguments.extend(options);
        let output = hearth(folder, &arguments);
        let lines: Vec<Value> =
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() >= wanted {
            return lines;
        }
        assert!(Instant::now() < deadline, "{lines:?}: {}", text(&output.stderr));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn explain(folder: &Path, request: &Value) -> Vec<Value> {
    let output = hearth(folder, &["explain", "--request", &request["request"].to_string(), "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Explains until the first decision has this in its difference: a reload takes a moment.
fn explain_until(folder: &Path, request: &Value, wanted: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let explained = explain(folder, request).swap_remove(0);
        if explained["difference"].as_str().unwrap().contains(wanted) {
            return explained;
        }
        assert!(Instant::now() < deadline, "{explained:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_denial_is_decided_again_by_the_rules_and_documents_of_both_times() {
    let folder = project(OWNERS);
    let running = Running::dev(folder.path(), &[]);
    let room = format!("{ROOT}/rooms/1");
    assert_eq!(ask(running.port("firestore"), "PATCH", &room, "owner", &owned_by("alice")).0, 200);
    let bob = token("bob", &json!({}));
    assert_eq!(ask(running.port("firestore"), "GET", &room, &bob, &Value::Null).0, 403);
    let denied = log(folder.path(), &["--verdict", "deny", "--project", "p"], 1).swap_remove(0);
    assert_eq!(log(folder.path(), &[], 2)[0]["project"], "p");

    let same = explain(folder.path(), &denied).swap_remove(0);
    assert_eq!((&same["then"]["verdict"], &same["today"]["verdict"]), (&json!("deny"), &json!("deny")));
    assert_eq!(
        same["difference"],
        "Today it is denied as well: the rules are the same, the documents are the same."
    );
    assert!(same["then"]["text"].as_str().unwrap().contains("resource.data.owner is 'alice'"), "{same:#}");

    std::fs::write(folder.path().join("firestore.rules"), SIGNED_IN).unwrap();
    let changed = explain_until(folder.path(), &denied, "is allowed today: the rules have changed.");
    assert_eq!(changed["then"]["verdict"], "deny");
    std::fs::write(folder.path().join("firestore.rules"), OWNERS).unwrap();
    explain_until(folder.path(), &denied, "denied as well: the rules are the same");
    assert_eq!(ask(running.port("firestore"), "PATCH", &room, "owner", &owned_by("bob")).0, 200);
    explain_until(folder.path(), &denied, "is allowed today: the document /rooms/1 changed.");

    // The same on the folder, with the rules of the project beside it, and for people.
    running.stop();
    explain_until(folder.path(), &denied, "is allowed today: the document /rooms/1 changed.");
    let number = denied["request"].to_string();
    let last_digits = &number[number.len() - 6..];
    let shown = hearth(folder.path(), &["explain", "--request", last_digits]);
    let shown = text(&shown.stdout);
    assert!(shown.contains(&format!("#{last_digits}")) && shown.contains("\nToday\n"), "{shown}");
    // That somebody looked is on the record.
    let looks = log(folder.path(), &["--verdict", "admin"], 3);
    assert!(looks.iter().any(|event| event["verb"] == "ExplainRequest"), "{looks:?}");
}

#[test]
fn writes_queries_and_claims_are_asked_again_as_they_were() {
    let folder = project(OWNERS);
    let running = Running::dev(folder.path(), &[]);
    let write = |n: u64, owner: &str| {
        let name = |path: &str| format!("projects/p/databases/(default)/documents/{path}");
        let count = json!({ "fields": { "n": { "integerValue": n.to_string() } } });
        let update = |path: &str, mut document: Value| {
            document["name"] = name(path).into();
            json!({ "update": document })
        };
        let body = json!({ "writes": [update("counts/rooms", count), update("rooms/2", owned_by(owner))] });
        ask(running.port("firestore"), "POST", &format!("{ROOT}:commit"), &token("bob", &json!({})), &body).0
    };
    assert_eq!((write(2, "bob"), write(1, "bob")), (403, 200));
    let query = json!({ "structuredQuery": { "from": [{ "collectionId": "rooms" }], "where": { "fieldFilter": {
        "field": { "fieldPath": "open" }, "op": "EQUAL", "value": { "booleanValue": true } } } } });
    let staff = token("sue", &json!({ "role": "staff" }));
    assert_eq!(ask(running.port("firestore"), "POST", &format!("{ROOT}:runQuery"), &staff, &query).0, 200);
    let events = log(folder.path(), &["--path", "/rooms/**"], 3);
    let of = |method: &str, verdict: &str| {
        let found = events.iter().find(|event| event["method"] == method && event["verdict"] == verdict);
        found.unwrap_or_else(|| panic!("{method} {verdict}: {events:?}"))
    };
    let denied = explain(folder.path(), of("create", "deny"));
    let denied = denied.iter().find(|one| one["event"]["path"] == "/rooms/2").unwrap();
    assert_eq!(denied["then"]["verdict"], "deny", "{denied:#}");
    assert!(denied["then"]["text"].as_str().unwrap().contains("getAfter"), "{denied:#}");
    let allowed = explain(folder.path(), of("create", "allow"));
    let allowed = allowed.iter().find(|one| one["event"]["path"] == "/rooms/2").unwrap();
    assert_eq!(allowed["then"]["verdict"], "allow", "{allowed:#}");
    // By now the document is there, and no rule is about updates.
    assert_eq!(allowed["today"]["verdict"], "deny", "{allowed:#}");
    assert!(allowed["difference"].as_str().unwrap().contains("/rooms/2 changed"), "{allowed:#}");
    let listed = explain(folder.path(), of("list", "allow")).swap_remove(0);
    assert_eq!((&listed["then"]["verdict"], &listed["today"]["verdict"]), (&json!("allow"), &json!("allow")));
}

#[test]
fn production_keeps_no_values_and_says_what_is_missing() {
    let folder = project(OWNERS);
    let sign_up = |running: &Running| {
        let body =
            json!({ "email": "bob@example.com", "password": "secret-secret", "returnSecureToken": true });
        let (status, answer) = ask(
            running.port("auth"),
            "POST",
            "/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k",
            "",
            &body,
        );
        assert_eq!(status, 200, "{answer}");
        (answer["localId"].as_str().unwrap().to_owned(), answer["idToken"].as_str().unwrap().to_owned())
    };
    let running = Running::start(&SERVE, folder.path());
    let (uid, bob) = sign_up(&running);
    let room = format!("{ROOT}/rooms/1");
    assert_eq!(ask(running.port("firestore"), "PATCH", &room, &bob, &owned_by("secret-owner")).0, 403);
    assert_eq!(ask(running.port("firestore"), "GET", &room, &bob, &Value::Null).0, 403);
    let events = log(folder.path(), &["--verdict", "deny"], 2);
    let whole = std::fs::read_to_string(folder.path().join(".hearth/access.log")).unwrap();
    assert!(!whole.contains("secret-owner") && !whole.contains("bob@example.com"), "{whole}");
    let (write, read) = (explain(folder.path(), &events[0]), explain(folder.path(), &events[1]));
    let told = write[0]["then"]["text"].as_str().unwrap();
    assert!(
        told.contains("the data of this write is not known") && told.contains("--log-requests"),
        "{told}"
    );
    assert_eq!(read[0]["then"]["verdict"], "deny");
    assert!(read[0]["notes"][0].as_str().unwrap().contains("those of the account"), "{:#}", read[0]);
    running.stop();

    let running = Running::start(&[&SERVE[..], &["--log-requests"]].concat(), folder.path());
    assert_eq!(ask(running.port("firestore"), "PATCH", &room, &bob, &owned_by("kept")).0, 403);
    let kept = log(folder.path(), &["--verdict", "deny", "--who", &uid], 3).swap_remove(2);
    let kept = explain(folder.path(), &kept).swap_remove(0);
    assert_eq!(kept["then"]["verdict"], "deny", "{kept:#}");
    assert_eq!(kept["notes"], json!([]), "{kept:#}");
}

#[test]
fn what_is_forgotten_is_said() {
    let folder = project(OWNERS);
    let running = Running::dev(folder.path(), &[]);
    let room = format!("{ROOT}/rooms/1");
    assert_eq!(ask(running.port("firestore"), "GET", &room, "", &Value::Null).0, 403);
    let denied = log(folder.path(), &["--verdict", "deny"], 1).swap_remove(0);
    running.stop();
    // Lines as they are when much time has passed since.
    let path = folder.path().join(".hearth/access.log");
    let add = |request: u64, change: &dyn Fn(&mut Value)| {
        let mut line = denied.clone();
        line["request"] = request.into();
        change(&mut line);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        writeln!(file, "{line}").unwrap();
        explain(folder.path(), &line).swap_remove(0)
    };
    let old = add(900_001, &|line| line["basis"]["state"] = 1.into());
    assert!(old["notes"][0].as_str().unwrap().contains("no longer reaches back to 1970-01-01"), "{old:#}");
    assert_eq!(
        old["difference"],
        "Today it is denied as well: the rules are the same, what the documents were is not known."
    );
    let unknown = add(900_002, &|line| line["basis"]["rules"] = "0123456789abcdef".into());
    assert!(
        unknown["then"]["text"].as_str().unwrap().contains("0123456789abcdef is not among"),
        "{unknown:#}"
    );
    assert_eq!(unknown["today"]["verdict"], "deny");
    let bare = add(900_003, &|line| drop(line.as_object_mut().unwrap().remove("basis")));
    assert!(bare["then"]["text"].as_str().unwrap().contains("older version"), "{bare:#}");
    for (id, wanted) in [("x", "is not the number of a request"), ("99999999", "no line of the log")] {
        let refused = hearth(folder.path(), &["explain", "--request", id]);
        assert!(
            !refused.status.success() && text(&refused.stderr).contains(wanted),
            "{}",
            text(&refused.stderr)
        );
    }
}
