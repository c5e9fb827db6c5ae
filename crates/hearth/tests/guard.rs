//! The real binary from outside: what is malformed, forged or too slow is answered with the documented code and text,
//! changes nothing and breaks nothing; signals, reloads and folders behave as told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod running;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use running::{Running, project};
use serde_json::{Value, json};

const ROOT: &str = "/v1/projects/p/databases/(default)/documents";
const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /open/{id} { allow read, write; }
    match /users/{uid} { allow read, write: if request.auth.uid == uid; }
  }
}";

fn hearth(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Writes raw bytes and reads the answer: status and body.
fn raw(port: u16, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // A server that refuses early may close before it has taken everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { body.split("\r\n").skip(1).step_by(2).collect() } else { body.to_owned() };
    (status, body)
}

fn ask(port: u16, method: &str, path: &str, bearer: Option<&str>, body: &str) -> (u16, String) {
    let bearer = bearer.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{bearer}Content-Length: {length}\r\n\r\n"
    );
    raw(port, format!("{head}{body}").as_bytes())
}

/// The status name and message of a Google error.
fn error(body: &str) -> (String, String) {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    let error = if value.is_array() { &value[0]["error"] } else { &value["error"] };
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"))
}

/// All of the `open` collection, to see that nothing changed.
fn state(port: u16) -> String {
    ask(port, "GET", &format!("{ROOT}/open"), None, "").1
}

/// One gRPC call with these frames as its body: HTTP status, gRPC status, message.
async fn grpc(
    port: u16,
    method: &str,
    bearer: Option<&str>,
    gzip: bool,
    body: Vec<u8>,
) -> (u16, String, String) {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method("POST")
        .uri(format!("http://localhost/google.firestore.v1.Firestore/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if gzip {
        request = request.header("grpc-encoding", "gzip");
    }
    let response = sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let trailers = body.collect().await.ok().and_then(|body| body.trailers().cloned()).unwrap_or_default();
    let find = |name: &str| {
        let value = parts.headers.get(name).or_else(|| trailers.get(name));
        value.map(|value| value.to_str().unwrap().replace("%20", " ")).unwrap_or_default()
    };
    (parts.status.as_u16(), find("grpc-status"), find("grpc-message"))
}

/// A gRPC frame.
fn frame(compressed: bool, length: usize, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(compressed)];
    frame.extend(u32::try_from(length).unwrap().to_be_bytes());
    frame.extend(message);
    frame
}

fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
}

