//! `docs/checks.md` has a chapter for every finding: the doc comment of its file.
//!
//! `CHECKS=overwrite cargo test -p prove --test documentation` writes the chapters anew; what stands around them is
//! written by hand.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prove::Language;
use prove::findings::{CHAPTERS, Finding};

const BEGIN: &str =
    "<!-- From here on: the doc comments in crates/prove/src/findings, written by a test. -->\n";
const END: &str = "<!-- Until here. -->\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/findings")
}

/// The name of a finding's file, without `.rs`.
fn file_name(finding: &Finding) -> String {
    finding.code.replace('-', "_")
}

/// The doc comment at the top of a finding's file.
fn doc_comment(finding: &Finding) -> String {
    let text = std::fs::read_to_string(folder().join(format!("{}.rs", file_name(finding)))).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

fn languages(finding: &Finding) -> String {
    let names = [
        (Language::Firestore, "Firestore rules"),
        (Language::Storage, "Storage rules"),
        (Language::Realtime, "Realtime Database rules"),
        (Language::Bolt, "Bolt"),
        (Language::Cel, "CEL"),
    ];
    if names.iter().all(|(language, _)| finding.languages.contains(language)) {
        return "all languages".to_owned();
    }
    if finding.languages.is_empty() {
        return "operations of Data Connect".to_owned();
    }
    let own = names.iter().filter(|(language, _)| finding.languages.contains(language));
    own.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn chapters() -> String {
    let mut out = String::new();
    for chapter in CHAPTERS {
        out.push_str(&format!("\n## {}\n", chapter.title));
        for finding in chapter.findings {
            let (code, severity) = (finding.code, finding.severity.name());
            out.push_str(&format!("\n### `{code}`\n\nA {severity}, in {}.\n\n", languages(finding)));
            out.push_str(&doc_comment(finding));
        }
    }
    out.push('\n');
    out
}

#[test]
fn the_document_says_what_the_files_of_the_findings_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", chapters());
    if std::env::var_os("CHECKS").is_some_and(|value| value == "overwrite") {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    assert!(
        text == wanted,
        "docs/checks.md is stale: CHECKS=overwrite cargo test -p prove --test documentation"
    );
}

/// Each finding has a file, and each file a finding; what several findings share is the rest.
#[test]
fn one_finding_is_one_file() {
    let shared = ["mod", "claims"].map(str::to_owned);
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let findings = CHAPTERS.iter().flat_map(|chapter| chapter.findings);
    let wanted: BTreeSet<String> = findings.map(file_name).chain(shared).collect();
    assert_eq!(files, wanted);
}
