//! Every file in `cases/bolt` compiles to what `firebase-bolt` printed for it (`.json`), with what it said
//! (`.messages`) and what we say besides (`.remarks`).
//!
//! Where `firebase-bolt` is installed (`NODE_PATH`, or `suites/bolt/node_modules`), it is asked again.
//! `node suites/bolt/oracle.js --write crates/policy/cases/bolt/*.bolt` stores its answers; `BOLT_WRITE_REMARKS=1` stores our remarks.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod limits;
mod map;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use policy::Source;
use policy::bolt::{Compiled, compile, original_line};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/bolt");
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "bolt")).collect();
    files.sort();
    assert!(files.len() > 50, "only {} cases", files.len());
    files
}

fn source(file: &Path) -> Source {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    Source::new(name, std::fs::read_to_string(file).unwrap())
}

fn beside(file: &Path, extension: &str) -> Option<String> {
    std::fs::read_to_string(file.with_extension(extension)).ok()
}

/// What Bolt itself says, with places only where it has true ones: what it finds while generating is all at 1:1.
fn original_lines(lines: &str) -> BTreeSet<String> {
    lines.lines().map(|line| line.replacen("bolt:1:1: ", "bolt: ", 1)).collect()
}

fn our_lines(source: &Source, compiled: &Compiled) -> BTreeSet<String> {
    let lines = compiled.diagnostics.iter().filter_map(|diagnostic| original_line(source, diagnostic));
    original_lines(&lines.map(|line| line + "\n").collect::<String>())
}

/// What only we say, static checks of the rules left out, and the help we give.
fn remarks(source: &Source, compiled: &Compiled) -> String {
    let mut out = String::new();
    for diagnostic in &compiled.diagnostics {
        let own = !matches!(diagnostic.code, "bolt-generate" | "bolt-parse" | "bolt-style" | "bolt-syntax");
        let place = |offset: u32| {
            let (line, column) = source.line_column(offset);
            format!("{line}:{column}")
        };
        let at = place(diagnostic.span.start);
        if own {
            let severity = diagnostic.severity.name();
            out += &format!("{at} {severity}[{}]: {}\n", diagnostic.code, diagnostic.message);
            for (span, label) in &diagnostic.labels {
                out += &format!("  {} {label}\n", place(span.start));
            }
        }
        if let Some(help) = &diagnostic.help {
            out += &format!("  {at} help: {help}\n");
        }
    }
    out
}

/// One mistake per line, none if all is as expected.
fn compare(
    name: &str,
    expected_json: Option<&str>,
    expected_lines: &str,
    compiled: &Compiled,
    source: &Source,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if compiled.json.as_deref() != expected_json {
        wrong.push(format!(
            "{name}: json\n--- firebase-bolt\n{expected_json:?}\n--- ours\n{:?}",
            compiled.json
        ));
    }
    let (theirs, ours) = (original_lines(expected_lines), our_lines(source, compiled));
    if theirs != ours {
        wrong.push(format!("{name}: messages\n--- firebase-bolt\n{theirs:#?}\n--- ours\n{ours:#?}"));
    }
    wrong
}

#[test]
fn every_case_compiles_as_firebase_bolt_does() {
    let mut wrong = Vec::new();
    for file in cases() {
        let source = source(&file);
        let compiled = compile(source.clone());
        let json = beside(&file, "json");
        let lines = beside(&file, "messages").unwrap_or_default();
        assert!(json.is_some() || !lines.is_empty(), "{} has no expectation", source.name);
        wrong.extend(compare(&source.name, json.as_deref(), &lines, &compiled, &source));
        let remarks = remarks(&source, &compiled);
        if std::env::var_os("BOLT_WRITE_REMARKS").is_some() {
            let _ = std::fs::remove_file(file.with_extension("remarks"));
            if !remarks.is_empty() {
                std::fs::write(file.with_extension("remarks"), &remarks).unwrap();
            }
        }
        let expected = beside(&file, "remarks").unwrap_or_default();
        if expected != remarks {
            wrong.push(format!("{}: remarks\n--- expected\n{expected}\n--- ours\n{remarks}", source.name));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn firebase_bolt_still_says_so() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = std::env::var_os("NODE_PATH").map(PathBuf::from);
    let modules = modules.unwrap_or_else(|| manifest.join("../../suites/bolt/node_modules"));
    if !modules.join("firebase-bolt").is_dir() {
        eprintln!("skipped: firebase-bolt is not installed");
        return;
    }
    let files = cases();
    let answer = Command::new("node")
        .arg(manifest.join("../../suites/bolt/oracle.js"))
        .args(&files)
        .env("NODE_PATH", modules)
        .output()
        .unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answers: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answers.len(), files.len());
    let mut wrong = Vec::new();
    for file in files {
        let source = source(&file);
        let answer = &answers[&*file.to_string_lossy()];
        let lines: Vec<&str> =
            answer["messages"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let compiled = compile(source.clone());
        wrong.extend(compare(&source.name, answer["json"].as_str(), &lines.join("\n"), &compiled, &source));
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}

/// What is usable, Firebase takes: the rules by themselves have no error either.
#[test]
fn usable_rules_compile_by_themselves() {
    let (mut usable, mut wrong) = (0, Vec::new());
    for file in cases() {
        let compiled = compile(source(&file));
        let Some(json) = &compiled.json else { continue };
        let alone = policy::rtdb::compile(Source::new("rules.json", json.as_str()));
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match (compiled.usable(), &alone.ruleset) {
            (Some(_), Some(_)) => usable += 1,
            (Some(_), None) => wrong.push(format!("{name}: {:?}", alone.diagnostics)),
            (None, _) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(usable > 30, "only {usable} usable cases");
}
