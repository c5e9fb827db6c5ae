//! A Firebase project's folder, read as it is: `firebase.json`, `.firebaserc`, the rules it names. The one reader for all
//! verbs; every path in it is resolved here.

mod codebases;
mod keys;
mod parts;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use functions::model::Codebase;
use prove::Language;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::jsonc;

/// How the rules of one service are called.
#[derive(Debug, PartialEq, Eq)]
pub struct RulesKind {
    /// The key in `firebase.json`.
    pub key: &'static str,
    /// Their language; a Bolt file means the same rules.
    pub language: Language,
    /// The names of their file where `firebase.json` names none. The first is the one that people are told of.
    usual: &'static [(&'static str, Language)],
}

/// Cloud Firestore's rules.
pub static FIRESTORE: RulesKind = RulesKind {
    key: "firestore",
    language: Language::Firestore,
    usual: &[("firestore.rules", Language::Firestore)],
};
/// Cloud Storage's rules.
pub static STORAGE: RulesKind =
    RulesKind { key: "storage", language: Language::Storage, usual: &[("storage.rules", Language::Storage)] };
/// The Realtime Database's rules.
pub static DATABASE: RulesKind = RulesKind {
    key: "database",
    language: Language::Realtime,
    usual: &[
        ("database.rules.json", Language::Realtime),
        ("database.rules.bolt", Language::Bolt),
        ("rules.bolt", Language::Bolt),
    ],
};
static KINDS: [&RulesKind; 3] = [&FIRESTORE, &STORAGE, &DATABASE];

/// What a folder says of its project.
#[derive(Debug)]
pub struct Project {
    /// What was read and is not understood yet, for the start-up screen.
    pub notes: Vec<String>,
    /// The name of the file with Firestore's indexes, where one is named.
    pub indexes: Option<String>,
    /// The folders of Data Connect's services, as `firebase.json` names them.
    pub services: Vec<String>,
    /// Where Data Connect's operations are, if there is such a folder.
    pub operations: PathBuf,
    /// The services that `firebase.json` names, in sections of their own or among the emulators.
    pub configured: Vec<String>,
    /// The folders with functions.
    pub codebases: Vec<Codebase>,
    folder: PathBuf,
    ports: BTreeMap<String, u16>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesFile {
    /// Where it is.
    pub path: PathBuf,
    /// How it is called to people: by its path inside the project.
    pub shown: String,
    pub language: Language,
}

/// What `firebase.json` says of one database or bucket.
#[derive(Debug)]
struct Entry {
    kind: &'static RulesKind,
    database: Option<String>,
    /// The buckets that it is for; none: all.
    parts: Vec<String>,
    rules: Option<Named>,
}

/// A file of rules that is named; it need not be there.
#[derive(Debug)]
struct Named {
    name: String,
    file: RulesFile,
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
    storage: Json,
    #[serde(default)]
    database: Json,
    #[serde(default)]
    dataconnect: Json,
    #[serde(default)]
    functions: Json,
    #[serde(default)]
    emulators: BTreeMap<String, Emulator>,
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
    indexes: Option<String>,
    database: Option<String>,
}

/// An entry of `emulators`: a service with its port, or a switch of the suite.
#[derive(Default)]
struct Emulator {
    port: Option<u16>,
    host: Option<String>,
}

impl<'de> Deserialize<'de> for Emulator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EmulatorVisitor)
    }
}

struct EmulatorVisitor;

impl<'de> Visitor<'de> for EmulatorVisitor {
    type Value = Emulator;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an emulator such as {\"port\": 8080}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Emulator, A::Error> {
        let mut emulator = Emulator::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "port" => emulator.port = map.next_value()?,
                "host" => emulator.host = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(emulator)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Emulator, E> {
        Ok(Emulator::default())
    }

    fn visit_unit<E>(self) -> Result<Emulator, E> {
        Ok(Emulator::default())
    }
}

#[derive(Deserialize, Default)]
struct FirebaseRc {
    #[serde(default)]
    projects: BTreeMap<String, String>,
    /// Project → service → target → resources.
    #[serde(default)]
    targets: BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<String>>>>,
}

impl RulesKind {
    /// The usual name of their file.
    pub fn usual_name(&self) -> &'static str {
        self.usual.first().map_or(self.key, |(name, _)| name)
    }
}

/// The nearest folder with a `firebase.json`, from this one upwards.
pub fn above_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("firebase.json").is_file()).map(Path::to_owned)
}

