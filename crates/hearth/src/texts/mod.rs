//! Finds the texts of rules that a command is about: files, a project's folder, snippets in a document.
//!
//! Invariant: whatever is said about a snippet is said at the document's own line and column. A snippet is compiled
//! behind as many empty lines as stand before it, so that lines inside messages are the document's too.

mod bracket;
pub mod document;
mod fragment;
mod language;
pub mod project;

use std::io::Read;
use std::path::{Path, PathBuf};

use policy::{Diagnostic, Severity, Source, Span};
use prove::Language;

pub use language::name;

const FILE_BYTES_MAX: u64 = 1 << 20;
const DOCUMENT_TEXTS_MAX: usize = 500;

/// One text of rules.
#[derive(Clone, Debug)]
pub struct Text {
    /// The file it stands in, whole.
    pub file: Source,
    pub language: Language,
    /// What is compiled: the text itself, or the snippet made whole.
    pub compiled: Source,
    /// Where a snippet stands; `None` when the text is the file.
    pub snippet: Option<Snippet>,
}

/// A part of a document.
#[derive(Clone, Copy, Debug)]
pub struct Snippet {
    /// Its place in the document.
    start: usize,
    end: usize,
    /// Where it starts in what is compiled.
    compiled_start: usize,
    /// Whether it needs a text around it to mean something: names it does not declare may stand there.
    pub fragment: bool,
}

/// Why a text cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{path}` is larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge { path: PathBuf },
    #[error("`{path}` has more than {DOCUMENT_TEXTS_MAX} snippets: check it in parts")]
    TooMany { path: PathBuf },
    #[error("`{path}` is not UTF-8 text")]
    NotText { path: PathBuf },
    #[error("the language of `{path}` cannot be told from its name or text: give it with --language")]
    Language { path: PathBuf },
    #[error(
        "no rules in `{path}`: there is neither a firebase.json that names some nor a file with a usual name"
    )]
    NoRules { path: PathBuf },
    #[error("{0}")]
    Project(#[from] crate::project::ProjectError),
}

impl Text {
    /// A file that is one text.
    pub fn whole(source: Source, language: Language) -> Self {
        Self { file: source.clone(), language, compiled: source, snippet: None }
    }

    /// A place of what is compiled as a place of the file.
    pub fn place(&self, span: Span) -> Span {
        let Some(snippet) = self.snippet else { return span };
        let shift = |offset: u32| {
            let offset = (offset as usize).saturating_sub(snippet.compiled_start) + snippet.start;
            offset.clamp(snippet.start, snippet.end)
        };
        Span::new(shift(span.start), shift(span.end))
    }

    /// What is found in the compiled text, at the file's places, without what only a whole text can be blamed for.
    pub fn told(&self, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if let Some(snippet) = self.snippet {
            let (kept, left_out): (Vec<_>, Vec<_>) = found.into_iter().partition(|diagnostic| {
                is_about(diagnostic, snippet.fragment) && !self.says_dots(self.place(diagnostic.span))
            });
            // What follows from a name that is declared elsewhere does not follow.
            let unknown: Vec<Span> = left_out
                .iter()
                .filter(|left| left.code.starts_with("unknown-"))
                .map(|left| left.span)
                .collect();
            let follows =
                |span: Span| unknown.iter().any(|name| span.start <= name.start && name.end <= span.end);
            found = kept
                .into_iter()
                .filter(|kept| kept.severity == Severity::Error || !follows(kept.span))
                .collect();
        }
        for diagnostic in &mut found {
            diagnostic.span = self.place(diagnostic.span);
            for (span, _) in &mut diagnostic.labels {
                *span = self.place(*span);
            }
        }
        found
    }

    /// Whether a line of the document says that something was left out of it.
    fn says_dots(&self, span: Span) -> bool {
        let (before, after) = self.file.text.split_at_checked(span.start as usize).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after.find('\n').unwrap_or(after.len());
        let parts = [before.get(start..), after.get(..end)].map(Option::unwrap_or_default);
        let line = parts.concat();
        let code = line.split("//").next().unwrap_or_default();
        code.contains("...") || code.contains('…')
    }