#[test]
fn bad_input_over_rest_has_its_code_and_changes_nothing() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    assert_eq!(
        ask(port, "PATCH", &format!("{ROOT}/open/a"), None, r#"{"fields":{"n":{"integerValue":"1"}}}"#).0,
        200
    );
    let before = state(port);
    let deep = |depth: usize| {
        let (open, close) = (r#"{"mapValue":{"fields":{"a":"#.repeat(depth), "}}}".repeat(depth));
        format!(r#"{{"fields":{{"a":{open}{{"nullValue":null}}{close}}}}}"#)
    };
    let large = format!(r#"{{"fields":{{"a":{{"stringValue":"{}"}}}}}}"#, "x".repeat(1 << 20));
    let long_id = format!("{ROOT}/open/{}", "x".repeat(1501));
    let a = format!("{ROOT}/open/a");
    let commit = format!("{ROOT}:commit");
    let cases: &[(&str, &str, &str, u16, &str, &str)] = &[
        ("PATCH", &a, "{", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, "[]", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, "\u{0}", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, r#"{"fields":{"n":{"integerValue":"x"}}}"#, 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, r#"{"fields":{"n":{"integerValue":1.5}}}"#, 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, r#"{"fields":{"n":{"nope":1}}}"#, 400, "INVALID_ARGUMENT", "nope"),
        ("PATCH", &a, r#"{"nope":1}"#, 400, "INVALID_ARGUMENT", "nope"),
        ("PATCH", &a, r#"{"fields":{"__n__":{"nullValue":null}}}"#, 400, "INVALID_ARGUMENT", "reserved"),
        ("PATCH", &a, r#"{"fields":{"":{"nullValue":null}}}"#, 400, "INVALID_ARGUMENT", "empty string"),
        ("PATCH", &a, &deep(25), 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, &deep(5000), 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &a, &large, 400, "INVALID_ARGUMENT", "longer than 1048487 bytes"),
        ("PATCH", &format!("{a}?nope=1"), "{}", 400, "INVALID_ARGUMENT", "nope"),
        ("PATCH", &long_id, "{}", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &format!("{ROOT}/open/__x__"), "{}", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &format!("{ROOT}/open/b%2Fc"), "{}", 400, "INVALID_ARGUMENT", ""),
        ("PATCH", &format!("{ROOT}/open/%FF"), "{}", 400, "INVALID_ARGUMENT", ""),
        ("POST", &commit, r#"{"writes":[{}]}"#, 400, "INVALID_ARGUMENT", "empty write operation"),
        ("POST", &commit, r#"{"writes":[{"delete":"nonsense"}]}"#, 400, "INVALID_ARGUMENT", ""),
        ("POST", &commit, r#"{"transaction":"AAAA"}"#, 400, "INVALID_ARGUMENT", "transaction"),
        ("POST", &format!("{ROOT}:runQuery"), "{}", 400, "INVALID_ARGUMENT", "structured queries"),
        ("POST", &format!("{ROOT}:nope"), "{}", 404, "NOT_FOUND", ""),
        (
            "GET",
            "/v1/projects/other/databases/(default)/documents/open/a",
            "",
            404,
            "NOT_FOUND",
            "does not exist",
        ),
        ("GET", "/v1/projects/p/databases/other/documents/open/a", "", 404, "NOT_FOUND", "does not exist"),
        ("DELETE", "/emulator/v1/projects/p/databases/(default)/documents", "", 404, "NOT_FOUND", ""),
        (
            "GET",
            &format!("{ROOT}/users/alice"),
            "",
            403,
            "PERMISSION_DENIED",
            "Missing or insufficient permissions.",
        ),
        (
            "GET",
            &format!("{ROOT}/nowhere/x"),
            "",
            403,
            "PERMISSION_DENIED",
            "Missing or insufficient permissions.",
        ),
    ];
    for (method, path, body, code, name, text) in cases {
        let (status, answer) = ask(port, method, path, None, body);
        let shown = format!("{method} {} {}", &path[..path.len().min(120)], &body[..body.len().min(80)]);
        assert_eq!(status, *code, "{shown}: {answer}");
        let (found, message) = error(&answer);
        assert!(found == *name && message.contains(text), "{shown}: {answer}");
        assert!(!answer.contains("firestore.rules") && !answer.contains("@ L"), "rules show: {answer}");
    }
    // A whole request beyond the limit, a head beyond it, and no HTTP at all.
    let (status, _) = ask(port, "PATCH", &a, None, &"x".repeat((17 << 20) + 1));
    assert!(matches!(status, 400 | 413), "{status}");
    let head = format!("GET {a} HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(300_000));
    assert!(matches!(raw(port, head.as_bytes()).0, 0 | 400 | 431));
    assert!(matches!(raw(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").0, 0 | 400));
    assert_eq!(state(port), before);
}

#[tokio::test]
async fn bad_input_over_grpc_has_its_code_and_changes_nothing() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    let before = tokio::task::spawn_blocking(move || state(port)).await.unwrap();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        bomb.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let name = b"\x0a\x03abc".to_vec();
    let cases: Vec<(&str, bool, Vec<u8>, &[&str])> = vec![
        ("GetDocument", false, frame(false, name.len(), &name), &["3"]),
        ("GetDocument", false, frame(false, 0, b""), &["3"]),
        ("GetDocument", false, frame(false, 3, b"\xff\xff\xff"), &["13", "3"]),
        ("GetDocument", false, Vec::new(), &["13", "3"]),
        ("GetDocument", false, frame(false, 18 << 20, b"x"), &["8"]),
        ("GetDocument", true, frame(true, bomb.len(), &bomb), &["8"]),
        ("GetDocument", true, frame(true, 4, b"\x1f\x8bxx"), &["13", "3"]),
        ("GetDocument", false, frame(true, 4, b"\x1f\x8bxx"), &["13", "3"]),
        ("Nope", false, frame(false, 0, b""), &["12"]),
        ("Listen", false, frame(false, 0, b""), &["3"]),
        ("Listen", false, frame(false, 3, b"\xff\xff\xff"), &["3"]),
        ("Write", false, frame(false, 0, b""), &["3"]),
    ];
    for (method, gzip, body, expected) in cases {
        let length = body.len();
        let (http, status, message) = grpc(port, method, None, gzip, body).await;
        assert_eq!(http, 200, "{method} {length}");
        assert!(expected.contains(&status.as_str()), "{method} {length} bytes: {status} {message}");
    }
    let get = |path: &str| {
        let name = format!("projects/p/databases/(default)/documents/{path}");
        let mut message = vec![0x0a, u8::try_from(name.len()).unwrap()];
        message.extend(name.as_bytes());
        frame(false, message.len(), &message)
    };
    let (_, status, message) = grpc(port, "GetDocument", None, false, get("users/alice")).await;
    assert_eq!((status.as_str(), message.as_str()), ("7", "Missing or insufficient permissions."));
    let (_, status, _) = grpc(port, "GetDocument", Some("owner"), false, get("users/alice")).await;
    assert_eq!(status, "16");
    let (_, status, _) = grpc(port, "GetDocument", None, false, get("open/none")).await;
    assert_eq!(status, "5");
    assert_eq!(tokio::task::spawn_blocking(move || state(port)).await.unwrap(), before);
}

#[test]
fn no_forged_token_counts_in_serve() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    let sign_up = "/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k";
    let (status, body) = ask(port, "POST", sign_up, None, r#"{"returnSecureToken":true}"#);
    assert_eq!(status, 200, "{body}");
    let account: Value = serde_json::from_str(&body).unwrap();
    let (token, uid) = (account["idToken"].as_str().unwrap(), account["localId"].as_str().unwrap());
    let own = format!("{ROOT}/users/{uid}");
    assert_eq!(ask(port, "PATCH", &own, Some(token), "{}").0, 200);

    let parts: Vec<&str> = token.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let altered = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
    };
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for forged in [
        "owner".to_owned(),
        "Owner".to_owned(),
        "ya29.x".to_owned(),
        "x".to_owned(),
        unsigned(&claims),
        unsigned(&json!({"sub": uid, "user_id": uid})),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>()),
        altered("aud", "other".into()),
        altered("exp", 9_999_999_999_i64.into()),
        altered("sub", "someone".into()),
        account["refreshToken"].as_str().unwrap().to_owned(),
    ] {
        for method in ["GET", "DELETE"] {
            let (status, body) = ask(port, method, &own, Some(&forged), "");
            assert_eq!((status, error(&body).0.as_str()), (401, "UNAUTHENTICATED"), "{forged}: {body}");
        }
        let batch = "/identitytoolkit.googleapis.com/v1/projects/p/accounts:batchGet";
        assert_eq!(ask(port, "GET", batch, Some(&forged), "").0, 401, "{forged}");
    }
    assert_eq!(ask(port, "GET", &own, Some(token), "").0, 200);
    // Once the user is gone, so is the token.
    let delete = "/identitytoolkit.googleapis.com/v1/accounts:delete?key=k";
    assert_eq!(ask(port, "POST", delete, None, &json!({ "idToken": token }).to_string()).0, 200);
    assert_eq!(ask(port, "GET", &own, Some(token), "").0, 401);
}

#[test]
fn a_stop_lets_what_is_in_flight_finish_and_the_log_answers_for_it() {
    let folder = project(RULES);
    let mut running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    // Who has the folder is told from without, also by the second to ask for it.
    let second =
        hearth(&["serve", "--listen", "127.0.0.1:0", "--data", "data", "--project", "p"], folder.path());
    let refused = { second }.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.starts_with("error: ") && text.contains("data"), "{text}");

    assert_eq!(ask(port, "GET", &format!("{ROOT}/users/alice"), None, "").0, 403);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let body = r#"{"fields":{}}"#;
    let head =
        format!("PATCH {ROOT}/open/late HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    running.signal("-TERM");
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(running.ends(), Some(0));

    let log = |filters: &[&str]| {
        let arguments = [&["log", "--data", "data", "--json"], filters].concat();
        let Output { status, stdout, .. } = hearth(&arguments, folder.path()).output().unwrap();
        assert!(status.success());
        String::from_utf8(stdout).unwrap().lines().count()
    };
    assert_eq!(log(&["--path", "/open/late", "--verdict", "allow"]), 1);
    assert_eq!(log(&["--path", "/open/late", "--verdict", "deny"]), 0);
    assert_eq!(
        log(&["--path", "/users/*", "--verdict", "deny", "--service", "firestore", "--since", "10m"]),
        1
    );
    assert_eq!(log(&["--path", "/users/*", "--since", "2099-01-01T00:00:00Z"]), 0);
    assert_eq!(log(&["--who", "nobody"]), 0);
}

/// Asks until the answer's status is this one.
fn becomes(port: u16, path: &str, status: u16) {
    let since = Instant::now();
    while ask(port, "GET", path, None, "").0 != status {
        assert!(since.elapsed() < Duration::from_secs(5), "{path} does not become {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn rules_are_read_again_and_a_broken_edit_changes_nothing() {
    let shut = RULES.replace("allow read, write;", "allow read, write: if false;");
    let path = format!("{ROOT}/open/x");
    // Production asks for it by signal, dev looks by itself.
    for dev in [false, true] {
        let folder = project(RULES);
        let running = if dev {
            Running::dev(folder.path(), &["--data", "data"])
        } else {
            Running::serve(folder.path(), &[])
        };
        let port = running.port(if dev { "firestore" } else { "serve" });
        let put = |rules: &str| {
            std::fs::write(folder.path().join("firestore.rules"), rules).unwrap();
            if !dev {
                running.signal("-HUP");
            }
        };
        assert_eq!(ask(port, "GET", &path, None, "").0, 404);
        put(&shut);
        becomes(port, &path, 403);
        put("service cloud.firestore {");
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(ask(port, "GET", &path, None, "").0, 403, "a broken edit opened or broke something");
        put(RULES);
        becomes(port, &path, 404);
    }
}

#[test]
fn what_must_not_start_says_why() {
    let broken = project("service cloud.firestore {");
    for (arguments, code, expected) in [
        (&["dev", "--host", "0.0.0.0"][..], 2, "not a loopback address"),
        (&["serve", "--data", "data"], 2, "which project?"),
        (&["serve", "--data", "data", "--project", "p"], 1, "has errors"),
        (&["log", "--data", "none"], 2, "no access log"),
        (&["log", "--data", "none", "--since", "soon"], 2, "neither a duration"),
        (&["dev", "nowhere"], 2, "not a folder"),
    ] {
        let output = hearth(arguments, broken.path()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}
