//! How verbs fail: the exit codes of the table in `hearth --help`, and errors as JSON where `--json` was asked.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const UNKNOWN_FUNCTION: &str = "rules_version = '2';
service cloud.firestore { match /databases/{d}/documents { match /a/{b} { allow read: if nobody(); } } }";

fn hearth(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// Each line: the exit code and the command. What is named and not there was never begun.
const FAILURES: &str = "\
2 log --since yesterday
2 log --data nowhere
2 check nofile.rules
2 test nofile.md
2 explain nofile.rules \"a get /b\"
2 explain firestore.rules
2 explain --request 123456 --data nowhere
2 explain firestore.rules \"a get b\"
2 keys list --data nowhere
2 indexes list --data nowhere
2 service-account list --data nowhere
2 backup --data nowhere --to copy
2 restore --from nowhere --to copy
2 verify --data nowhere
2 dev nowhere
2 dev --export-on-exit
2 serve --data data
2 serve --data data --project p --public-url http://x
2 exec --only nothing -- true
2 check --no-such-flag
2 nothing
1 check broken.rules
1 explain broken.rules \"a get /b\"
1 check --deny-warnings firestore.rules
1 test wrong.rules.md
1 serve broken --data data --project p
0 check firestore.rules
0 --help
";

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("firestore.rules", UNKNOWN_FUNCTION),
        ("broken.rules", "service cloud.firestore { match /x"),
        ("broken/firestore.rules", "service cloud.firestore { match /x"),
        ("wrong.rules.md", "```cases\nnobody get /a/1 -> allow\n```\n"),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn every_verb_fails_with_the_code_of_the_table() {
    let folder = project();
    for line in FAILURES.lines() {
        let (code, command) = line.split_once(' ').unwrap();
        let words = shlex::split(command).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = hearth(folder.path(), &words);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code.parse().unwrap()), "hearth {command}: {told}");
    }
}

#[test]
fn an_error_is_json_where_json_was_asked() {
    let folder = project();
    let mut count = 0;
    for line in FAILURES.lines().filter(|line| line.starts_with('2')) {
        let (_, command) = line.split_once(' ').unwrap();
        let mut words = shlex::split(command).unwrap();
        let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
        words.insert(at, "--json".to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = hearth(folder.path(), &words);
        let told = String::from_utf8_lossy(&output.stdout);
        let error: Value =
            serde_json::from_str(&told).unwrap_or_else(|_| panic!("hearth {command}: {told:?}"));
        assert_eq!(error["error"]["code"], 2, "hearth {command}: {told}");
        assert!(error["error"]["message"].as_str().unwrap().len() > 10, "hearth {command}: {told}");
        assert!(output.stderr.is_empty(), "hearth {command}: {}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(count > 15, "{count}");
    let broken = hearth(folder.path(), &["explain", "broken.rules", "a get /b", "--json"]);
    let error: Value = serde_json::from_slice(&broken.stdout).unwrap();
    assert_eq!((&error["error"]["code"], &error["findings"][0]["line"]), (&Value::from(1), &Value::from(1)));
}

#[test]
fn the_table_is_in_the_help_and_in_the_docs() {
    let help = hearth(Path::new("."), &["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for code in ["0", "1", "2", "3"] {
        let in_help = help.lines().find_map(|line| line.strip_prefix(&format!("  {code}    ")));
        let meaning = in_help.unwrap_or_else(|| panic!("{code}: {help}"));
        assert!(docs.contains(&format!("| {code} | {meaning} |")), "{code}: {meaning}");
    }
}