    /// The line of the file where the text begins.
    pub fn line(&self) -> u32 {
        let start = self.snippet.map_or(0, |snippet| snippet.start);
        self.file.line_column(Span::new(start, start).start).0
    }
}

/// Whether something found in a snippet is about it, not about what its document left out.
fn is_about(diagnostic: &Diagnostic, fragment: bool) -> bool {
    match diagnostic.code {
        // Another block of the document may have them.
        "bolt-generate" => {
            let elsewhere = ["No type definition for", "Undefined function", "Must have at least one path"];
            !elsewhere.iter().any(|begins| diagnostic.message.starts_with(begins))
        }
        // Documents show the part that matters.
        "old-version" | "other-service" | "empty-block" => false,
        "unused-function" | "trailing-comma" => !fragment,
        // What is nearly called like something that is there is a slip, whatever stands around.
        "unknown-variable" | "unknown-function" => {
            !fragment || diagnostic.help.as_ref().is_some_and(|help| help.starts_with("did you mean"))
        }
        _ => true,
    }
}

/// The texts of files and folders, in their order.
pub fn find(paths: &[PathBuf], language: Option<Language>) -> Result<Vec<Text>, TextError> {
    let mut texts = Vec::new();
    for path in paths {
        if path.is_dir() {
            texts.extend(of_project(path)?);
        } else {
            texts.extend(of_source(path, read_named(path)?, language)?);
        }
    }
    Ok(texts)
}

/// The texts of a project's folder.
pub fn of_project(folder: &Path) -> Result<Vec<Text>, TextError> {
    let mut texts = Vec::new();
    for (path, language) in project::rules(folder)? {
        texts.extend(of_source(&path, read(&path)?, language)?);
    }
    if texts.is_empty() {
        return Err(TextError::NoRules { path: folder.to_owned() });
    }
    Ok(texts)
}

/// The texts of one file.
fn of_source(path: &Path, source: Source, language: Option<Language>) -> Result<Vec<Text>, TextError> {
    let known = language.map(language::Kind::Language).or_else(|| language::of_file(path, &source.text));
    match known {
        Some(language::Kind::Language(language)) => Ok(vec![Text::whole(source, language)]),
        Some(language::Kind::Document) => bounded(path, document::texts(&source)),
        Some(language::Kind::GraphQl) => bounded(path, document::expressions(&source, 0..source.text.len())),
        None => Err(TextError::Language { path: path.to_owned() }),
    }
}

fn bounded(path: &Path, texts: Vec<Text>) -> Result<Vec<Text>, TextError> {
    if texts.len() > DOCUMENT_TEXTS_MAX {
        return Err(TextError::TooMany { path: path.to_owned() });
    }
    Ok(texts)
}

/// Reads a file of bounded size; its name is the path as people would write it.
pub fn read(path: &Path) -> Result<Source, TextError> {
    let unreadable = |source| TextError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    source_of(path, file)
}

/// Reads a file, or standard input for `-`.
pub fn read_named(path: &Path) -> Result<Source, TextError> {
    if path.as_os_str() == "-" { standard_input() } else { read(path) }
}

fn standard_input() -> Result<Source, TextError> {
    source_of(Path::new("<stdin>"), std::io::stdin().lock())
}

fn source_of(path: &Path, from: impl Read) -> Result<Source, TextError> {
    let mut bytes = Vec::new();
    let unreadable = |source| TextError::Unreadable { path: path.to_owned(), source };
    from.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(TextError::TooLarge { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|_| TextError::NotText { path: path.to_owned() })?;
    let shown = path.strip_prefix(".").unwrap_or(path).display().to_string();
    Ok(Source::new(shown, text))
}

/// How many errors, warnings and notes there are.
pub fn count<'d>(found: impl IntoIterator<Item = &'d Diagnostic>) -> [usize; 3] {
    let mut counts = [0; 3];
    for diagnostic in found {
        let [errors, warnings, notes] = &mut counts;
        *match diagnostic.severity {
            Severity::Error => errors,
            Severity::Warning => warnings,
            Severity::Note => notes,
        } += 1;
    }
    counts
}
