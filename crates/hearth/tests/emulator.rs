//! Started as the Firebase CLI starts the official emulator's jar: by the name `java`, with its flags.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const RULES: &str = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents {
  match /a/{x} { allow read; allow write: if request.resource.data.n > 1; } } }";
const DOCUMENTS: &str = "/v1/projects/demo-cli/databases/(default)/documents";

fn launcher(folder: &Path) -> String {
    let made =
        Command::new(env!("CARGO_BIN_EXE_hearth")).arg("launcher").arg("--dir").arg(folder).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

fn java(folder: &Path) -> Command {
    let mut command = Command::new(folder.join("java"));
    command.args(["-Dgoogle.cloud_firestore.debug_log_level=FINE", "-Duser.language=en", "-jar"]);
    command.arg(folder.join("hearth-firestore-emulator.jar"));
    command.args([
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--project_id",
        "demo-cli",
        "--database-edition",
        "standard",
    ]);
    command.args(["--single_project_mode", "true"]);
    command
}

struct Running {
    process: Child,
    at: SocketAddr,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let at = line.strip_prefix("API endpoint: http://").unwrap().parse().unwrap();
        Self { process, at }
    }

    /// The start of an answer to a request.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = vec![0; 4096];
        let mut length = stream.read(&mut answer).unwrap();
        // The body may come in a packet of its own.
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        while let Ok(more @ 1..) = stream.read(&mut answer[length..]) {
            length += more;
        }
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// As the CLI stops it.
    fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

#[test]
fn the_firebase_cli_can_start_it_in_the_place_of_the_jar() {
    let folder = tempfile::tempdir().unwrap();
    let printed = launcher(folder.path());
    assert!(
        printed.contains("export PATH='") && printed.contains("FIRESTORE_EMULATOR_BINARY_PATH='"),
        "{printed}"
    );
    launcher(folder.path());
    let rules = folder.path().join("firestore.rules");
    fs::write(&rules, RULES).unwrap();
    let running = Running::start(java(folder.path()).arg("--rules").arg(&rules));
    let patch = |at: &Running, path: &str, n: u8| {
        let body = format!(r#"{{"fields": {{"n": {{"integerValue": "{n}"}}}}}}"#);
        at.ask("PATCH", &format!("{DOCUMENTS}/{path}"), "", &body)
    };
    assert_eq!(status(&patch(&running, "a/1", 2)), "200");
    assert_eq!(status(&patch(&running, "a/2", 0)), "403");
    // The console's list of requests.
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let feed = running.ask("GET", "/requests", upgrade, "");
    assert_eq!(status(&feed), "101", "{feed}");
    assert!(feed.contains(r#""outcome":"allow""#) && feed.contains(r#""outcome":"deny""#), "{feed}");
    let from_elsewhere = format!("{upgrade}origin: https://evil.test\r\n");
    assert_eq!(status(&running.ask("GET", "/requests", &from_elsewhere, "")), "403");
    let to = folder.path().display().to_string();
    let body = format!(r#"{{"export_directory": "{to}", "export_name": "firestore_export"}}"#);
    assert_eq!(status(&running.ask("POST", "/emulator/v1/projects/demo-cli:export", "", &body)), "200");
    running.stop();

    let export = folder.path().join("firestore_export/firestore_export.overall_export_metadata");
    let running = Running::start(java(folder.path()).arg("--seed_from_export").arg(&export));
    assert!(running.ask("GET", &format!("{DOCUMENTS}/a/1"), "", "").contains(r#""integerValue":"2""#));
    running.stop();
}

#[test]
fn what_it_cannot_begin_with_ends_it_with_words() {
    let folder = tempfile::tempdir().unwrap();
    launcher(folder.path());
    let said = |output: Output| String::from_utf8(output.stderr).unwrap();
    let broken = folder.path().join("broken.rules");
    fs::write(&broken, "service cloud.firestore {").unwrap();
    for (flag, value, says) in [
        ("--seed_from_export", "/none/x.overall_export_metadata", "overall_export_metadata"),
        ("--rules", "/none/firestore.rules", "cannot be read"),
        ("--rules", broken.to_str().unwrap(), "has errors"),
        ("--database-edition", "enterprise", "enterprise"),
        ("--host", "0.0.0.0", "not a loopback address"),
    ] {
        let output = java(folder.path()).args([flag, value]).output().unwrap();
        let code = output.status.code();
        let text = said(output);
        assert!(matches!(code, Some(1 | 2)) && text.contains(says), "{flag} {value}: {code:?} {text}");
    }
    // Without another Java it says what the CLI wants to hear.
    let version =
        Command::new(folder.path().join("java")).arg("-version").env("PATH", folder.path()).output().unwrap();
    assert!(version.status.success() && said(version).starts_with("openjdk version \"21"));
    let other =
        Command::new(folder.path().join("java")).args(["-jar", "x.jar"]).env("PATH", folder.path()).output();
    assert_eq!(other.unwrap().status.code(), Some(127));
}
