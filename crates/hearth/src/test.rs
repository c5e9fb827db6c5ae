//! `hearth test`: runs case files against the rules in them or the project's, and says what is not as written.

mod coverage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use policy::Source;
use prove::Language;
use prove::cases::{self, Failure, Options, Rules, Section};
use serde_json::json;

use crate::annotate::{self, Note};
use crate::check::plural;
use crate::cli::{Form, Test};
use crate::paint;
use crate::texts::{self, project};
use coverage::Covered;

/// Names of folders whose markdown is looked at for cases.
const CASE_FOLDERS: &[&str] = &["tests", "test", "spec", "cases"];

/// What became of all files.
#[derive(Default)]
struct Outcome {
    files: Vec<String>,
    count: usize,
    failures: Vec<Failure>,
}

/// Tests; the code is 1 when something is not as written.
pub fn run(ask: &Test) -> Result<ExitCode, String> {
    let files = files(&ask.files)?;
    let mut outcome = Outcome::default();
    let mut covered = Covered::default();
    for file in &files {
        run_file(ask, file, &mut outcome, &mut covered)?;
    }
    if outcome.files.is_empty() {
        return Err(
            "no cases are found: write them in `*.rules.md` or in `tests/*.md`, in blocks of ```cases"
                .to_owned(),
        );
    }
    if outcome.count == 0
        && let Some(filter) = &ask.filter
    {
        return Err(format!("no case has `{filter}`"));
    }
    let written = ask.coverage.as_deref().map(|folder| covered.write(folder)).transpose()?;
    let notes = || -> Vec<Note> { outcome.failures.iter().map(note).collect() };
    let out = match ask.format.form() {
        Form::Text => as_text(&outcome, &covered, written.as_deref()),
        Form::Json => as_json(&outcome, &covered),
        Form::Github => annotate::github(&notes()),
        Form::Sarif => annotate::sarif(&notes()),
    };
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    Ok(if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The case files that are meant.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in given {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let wanted = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let in_tests = path
                .components()
                .any(|part| part.as_os_str().to_str().is_some_and(|part| CASE_FOLDERS.contains(&part)));
            name.ends_with(".rules.md") || (name.ends_with(".md") && in_tests)
        };
        let below = project::files_below(path, &wanted).map_err(|error| error.to_string())?;
        // Other markdown in these folders is prose.
        found.extend(below.into_iter().filter(|path| {
            let text = texts::read(path).map(|source| source.text.to_string()).unwrap_or_default();
            cases::blocks(&text).iter().any(|block| block.info.split(' ').next() == Some("cases"))
        }));
    }
    Ok(found)
}

fn run_file(ask: &Test, path: &Path, outcome: &mut Outcome, covered: &mut Covered) -> Result<(), String> {
    let source = texts::read(path).map_err(|error| error.to_string())?;
    let (sections, problems) = cases::read(&source.name, &source.text);
    outcome.files.push(source.name.to_string());
    let before = outcome.failures.len();
    outcome.count += problems.len();
    outcome.failures.extend(problems.into_iter().map(|problem| Failure {
        file: problem.file,
        line: problem.line,
        check: "the file".to_owned(),
        expected: "what can be read".to_owned(),
        found: problem.reason,
        explanation: String::new(),
    }));
    let wanted =
        |case: &cases::Case| ask.filter.as_ref().is_none_or(|filter| case.request.contains(filter.as_str()));
    let options =
        Options { wanted: &wanted, color: ask.format.form() == Form::Text && paint::stdout_has_color() };
    for section in &sections {
        let given = match rules(section, path) {
            Ok(given) => given,
            Err(reason) => {
                outcome.count += 1;
                outcome.failures.push(Failure {
                    file: section.file.clone(),
                    line: section.line,
                    check: "rules".to_owned(),
                    expected: "rules to test".to_owned(),
                    found: reason,
                    explanation: String::new(),
                });
                continue;
            }
        };
        let report = cases::run(section, given, &options, &mut |policy, answer| {
            if ask.coverage.is_some() {
                covered.add(policy, answer);
            }
        });
        outcome.count += report.count;
        outcome.failures.extend(report.failures);
    }
    outcome.failures.get_mut(before..).unwrap_or_default().sort_by_key(|failure| failure.line);
    Ok(())
}

