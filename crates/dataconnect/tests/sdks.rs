//! Generated SDKs beside those that the official tool generated for public projects.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

use std::fs;
use std::path::{Path, PathBuf};

use dataconnect::diagnostic::{Severity, Text};
use dataconnect::operation::{Api, Operations};
use dataconnect::project::{Folder, Project, SdkKind, Service};
use dataconnect::schema::Schema;
use dataconnect::sdk::{self, Files, Target};

fn add(folder: &mut Folder, root: &Path, at: &Path) {
    let mut entries: Vec<PathBuf> = fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "node_modules" {
            add(folder, root, &path);
        } else if [".gql", ".graphql", ".yaml", ".yml"].iter().any(|end| name.ends_with(end)) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            folder.add(&path.strip_prefix(root).unwrap().to_string_lossy(), &text);
        }
    }
}

/// The folders that have a `dataconnect.yaml`.
fn sources(root: &Path, at: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            sources(root, &path, found);
        } else if path.file_name().is_some_and(|name| name == "dataconnect.yaml") {
            found.push(path.parent().unwrap().strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

fn compiled(service: &Service, texts: &[Text]) -> Result<(Api, Operations), Vec<String>> {
    let (schema, said) = Schema::read(&service.schema);
    let errors = |said: &[dataconnect::diagnostic::Diagnostic]| -> Vec<String> {
        let errors = said.iter().filter(|said| said.severity == Severity::Error);
        errors.map(ToString::to_string).collect()
    };
    if !errors(&said).is_empty() {
        return Err(errors(&said));
    }
    let api = Api::new(schema, &service.schema).map_err(|said| errors(&said))?;
    let (operations, said) = api.compile(texts);
    if errors(&said).is_empty() { Ok((api, operations)) } else { Err(errors(&said)) }
}

/// Lines without their indentation; how options are handed on has changed from edition to edition.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            line.replace(
                "inputOpts && inputOpts.fetchPolicy",
                "inputOpts && { fetchPolicy: inputOpts.fetchPolicy }",
            )
        })
        .collect()
}

fn compare(files: &Files, golden: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| *name != "package.json") {
        let Ok(wanted) = fs::read_to_string(golden.join(name)) else { continue };
        let (mut printed, mut wanted) = (lines(text), lines(&wanted));
        // The official tool's order of files is none.
        let sorted = |lines: &[String]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        if sorted(&printed) == sorted(&wanted) {
            (printed, wanted) = (Vec::new(), Vec::new());
        }
        let at = (0..printed.len().max(wanted.len())).find(|at| printed.get(*at) != wanted.get(*at));
        if let Some(at) = at {
            wrong.push(format!(
                "{name}:{at}\n  printed {:?}\n  golden  {:?}",
                printed.get(at),
                wanted.get(at)
            ));
        }
    }
    wrong
}

/// `HEARTH_DATACONNECT_SDKS` says where projects are, each in a folder, with the SDKs that the official tool generated.
#[test]
fn fetched_sdks_are_printed_equal() {
    let Some(projects) = std::env::var_os("HEARTH_DATACONNECT_SDKS") else {
        eprintln!("skipped: HEARTH_DATACONNECT_SDKS does not say where fetched projects are");
        return;
    };
    let (mut equal, mut total) = (0, 0);
    for root in fs::read_dir(projects).unwrap().map(|entry| entry.unwrap().path()) {
        let mut folder = Folder::default();
        add(&mut folder, &root, &root);
        let mut found = Vec::new();
        sources(&root, &root, &mut found);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let (project, _) = Project::read(&folder, &found);
        for service in &project.services {
            for connector in &service.connectors {
                let name = format!("{} {}/{}", root.display(), service.id, connector.id);
                let (api, operations) = match compiled(service, &connector.texts) {
                    Ok(compiled) => compiled,
                    Err(errors) => {
                        println!("{name}: {} errors\n  {}", errors.len(), errors.join("\n  "));
                        continue;
                    }
                };
                println!("{name}: {} operations", operations.len());
                for wanted in &connector.sdks {
                    let golden = root.join(&connector.folder).join(&wanted.output);
                    if !golden.is_dir() {
                        continue;
                    }
                    let target = Target {
                        connector: &connector.id,
                        service: &service.id,
                        location: &service.location,
                        package: &wanted.package,
                        react: wanted.react,
                        cache: wanted.cache,
                    };
                    let files = match wanted.kind {
                        SdkKind::Web => sdk::web(&api, &operations, &target),
                        SdkKind::Admin => sdk::admin(&api, &operations, &target),
                    };
                    let wrong = compare(&files, &golden);
                    total += 1;
                    equal += usize::from(wrong.is_empty());
                    println!(
                        "  {:?} {}: {}",
                        wanted.kind,
                        wanted.output,
                        if wrong.is_empty() { "equal".to_owned() } else { wrong.join("\n") }
                    );
                }
            }
        }
    }
    println!("{equal} of {total} equal");
}