impl Project {
    /// Reads a project's folder. One without `firebase.json` is a project too, with every default.
    pub fn read(folder: &Path) -> Result<Self, ProjectError> {
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder(folder.to_owned()));
        }
        let config_path = folder.join("firebase.json");
        let config: FirebaseJson = read_json(&config_path)?.unwrap_or_default();
        let mut notes = Vec::new();
        if !config_path.exists() {
            notes.push(format!("no firebase.json in {}: running with defaults", folder.display()));
        }
        let (unknown, configured) = keys::read(&text(&config_path)?.unwrap_or_default());
        notes.extend(unknown.iter().map(ToString::to_string));
        notes.extend(config.emulators.iter().filter_map(|(name, emulator)| {
            let host = emulator.host.as_deref().filter(|host| !is_loopback(host))?;
            Some(format!(
                "firebase.json: `emulators.{name}.host` is {host}, which dev does not listen on because it believes every token: \
                 `--host {host} --share users` lets other machines in"
            ))
        }));
        let firestore = match config.firestore {
            None => Vec::new(),
            Some(FirestoreEntry::One(config)) => vec![config],
            Some(FirestoreEntry::Several(several)) => several,
        };
        if firestore.len() > 1 {
            notes.push("firebase.json names several databases: the rules of the first apply to all".into());
        }
        let (mut entries, mut named_indexes) = (Vec::new(), None);
        for FirestoreConfig { rules, indexes, database } in firestore {
            named_indexes = named_indexes.or(indexes);
            let rules = rules.map(|name| named(folder, &FIRESTORE, name));
            entries.push(Entry { kind: &FIRESTORE, database, parts: Vec::new(), rules });
        }
        let rc: FirebaseRc = read_json(&folder.join(".firebaserc"))?.unwrap_or_default();
        for (kind, entry) in [(&STORAGE, &config.storage), (&DATABASE, &config.database)] {
            let several = entry.as_array().map_or(&[][..], Vec::as_slice);
            for entry in std::iter::once(entry).chain(several).filter(|entry| entry.is_object()) {
                let rules = entry.get("rules").and_then(Json::as_str);
                let rules = rules.map(|name| named(folder, kind, name.to_owned()));
                let parts = if *kind == STORAGE { parts::buckets(entry, &rc) } else { Vec::new() };
                entries.push(Entry { kind, database: None, parts, rules });
            }
        }
        let services = parts::services(&config.dataconnect);
        let operations = folder.join(services.first().map_or("dataconnect", String::as_str));
        let of = |(name, emulator): (String, Emulator)| Some((name, emulator.port?));
        let ports = config.emulators.into_iter().filter_map(of).collect();
        Ok(Self {
            notes,
            indexes: named_indexes,
            services,
            operations,
            configured,
            codebases: codebases::of(folder, &config.functions),
            folder: folder.to_owned(),
            ports,
            entries,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The id in `.firebaserc`.
    pub fn id(&self) -> Result<Option<String>, ProjectError> {
        let rc: Option<FirebaseRc> = read_json(&self.folder.join(".firebaserc"))?;
        Ok(rc.and_then(|rc| rc.projects.get("default").or_else(|| rc.projects.values().next()).cloned()))
    }

    /// The port that `emulators` asks for.
    pub fn port(&self, service: &str) -> Option<u16> {
        self.ports.get(service).copied()
    }

    /// The file of a service's rules: that of the default database, where one is named or lies in its usual place.
    pub fn rules_of(&self, kind: &RulesKind) -> Result<Option<RulesFile>, ProjectError> {
        let entries = || self.entries.iter().filter(|entry| entry.kind == kind);
        let default = entries().find(|entry| entry.database.as_deref() == Some("(default)"));
        let whole = || entries().find(|entry| entry.parts.is_empty());
        match default.or_else(whole).or_else(|| entries().next()).and_then(|entry| entry.rules.as_ref()) {
            Some(rules) => self.present(kind, rules).map(Some),
            None => Ok(self.usual(kind).next()),
        }
    }

    /// All files of rules: those of every service, database and bucket, and those with usual names.
    pub fn rules(&self) -> Result<Vec<RulesFile>, ProjectError> {
        let mut found: Vec<RulesFile> = Vec::new();
        for entry in &self.entries {
            let Some(rules) = &entry.rules else { continue };
            let file = self.present(entry.kind, rules)?;
            if !found.iter().any(|known| known.path == file.path) {
                found.push(file);
            }
        }
        for file in KINDS.into_iter().flat_map(|kind| self.usual(kind)) {
            // The usual name of a service that already has its file is no other ruleset, except a Bolt file beside its
            // output.
            if !found.iter().any(|known| known.language == file.language) {
                found.push(file);
            }
        }
        Ok(found)
    }

    fn present(&self, kind: &RulesKind, rules: &Named) -> Result<RulesFile, ProjectError> {
        if rules.file.path.is_file() {
            return Ok(rules.file.clone());
        }
        let path = self.folder.join("firebase.json");
        Err(ProjectError::NoRules { path, key: kind.key, rules: rules.name.clone() })
    }

    fn usual(&self, kind: &RulesKind) -> impl Iterator<Item = RulesFile> {
        let files = kind.usual.iter().map(|(name, language)| RulesFile {
            path: self.folder.join(name),
            shown: (*name).to_owned(),
            language: *language,
        });
        files.filter(|file| file.path.is_file())
    }
}

fn named(folder: &Path, kind: &RulesKind, name: String) -> Named {
    let path = folder.join(&name);
    let shown = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
    let bolt = path.extension().is_some_and(|extension| extension == "bolt");
    let language = if bolt { Language::Bolt } else { kind.language };
    Named { name, file: RulesFile { path, shown, language } }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// A file's text; `None` where there is no file.
fn text(path: &Path) -> Result<Option<String>, ProjectError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ProjectError::Unreadable { path: path.to_owned(), source }),
    }
}

