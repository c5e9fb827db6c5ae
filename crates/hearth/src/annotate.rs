//! Findings in the forms of other tools: annotations of GitHub's workflows, and SARIF for code scanning.
//!
//! Source: GitHub's "Workflow commands" (`::error file=…::`), OASIS' SARIF 2.1.0 as far as code scanning reads it.

use policy::Severity;
use policy::diagnostic::Report;
use serde_json::{Value as Json, json};

/// Something about a place in a file. Lines and columns begin at 1.
pub struct Note {
    /// Its file, as it was named.
    pub file: String,
    /// Where it begins.
    pub line: u32,
    /// Where it begins.
    pub column: u32,
    /// Where it ends, exclusive; `None` where only the line is known.
    pub end: Option<(u32, u32)>,
    /// `error`, `warning` or `note`.
    pub level: &'static str,
    /// What kind it is.
    pub code: String,
    /// What it says.
    pub message: String,
}

impl From<Report> for Note {
    fn from(report: Report) -> Self {
        let message = match report.help {
            Some(help) => format!("{} ({help})", report.message),
            None => report.message,
        };
        let level = match report.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        Self {
            file: report.file,
            line: report.line,
            column: report.column,
            end: Some((report.end_line, report.end_column)),
            level,
            code: report.code.to_owned(),
            message,
        }
    }
}

/// A line for each, which GitHub shows at its place in a change.
pub fn github(notes: &[Note]) -> String {
    let mut out = String::new();
    for note in notes {
        let level = if note.level == "note" { "notice" } else { note.level };
        let end = match note.end {
            // GitHub knows columns within one line only.
            Some((line, column)) if line == note.line => {
                format!(",endColumn={}", column.saturating_sub(1).max(note.column))
            }
            Some((line, _)) => format!(",endLine={line}"),
            None => String::new(),
        };
        let (file, title) = (property(&note.file), property(&note.code));
        let (line, column, message) = (note.line, note.column, data(&note.message));
        out.push_str(&format!(
            "::{level} file={file},line={line},col={column}{end},title={title}::{message}\n"
        ));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// All of them as one document.
pub fn sarif(notes: &[Note]) -> String {
    let mut codes: Vec<&str> = notes.iter().map(|note| note.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Json> = codes.iter().map(|code| json!({"id": code})).collect();
    let results: Vec<Json> = notes.iter().map(result).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "hearth", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn result(note: &Note) -> Json {
    let mut region = json!({"startLine": note.line, "startColumn": note.column});
    if let (Some((line, column)), Some(region)) = (note.end, region.as_object_mut()) {
        region.insert("endLine".to_owned(), line.into());
        region.insert("endColumn".to_owned(), column.into());
    }
    // Names are addresses there, with their own alphabet.
    let file: String = note
        .file
        .split('/')
        .map(|part| part.replace('%', "%25").replace(' ', "%20"))
        .collect::<Vec<_>>()
        .join("/");
    json!({
        "ruleId": note.code,
        "level": note.level,
        "message": {"text": note.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            file: "a b,c.rules".to_owned(),
            line: 3,
            column: 5,
            end: Some((3, 9)),
            level: "warning",
            code: "open-access".to_owned(),
            message: "100%\nopen: yes".to_owned(),
        }
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(
            github(&[note(), Note { end: None, level: "note", ..note() }]),
            "::warning file=a b%2Cc.rules,line=3,col=5,endColumn=8,title=open-access::100%25%0Aopen: yes\n\
             ::notice file=a b%2Cc.rules,line=3,col=5,title=open-access::100%25%0Aopen: yes\n"
        );
    }

    #[test]
    fn a_document_names_each_kind_once() {
        let document: Json = serde_json::from_str(&sarif(&[note(), note()])).unwrap();
        let run = &document["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        let place = &run["results"][1]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b,c.rules");
        assert_eq!(place["region"]["endColumn"], 9);
    }
}
