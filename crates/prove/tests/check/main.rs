//! Runs the static checks over every markdown file below `cases/check/`; its README says how they are written.
//!
//! With `CHECK_CASES_WRITE=1` the `diagnostics` blocks are written anew; what changed is then to be read.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

mod robust;
mod seeds;
mod sound;
mod sound_cel;

use std::path::{Path, PathBuf};

use policy::Source;
use prove::Language;
use prove::check::{Checked, check, together};

/// A text of a case and how many letters of ours come before it, on its first line.
struct Text {
    source: Source,
    language: Language,
    before: u32,
}

fn wrapped(kind: &str, body: &str) -> Option<Text> {
    let firestore = "rules_version = '2'; service cloud.firestore { match /databases/{database}/documents {";
    let storage = "rules_version = '2'; service firebase.storage { match /b/{bucket}/o {";
    let whole = body.contains("service ");
    let (before, after, language, name) = match kind {
        "rules" if whole => ("", "", Language::Firestore, "firestore.rules"),
        "rules" => (firestore, "\n}}", Language::Firestore, "firestore.rules"),
        "rules storage" if whole => ("", "", Language::Storage, "storage.rules"),
        "rules storage" => (storage, "\n}}", Language::Storage, "storage.rules"),
        "json rules" => ("", "", Language::Realtime, "database.rules.json"),
        "json inner" => ("{\"rules\": {", "\n}}", Language::Realtime, "database.rules.json"),
        "bolt" => ("", "", Language::Bolt, "rules.bolt"),
        "cel" => ("", "", Language::Cel, "expression"),
        _ => return None,
    };
    let source = Source::new(name, format!("{before}{body}{after}"));
    Some(Text { source, language, before: before.len() as u32 })
}

/// `warning[code] 3:5 message`, and `  help: …` where there is help.
fn shown(checked: &Checked, before: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for found in &checked.diagnostics {
        let (line, column) = checked.source.line_column(found.span.start);
        let severity = found.severity.name();
        let column = if line == 1 { column.saturating_sub(before) } else { column };
        lines.push(format!("{severity}[{}] {line}:{column} {}", found.code, found.message));
        lines.extend(found.help.iter().map(|help| format!("  help: {help}")));
    }
    lines
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/check");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().is_some_and(|name| name != "README.md"));
    files.sort();
    files
}

#[test]
fn every_case_is_told_as_written() {
    let write = std::env::var_os("CHECK_CASES_WRITE").is_some();
    let (mut count, mut failures) = (0, Vec::new());
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let (out, cases) = run(&name, &text, &mut failures);
        count += cases;
        if write && out != text {
            std::fs::write(&file, out).unwrap();
        }
    }
    println!("{count} checks");
    assert!(write || failures.is_empty(), "{} of {count} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 10, "the cases were not found");
}

/// Runs a file; gives it back with what was found.
fn run(file: &str, text: &str, failures: &mut Vec<String>) -> (String, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut project, mut before): (Vec<Checked>, Vec<u32>) = (Vec::new(), Vec::new());
    let (mut out, mut at, mut count): (Vec<String>, usize, usize) = (Vec::new(), 0, 0);
    while at < lines.len() {
        out.push(lines[at].to_owned());
        at += 1;
        let Some(kind) = lines[at - 1].strip_prefix("```") else { continue };
        let end = at + lines[at..].iter().position(|line| *line == "```").unwrap();
        let block = &lines[at..end];
        let place = format!("{file}:{at}");
        at = end + 1;
        let mut found = Vec::new();
        match kind {
            "diagnostics" => {
                assert!(!project.is_empty(), "{place}: nothing to check");
                together(&mut project);
                let several = project.len() > 1;
                for (checked, before) in project.iter().zip(&before) {
                    if several {
                        found.push(format!("{}:", checked.source.name));
                    }
                    found.extend(shown(checked, *before));
                }
                count += 1;
                if found != block {
                    failures.push(format!("{place}: diagnostics are\n{}", found.join("\n")));
                }
                (project, before) = (Vec::new(), Vec::new());
            }
            _ => {
                let text = wrapped(kind, &block.join("\n"))
                    .unwrap_or_else(|| panic!("{place}: unknown block `{kind}`"));
                project.push(check(text.source, text.language));
                before.push(text.before);
                found = block.iter().map(|line| (*line).to_owned()).collect();
            }
        }
        out.extend(found);
        out.push("```".to_owned());
    }
    assert!(project.is_empty(), "{file}: the last texts are not checked");
    (out.join("\n") + "\n", count)
}
