//! Verbs that act on a running server, or on its folder when it does not run: the real binary on both sides of the socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod running;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::token::rs256::PrivateKey;
use running::{Running, project};
use serde_json::{Value, json};

const ROOT: &str = "/v1/projects/p/databases/(default)/documents";
const RULES: &str = "service cloud.firestore {
  match /databases/{database}/documents {
    match /users/{uid} { allow read, write: if request.auth.uid == uid; }
  }
}";

/// Runs a verb to its end.
fn hearth(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// What a verb that succeeds answers.
fn answer(arguments: &[&str], folder: &Path) -> Value {
    let output = hearth(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a verb that fails says.
fn refusal(arguments: &[&str], folder: &Path) -> String {
    let output = hearth(arguments, folder);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    // With `--json` on standard output.
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

impl Running {
    /// One request: the status and the body.
    fn ask(&self, method: &str, path: &str, bearer: &str, kind: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port("firestore"))).unwrap();
        let bearer =
            if bearer.is_empty() { String::new() } else { format!("Authorization: Bearer {bearer}\r\n") };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{bearer}Content-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let from = body.find(['{', '[']).unwrap_or(0);
        let to = body.rfind(['}', ']']).map_or(0, |at| at + 1);
        (status, serde_json::from_str(body.get(from..to).unwrap_or_default()).unwrap_or_default())
    }

    /// What a document is answered with: 404 for who may read it, 401 for a bearer that does not count.
    fn read(&self, path: &str, bearer: &str) -> u16 {
        self.ask("GET", &format!("{ROOT}/{path}"), bearer, "application/json", "").0
    }

    /// The ids of the keys that are published.
    fn published(&self) -> Vec<String> {
        let (_, set) = self.ask("GET", "/.well-known/jwks.json", "", "", "");
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    /// A new user: the uid and an ID token.
    fn sign_up(&self) -> (String, String) {
        let path = "/identitytoolkit.googleapis.com/v1/accounts:signUp?key=k";
        let (status, answer) =
            self.ask("POST", path, "", "application/json", r#"{"returnSecureToken":true}"#);
        assert_eq!(status, 200, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("localId"), text("idToken"))
    }

    /// An access token for a service account, as Google's libraries get it.
    fn access_token(&self, file: &Value) -> String {
        let path = "/oauth2.googleapis.com/token";
        let claims = json!({ "aud": identity::GOOGLE_TOKEN_URI, "scope": "x" });
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            signed(file, claims)
        );
        let (status, answer) = self.ask("POST", path, "", "application/x-www-form-urlencoded", &form);
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

/// A token that a service account signs itself.
fn signed(file: &Value, more: Value) -> String {
    let pem = file["private_key"].as_str().unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = PrivateKey::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let email = &file["client_email"];
    let mut claims = json!({ "iss": email, "sub": email, "iat": now_s, "exp": now_s + 3600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    key.sign(file["private_key_id"].as_str().unwrap(), "JWT", claims.as_object().unwrap()).unwrap()
}

#[test]
fn service_accounts_come_and_go_while_the_server_runs() {
    let folder = project(RULES);
    let (folder, running) = (folder.path(), Running::serve(folder.path(), &[]));
    let mode = std::fs::metadata(folder.join("data/admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let verb = |verb: &[&str]| answer(&[&["service-account"], verb, &["--data", "data"]].concat(), folder);
    let (first, second) = (verb(&["create", "ci"]), verb(&["create", "ci"]));
    let own = |file: &Value| signed(file, json!({ "scope": "x" }));
    let obtained = running.access_token(&first);
    for token in [&own(&first), &own(&second), &obtained] {
        assert_eq!(running.read("users/x", token), 404);
    }
    let listed = verb(&["list", "--json"]);
    assert_eq!(listed[0]["email"], "ci@p.iam.gserviceaccount.com");
    assert_eq!(listed[0]["keys"].as_array().unwrap().len(), 2, "{listed}");

    // One key ends with what was obtained with it, and nothing else does.
    verb(&["revoke", "ci", "--key", first["private_key_id"].as_str().unwrap(), "--json"]);
    assert_eq!(running.read("users/x", &own(&first)), 401);
    assert_eq!(running.read("users/x", &obtained), 401);
    assert_eq!(running.read("users/x", &own(&second)), 404);

    // A rotation leaves the old key for a while, or ends it at once.
    let third = verb(&["rotate", "ci"]);
    assert_eq!((running.read("users/x", &own(&second)), running.read("users/x", &own(&third))), (404, 404));
    let obtained = running.access_token(&third);
    let fourth = verb(&["rotate", "ci@p.iam.gserviceaccount.com", "--keep-old", "0s"]);
    for token in [&own(&second), &own(&third), &obtained] {
        assert_eq!(running.read("users/x", token), 401);
    }
    let obtained = running.access_token(&fourth);
    verb(&["revoke", "ci", "--json"]);
    for token in [&own(&fourth), &obtained] {
        assert_eq!(running.read("users/x", token), 401);
    }
    // An account of the same name does not revive what was made with the one before.
    let fifth = verb(&["create", "ci"]);
    assert_eq!((running.read("users/x", &own(&fifth)), running.read("users/x", &obtained)), (404, 401));
    let said = refusal(&["service-account", "revoke", "nobody", "--data", "data"], folder);
    assert!(said.contains("there is no service account `nobody@p.iam.gserviceaccount.com`"), "{said}");

    let log = hearth(&["log", "--data", "data", "--verdict", "admin", "--json"], folder).stdout;
    let log = String::from_utf8(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let revoked = lines.iter().find(|line| line["verb"] == "revokeServiceAccount").unwrap();
    let whoami = Command::new("id").arg("-un").output().unwrap().stdout;
    let name = String::from_utf8(whoami).unwrap();
    assert_eq!(revoked["who"], format!("system:{}", name.trim()), "{revoked}");
    assert!(!log.contains("PRIVATE") && !log.contains(&obtained));

    // Without a server the same verbs work on the folder.
    running.stop();
    assert!(!folder.join("data/admin.sock").exists());
    assert_eq!(verb(&["list", "--json"])[0]["keys"][0]["id"], fifth["private_key_id"]);
}

#[test]
fn signing_keys_rotate_and_are_revoked_while_the_server_runs() {
    let folder = project(RULES);
    let (folder, running) = (folder.path(), Running::serve(folder.path(), &[]));
    let verb = |verb: &[&str]| answer(&[&["keys"], verb, &["--data", "data", "--json"]].concat(), folder);
    let (uid, token) = running.sign_up();
    let path = format!("users/{uid}");
    assert_eq!(running.read(&path, &token), 404);
    let keys = verb(&["list"]);
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["state"]), (1, &json!("signing")));
    let first = keys[0]["id"].as_str().unwrap().to_owned();

    // A successor is published before it signs; there is one at a time.
    let keys = verb(&["rotate"]);
    assert_eq!((&keys[0]["state"], &keys[1]["state"]), (&json!("signing"), &json!("next")), "{keys}");
    let second = keys[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(running.published(), [first.clone(), second.clone()]);
    let said = refusal(&["keys", "rotate", "--data", "data"], folder);
    assert!(said.contains(&second) && said.contains("signs from"), "{said}");
    let keys = verb(&["rotate", "--now"]);
    assert_eq!((&keys[0]["state"], &keys[1]["state"]), (&json!("verifying"), &json!("signing")), "{keys}");
    assert_eq!(running.read(&path, &token), 404, "what the old key signed is good");

    // A revoked key's tokens end at once, those that were looked at before, too.
    verb(&["revoke", &first]);
    assert_eq!(running.read(&path, &token), 401);
    assert_eq!(running.published(), std::slice::from_ref(&second));
    let lookup = "/identitytoolkit.googleapis.com/v1/accounts:lookup?key=k";
    let body = json!({ "idToken": token }).to_string();
    assert_eq!(running.ask("POST", lookup, "", "application/json", &body).0, 400);
    // Another takes the place of the one that signs.
    let (uid, token) = running.sign_up();
    let keys = verb(&["revoke", &second]);
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["state"]), (1, &json!("signing")), "{keys}");
    assert_eq!(running.read(&format!("users/{uid}"), &token), 401);
    let (uid, token) = running.sign_up();
    assert_eq!(running.read(&format!("users/{uid}"), &token), 404);
    let said = refusal(&["keys", "revoke", "nothing", "--data", "data"], folder);
    assert!(said.contains("there is no signing key `nothing`"), "{said}");
}

#[test]
fn dev_takes_commands_too_and_has_no_keys() {
    let folder = project(RULES);
    let arguments = ["dev", "--ports", "all=0", "--project", "p", "--data", "data", "--json"];
    let _running = Running::start(&arguments, folder.path());
    let said = refusal(&["keys", "list", "--data", "data"], folder.path());
    assert!(said.contains("dev has no signing keys"), "{said}");
    let file = answer(&["service-account", "create", "--data", "data"], folder.path());
    assert_eq!(file["project_id"], "p");
}

/// A file with a sealing key.
fn key_file(folder: &Path, name: &str, byte: u8, mode: u32) {
    let path = folder.join(name);
    std::fs::write(&path, STANDARD.encode([byte; 32])).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn sealed_keys_take_their_key() {
    let folder = project(RULES);
    let folder = folder.path();
    for (name, byte, mode) in [("one", 1, 0o600), ("two", 2, 0o600), ("open", 3, 0o644)] {
        key_file(folder, name, byte, mode);
    }
    let start = |key: &str| {
        let base = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--project", "p", "--json"];
        Running::start(&[&base[..], &["--key-file", key]].concat(), folder)
    };
    let list =
        |more: &[&str]| answer(&[&["keys", "list", "--data", "data", "--json"], more].concat(), folder);
    let running = Running::serve(folder, &[]);
    let (uid, token) = running.sign_up();
    let path = format!("users/{uid}");
    assert_eq!(list(&[])[0]["sealed_by"], Value::Null);
    running.stop();

    // From its first start with a key on, what lay open is sealed; nobody is signed out.
    let running = start("one");
    assert_eq!(running.read(&path, &token), 404);
    let first = list(&[])[0]["sealed_by"].clone();
    assert!(first.is_string());
    running.stop();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--project", "p"];
    let said = refusal(&serve, folder);
    assert!(said.contains("are sealed") && said.contains("--key-file"), "{said}");
    for (file, expected) in
        [("two", "sealed with another key"), ("open", "chmod 600"), ("none", "cannot be read")]
    {
        let said = refusal(&[&serve[..], &["--key-file", file]].concat(), folder);
        assert!(said.contains(expected), "{said}");
    }
    let said = refusal(&["keys", "list", "--data", "data"], folder);
    assert!(said.contains("--key-file"), "{said}");
    assert_eq!(list(&["--key-file", "one"])[0]["sealed_by"], first);

    // Another sealing key, while the server runs.
    let running = start("one");
    let sealed = answer(&["keys", "seal", "two", "--data", "data", "--json"], folder);
    assert!(sealed[0]["sealed_by"].is_string() && sealed[0]["sealed_by"] != first, "{sealed}");
    assert_eq!(running.read(&path, &token), 404);
    running.stop();
    let said = refusal(&[&serve[..], &["--key-file", "one"]].concat(), folder);
    assert!(said.contains("sealed with another key"), "{said}");
    assert_eq!(start("two").read(&path, &token), 404);
}

#[test]
fn development_and_production_never_share_a_folder() {
    let (ours, others) = (project(RULES), project(RULES));
    let dev = ["dev", "--ports", "all=0", "--project", "p", "--data", "data", "--json"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--project", "p", "--json"];
    Running::start(&dev, ours.path()).stop();
    let said = refusal(&serve, ours.path());
    assert!(said.contains("was made by `hearth dev`"), "{said}");
    // A verb without a server leaves it what it is, and knows its project.
    assert_eq!(answer(&["service-account", "create", "--data", "data"], ours.path())["project_id"], "p");
    Running::start(&dev, ours.path()).stop();

    Running::serve(others.path(), &[]).stop();
    let said = refusal(&dev, others.path());
    assert!(said.contains("was made by `hearth serve`"), "{said}");
    Running::serve(others.path(), &[]).stop();
    let said = refusal(&["keys", "list", "--data", "nowhere"], others.path());
    assert!(said.contains("there is no data") && !others.path().join("nowhere").exists(), "{said}");
}
