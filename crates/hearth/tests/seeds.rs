//! The documents Hearth was asked to understand, checked as they are: every defect in their rules is found at its line,
//! and nothing else is said. The documents are not ours to copy: without them the test is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise and says when it is skipped"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Errors and warnings of a document: line and code.
fn found(file: &Path) -> Vec<(u64, String)> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_hearth")).args(["check", "--json"]).arg(file).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let told = findings.filter(|finding| finding["severity"] != "NOTE");
    told.map(|finding| (finding["line"].as_u64().unwrap(), finding["code"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn every_defect_of_the_documents_is_found_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no documents in {}", folder.display());
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let expected: &[(&str, &[(u64, &str)])] = &[
        ("000", &[(43, "exists-takes-a-path")]),
        ("001", &[]),
        ("002", &[]),
        ("003", &[(216, "bolt-parse")]),
        (
            "004",
            &[
                (61, "missing-comma"),
                (105, "true-when-signed-out"),
                (125, "shadowed-grant"),
                (234, "child-takes-text"),
            ],
        ),
    ];
    assert_eq!(files.len(), expected.len(), "{files:?}");
    for (file, (prefix, expected)) in files.iter().zip(expected) {
        assert!(file.file_name().unwrap().to_str().unwrap().starts_with(prefix), "{file:?}");
        let found = found(file);
        let found: Vec<(u64, &str)> = found.iter().map(|(line, code)| (*line, code.as_str())).collect();
        assert_eq!(found, *expected, "{prefix}");
    }

    // With its comment closed as it should be, the Bolt document shows what else is wrong with it.
    let bolt = std::fs::read_to_string(&files[3]).unwrap().replace(" *//", " */ ");
    let repaired = tempfile::NamedTempFile::with_suffix(".txt").unwrap();
    std::fs::write(repaired.path(), bolt).unwrap();
    let told = found(repaired.path());
    for (line, code) in
        [(169, "bolt-not-boolean"), (170, "bolt-text-as-boolean"), (207, "bolt-sibling-captures")]
    {
        assert!(told.contains(&(line, code.to_owned())), "{code} is not told at {line}: {told:?}");
    }
}
