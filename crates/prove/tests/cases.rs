//! Runs every markdown file below `cases/`, in all languages, and the documents about them. `cases/README.md` says how
//! they are written.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use prove::cases::{Failure, Options, Problem, read, run};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Checks made, and what is not as written.
fn outcome(name: &str, text: &str) -> (usize, Vec<Failure>, Vec<Problem>) {
    let (sections, problems) = read(name, text);
    let (mut count, mut failures) = (0, Vec::new());
    for section in &sections {
        let report = run(section, None, &Options::default(), &mut |_, _| {});
        count += report.count;
        failures.extend(report.failures);
    }
    (count, failures, problems)
}

/// The text with its explanations as they are now: `CASES=overwrite cargo test -p prove --test cases`.
fn with_explanations(text: &str, failures: &[Failure]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for failure in failures.iter().rev().filter(|failure| failure.check.starts_with("explanation of ")) {
        let start = failure.line - 1;
        let length = lines[start..].iter().position(|line| *line == "```").unwrap();
        lines.splice(start..start + length, failure.found.lines());
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_case_is_decided_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    // The static checks have cases of their own kind.
    paths.retain(|path| !path.starts_with(root.join("check")));
    paths.sort();
    // The examples of the documents about the languages are cases too.
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    paths.extend(["rules.md", "realtime-rules.md", "cel.md"].map(|name| documents.join(name)));
    let (mut count, mut told) = (0, Vec::new());
    for path in paths {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        if name.ends_with("README.md") || name.ends_with("exceptions.md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let (checks, failures, problems) = outcome(&name, &text);
        if std::env::var_os("CASES").is_some_and(|value| value == "overwrite") {
            fs::write(&path, with_explanations(&text, &failures)).unwrap();
            continue;
        }
        count += checks;
        told.extend(problems.iter().map(Problem::to_string));
        told.extend(failures.iter().map(|failure| {
            let Failure { file, line, check, expected, found, explanation } = failure;
            format!("{file}:{line}: {check}\n  expected:\n{expected}\n  found:\n{found}\n{explanation}")
        }));
    }
    if count == 0 && std::env::var_os("CASES").is_some() {
        return;
    }
    println!("{count} checks");
    assert!(told.is_empty(), "{} of {count} fail:\n{}", told.len(), told.join("\n"));
    assert!(count > 600, "the cases were not found: {count}");
}
