//! Tells the language of a text from a file's name and from how the text begins.

use std::path::Path;

use prove::Language;

use super::fragment;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text of rules.
    Language(Language),
    /// Prose with rules in it.
    Document,
    /// Operations of Data Connect, with expressions in them.
    GraphQl,
}

/// A language's name, as `--language` and reports have it.
pub fn name(language: Language) -> &'static str {
    match language {
        Language::Firestore => "firestore",
        Language::Storage => "storage",
        Language::Realtime => "realtime",
        Language::Bolt => "bolt",
        Language::Cel => "cel",
    }
}

/// What a file is; `None` when neither its name nor its text tells.
pub fn of_file(path: &Path, text: &str) -> Option<Kind> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    Some(match extension.to_ascii_lowercase().as_str() {
        "rules" => Kind::Language(fragment::service(text)),
        "json" | "jsonc" | "json5" => Kind::Language(Language::Realtime),
        "bolt" => Kind::Language(Language::Bolt),
        "cel" => Kind::Language(Language::Cel),
        "gql" | "graphql" => Kind::GraphQl,
        "md" | "markdown" | "mdx" | "txt" | "rst" | "adoc" | "html" => Kind::Document,
        _ => Kind::Language(of_text(text)?),
    })
}

/// The language of a whole text by how it begins.
pub fn of_text(text: &str) -> Option<Language> {
    match fragment::first_statement(text)? {
        fragment::Statement::Rules => Some(fragment::service(text)),
        fragment::Statement::Json => {
            // `firebase.json` has a key `rules`, too.
            let keys = ["\".read\"", "\".write\"", "\".validate\"", "\".indexOn\""];
            keys.iter().any(|key| text.contains(key)).then_some(Language::Realtime)
        }
        fragment::Statement::Path => Some(Language::Bolt),
        // Both languages have functions, Bolt has types that GraphQL has too: what follows tells.
        fragment::Statement::Function if fragment::has_rules(text) => Some(fragment::service(text)),
        fragment::Statement::Function | fragment::Statement::Type => {
            fragment::has_path(text).then_some(Language::Bolt)
        }
    }
}
