//! The files with rules of a project's folder: those that `firebase.json` names, else those with usual names.

use std::path::{Path, PathBuf};

use prove::Language;

use crate::project::{Project, ProjectError};

/// Files of operations looked for below one folder.
const FILES_MAX: usize = 2_000;
/// Folders below one folder.
const LEVELS_MAX: usize = 8;

/// The files, each with its language where the project says it.
pub fn rules(folder: &Path) -> Result<Vec<(PathBuf, Option<Language>)>, ProjectError> {
    let project = Project::read(folder)?;
    let mut found: Vec<_> =
        project.rules()?.into_iter().map(|file| (file.path, Some(file.language))).collect();
    if project.operations.is_dir() {
        let wanted = |path: &Path| {
            path.extension().is_some_and(|extension| extension == "gql" || extension == "graphql")
        };
        found.extend(files_below(&project.operations, &wanted)?.into_iter().map(|path| (path, None)));
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
