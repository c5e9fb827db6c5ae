//! What `hearth check` says of a Data Connect project: errors of schema and operations, and the findings of `prove`.

use std::collections::BTreeMap;
use std::path::Path;

use dataconnect::diagnostic::{Diagnostic as Said, Place, Severity};
use policy::{Diagnostic, Source, Span};

use super::Services;
use super::describe::describe;
use crate::failure::Failure;
use crate::texts;

/// What the compiler says.
const CODE: &str = "data-connect";

/// What is found in a folder.
#[derive(Default)]
pub struct Found {
    /// Files, each with what is said of it.
    pub files: Vec<(Source, Vec<Diagnostic>)>,
    /// Operations that were looked at.
    pub count: usize,
}

/// Looks at a project's folder, or that of one service.
pub fn findings(folder: &Path) -> Result<Found, Failure> {
    let services = Services::read(folder)?;
    let mut files = Files { root: &services.root, read: BTreeMap::new() };
    for said in &services.diagnostics {
        // Errors of expressions are found where expressions are checked, which says more of them.
        if !said.message.starts_with("ERROR: ") {
            files.add(&said.place, |span| diagnostic(said, span));
        }
    }
    for (api, operation) in services.operations() {
        let described = describe(api, operation, &mut |place| files.span(place));
        for found in prove::check::check_operation(&described) {
            files.push(&described.file, found);
        }
    }
    Ok(Found { count: services.operations().count(), files: files.read.into_values().collect() })
}

fn diagnostic(said: &Said, span: Span) -> Diagnostic {
    let found = match said.severity {
        Severity::Error => Diagnostic::error(CODE, span, said.message.clone()),
        Severity::Warning => Diagnostic::warning(CODE, span, said.message.clone()),
    };
    match &said.help {
        Some(help) => found.help(help),
        None => found,
    }
}

/// The files that something is said of.
struct Files<'f> {
    root: &'f Path,
    read: BTreeMap<String, (Source, Vec<Diagnostic>)>,
}

impl Files<'_> {
    fn file(&mut self, name: &str) -> &mut (Source, Vec<Diagnostic>) {
        let path = self.root.join(name);
        self.read.entry(name.to_owned()).or_insert_with(|| {
            let missing = || Source::new(path.display().to_string(), "");
            (texts::read(&path).unwrap_or_else(|_| missing()), Vec::new())
        })
    }

    /// The word at a place.
    fn span(&mut self, place: &Place) -> Span {
        let (source, _) = self.file(&place.file);
        word_at(&source.text, place.line, place.column)
    }

    fn add(&mut self, place: &Place, found: impl FnOnce(Span) -> Diagnostic) {
        let span = self.span(place);
        self.push(&place.file, found(span));
    }

    fn push(&mut self, name: &str, found: Diagnostic) {
        self.file(name).1.push(found);
    }
}

/// The word that begins at a line and a column, in characters.
fn word_at(text: &str, line: u32, column: u32) -> Span {
    let number = |n: u32| usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    let lines = text.split_inclusive('\n').take(number(line));
    let before: usize = lines.map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let skipped: usize = rest.chars().take(number(column)).map(char::len_utf8).sum();
    let start = before + skipped;
    let is_word = |letter: &char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '@');
    let word = text.get(start..).unwrap_or_default().chars().take_while(is_word);
    let length: usize = word.map(char::len_utf8).sum();
    Span::new(start, start + length.max(1).min(text.len().saturating_sub(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_at_their_places() {
        let text = "é query\n  mutation Ab { x }";
        let word = |line, column| text.get(word_at(text, line, column).range()).unwrap();
        assert_eq!(word(1, 3), "query");
        assert_eq!(word(2, 12), "Ab");
        assert_eq!(word(0, 0), "é");
        assert_eq!(word_at(text, 9, 9).start as usize, text.len());
    }
}
