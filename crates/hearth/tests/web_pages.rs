//! `hearth dev` and web pages from elsewhere: a browser on the developer's machine is no way in.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod running;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use running::{Running, project};
use serde_json::json;

const ROOT: &str = "/v1/projects/p/databases/(default)/documents";
const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /open/{id} { allow read, write; }
  }
}";
const OWNER: &str = "Authorization: Bearer owner";

/// Asks with these lines of headers: status and answer.
fn ask(port: u16, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, answer)
}

#[test]
fn only_local_pages_act_as_administrators() {
    let folder = project(RULES);
    let running = Running::dev(
        folder.path(),
        &["--ephemeral", "--allow-host", "dev.test", "--allow-origin", "https://app.test"],
    );
    let (auth, firestore) = (running.port("auth"), running.port("firestore"));
    let put = json!({"rules": {"files": [{"name": "r", "content": RULES}]}}).to_string();
    let queries = "/identitytoolkit.googleapis.com/v1/projects/p/accounts:query";
    let acts = [
        (firestore, "GET", format!("{ROOT}/users"), ""),
        (firestore, "PATCH", format!("{ROOT}/users/alice"), "{}"),
        (firestore, "DELETE", format!("/emulator{ROOT}"), ""),
        (firestore, "PUT", "/emulator/v1/projects/p:securityRules".to_owned(), put.as_str()),
        (firestore, "GET", "/v1/projects/p/rulesets".to_owned(), ""),
        (auth, "DELETE", "/emulator/v1/projects/p/accounts".to_owned(), ""),
        (auth, "GET", "/emulator/v1/projects/p/oobCodes".to_owned(), ""),
        (auth, "POST", queries.to_owned(), "{}"),
    ];
    for (port, method, path, body) in &acts {
        let (evil, from) = (format!("evil.test:{port}"), "Host: localhost\r\nOrigin:");
        for (headers, refused) in [
            (format!("{from} https://evil.test\r\n{OWNER}"), "Origin header `https://evil.test`"),
            (format!("{from} null\r\n{OWNER}"), "Origin header `null`"),
            (format!("Host: {evil}\r\nOrigin: http://{evil}\r\n{OWNER}"), "Host header `evil.test`"),
            (format!("Host: {evil}\r\n{OWNER}"), "Host header `evil.test`"),
        ] {
            let (status, answer) = ask(*port, method, path, &headers, body);
            assert_eq!(status, 403, "{method} {path} {headers}: {answer}");
            assert!(answer.contains("PERMISSION_DENIED") && answer.contains(refused), "{answer}");
        }
        for headers in [
            format!("Host: localhost\r\n{OWNER}"),
            format!("Host: 127.0.0.1:{port}\r\nOrigin: http://localhost:5173\r\n{OWNER}"),
            format!("Host: dev.test:{port}\r\nOrigin: https://app.test\r\n{OWNER}"),
        ] {
            let (status, answer) = ask(*port, method, path, &headers, body);
            assert_eq!(status, 200, "{method} {path} {headers}: {answer}");
        }
    }
    // A page from elsewhere may still be an app: its users are whom the rules know.
    let page = "Host: localhost\r\nOrigin: https://elsewhere.test";
    assert_eq!(ask(firestore, "GET", &format!("{ROOT}/open"), page, "").0, 200);
    let accounts = "/emulator/v1/projects/p/accounts";
    assert_eq!(ask(auth, "DELETE", accounts, page, "").0, 403, "no credential is asked for there");
}