/// The rules that a section names: a file beside it or in the project, or the project's own.
fn rules(section: &Section, file: &Path) -> Result<Option<(Source, Language)>, String> {
    let here = file.parent().unwrap_or(Path::new(""));
    let project = project_of(here);
    match &section.rules {
        Rules::Here(_) | Rules::Expressions { .. } => Ok(None),
        Rules::File(name) => {
            let path = [here, project.as_path()]
                .map(|folder| folder.join(name))
                .into_iter()
                .find(|path| path.is_file());
            let path =
                path.ok_or_else(|| format!("`{name}` is neither beside this file nor in the project"))?;
            let texts = texts::find(&[path], None).map_err(|error| error.to_string())?;
            first(&texts, None).map(Some).ok_or_else(|| format!("`{name}` is not a file of rules"))
        }
        Rules::Project(language) => {
            let texts = texts::of_project(&project).map_err(|error| error.to_string())?;
            first(&texts, *language)
                .map(Some)
                .ok_or_else(|| format!("the project in `{}` has no such rules", project.display()))
        }
    }
}

fn first(texts: &[texts::Text], language: Option<Language>) -> Option<(Source, Language)> {
    let mut fit = texts.iter().filter(|text| text.snippet.is_none() && text.language != Language::Cel);
    let found = fit.find(|text| language.is_none_or(|language| text.language == language))?;
    Some((found.compiled.clone(), found.language))
}

/// The nearest folder above that has a `firebase.json` or a file of rules with a usual name; otherwise the folder itself.
fn project_of(folder: &Path) -> PathBuf {
    let start = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
    let is_project = |folder: &Path| project::rules(folder).is_ok_and(|rules| !rules.is_empty());
    let above =
        absolute.ancestors().position(|folder| folder.join("firebase.json").is_file() || is_project(folder));
    // Said as the caller said it, so that messages have short names.
    let mut found = start.to_owned();
    for _ in 0..above.unwrap_or(0) {
        found = match found.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ if found.is_relative() && found.as_os_str() != "." && !found.ends_with("..") => {
                PathBuf::from(".")
            }
            _ if found.as_os_str() == "." => PathBuf::from(".."),
            _ => found.join(".."),
        };
    }
    found
}

fn note(failure: &Failure) -> Note {
    let Failure { file, line, check, expected, found, .. } = failure;
    Note {
        file: file.to_string(),
        line: u32::try_from(*line).unwrap_or(u32::MAX),
        column: 1,
        end: None,
        level: "error",
        code: "failed-case".to_owned(),
        message: format!("{check}: expected {}, found {}", expected.trim_end(), found.trim_end()),
    }
}

fn as_text(outcome: &Outcome, covered: &Covered, written: Option<&Path>) -> String {
    let mut out = String::new();
    for failure in &outcome.failures {
        let Failure { file, line, check, expected, found, explanation } = failure;
        out.push_str(&format!("{file}:{line}: {check}\n"));
        for (name, text) in [("expected", expected), ("found", found)] {
            let text = text.trim_end().replace('\n', "\n            ");
            out.push_str(&format!("  {name:<9} {text}\n"));
        }
        if !explanation.is_empty() {
            out.push('\n');
            for line in explanation.trim_end().lines() {
                out.push_str(format!("  {line}").trim_end());
                out.push('\n');
            }
        }
        out.push('\n');
    }
    for line in covered.summary() {
        out.push_str(&format!("{line}\n"));
    }
    if let Some(folder) = written {
        out.push_str(&format!("coverage written to {}\n", folder.display()));
    }
    let verdict = match outcome.failures.len() {
        0 => "all pass".to_owned(),
        failed => format!("{failed} failed"),
    };
    out.push_str(&format!(
        "{} in {}: {verdict}\n",
        plural(outcome.count, "check"),
        plural(outcome.files.len(), "file")
    ));
    out
}

fn as_json(outcome: &Outcome, covered: &Covered) -> String {
    let failures: Vec<_> = outcome
        .failures
        .iter()
        .map(|failure| {
            json!({
                "file": failure.file,
                "line": failure.line,
                "check": failure.check,
                "expected": failure.expected,
                "found": failure.found,
                "explanation": failure.explanation,
            })
        })
        .collect();
    let mut document = json!({
        "files": outcome.files,
        "failures": failures,
        "summary": {"checks": outcome.count, "failed": outcome.failures.len()},
    });
    if let (Some(document), Some(totals)) = (document.as_object_mut(), covered.json()) {
        document.insert("coverage".to_owned(), totals);
    }
    format!("{document:#}\n")
}
