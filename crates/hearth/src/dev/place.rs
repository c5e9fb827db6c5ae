//! Where `hearth dev` finds its project, and where data goes.

use std::path::{Path, PathBuf};

use crate::cli::Dev;
use crate::project;

/// Where a project and its data are.
#[derive(Debug)]
pub struct Place {
    /// The folder with `firebase.json`.
    pub project: PathBuf,
    /// `None`: in memory.
    pub data: Option<PathBuf>,
    /// What is to be said of it.
    pub note: Option<String>,
}

impl Place {
    /// As the command line has it, else found from this folder upwards.
    pub fn of(ask: &Dev) -> Self {
        let here = Path::new(".");
        let above = || project::above_of(&here.canonicalize().ok()?);
        let (found, note) = match &ask.project_dir {
            Some(folder) => (Some(folder.clone()), None),
            None if here.join("firebase.json").is_file() => (Some(here.to_owned()), None),
            None => match above() {
                Some(folder) => {
                    let note =
                        format!("the project is {}: this folder has no firebase.json", folder.display());
                    (Some(folder), Some(note))
                }
                None => (None, None),
            },
        };
        let data = |project: &Path| ask.data.clone().unwrap_or_else(|| project.join(".hearth"));
        match found {
            Some(project) => {
                let data = (!ask.ephemeral).then(|| data(&project));
                Self { project, data, note }
            }
            // A folder of no project gets nothing that nobody asked for.
            None => Self {
                project: here.to_owned(),
                data: ask.data.clone().filter(|_| !ask.ephemeral),
                note: Some("no firebase.json here or above: nothing is written here, `hearth dev DIR` names a project".to_owned()),
            },
        }
    }
}

/// Data is nobody's to commit: the folder ignores itself.
pub fn keep_out_of_git(folder: &Path) {
    let file = folder.join(".gitignore");
    if !file.exists()
        && let Err(error) = std::fs::write(&file, "*\n")
    {
        tracing::warn!(%error, "`{}` cannot be written", file.display());
    }
}
