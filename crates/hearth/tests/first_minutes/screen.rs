//! What `dev` says on its screen while it runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::{PORTS, hearth, project, rules, text};

/// `dev` while it runs: what it says on its screen, as it says it.
struct Screen {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    said: String,
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["dev", "--ports", PORTS, "--ephemeral"];
        all.extend(arguments);
        let mut child = hearth(folder, &all).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = std::sync::mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, said: String::new() }
    }

    /// Waits until a line has this.
    fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(std::time::Duration::from_secs(20)) else {
                panic!("{wanted:?} was not said: {}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// The port of a service, from the lines of the start.
    fn port(&mut self, service: &str) -> u16 {
        let line = self.wait_for(&format!("  {service:<10} http://"));
        line.rsplit(':').next().unwrap().trim().parse().unwrap()
    }
}

/// One request; the status.
fn status(address: (&str, u16), head: &str) -> u16 {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "{head}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

const GET: &str =
    "GET /v1/projects/demo-hearth/databases/(default)/documents/a/1 HTTP/1.1\r\nHost: localhost";

#[test]
fn edits_of_firebase_json_count_at_once_or_it_is_said_that_they_wait() {
    let folder = project(&[
        ("firebase.json", r#"{"firestore": {"rules": "closed.rules"}}"#),
        ("closed.rules", &rules("false")),
        ("open.rules", &rules("true")),
    ]);
    let mut screen = Screen::start(folder.path(), &[]);
    let port = screen.port("firestore");
    screen.wait_for("FIRESTORE_EMULATOR_HOST");
    assert_eq!(status(("127.0.0.1", port), GET), 403);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "firebase.json",
        r#"{"firestore": {"rules": "open.rules"}, "emulators": {"auth": {"port": 9}}, "hostin": {}}"#,
    );
    screen.wait_for("`hostin` is not a key of firebase.json");
    screen.wait_for("`emulators.auth.port` is 9 now: that counts from the next start");
    screen.wait_for("firebase.json reloaded");
    screen.wait_for("open.rules reloaded");
    assert_eq!(status(("127.0.0.1", port), GET), 404);
    // Rules that go leave those in force; a mistake changes nothing.
    write("closed.rules", &rules("false "));
    write("firebase.json", r#"{"firestore": {"rules": "closed.rules"}}"#);
    screen.wait_for("closed.rules reloaded");
    write("firebase.json", "{}");
    screen.wait_for("names no rules for firestore any more: those in force stay");
    write("firebase.json", "{");
    screen.wait_for("what was read before still counts");
    assert_eq!(status(("127.0.0.1", port), GET), 403);
    write("firestore.indexes.json", "{");
    screen.wait_for("the indexes stay as they are");
    write("firestore.indexes.json", r#"{"indexes": []}"#);
    screen.wait_for("firestore.indexes.json reloaded");
    write(".firebaserc", r#"{"projects": {"default": "other"}}"#);
    screen.wait_for("the project's id counts from the next start");
}

#[test]
fn rules_that_appear_close_what_was_open() {
    let folder = project(&[("firebase.json", "{}")]);
    let mut screen = Screen::start(folder.path(), &[]);
    let port = screen.port("firestore");
    screen.wait_for("NO RULES: there is no firestore.rules");
    assert_eq!(status(("127.0.0.1", port), GET), 404);
    std::fs::write(folder.path().join("firestore.rules"), rules("request.auth != null")).unwrap();
    screen.wait_for("firestore.rules reloaded");
    assert_eq!(status(("127.0.0.1", port), GET), 403);
    screen.wait_for("request.auth is null");
}

#[test]
fn expired_test_rules_are_named_as_such() {
    let folder = project(&[
        ("firebase.json", "{}"),
        ("firestore.rules", &rules("request.time < timestamp.date(2024, 12, 1)")),
    ]);
    let mut screen = Screen::start(folder.path(), &[]);
    let port = screen.port("firestore");
    screen.wait_for("2024-12-01 has passed: `allow read` has denied everybody since then");
    screen.wait_for("test rules of a new project");
    assert_eq!(status(("127.0.0.1", port), GET), 403);
    screen.wait_for("test rules that expired on 2024-12-01");
    let check = hearth(folder.path(), &["check"]).output().unwrap();
    assert!(
        text(&check.stderr).contains("2024-12-01 has passed")
            || text(&check.stdout).contains("2024-12-01 has passed")
    );
}

/// This machine's address in its network; `None` where it has none.
fn address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn other_machines_are_let_in_only_in_so_many_words() {
    let folder = project(&[("firebase.json", "{}"), ("firestore.rules", &rules("request.auth != null"))]);
    let refused = hearth(folder.path(), &["dev", "--host", "0.0.0.0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--share users"), "{}", text(&refused.stderr));
    let refused = hearth(folder.path(), &["dev", "--share", "admins"]).output().unwrap();
    assert!(text(&refused.stderr).contains("add `--host 0.0.0.0`"), "{}", text(&refused.stderr));

    let Some(address) = address().map(|address| address.to_string()) else { return };
    let of = |credential: &str| {
        let path = GET.replace("localhost", &format!("{address}:80"));
        if credential.is_empty() { path } else { format!("{path}\r\nAuthorization: Bearer {credential}") }
    };
    // {"alg":"none"} and {"sub":"ann","user_id":"ann"}
    let ann = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJ1c2VyX2lkIjoiYW5uIn0.";
    let control =
        "DELETE /emulator/v1/projects/demo-hearth/databases/(default)/documents HTTP/1.1\r\nHost: localhost";
    for (share, owner, hub_is_reached) in [("users", 403, false), ("admins", 404, true)] {
        let mut screen = Screen::start(folder.path(), &["--host", "0.0.0.0", "--share", share]);
        let said = screen.wait_for("SHARED: everybody who reaches this machine can be any user");
        assert!(said.contains(&format!("firestore http://{address}:")), "{said}");
        let (port, hub) = (screen.port("firestore"), screen.port("hub"));
        let here = address.as_str();
        assert_eq!(status((here, port), &of("")), 403, "signed out");
        assert_eq!(status((here, port), &of(ann)), 404, "a user");
        assert_eq!(status((here, port), &of("owner")), owner, "{share}: owner");
        assert_eq!(status((here, port), control), if owner == 404 { 200 } else { 403 }, "{share}: control");
        assert_eq!(status(("127.0.0.1", port), &of("owner")), 404, "this machine");
        assert_eq!(std::net::TcpStream::connect((here, hub)).is_ok(), hub_is_reached, "{share}: hub");
    }
}

#[test]
fn every_port_answers_the_root() {
    let folder = project(&[("firebase.json", "{}")]);
    let mut screen = Screen::start(folder.path(), &[]);
    for service in ["auth", "firestore", "hub"] {
        let port = screen.port(service);
        assert_eq!(status(("127.0.0.1", port), "GET / HTTP/1.1\r\nHost: localhost"), 200, "{service}");
    }
}

#[test]
fn sign_ins_and_reset_links_show_in_the_terminal() {
    let folder = project(&[("firebase.json", "{}")]);
    let mut screen = Screen::start(folder.path(), &[]);
    let port = screen.port("auth");
    let ask = |verb: &str, body: &str| {
        let path = format!("/identitytoolkit.googleapis.com/v1/accounts:{verb}?key=k");
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    ask("signUp", r#"{"email": "ann@example.com", "password": "secret-secret"}"#);
    screen.wait_for("signUp /users/");
    ask("signInWithPassword", r#"{"email": "ann@example.com", "password": "secret-secret"}"#);
    screen.wait_for("signInWithPassword");
    ask("sendOobCode", r#"{"email": "ann@example.com", "requestType": "PASSWORD_RESET"}"#);
    screen.wait_for("oobCode=");
}