/// A file's JSON; `None` where there is no file.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ProjectError> {
    let Some(text) = text(path)? else { return Ok(None) };
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

    fn path_of(project: &Project) -> Result<Option<PathBuf>, String> {
        let file = project.rules_of(&FIRESTORE).map_err(|error| error.to_string())?;
        Ok(file.map(|file| file.path))
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
        assert_eq!(project.id().unwrap().as_deref(), Some("demo-app"));
        let rules = project.rules_of(&FIRESTORE).unwrap().unwrap();
        assert_eq!((rules.path, rules.shown.as_str()), (folder.path().join("my.rules"), "my.rules"));
        assert_eq!(
            (project.port("auth"), project.port("firestore"), project.port("ui")),
            (Some(9199), None, None)
        );
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
        let project = Project::read(several.path()).unwrap();
        assert_eq!(path_of(&project), Ok(Some(several.path().join("d.rules"))));
        let bare = folder(&[]);
        assert_eq!(path_of(&Project::read(bare.path()).unwrap()), Ok(None));
    }

    #[test]
    fn what_is_configured_is_known_and_what_is_not_honoured_is_noted() {
        let folder = folder(&[(
            "firebase.json",
            r#"{"firestor": {}, "storage": {"rules": "s"}, "hosting": {}, "functions": null,
                "emulators": {"auth": {"port": 1}, "ui": {"enabled": false}, "pubsub": {"host": "0.0.0.0"}, "hub": {"port": 1}}}"#,
        )]);
        let project = Project::read(folder.path()).unwrap();
        assert_eq!(project.configured, ["storage", "hosting", "auth", "pubsub"]);
        let [unknown, host] = &project.notes[..] else { panic!("{:?}", project.notes) };
        assert!(unknown.contains("firebase.json:1:2: `firestor`"), "{unknown}");
        assert!(host.contains("`emulators.pubsub.host` is 0.0.0.0"), "{host}");
    }

    #[test]
    fn a_project_is_found_from_a_folder_inside_of_it() {
        let above = folder(&[("firebase.json", "{}")]);
        let inside = above.path().join("a/b");
        std::fs::create_dir_all(&inside).unwrap();
        assert_eq!(above_of(&inside), Some(above.path().to_owned()));
        assert_eq!(above_of(above.path()), Some(above.path().to_owned()));
        let elsewhere = folder(&[]);
        assert_eq!(above_of(elsewhere.path()), None);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let broken = folder(&[("firebase.json", "{\n  \"firestore\": {\"rules\": 3}\n}")]);
        let error = Project::read(broken.path()).unwrap_err().to_string();
        assert!(error.contains("firebase.json:"), "{error}");
        let missing = folder(&[("firebase.json", r#"{"firestore": {"rules": "gone.rules"}}"#)]);
        let missing = Project::read(missing.path()).unwrap();
        assert!(path_of(&missing).unwrap_err().contains("gone.rules"));
        let port = folder(&[("firebase.json", "{\n  \"emulators\": {\"auth\": {\"port\": \"x\"}}\n}")]);
        let error = Project::read(port.path()).unwrap_err().to_string();
        assert!(error.contains("firebase.json:2:"), "{error}");
    }

    #[test]
    fn all_rules_are_found_once_and_usual_names_fill_the_gaps() {
        let files = folder(&[
            (
                "firebase.json",
                r#"{"firestore": [{"rules": "a.rules"}, {"database": "b", "rules": "b.rules"}, {"rules": "a.rules"}],
                    "database": {"rules": "out.json"}, "storage": [{"target": "t", "rules": 3}]}"#,
            ),
            ("a.rules", ""),
            ("b.rules", ""),
            ("out.json", ""),
            ("firestore.rules", ""),
            ("storage.rules", ""),
            ("database.rules.json", ""),
            ("rules.bolt", ""),
        ]);
        let project = Project::read(files.path()).unwrap();
        let found: Vec<_> =
            project.rules().unwrap().into_iter().map(|file| (file.shown, file.language)).collect();
        let expected = [
            ("a.rules", Language::Firestore),
            ("b.rules", Language::Firestore),
            ("out.json", Language::Realtime),
            ("storage.rules", Language::Storage),
            ("rules.bolt", Language::Bolt),
        ];
        assert_eq!(found, expected.map(|(name, language)| (name.to_owned(), language)));
        assert_eq!(project.rules_of(&DATABASE).unwrap().unwrap().shown, "out.json");
    }
}
