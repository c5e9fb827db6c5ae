//! `hearth check`: what there is to say about rules without running them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use base::{Clock, SystemClock};
use policy::diagnostic::Report;
use policy::{Diagnostic, Source};
use prove::check::{Checked, check_at, together};
use serde_json::json;

use crate::annotate::{self, Note};
use crate::cli::{Check, Form};
use crate::dataconnect::{self, Found};
use crate::paint::{self, Look};
use crate::texts::{self, Text};

/// Checks; the code is 1 when something is wrong, 2 (an error here) when nothing could be checked.
pub fn run(ask: &Check) -> Result<ExitCode, String> {
    let language = ask.language.map(crate::cli::LanguageName::language);
    let operations = operations(&ask.files)?;
    let texts = match texts::find(&ask.files, language) {
        // Operations of levels have no expressions.
        Err(texts::TextError::NoRules { .. }) if operations.count > 0 => Vec::new(),
        found => found.map_err(|error| error.to_string())?,
    };
    let mut files = told(&texts);
    let count = operations.count;
    operations.files.into_iter().for_each(|(source, found)| add(&mut files, source, found));
    for file in &mut files {
        file.found.sort_by_key(|found| (found.span.start, found.span.end));
    }
    let counts = texts::count(files.iter().flat_map(|file| &file.found));
    let notes = || -> Vec<Note> { files.iter().flat_map(File::reports).map(Note::from).collect() };
    let out = match ask.format.form() {
        Form::Text => as_text(&texts, count, &files, counts),
        Form::Json => as_json(&texts, &files, counts),
        Form::Github => annotate::github(&notes()),
        Form::Sarif => annotate::sarif(&notes()),
    };
    // Whoever closed the pipe has seen enough.
    let _ = std::io::stdout().lock().write_all(out.as_bytes());
    let [errors, warnings, _] = counts;
    let failed = errors > 0 || (ask.deny_warnings && warnings > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A file and what was found in all its texts.
struct File {
    source: Source,
    found: Vec<Diagnostic>,
}

impl File {
    fn reports(&self) -> impl Iterator<Item = Report> {
        self.found.iter().map(|found| found.report(&self.source))
    }
}

fn add(files: &mut Vec<File>, source: Source, found: Vec<Diagnostic>) {
    match files.iter_mut().find(|file| file.source.name == source.name) {
        Some(file) => file.found.extend(found),
        None => files.push(File { source, found }),
    }
}

/// The operations of Data Connect in the folders that are asked about.
fn operations(paths: &[PathBuf]) -> Result<Found, String> {
    let mut all = Found::default();
    for path in paths.iter().filter(|path| dataconnect::is_in(path)) {
        let found = dataconnect::findings(path).map_err(|failure| failure.message)?;
        all.files.extend(found.files);
        all.count += found.count;
    }
    Ok(all)
}

fn told(texts: &[Text]) -> Vec<File> {
    // Files of a project belong together; a document's snippets are examples, each for itself.
    let (whole, snippets): (Vec<&Text>, Vec<&Text>) = texts.iter().partition(|text| text.snippet.is_none());
    let now = Some(SystemClock.now());
    let check = |text: &Text| check_at(text.compiled.clone(), text.language, now);
    let mut checked: Vec<Checked> = whole.iter().map(|text| check(text)).collect();
    together(&mut checked);
    let of_whole = whole.into_iter().zip(checked);
    let of_snippets = snippets.into_iter().map(|text| (text, check(text)));
    let mut files = Vec::new();
    for (text, checked) in of_whole.chain(of_snippets) {
        add(&mut files, text.file.clone(), text.told(checked.diagnostics));
    }
    files
}

fn as_text(
    texts: &[Text],
    operations: usize,
    files: &[File],
    [errors, warnings, notes]: [usize; 3],
) -> String {
    let mut out = String::new();
    for file in files.iter().filter(|file| !file.found.is_empty()) {
        out.push_str(&paint::findings(&file.source, &file.found, Look::stdout()));
    }
    let snippets = texts.iter().filter(|text| text.snippet.is_some()).count();
    let mut parts = Vec::new();
    if texts.len() > snippets {
        parts.push(plural(texts.len() - snippets, "file"));
    }
    if snippets > 0 {
        parts.push(plural(snippets, "snippet"));
    }
    if operations > 0 {
        parts.push(plural(operations, "operation"));
    }
    let subject = if parts.is_empty() { "nothing".to_owned() } else { parts.join(" and ") };
    let mut counts = Vec::new();
    for (count, noun) in [(errors, "error"), (warnings, "warning"), (notes, "note")] {
        if count > 0 {
            counts.push(plural(count, noun));
        }
    }
    let verdict = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
    out.push_str(&format!("checked {subject}: {verdict}\n"));
    out
}

/// A count with its noun.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn as_json(texts: &[Text], files: &[File], [errors, warnings, notes]: [usize; 3]) -> String {
    let checked: Vec<_> = texts
        .iter()
        .map(|text| {
            json!({
                "file": &*text.file.name,
                "line": text.line(),
                "language": texts::name(text.language),
                "snippet": text.snippet.is_some(),
            })
        })
        .collect();
    let findings: Vec<_> = files.iter().flat_map(File::reports).collect();
    let document = json!({
        "texts": checked,
        "findings": findings,
        "summary": {"errors": errors, "warnings": warnings, "notes": notes},
    });
    format!("{document:#}\n")
}
