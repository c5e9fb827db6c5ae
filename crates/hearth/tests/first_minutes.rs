//! What a newcomer meets: nothing that is configured, broken or missing passes in silence.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const BROKEN: &str = "rules_version = '2';\nservice cloud.firestore { match /x/{id} { allow read: if tru";
const PORTS: &str = "auth=0,firestore=0,storage=0,hub=0";

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn hearth(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a shell's command beside a served project.
fn exec(folder: &Path, options: &[&str], script: &str) -> Output {
    let mut arguments = vec!["exec", "--ports", PORTS];
    arguments.extend(options);
    arguments.extend(["--", "sh", "-c", script]);
    hearth(folder, &arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts `dev`, takes its line of JSON, and stops it.
fn ready(folder: &Path, arguments: &[&str]) -> Value {
    let mut all = vec!["dev", "--ports", PORTS, "--json"];
    all.extend(arguments);
    let mut child = hearth(folder, &all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"))
}

#[test]
fn a_command_finds_the_services_and_its_code_is_passed_on() {
    let folder =
        project(&[("firebase.json", "{}"), (".firebaserc", r#"{"projects": {"default": "demo-a"}}"#)]);
    let script = "env; exit 7";
    let output = exec(folder.path(), &[], script);
    assert_eq!(output.status.code(), Some(7));
    let variables = text(&output.stdout);
    for wanted in [
        "FIRESTORE_EMULATOR_HOST=127.0.0.1:",
        "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:",
        "FIREBASE_EMULATOR_HUB=127.0.0.1:",
        "GCLOUD_PROJECT=demo-a\n",
    ] {
        assert!(variables.contains(wanted), "{wanted}: {variables}");
    }
    assert!(!folder.path().join(".hearth").exists(), "data is in memory");
    for (program, code) in [("/nowhere/program", 127), ("/", 126)] {
        let output = hearth(folder.path(), &["exec", "--ports", PORTS, "--", program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{program}");
        assert!(text(&output.stderr).contains(program));
    }
    assert_eq!(exec(folder.path(), &[], "kill -TERM $$").status.code(), Some(143));
}

#[test]
fn what_firebase_json_says_and_nobody_does_is_told_with_its_place() {
    let config = r#"{"firestore": {"rule": "x"}, "storage": {}, "emulators": {"auth": {"host": "0.0.0.0"}}}"#;
    let folder = project(&[("firebase.json", config)]);
    let screen = text(&exec(folder.path(), &[], "true").stderr);
    for told in [
        "firebase.json:1:16: `firestore.rule` is not a key of firebase.json, so it does nothing; did you mean `rules`?",
        "`emulators.auth.host` is 0.0.0.0",
        "configures storage, which Hearth does not serve yet",
        "NO RULES: there is no firestore.rules, so everyone may read and write everything.",
    ] {
        assert!(screen.contains(told), "{told}: {screen}");
    }
}

#[test]
fn broken_rules_are_told_first_and_last_and_in_each_denial() {
    let folder = project(&[("firebase.json", "{}"), ("firestore.rules", BROKEN)]);
    let ask = "exec 3<>/dev/tcp/${FIRESTORE_EMULATOR_HOST/:/\\/}; printf 'GET /v1/projects/demo-hearth/databases/(default)/documents/x/1 HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let arguments = ["exec", "--ports", PORTS, "--", "bash", "-c", ask];
    let output = hearth(folder.path(), &arguments).output().unwrap();
    let (screen, answer) = (text(&output.stderr), text(&output.stdout));
    let lines: Vec<&str> = screen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(lines[1].starts_with("firestore.rules HAS ERRORS"), "{screen}");
    let last = lines.iter().position(|line| line.starts_with("error: firestore.rules has 1 error"));
    let denial =
        lines.iter().position(|line| line.contains("deny") && line.contains("firestore.rules has errors"));
    assert!(last.is_some() && denial > last, "{screen}");
    assert!(answer.contains("PERMISSION_DENIED") && answer.contains("firestore.rules:2:"), "{answer}");
    let ready = ready(folder.path(), &["--ephemeral"]);
    assert_eq!(ready["errors"].as_array().map(Vec::len), Some(1), "{ready}");
    assert_eq!(ready["warnings"].as_array().map(Vec::len), Some(0), "{ready}");
}

#[test]
fn a_project_is_found_from_inside_and_nothing_is_written_where_none_is() {
    let folder = project(&[("firebase.json", "{}"), ("src/deep/keep", "")]);
    let found = ready(&folder.path().join("src/deep"), &[]);
    assert!(found["data"].as_str().unwrap().ends_with("/.hearth"), "{found}");
    assert!(folder.path().join(".hearth").is_dir() && !folder.path().join("src/deep/.hearth").exists());
    assert_eq!(std::fs::read_to_string(folder.path().join(".hearth/.gitignore")).unwrap(), "*\n");
    let bare = project(&[]);
    let found = ready(bare.path(), &[]);
    assert!(found["data"].is_null(), "{found}");
    assert!(found["notes"][0].as_str().unwrap().contains("nothing is written"), "{found}");
    assert_eq!(std::fs::read_dir(bare.path()).unwrap().count(), 0);
}

#[test]
fn who_holds_a_port_is_named_and_a_tool_s_port_may_be_another() {
    let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    let folder = project(&[("firebase.json", "{}")]);
    let ports = format!("auth=0,hub=0,storage=0,firestore={port}");
    let output = hearth(folder.path(), &["dev", "--ephemeral", "--ports", &ports]).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains(&format!("with pid {} listens there", std::process::id())), "{message}");
    assert!(message.contains("--ports firestore=PORT"), "{message}");
    // A run beside others takes what is free.
    let output = hearth(folder.path(), &["exec", "--ports", &ports, "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn an_export_begins_the_next_run() {
    let folder = project(&[("firebase.json", "{}")]);
    let write = "exec 3<>/dev/tcp/${FIRESTORE_EMULATOR_HOST/:/\\/}; printf 'PATCH /v1/projects/demo-hearth/databases/(default)/documents/a/b HTTP/1.0\\r\\nContent-Length: 41\\r\\n\\r\\n{\"fields\":{\"n\":{\"integerValue\":\"12345\"}}}' >&3; cat <&3";
    let read = "exec 3<>/dev/tcp/${FIRESTORE_EMULATOR_HOST/:/\\/}; printf 'GET /v1/projects/demo-hearth/databases/(default)/documents/a/b HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let run = |options: &[&str], script: &str| {
        let mut arguments = vec!["exec", "--ports", PORTS];
        arguments.extend(options);
        arguments.extend(["--", "bash", "-c", script]);
        hearth(folder.path(), &arguments).output().unwrap()
    };
    let written = run(&["--export-on-exit", "kept"], write);
    assert!(written.status.success() && text(&written.stdout).contains("12345"), "{}", text(&written.stderr));
    let found = run(&["--import", "kept"], read);
    assert!(text(&found.stdout).contains("12345"), "{}", text(&found.stderr));
    let none = run(&["--import", "."], read);
    assert!(
        !none.status.success() && text(&none.stderr).contains("is not an export"),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn another_project_s_client_is_told_once_and_output_can_be_quiet() {
    let folder = project(&[("firebase.json", "{}")]);
    let ask = "for i in 1 2; do exec 3<>/dev/tcp/${FIRESTORE_EMULATOR_HOST/:/\\/}; printf 'GET /v1/projects/typo/databases/(default)/documents/x/1 HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null; done";
    let run = |options: &[&str]| {
        let mut arguments = vec!["exec", "--ports", PORTS, "--project", "right"];
        arguments.extend(options);
        arguments.extend(["--", "bash", "-c", ask]);
        text(&hearth(folder.path(), &arguments).output().unwrap().stderr)
    };
    let screen = run(&[]);
    assert_eq!(
        screen.matches("asks for project `typo`, and this server runs `right`").count(),
        1,
        "{screen}"
    );
    assert!(!screen.contains('\u{1b}'), "{screen:?}");
    assert_eq!(run(&["--quiet"]), "");
}

#[test]
fn a_shell_takes_the_completions_and_other_tools_the_findings() {
    let folder = project(&[("firebase.json", "{}"), ("firestore.rules", BROKEN)]);
    for shell in ["bash", "zsh", "fish"] {
        let output = hearth(folder.path(), &["completions", shell]).output().unwrap();
        assert!(output.status.success() && text(&output.stdout).contains("service-account"), "{shell}");
        std::fs::write(folder.path().join("completions"), &output.stdout).unwrap();
        let Ok(loaded) = Command::new(shell).args(["-n", "completions"]).current_dir(folder.path()).output()
        else {
            continue;
        };
        assert!(loaded.status.success(), "{shell}: {}", text(&loaded.stderr));
    }
    let github = hearth(folder.path(), &["check", "--output-format", "github"]).output().unwrap();
    assert_eq!(github.status.code(), Some(1));
    assert!(text(&github.stdout).starts_with("::error file="), "{}", text(&github.stdout));
    let sarif = hearth(folder.path(), &["check", "--output-format", "sarif"]).output().unwrap();
    let document: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!(document["runs"][0]["results"][0]["level"], "error", "{document}");
}
