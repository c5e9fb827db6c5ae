//! The verbs about rules by their real output: every console block of `tests/cli/*.md` is run and compared.
//! `TRYCMD=overwrite cargo test -p hearth --test cli` writes what is printed now; read the difference before committing.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn the_verbs_print_what_their_documents_show() {
    trycmd::TestCases::new().env("NO_COLOR", "1").case("tests/cli/*.md");
}

fn hearth(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hearth")).args(arguments).current_dir(folder).output().unwrap()
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name).display().to_string()
}

#[test]
fn coverage_is_written_for_every_ruleset() {
    let folder = tempfile::tempdir().unwrap();
    let output = hearth(&["test", &fixture("test.in/rooms"), "--coverage=seen", "--json"], folder.path());
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let totals = |index: usize| &report["coverage"][index]["totals"];
    assert_eq!(
        (totals(0)["rules"].as_u64(), totals(0)["rulesGranted"].as_u64()),
        (Some(4), Some(2)),
        "{report}"
    );
    assert_eq!(
        (totals(1)["rules"].as_u64(), totals(1)["rulesGranted"].as_u64()),
        (Some(2), Some(1)),
        "{report}"
    );
    let read = |name: &str| std::fs::read_to_string(folder.path().join("seen").join(name)).unwrap();
    let lcov = read("lcov.info");
    assert_eq!(lcov.matches("end_of_record").count(), 2, "{lcov}");
    let names = |extension: &str| {
        let entries = std::fs::read_dir(folder.path().join("seen")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(extension)).collect();
        names.sort();
        names
    };
    let (pages, reports) = (names(".html"), names(".json"));
    assert!(pages.len() == 2 && reports.len() == 2, "{pages:?} {reports:?}");
    assert!(pages.iter().all(|page| read(page).contains("<html")), "{pages:?}");
}

#[test]
fn bolt_is_written_where_it_is_asked_for_and_only_when_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (fixture("bolt.in/users.bolt"), fixture("bolt.in/roles.bolt"));
    let exists = |name: &str| folder.path().join(name).exists();
    assert!(hearth(&["bolt", "compile", &right, "-o", "a.json"], folder.path()).status.success());
    let printed = hearth(&["bolt", "compile", &right], folder.path()).stdout;
    assert_eq!(std::fs::read(folder.path().join("a.json")).unwrap(), printed);
    assert_eq!(hearth(&["bolt", "compile", &wrong, "-o", "b.json"], folder.path()).status.code(), Some(1));
    assert!(!exists("b.json"));
    assert!(hearth(&["bolt", "compile", &wrong, "-o", "b.json", "--force"], folder.path()).status.success());
    assert!(exists("b.json"));
}

#[test]
fn color_is_only_for_terminals_and_those_who_force_it() {
    let rules = fixture("explain.in/firestore.rules");
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        command.args(["explain", &rules, "bob get /rooms/1"]).output().unwrap().stdout.contains(&0x1b)
    };
    assert!(
        !run(&[]) && run(&[("CLICOLOR_FORCE", "1")]) && !run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])
    );
}

#[test]
fn the_cases_of_the_examples_pass() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in ["fireflicks", "flamelink", "partner-api", "projects"] {
        let output = hearth(&["test", "--json", "."], &examples.join(name));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(output.status.success(), "{report:#}");
        assert!(report["summary"]["checks"].as_u64() > Some(8), "{report:#}");
    }
}
