//! A whole project out of one server and into another: the trees of the Realtime Database, small and in parts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(["dev", "--project", "p", "--ephemeral", "--ports", "all=0", "--json"]).args(arguments);
        let mut child =
            command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        let port = ready["ports"]["database"].as_u64().unwrap_or_else(|| panic!("not ready: {line}"));
        Self { child, port: u16::try_from(port).unwrap() }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer owner\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 204 "), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn trees_go_out_and_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path(), &["--export-on-exit", "out"]);
    let small = json!({"a": {".value": 1, ".priority": 5}, "b": [true, "x"], "sp ace": {"ü": {".priority": "p", "c": 2.5}}});
    first.ask("PUT", "/.json?ns=small", &small.to_string());
    let many: serde_json::Map<String, Value> =
        (0..60_000).map(|number| (format!("k{number}"), json!(number))).collect();
    first.ask("PUT", "/many.json?ns=large", &Value::Object(many).to_string());
    first.ask("PUT", "/many/.priority.json?ns=large", "7");
    let exported =
        ["small", "large"].map(|name| first.ask("GET", &format!("/.json?ns={name}&format=export"), ""));
    first.stop();
    let metadata: Value = serde_json::from_slice(
        &std::fs::read(folder.path().join("out/firebase-export-metadata.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(metadata["database"]["path"], "database_export");
    let second = Server::start(folder.path(), &["--import", "out"]);
    for (name, exported) in ["small", "large"].into_iter().zip(exported) {
        assert!(!exported.is_null());
        assert_eq!(second.ask("GET", &format!("/.json?ns={name}&format=export"), ""), exported, "{name}");
    }
    second.stop();
}
