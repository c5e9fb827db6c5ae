//! A Firebase project's folder, read as it is: `firebase.json`, `.firebaserc`, the rules it names.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::jsonc;

/// What a folder says of its project.
#[derive(Debug)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// The id in `.firebaserc`.
    pub id: Option<String>,
    /// Firestore's rules file, where one is named or lies in its usual place.
    pub firestore_rules: Option<PathBuf>,
    /// Ports that `firebase.json` asks for.
    pub ports: Ports,
    /// What was read and is not understood yet, for the start-up screen.
    pub notes: Vec<String>,
}

/// The ports of `emulators` in `firebase.json`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ports {
    pub auth: Option<u16>,
    pub firestore: Option<u16>,
    pub hub: Option<u16>,
}

/// Why a folder cannot be read as a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("`{0}` is not a folder: give the one with your `firebase.json`")]
    NoFolder(PathBuf),
    #[error("`{path}` cannot be read: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}:{line}:{column}: {reason}")]
    Malformed { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("{path}: `{key}.rules` names `{rules}`, which is not there: create it or correct the name")]
    NoRules { path: PathBuf, key: &'static str, rules: String },
}

#[derive(Deserialize, Default)]
struct FirebaseJson {
    firestore: Option<FirestoreEntry>,
    #[serde(default)]
    emulators: Emulators,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FirestoreEntry {
    One(FirestoreConfig),
    Several(Vec<FirestoreConfig>),
}

#[derive(Deserialize)]
struct FirestoreConfig {
    rules: Option<String>,
    database: Option<String>,
}

#[derive(Deserialize, Default)]
struct Emulators {
    auth: Option<Emulator>,
    firestore: Option<Emulator>,
    hub: Option<Emulator>,
}

#[derive(Deserialize)]
struct Emulator {
    port: Option<u16>,
}

#[derive(Deserialize)]
struct FirebaseRc {
    #[serde(default)]
    projects: std::collections::BTreeMap<String, String>,
}

/// Names the rules have when `firebase.json` names none.
const USUAL_RULES: &str = "firestore.rules";

impl Project {
    /// Reads a project's folder. One without `firebase.json` is a project too, with every default.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder(folder.to_owned()));
        }
        let config_path = folder.join("firebase.json");
        let config: FirebaseJson = read_json(&config_path)?.unwrap_or_default();
        let rc: Option<FirebaseRc> = read_json(&folder.join(".firebaserc"))?;
        let mut notes = Vec::new();
        if !config_path.exists() {
            notes.push(format!("no firebase.json in {}: running with defaults", folder.display()));
        }
        let named = match config.firestore {
            None => None,
            Some(FirestoreEntry::One(config)) => config.rules,
            Some(FirestoreEntry::Several(several)) => {
                if several.len() > 1 {
                    notes.push(
                        "firebase.json names several databases: the rules of the first apply to all".into(),
                    );
                }
                let is_default = |config: &FirestoreConfig| config.database.as_deref() == Some("(default)");
                let first = several.iter().position(is_default).unwrap_or(0);
                several.into_iter().nth(first).and_then(|config| config.rules)
            }
        };
        let firestore_rules = match named {
            Some(name) => {
                let path = folder.join(&name);
                if !path.is_file() {
                    return Err(ProjectError::NoRules { path: config_path, key: "firestore", rules: name });
                }
                Some(path)
            }
            None => Some(folder.join(USUAL_RULES)).filter(|path| path.is_file()),
        };
        let ports = Ports {
            auth: config.emulators.auth.and_then(|emulator| emulator.port),
            firestore: config.emulators.firestore.and_then(|emulator| emulator.port),
            hub: config.emulators.hub.and_then(|emulator| emulator.port),
        };
        let id =
            rc.and_then(|rc| rc.projects.get("default").or_else(|| rc.projects.values().next()).cloned());
        Ok(Self { folder: folder.to_owned(), id, firestore_rules, ports, notes })
    }

    /// How a file of the project is called to people: by its path inside the project.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }
}

/// A file's JSON; `None` where there is no file.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ProjectError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ProjectError::Unreadable { path: path.to_owned(), source }),
    };
    serde_json::from_str(&jsonc::plain(&text)).map(Some).map_err(|error| ProjectError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        reason: reason(&error),
    })
}

/// serde's message without the position it repeats.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn an_ordinary_project_is_read_as_it_is() {
        let folder = folder(&[
            (
                "firebase.json",
                r#"{ // comments are common
                  "firestore": {"rules": "my.rules", "indexes": "firestore.indexes.json"},
                  "emulators": {"auth": {"port": 9199}, "ui": {"enabled": true}, "singleProjectMode": true},
                }"#,
            ),
            (".firebaserc", r#"{"projects": {"default": "demo-app"}}"#),
            ("my.rules", ""),
        ]);
        let project = Project::read(folder.path()).unwrap();
        assert_eq!(project.id.as_deref(), Some("demo-app"));
        assert_eq!(project.firestore_rules, Some(folder.path().join("my.rules")));
        assert_eq!((project.ports.auth, project.ports.firestore), (Some(9199), None));
    }

    #[test]
    fn several_databases_and_no_config_work() {
        let several = folder(&[
            (
                "firebase.json",
                r#"{"firestore": [{"database": "other", "rules": "o.rules"}, {"database": "(default)", "rules": "d.rules"}]}"#,
            ),
            ("o.rules", ""),
            ("d.rules", ""),
        ]);
        assert_eq!(
            Project::read(several.path()).unwrap().firestore_rules,
            Some(several.path().join("d.rules"))
        );
        let bare = folder(&[]);
        assert_eq!(Project::read(bare.path()).unwrap().firestore_rules, None);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let broken = folder(&[("firebase.json", "{\n  \"firestore\": {\"rules\": 3}\n}")]);
        let error = Project::read(broken.path()).unwrap_err().to_string();
        assert!(error.contains("firebase.json:"), "{error}");
        let missing = folder(&[("firebase.json", r#"{"firestore": {"rules": "gone.rules"}}"#)]);
        assert!(Project::read(missing.path()).unwrap_err().to_string().contains("gone.rules"));
    }
}
