//! A project's folder: services, their schemas and connectors.
//!
//! It reads texts and does no I/O: whoever runs it lists the files. Every service and every connector is served; keys
//! that are not known are warnings, because newer tools write more of them.
//!
//! Source: the reference, §2.

mod generate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_norway::{Mapping, Value};

use crate::diagnostic::{Diagnostic, Place, Text, suggestion};

pub use generate::{Sdk, SdkKind};

/// Bytes of all texts of one schema or one connector.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The files of a project by name, relative to it, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, Arc<str>>,
}

impl Folder {
    /// Adds a file.
    pub fn add(&mut self, name: &str, text: &str) {
        self.files.insert(joined("", name), text.into());
    }

    fn get(&self, name: &str) -> Option<&Arc<str>> {
        self.files.get(name)
    }

    /// The GraphQL files below a folder, nested ones included.
    fn below<'f>(&'f self, folder: &'f str) -> impl Iterator<Item = Text> + 'f {
        let within = move |name: &str| {
            folder.is_empty() || name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let found = self
            .files
            .iter()
            .filter(move |(name, _)| within(name) && (name.ends_with(".gql") || name.ends_with(".graphql")));
        found.map(|(name, text)| Text { name: name.as_str().into(), text: Arc::clone(text) })
    }
}

/// How a database's schema is compared with the project's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// What the project needs is there; more may be.
    #[default]
    Compatible,
    /// Exactly what the project says.
    Strict,
    /// Not at all.
    None,
}

/// A connector.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Its id.
    pub id: String,
    /// Its folder.
    pub folder: String,
    /// Its operation files.
    pub texts: Vec<Text>,
    /// The SDKs it asks for.
    pub sdks: Vec<Sdk>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its location.
    pub location: String,
    /// Its folder.
    pub folder: String,
    /// The schema's files.
    pub schema: Vec<Text>,
    /// The database's name.
    pub database: Option<String>,
    /// The schema in the database.
    pub database_schema: String,
    /// How they are compared.
    pub validation: Validation,
    /// Its connectors.
    pub connectors: Vec<Connector>,
}

/// The services of a project.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// In the order of `sources`.
    pub services: Vec<Service>,
}

/// A configuration file, with what is said of it.
struct Config<'c> {
    name: String,
    text: &'c str,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Config<'_> {
    /// Where a key is written.
    fn place(&self, key: &str) -> Place {
        let written = |line: &str| {
            let trimmed = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
            trimmed.strip_prefix(key).is_some_and(|rest| rest.starts_with([':', '"', '\'']))
        };
        let found = self.text.lines().enumerate().find(|(_, line)| written(line));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = match found {
            Some((at, line)) => (number(at + 1), number(line.find(key).unwrap_or(0) + 1)),
            None => (1, 1),
        };
        Place { file: self.name.as_str().into(), line, column }
    }

    fn read(&mut self) -> Option<Mapping> {
        match serde_norway::from_str::<Value>(self.text) {
            Ok(Value::Mapping(mapping)) => Some(mapping),
            Ok(_) => {
                let place = Place { file: self.name.as_str().into(), line: 1, column: 1 };
                self.diagnostics.push(Diagnostic::error(place, "the file is not a mapping of keys"));
                None
            }
            Err(error) => {
                let at = error.location();
                let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
                let place = Place {
                    file: self.name.as_str().into(),
                    line: number(at.as_ref().map(serde_norway::Location::line)),
                    column: number(at.as_ref().map(serde_norway::Location::column)),
                };
                self.diagnostics.push(Diagnostic::error(place, format!("the YAML cannot be read: {error}")));
                None
            }
        }
    }

    fn known(&mut self, mapping: &Mapping, keys: &[&str]) {
        for key in mapping.keys().filter_map(Value::as_str) {
            if !keys.contains(&key) {
                let said = Diagnostic::warning(self.place(key), format!("the key `{key}` is not known"));
                let near = suggestion(key, keys.iter().copied());
                let help = near.map(|near| format!("did you mean `{near}`?"));
                self.diagnostics.push(Diagnostic { help, ..said });
            }
        }
    }

    fn text(&mut self, mapping: &Mapping, key: &str) -> Option<String> {
        match mapping.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null => None,
            _ => {
                let said = Diagnostic::error(self.place(key), format!("`{key}` is not a text"));
                self.diagnostics.push(said);
                None
            }
        }
    }

    fn required(&mut self, mapping: &Mapping, key: &str) -> Option<String> {
        let found = self.text(mapping, key);
        if found.is_none() && !mapping.contains_key(key) {
            let place = Place { file: self.name.as_str().into(), line: 1, column: 1 };
            self.diagnostics.push(Diagnostic::error(place, format!("the key `{key}` is missing")));
        }
        found
    }
}

fn mapping<'m>(mapping: &'m Mapping, key: &str) -> Option<&'m Mapping> {
    mapping.get(key).and_then(Value::as_mapping)
}

/// A path relative to a folder, without `.` and `..`. A path that leaves the project is empty of what it left.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Project {
    /// Reads the services whose folders `sources` names: what `firebase.json` has as `dataconnect.source`.
    pub fn read(folder: &Folder, sources: &[&str]) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut project = Self::default();
        for source in sources {
            let source = joined("", source);
            let Some(service) = service(folder, &source, &mut diagnostics) else { continue };
            if project.services.iter().any(|known| known.id == service.id) {
                let place = Place::file(&joined(&source, "dataconnect.yaml"));
                let what = format!("two services have the id `{}`", service.id);
                diagnostics.push(Diagnostic::error(place, what));
                continue;
            }
            project.services.push(service);
        }
        (project, diagnostics)
    }
}

