//! Entry points for fuzzers and property tests: any text goes in, nothing panics, nothing runs long.

use policy::Source;
use policy::diagnostic::render;

use crate::Language;
use crate::check::{check, together};

/// Runs the static checks of every language over a text and renders what they tell. Returns how much that is.
pub fn checks(text: &str) -> usize {
    let languages =
        [Language::Firestore, Language::Storage, Language::Realtime, Language::Bolt, Language::Cel];
    let mut project = languages.map(|language| check(Source::new("fuzz", text), language));
    together(&mut project);
    for checked in &project {
        render(&checked.source, &checked.diagnostics, false);
    }
    project.iter().map(|checked| checked.diagnostics.len()).sum()
}
