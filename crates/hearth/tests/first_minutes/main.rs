//! What a newcomer meets: nothing that is configured, broken or missing passes in silence.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod screen;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const BROKEN: &str = "rules_version = '2';\nservice cloud.firestore { match /x/{id} { allow read: if tru";
const PORTS: &str = "all=0";

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
    let config =
        r#"{"firestore": {"rule": "x"}, "apphosting": {}, "emulators": {"auth": {"host": "0.0.0.0"}}}"#;
    let folder = project(&[("firebase.json", config)]);
    let screen = text(&exec(folder.path(), &[], "true").stderr);
    for told in [
        "firebase.json:1:16: `firestore.rule` is not a key of firebase.json, so it does nothing; did you mean `rules`?",
        "`emulators.auth.host` is 0.0.0.0",
        "configures apphosting, which Hearth does not serve yet",
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
    let ports = format!("all=0,firestore={port}");
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
    // What a shell says of the words that can follow, once it has loaded its file.
    let tries = [
        (
            "bash",
            "source ./completions && complete -p hearth && COMP_WORDS=(hearth se) COMP_CWORD=1 && _hearth hearth se hearth; echo ${COMPREPLY[@]}",
        ),
        (
            "zsh",
            "autoload -U compinit && compinit -u -d ./dump && source ./completions && whence -w _hearth; grep -o 'service-account' completions | head -1; echo ${_comps[hearth]}",
        ),
        ("fish", "source ./completions; complete -C 'hearth se'"),
    ];
    for (shell, script) in tries {
        let output = hearth(folder.path(), &["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        std::fs::write(folder.path().join("completions"), &output.stdout).unwrap();
        // A shell that is not there is tried where it is: `./x setup` installs all three.
        let Ok(loaded) = Command::new(shell).args(["-c", script]).current_dir(folder.path()).output() else {
            continue;
        };
        let (said, errors) = (text(&loaded.stdout), text(&loaded.stderr));
        assert!(said.contains("service-account") && errors.is_empty(), "{shell}: {said} {errors}");
        assert!(
            shell != "zsh" || said.contains("_hearth: function\n") && said.ends_with("_hearth\n"),
            "{said}"
        );
    }
    let github = hearth(folder.path(), &["check", "--output-format", "github"]).output().unwrap();
    assert_eq!(github.status.code(), Some(1));
    assert!(text(&github.stdout).starts_with("::error file="), "{}", text(&github.stdout));
    let man = hearth(folder.path(), &["man", "pages"]).output().unwrap();
    assert!(man.status.success(), "{}", text(&man.stderr));
    let page = std::fs::read_to_string(folder.path().join("pages/hearth-explain.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("request"), "{page}");
    let sarif = hearth(folder.path(), &["check", "--output-format", "sarif"]).output().unwrap();
    let document: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!(document["runs"][0]["results"][0]["level"], "error", "{document}");
}

fn rules(condition: &str) -> String {
    format!(
        "rules_version = '2';\nservice cloud.firestore {{ match /databases/{{d}}/documents {{\n  match /{{path=**}} {{ allow read: if {condition}; }}\n}} }}"
    )
}

#[test]
fn the_command_on_the_screen_works_wherever_it_is_pasted() {
    let folder = project(&[("firebase.json", "{}"), ("sub/keep", "")]);
    // As somebody who has built it calls it: by a path, from a folder inside of the project.
    let mut child = hearth(&folder.path().join("sub"), &["dev", "--ports", PORTS])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut commands =
        lines.filter_map(|line| line.split_once("by which rule:  ").map(|(_, told)| told.to_owned()));
    let command = commands.next().unwrap().replace(" --follow", " --json");
    let output = Command::new("sh").args(["-c", &command]).current_dir("/").output().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    assert!(text(&output.stdout).contains("claimFolder"), "{command}: {}", text(&output.stdout));
}

#[test]
fn a_case_without_quotes_says_how_to_write_it() {
    let folder = project(&[
        ("firestore.rules", &rules("true")),
        ("wrong.rules.md", "```cases\nann list /rooms where owner == ann -> allow\n```\n"),
    ]);
    let output = hearth(folder.path(), &["test"]).output().unwrap();
    let told = text(&output.stderr) + &text(&output.stdout);
    assert!(
        told.contains("`ann` is not a JSON value: text is in quotes, as in `where owner == \"ann\"`"),
        "{told}"
    );
}

#[test]
fn who_has_the_data_folder_is_named() {
    let folder = project(&[("firebase.json", "{}")]);
    let mut first =
        hearth(folder.path(), &["dev", "--ports", PORTS, "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let second = hearth(folder.path(), &["dev", "--ports", PORTS]).output().unwrap();
    let pid = first.id();
    first.kill().unwrap();
    first.wait().unwrap();
    let told = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(told.contains(&format!("by hearth with pid {pid}: stop that one")), "{told}");
}

#[test]
fn help_fits_and_warnings_leave_the_exit_code() {
    let folder = project(&[("firestore.rules", &rules("nobody()"))]);
    for verb in [
        "--help",
        "dev --help",
        "serve --help",
        "check --help",
        "explain --help",
        "log --help",
        "exec --help",
    ] {
        let words: Vec<&str> = verb.split(' ').collect();
        let help = text(&hearth(folder.path(), &words).output().unwrap().stdout);
        let longest = help.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 100, "{verb}: {longest} columns");
    }
    for verb in ["exec", "explain", "dev", "check", "test", "log", "serve"] {
        let help = text(&hearth(folder.path(), &[verb, "--help"]).output().unwrap().stdout);
        assert!(
            help.contains("Examples:\n  hearth ") && help.contains("Documentation: docs/"),
            "{verb}: {help}"
        );
    }
    assert_eq!(hearth(folder.path(), &["check"]).output().unwrap().status.code(), Some(0));
    assert_eq!(hearth(folder.path(), &["check", "--deny-warnings"]).output().unwrap().status.code(), Some(1));
}

const HERE: [&str; 2] =
    ["crates/hearth/tests/first_minutes/main.rs", "crates/hearth/tests/first_minutes/screen.rs"];

/// `rows.md` beside this file says which test shows each row: those tests are there.
#[test]
fn every_row_has_a_test_that_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("tests/first_minutes/rows.md")).unwrap();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what")) {
        let shown = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let (files, name) = match test.split_once(": ") {
                Some((file, name)) => (vec![file], name),
                None => (HERE.to_vec(), test),
            };
            let read = |file: &str| std::fs::read_to_string(folder.join("../..").join(file));
            let is_there = files.iter().any(|file| read(file).is_ok_and(|source| source.contains(name)));
            assert!(is_there, "{files:?} have no `{name}`");
        }
        rows += 1;
    }
    assert!(rows >= 20, "{rows}");
}
