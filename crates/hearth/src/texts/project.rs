//! The files with rules of a project's folder: those that `firebase.json` names, else those with usual names.

use std::path::{Path, PathBuf};

use prove::Language;
use serde_json::Value as Json;

use crate::project::{ProjectError, read_json};

/// Names that rules usually have.
const USUAL: &[(&str, Language)] = &[
    ("firestore.rules", Language::Firestore),
    ("storage.rules", Language::Storage),
    ("database.rules.json", Language::Realtime),
    ("database.rules.bolt", Language::Bolt),
    ("rules.bolt", Language::Bolt),
];

/// Files of operations looked for below one folder.
const FILES_MAX: usize = 2_000;
/// Folders below one folder.
const LEVELS_MAX: usize = 8;

/// The files, each with its language where the project says it.
pub fn rules(folder: &Path) -> Result<Vec<(PathBuf, Option<Language>)>, ProjectError> {
    let config_path = folder.join("firebase.json");
    let config: Json = read_json(&config_path)?.unwrap_or(Json::Null);
    let mut found: Vec<(PathBuf, Option<Language>)> = Vec::new();
    let services = [
        ("firestore", Language::Firestore),
        ("storage", Language::Storage),
        ("database", Language::Realtime),
    ];
    for (key, language) in services {
        let entry = config.get(key);
        let several = entry.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        for entry in entry.into_iter().filter(|entry| entry.is_object()).chain(several) {
            let Some(rules) = entry.get("rules").and_then(Json::as_str) else { continue };
            let path = folder.join(rules);
            if !path.is_file() {
                return Err(ProjectError::NoRules { path: config_path, key, rules: rules.to_owned() });
            }
            let bolt = path.extension().is_some_and(|extension| extension == "bolt");
            let language = if bolt { Language::Bolt } else { language };
            if !found.iter().any(|(known, _)| *known == path) {
                found.push((path, Some(language)));
            }
        }
    }
    for (name, language) in USUAL {
        let path = folder.join(name);
        // The usual name of a service that already has its file is no other ruleset, except a Bolt file beside its output.
        let has_one = found.iter().any(|(_, known)| *known == Some(*language));
        if !has_one && path.is_file() {
            found.push((path, Some(*language)));
        }
    }
    let source = config.pointer("/dataconnect/source").or_else(|| config.pointer("/dataconnect/0/source"));
    let operations = folder.join(source.and_then(Json::as_str).unwrap_or("dataconnect"));
    if operations.is_dir() {
        let wanted = |path: &Path| {
            path.extension().is_some_and(|extension| extension == "gql" || extension == "graphql")
        };
        found.extend(files_below(&operations, &wanted)?.into_iter().map(|path| (path, None)));
    }
    Ok(found)
}

/// Files below a folder, by name. Hidden folders and those of installed packages are left out.
pub fn files_below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, ProjectError> {
    let mut found = Vec::new();
    collect(folder, wanted, LEVELS_MAX, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(
    folder: &Path,
    wanted: &dyn Fn(&Path) -> bool,
    levels: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), ProjectError> {
    let unreadable = |source| ProjectError::Unreadable { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if found.len() >= FILES_MAX || name.starts_with('.') || name == "node_modules" {
            continue;
        }
        if path.is_dir() {
            if levels > 0 && !path.is_symlink() {
                collect(&path, wanted, levels - 1, found)?;
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(())
}
