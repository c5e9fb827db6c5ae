//! The services of a folder, read and compiled.

use std::path::{Path, PathBuf};

use dataconnect::diagnostic::{Diagnostic, Severity};
use dataconnect::operation::{Api, Operation, Operations};
use dataconnect::project::{Folder, Project, Service};
use dataconnect::schema::Schema;

use crate::failure::Failure;
use crate::project;
use crate::texts::project::files_below;

const FILE_BYTES_MAX: u64 = 1 << 20;

/// A folder's services.
pub struct Services {
    /// What their paths are relative to.
    pub root: PathBuf,
    /// Each, compiled as far as it goes.
    pub all: Vec<Built>,
    /// What is said of all of them.
    pub diagnostics: Vec<Diagnostic>,
}

/// A service that was compiled.
pub struct Built {
    /// What its files say.
    pub service: Service,
    /// Its API, unless the schema has errors.
    pub api: Option<Api>,
    /// The operations of its connectors, in their order.
    pub operations: Vec<Operations>,
}

impl Services {
    /// Reads a project's folder, or that of one service.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let (root, sources) = sources(folder)?;
        let names = [".gql", ".graphql", ".yaml", ".yml"];
        let wanted = |path: &Path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| names.iter().any(|end| name.ends_with(end)))
        };
        let mut files = Folder::default();
        for source in &sources {
            for path in files_below(&root.join(source), &wanted)? {
                let unreadable =
                    |error| Failure::usage(format!("`{}` cannot be read: {error}", path.display()));
                if path.metadata().map_err(unreadable)?.len() > FILE_BYTES_MAX {
                    return Err(Failure::usage(format!("`{}` is larger than 1 MiB", path.display())));
                }
                let text = std::fs::read_to_string(&path).map_err(unreadable)?;
                let name = path.strip_prefix(&root).unwrap_or(&path);
                files.add(&name.to_string_lossy(), &text);
            }
        }
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let (project, mut diagnostics) = Project::read(&files, &sources);
        let all = project.services.into_iter().map(|service| built(service, &mut diagnostics)).collect();
        Ok(Self { root, all, diagnostics })
    }

    /// Every operation with its API.
    pub fn operations(&self) -> impl Iterator<Item = (&Api, &Operation)> {
        self.all.iter().flat_map(|built| {
            let operations = built.operations.iter().flat_map(|operations| operations.values());
            built.api.iter().flat_map(move |api| operations.clone().map(move |operation| (api, operation)))
        })
    }

    /// Whether something is wrong.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|said| said.severity == Severity::Error)
    }
}

/// Whether a folder is one of Data Connect: a service's, or a project's that has services.
pub fn is_in(folder: &Path) -> bool {
    folder.is_dir() && sources(folder).is_ok()
}

/// The folder that paths are relative to, and the services' folders in it.
fn sources(folder: &Path) -> Result<(PathBuf, Vec<String>), Failure> {
    let has_service = ["dataconnect.yaml", "dataconnect.yml"].iter().any(|name| folder.join(name).is_file());
    if has_service {
        return Ok((folder.to_owned(), vec![".".to_owned()]));
    }
    let project = project::Project::read(folder)?;
    if project.services.is_empty() {
        return Err(Failure::usage(format!(
            "`{}` has no Data Connect: neither a `dataconnect.yaml` nor a `dataconnect.source` in firebase.json",
            folder.display()
        )));
    }
    Ok((folder.to_owned(), project.services))
}

fn built(service: Service, diagnostics: &mut Vec<Diagnostic>) -> Built {
    let (schema, said) = Schema::read(&service.schema);
    let failed = said.iter().any(|said| said.severity == Severity::Error);
    diagnostics.extend(said);
    let api = match failed {
        true => None,
        false => Api::new(schema, &service.schema).map_err(|said| diagnostics.extend(said)).ok(),
    };
    let mut operations = Vec::new();
    for connector in &service.connectors {
        let Some(api) = &api else { break };
        let (compiled, said) = api.compile(&connector.texts);
        diagnostics.extend(said);
        operations.push(compiled);
    }
    Built { service, api, operations }
}
