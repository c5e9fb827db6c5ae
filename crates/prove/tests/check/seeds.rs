//! The documents that the project began with: every snippet in them that a language here can read.
//!
//! The documents are not part of the repository; where they are not there, this is skipped.

use std::path::{Path, PathBuf};

use policy::Source;
use prove::Language;
use prove::check::check;

fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("HEARTH_ORACLE") {
        Some(oracle) => PathBuf::from(oracle).parent()?.join("seeds"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds"),
    };
    folder.is_dir().then_some(folder)
}

/// The text of a document from a line that begins so up to one that begins so.
fn cut(text: &str, from: &str, to: &str) -> String {
    let start = text.find(from).unwrap();
    let end = start + text[start..].find(to).unwrap();
    text[start..end].to_owned()
}

/// The blocks of a document that are JSON rules, in order.
fn rule_blocks(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at] == "{" {
            let end = at + lines[at..].iter().position(|line| *line == "}").unwrap();
            let block = lines[at..=end].join("\n");
            if lines[at + 1].contains("\"rules\"") {
                blocks.push(block);
                at = end;
            }
        }
        at += 1;
    }
    blocks
}

fn told(language: Language, text: &str) -> Vec<(u32, &'static str)> {
    let checked = check(Source::new("seed", text), language);
    checked
        .diagnostics
        .iter()
        .map(|found| (checked.source.line_column(found.span.start).0, found.code))
        .collect()
}

#[test]
fn the_defects_of_the_documents_are_found_and_nothing_else() {
    let Some(folder) = folder() else {
        println!("skipped: no oracle data");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    partner(&read("000_5bf0bd939e732bdb.txt"));
    content(&read("004_409ff71ba2db8e5c.txt"));
    projects(&read("003_1b73f5a31111d5d6.txt"));
}

fn partner(text: &str) {
    let rules = cut(text, "function isPartner()", "Inside this collection");
    let rules = format!(
        "rules_version = '2';\nservice cloud.firestore {{ match /databases/{{database}}/documents {{\n{rules}}}}}"
    );
    assert_eq!(told(Language::Firestore, &rules), [(4, "exists-takes-a-path")]);
}

fn content(text: &str) {
    let blocks = rule_blocks(text);
    let found: Vec<_> = blocks.iter().map(|block| told(Language::Realtime, block)).collect();
    let expected: [&[(u32, &str)]; 5] = [
        &[],
        &[(13, "open-read"), (16, "missing-comma"), (17, "open-read")],
        &[],
        &[(11, "shadowed-grant")],
        &[],
    ];
    assert_eq!(found, expected, "{blocks:#?}");
    let write = cut(text, "    \".write\": \"auth !== null &&", "  }\n\nNow that");
    let rules = format!("{{\"rules\": {{\"$environment\": {{\"$contentType\": {{\n{write}\n}}}}}}}}");
    assert_eq!(told(Language::Realtime, &rules), [(42, "child-takes-text")]);
    let provider = "{\"rules\": {\n\".write\": \"auth.provider !== 'anonymous'\"\n}}";
    assert_eq!(told(Language::Realtime, provider), [(2, "true-when-signed-out")]);
}

fn projects(text: &str) {
    let bolt = cut(text, "/*\n * Checks if a given action", "That’s about it.");
    let found = told(Language::Bolt, &bolt);
    assert!(found.iter().any(|(line, code)| *line == 58 && code.starts_with("bolt-")), "{found:?}");
    let repaired = bolt.replace(" *//", " */");
    let found = told(Language::Bolt, &repaired);
    for expected in [(11, "bolt-not-boolean"), (12, "bolt-text-as-boolean"), (49, "bolt-sibling-captures")] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
}
