//! The codebases of a project, as `firebase.json` and `hearth.toml` have them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::production::Production;

/// A folder with functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codebase {
    /// Its name: `default` where `firebase.json` gives none.
    pub name: String,
    /// Its folder.
    pub source: PathBuf,
}

/// What a project says of its functions.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The project's id.
    pub project: String,
    /// The project's folder, where packages may be installed, too.
    pub folder: PathBuf,
    /// The codebases.
    pub codebases: Vec<Codebase>,
    /// Parameters: `[functions.params]` of `hearth.toml`.
    pub params: BTreeMap<String, String>,
    /// Variables by which SDKs find the other services.
    pub variables: Vec<(String, String)>,
    /// What production brings; `None` in dev.
    pub production: Option<Arc<dyn Production>>,
    /// In production: the folder with a file for each secret.
    pub secrets: Option<PathBuf>,
}