fn service(folder: &Folder, source: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Service> {
    let name = joined(source, "dataconnect.yaml");
    let Some(text) = folder.get(&name).or_else(|| folder.get(&joined(source, "dataconnect.yml"))) else {
        let what = format!("`{source}` has no `dataconnect.yaml`");
        diagnostics.push(Diagnostic::error(Place::file(&name), what));
        return None;
    };
    let mut config = Config { name, text, diagnostics };
    let root = config.read()?;
    config.known(&root, &["specVersion", "serviceId", "location", "schema", "schemas", "connectorDirs"]);
    let version = config.text(&root, "specVersion");
    if version.as_deref().is_some_and(|version| !["v1", "v1beta", "v1alpha"].contains(&version)) {
        let what = format!("the version `{}` is not known", version.unwrap_or_default());
        let place = config.place("specVersion");
        config.diagnostics.push(Diagnostic::warning(place, what).help("this is read as `v1`"));
    }
    let id = config.required(&root, "serviceId")?;
    let location = config.text(&root, "location").unwrap_or_else(|| "us-central1".to_owned());
    let entries = root.get("schemas").and_then(Value::as_sequence);
    let first = entries.and_then(|entries| entries.iter().find_map(Value::as_mapping));
    let schema = mapping(&root, "schema").or(first).cloned().unwrap_or_default();
    config.known(&schema, &["source", "datasource", "id"]);
    let path = config.text(&schema, "source").unwrap_or_else(|| "./schema".to_owned());
    let postgresql = mapping(&schema, "datasource").and_then(|of| mapping(of, "postgresql"));
    let postgresql = postgresql.cloned().unwrap_or_default();
    config.known(&postgresql, &["database", "schema", "cloudSql", "schemaValidation", "schemaMigration"]);
    let validation = validation(&mut config, &postgresql);
    let database = config.text(&postgresql, "database");
    let database_schema = config.text(&postgresql, "schema").unwrap_or_else(|| "public".to_owned());
    let folders: Vec<String> = match root.get("connectorDirs") {
        Some(Value::Sequence(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let at = config.place("connectorDirs");
    let schema_folder = joined(source, &path);
    let texts: Vec<Text> = folder.below(&schema_folder).collect();
    bounded(&texts, &schema_folder, diagnostics);
    let mut connectors: Vec<Connector> = Vec::new();
    for path in folders {
        let Some(connector) = connector(folder, &joined(source, &path), &at, diagnostics) else { continue };
        if connectors.iter().any(|known| known.id == connector.id) {
            let what = format!("two connectors of `{id}` have the id `{}`", connector.id);
            diagnostics.push(Diagnostic::error(at.clone(), what));
            continue;
        }
        connectors.push(connector);
    }
    Some(Service {
        id,
        location,
        folder: source.to_owned(),
        schema: texts,
        database,
        database_schema,
        validation,
        connectors,
    })
}

/// `schemaValidation` is written under `postgresql` and under `cloudSql`.
fn validation(config: &mut Config<'_>, postgresql: &Mapping) -> Validation {
    let inner = mapping(postgresql, "cloudSql").cloned().unwrap_or_default();
    config.known(&inner, &["instanceId", "schemaValidation"]);
    let word =
        config.text(postgresql, "schemaValidation").or_else(|| config.text(&inner, "schemaValidation"));
    match word.as_deref() {
        None | Some("COMPATIBLE") => Validation::Compatible,
        Some("STRICT") => Validation::Strict,
        Some("NONE") => Validation::None,
        Some(other) => {
            let what = format!("`schemaValidation` is `{other}`");
            let said = Diagnostic::error(config.place("schemaValidation"), what);
            config.diagnostics.push(said.help("it is `COMPATIBLE`, `STRICT` or `NONE`"));
            Validation::Compatible
        }
    }
}

fn connector(
    folder: &Folder,
    path: &str,
    at: &Place,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Connector> {
    let name = joined(path, "connector.yaml");
    let Some(text) = folder.get(&name).or_else(|| folder.get(&joined(path, "connector.yml"))) else {
        let what = format!("the connector's folder `{path}` has no `connector.yaml`");
        diagnostics.push(Diagnostic::error(at.clone(), what));
        return None;
    };
    let mut config = Config { name, text, diagnostics };
    let root = config.read()?;
    config.known(&root, &["connectorId", "authMode", "generate"]);
    let generate = mapping(&root, "generate").cloned().unwrap_or_default();
    let sdks = generate::read(&mut config, &generate);
    let id = config.required(&root, "connectorId")?;
    let texts: Vec<Text> = folder.below(path).collect();
    bounded(&texts, path, diagnostics);
    Some(Connector { id, folder: path.to_owned(), texts, sdks })
}

fn bounded(texts: &[Text], path: &str, diagnostics: &mut Vec<Diagnostic>) {
    let bytes: usize = texts.iter().map(|text| text.text.len()).sum();
    if bytes > TEXT_BYTES_MAX {
        let what = format!("the texts of `{path}` have {bytes} bytes; at most {TEXT_BYTES_MAX}");
        diagnostics.push(Diagnostic::error(Place::file(path), what));
    }
}
