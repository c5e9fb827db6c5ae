//! `hearth indexes`: Firestore's indexes, of a server's data and in the project's file.

use std::path::{Path, PathBuf};

use base::{Code, Status};
use firestore::ops::indexes::{IndexInfo, Suggestion};
use firestore::query::index::file::{self, IndexFile, Remark};
use firestore::query::index::{Breadth, Component, Origin, Spec};
use serde::{Deserialize, Serialize};

use crate::admin::{Act, Site, ask};
use crate::cli::{AddIndex, Indexes, IndexesOutput, NewIndex};
use crate::failure::Failure;
use crate::project::Project;
use crate::table::{Table, print, print_json, print_text};

/// The file's usual name.
pub const FILE_NAME: &str = "firestore.indexes.json";

/// Runs one of the verbs.
pub async fn run(verb: &Indexes) -> Result<(), Failure> {
    match verb {
        Indexes::List(output) => show(output, &ask(&output.folder, ListIndexes {}).await?),
        Indexes::Build(verb) => {
            let file = match &verb.collection {
                Some(_) => None,
                None => Some(text_of(&verb.project_dir, verb.file.as_deref())?),
            };
            let index = verb.collection.as_ref().map(|collection| NewIndex {
                collection: collection.clone(),
                fields: verb.fields.clone(),
                group: verb.group,
            });
            let act = BuildIndexes { file, index: index.as_ref().map(text_of_new).transpose()? };
            show(&verb.output, &ask(&verb.output.folder, act).await?)
        }
        Indexes::Drop(verb) => {
            show(&verb.output, &[ask(&verb.output.folder, DropIndex { id: verb.id }).await?])
        }
        Indexes::Suggest(output) => suggest(output, &ask(&output.folder, SuggestIndexes {}).await?),
        Indexes::Add(verb) => add(verb),
    }
}

fn show(output: &IndexesOutput, indexes: &[IndexInfo]) -> Result<(), Failure> {
    if output.json {
        return print_json(&indexes);
    }
    let mut table = Table::new(["ID", "INDEX", "STATE", "MADE FOR", "LAST USED"]);
    for index in indexes {
        let used = index.last_used.as_deref().unwrap_or("");
        table.add([&index.id.to_string(), &index.summary, &index.state, &index.origin, used]);
    }
    print(&table)
}

fn suggest(output: &IndexesOutput, suggestions: &[Suggestion]) -> Result<(), Failure> {
    if output.json {
        return print_json(&suggestions);
    }
    let mut table = Table::new(["REFUSED", "INDEX", "TO ADD IT"]);
    for suggestion in suggestions {
        let command = format!("hearth indexes add {}", suggestion.arguments);
        table.add([&suggestion.refused.to_string(), &suggestion.summary, &command]);
    }
    print(&table)
}

/// Adds an index to the project's file; nothing of a server changes.
fn add(verb: &AddIndex) -> Result<(), Failure> {
    let spec = spec(&verb.index)?;
    let path = match &verb.file {
        Some(file) => file.clone(),
        None => path_in(&verb.project_dir)?,
    };
    let shown = path.display();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("`{shown}` cannot be read: {error}").into()),
    };
    match file::add(&text, &spec).map_err(|errors| listed(&path, &errors))? {
        None => print_text(&format!("{shown} has the index already: {spec}")),
        Some(after) => {
            std::fs::write(&path, after).map_err(|error| format!("`{shown}` cannot be written: {error}"))?;
            print_text(&format!(
                "{shown}: added {spec}\nTo build it on a running server: hearth indexes build --data DATA"
            ))
        }
    }
}

/// The index that the command line names.
fn spec(new: &NewIndex) -> Result<Spec, String> {
    let breadth = if new.group { Breadth::Group } else { Breadth::Collection };
    let fields: Vec<Component> =
        new.fields.iter().map(|text| Spec::field(text)).collect::<Result<_, String>>()?;
    Spec::written(&new.collection, breadth, fields)
}

