//! The generated API beside files that the official tool wrote for public projects.

use std::fs;
use std::path::{Path, PathBuf};

use dataconnect::diagnostic::{Severity, Text};
use dataconnect::generated::{Edition, Files};
use dataconnect::schema::Schema;

fn folder() -> Option<PathBuf> {
    let near = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracle");
    let folder = std::env::var_os("HEARTH_ORACLE").map_or(near, PathBuf::from).join("data-connect");
    folder.is_dir().then_some(folder)
}

/// The first edition's descriptions are not followed: they are left out on both sides, and so is how lines break.
fn plain(text: &str) -> Vec<String> {
    let mut within = false;
    let lines = text.lines().filter(|line| {
        let is_quote = line.trim() == "\"\"\"";
        within ^= is_quote;
        !is_quote && !within
    });
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn lines(text: &str, edition: Edition) -> Vec<String> {
    match edition {
        Edition::Keys => plain(text),
        _ => text.lines().map(|line| line.trim_end().to_owned()).collect(),
    }
}

/// Every difference, or nothing.
fn differences(name: &str, printed: &str, golden: &str, edition: Edition) -> Vec<String> {
    let (printed, golden) = (lines(printed, edition), lines(golden, edition));
    let unequal = |n: &usize| printed.get(*n) != golden.get(*n);
    let Some(at) = (0..printed.len().max(golden.len())).find(unequal) else { return Vec::new() };
    let part =
        |lines: &[String]| lines.iter().skip(at.saturating_sub(3)).take(8).cloned().collect::<Vec<_>>();
    vec![format!("{name}:{}\nprinted {:#?}\ngolden {:#?}", at + 1, part(&printed), part(&golden))]
}

fn compare(schema: &[Text], golden: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(golden.join(name)).unwrap_or_default();
    let edition = Edition::of(&read("input.gql"), &read("relation.gql"));
    let (schema, diagnostics) = Schema::read(schema);
    let errors: Vec<String> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    if !errors.is_empty() {
        return errors;
    }
    let files = Files::of(&schema, edition);
    files.named().iter().flat_map(|(name, text)| differences(name, text, &read(name), edition)).collect()
}

#[test]
fn projects_of_the_oracle_are_printed_equal() {
    let Some(folder) = folder() else {
        eprintln!("skipped: the oracle's folder is not here");
        return;
    };
    let mut compared = 0;
    for project in ["compass-travel", "flutterfire-example", "friendly-flix"] {
        let golden = folder.join(project);
        let schema = Text::new("schema.gql", &fs::read_to_string(golden.join("schema.gql")).unwrap());
        let differences = compare(&[schema], &golden);
        assert!(differences.is_empty(), "{project}: {}", differences.join("\n"));
        compared += 1;
    }
    assert_eq!(compared, 3);
}

/// A schema of our own, so that something is compared where the oracle is not. `HEARTH_BLESS` writes the files; they are
/// read before they are committed.
#[test]
fn own_goldens_are_printed_equal() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/library");
    let text = fs::read_to_string(golden.join("schema.gql")).unwrap();
    let (schema, diagnostics) = Schema::read(&[Text::new("schema.gql", &text)]);
    assert_eq!(diagnostics, []);
    let files = Files::of(&schema, Edition::CURRENT);
    let ddl = format!("{};\n", dataconnect::migration::create(&schema).join(";\n"));
    let printed = files.named().into_iter().chain([("tables.sql", ddl.as_str())]);
    for (name, printed) in printed {
        let file = golden.join(name);
        if std::env::var_os("HEARTH_BLESS").is_some() {
            fs::write(&file, printed).unwrap();
        }
        let differences =
            differences(name, printed, &fs::read_to_string(&file).unwrap_or_default(), Edition::CURRENT);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// Projects that were fetched, when `HEARTH_DATACONNECT_PROJECTS` says where: folders with `schema/` and
/// `.dataconnect/schema/main/`.
#[test]
fn fetched_projects_are_printed_equal() {
    let Some(folder) = std::env::var_os("HEARTH_DATACONNECT_PROJECTS") else {
        eprintln!("skipped: HEARTH_DATACONNECT_PROJECTS does not say where fetched projects are");
        return;
    };
    let mut wrong = Vec::new();
    for project in fs::read_dir(folder).unwrap() {
        let project = project.unwrap().path();
        let mut texts = Vec::new();
        let schema = project.join("schema");
        for file in fs::read_dir(&schema).unwrap() {
            let file = file.unwrap().path();
            texts.push(Text::new(&file.display().to_string(), &fs::read_to_string(&file).unwrap()));
        }
        let differences = compare(&texts, &project.join(".dataconnect/schema/main"));
        println!("{}: {}", project.display(), if differences.is_empty() { "equal" } else { "differs" });
        wrong.extend(differences);
    }
    if !wrong.is_empty() {
        panic!("{}", wrong.join("\n"));
    }
}
