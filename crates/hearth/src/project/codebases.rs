//! The folders with functions.

use std::path::Path;

use functions::model::Codebase;
use serde_json::Value as Json;

/// Of the entry `functions` of `firebase.json`, or of several.
pub fn of(folder: &Path, functions: &Json) -> Vec<Codebase> {
    let several = functions.as_array().map_or(&[][..], Vec::as_slice);
    let entries = std::iter::once(functions).chain(several).filter(|entry| entry.is_object());
    let text = |entry: &Json, key: &str, usual: &str| {
        entry.get(key).and_then(Json::as_str).unwrap_or(usual).to_owned()
    };
    let codebase = |entry: &Json| Codebase {
        name: text(entry, "codebase", "default"),
        source: folder.join(text(entry, "source", "functions")),
    };
    entries.map(codebase).collect()
}