/// The same as the text of a file with nothing else in it: what goes to a server.
fn text_of_new(new: &NewIndex) -> Result<String, String> {
    let text = file::add("", &spec(new)?).map_err(|errors| listed(Path::new("the command line"), &errors))?;
    Ok(text.unwrap_or_default())
}

fn listed(path: &Path, remarks: &[Remark]) -> String {
    let lines: Vec<String> = remarks.iter().map(|remark| format!("{}:{remark}", path.display())).collect();
    lines.join("\n")
}

/// Where a project's index file is, or would be.
fn path_in(project_dir: &Path) -> Result<PathBuf, String> {
    let project = Project::read(project_dir).map_err(|error| error.to_string())?;
    Ok(project_dir.join(project.indexes.as_deref().unwrap_or(FILE_NAME)))
}

fn text_of(project_dir: &Path, file: Option<&Path>) -> Result<String, String> {
    let path = file.map_or_else(|| path_in(project_dir), |file| Ok(file.to_owned()))?;
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    file::parse(&text).map_err(|errors| listed(&path, &errors))?;
    Ok(text)
}

/// Reads a project's index file: what it says, and warnings. `None` where there is none.
///
/// Errors: the file's, with their places.
pub fn of_project(project_dir: &Path) -> Result<Option<(IndexFile, Vec<String>)>, String> {
    read(&path_in(project_dir)?)
}

/// Reads an index file: what it says, and warnings. `None` where there is none.
///
/// Errors: the file's, with their places.
pub fn read(path: &Path) -> Result<Option<(IndexFile, Vec<String>)>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{}` cannot be read: {error}", path.display())),
    };
    let (file, warnings) = file::parse(&text).map_err(|errors| listed(path, &errors))?;
    Ok(Some((file, warnings.iter().map(|warning| format!("{}:{warning}", path.display())).collect())))
}

/// Every index there is.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListIndexes {}

impl Act for ListIndexes {
    const NAME: &'static str = "indexes/list";
    type Answer = Vec<IndexInfo>;

    async fn run(self, site: Site) -> Result<Vec<IndexInfo>, Status> {
        site.firestore.list_indexes(&site.caller).await
    }
}

/// Builds what a file asks for, or one index, and answers when that answers queries.
#[derive(Debug, Serialize, Deserialize)]
pub struct BuildIndexes {
    /// The text of the project's file.
    file: Option<String>,
    /// The text of a file with the one index.
    index: Option<String>,
}

impl Act for BuildIndexes {
    const NAME: &'static str = "indexes/build";
    type Answer = Vec<IndexInfo>;

    async fn run(self, site: Site) -> Result<Vec<IndexInfo>, Status> {
        let Site { firestore, caller, .. } = site;
        match (self.file, self.index) {
            (Some(text), _) => firestore.load_indexes(&caller, parsed(&text)?).await,
            (None, Some(text)) => {
                let database = firestore.default_database();
                let specs = parsed(&text)?.indexes;
                firestore.build_indexes(&caller, &database, specs, Origin::Administrator).await
            }
            (None, None) => Err(Status::new(Code::InvalidArgument, "no index is named")),
        }
    }
}

fn parsed(text: &str) -> Result<IndexFile, Status> {
    let parsed =
        file::parse(text).map_err(|errors| Status::invalid(listed(Path::new(FILE_NAME), &errors)))?;
    Ok(parsed.0)
}

#[derive(Debug, Serialize, Deserialize)]
pub struct DropIndex {
    id: u32,
}

impl Act for DropIndex {
    const NAME: &'static str = "indexes/drop";
    type Answer = IndexInfo;

    async fn run(self, site: Site) -> Result<IndexInfo, Status> {
        site.firestore.drop_index(&site.caller, self.id).await
    }
}

/// What queries lacked since the server started.
#[derive(Debug, Serialize, Deserialize)]
pub struct SuggestIndexes {}

impl Act for SuggestIndexes {
    const NAME: &'static str = "indexes/suggest";
    type Answer = Vec<Suggestion>;

    async fn run(self, site: Site) -> Result<Vec<Suggestion>, Status> {
        site.firestore.suggest_indexes(&site.caller).await
    }
}
