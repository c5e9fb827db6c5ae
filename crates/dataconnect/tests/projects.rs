//! Folders of projects, with what is said of broken ones.

use dataconnect::project::{Folder, Project, Validation};

const YAML: &str = "specVersion: \"v1\"\nserviceId: \"shop\"\nlocation: \"europe-west1\"\nschema:\n  source: \"./schema\"\n  datasource:\n    postgresql:\n      database: \"fdcdb\"\n      cloudSql:\n        instanceId: \"shop-fdc\"\n        schemaValidation: \"STRICT\"\nconnectorDirs: [\"./web\", \"./admin\"]\n";

fn folder(files: &[(&str, &str)]) -> Folder {
    let mut folder = Folder::default();
    for (name, text) in files {
        folder.add(name, text);
    }
    folder
}

fn said(files: &[(&str, &str)], sources: &[&str]) -> Vec<String> {
    let (_, diagnostics) = Project::read(&folder(files), sources);
    diagnostics.iter().map(ToString::to_string).collect()
}

#[test]
fn services_and_connectors_are_all_there() {
    let other = YAML.replace("shop\"", "other\"").replace("[\"./web\", \"./admin\"]", "[]");
    let files = [
        ("dc/dataconnect.yaml", YAML),
        ("dc/schema/b/more.graphql", "type B @table { x: Int }"),
        ("dc/schema/schema.gql", "type A @table { x: Int }"),
        ("dc/schema/notes.md", "no schema"),
        ("dc/seed_data.gql", "mutation { a }"),
        ("dc/web/connector.yaml", "connectorId: web\ngenerate:\n  javascriptSdk:\n    - outputDir: x\n"),
        ("dc/web/queries.gql", "query A { a }"),
        ("dc/web/deep/mutations.gql", "mutation B { b }"),
        ("dc/admin/connector.yaml", "connectorId: admin\nauthMode: PUBLIC\n"),
        ("two/dataconnect.yaml", &other),
    ];
    let (project, diagnostics) = Project::read(&folder(&files), &["dc", "./two/"]);
    assert_eq!(diagnostics, []);
    let [shop, two] = project.services.as_slice() else { unreachable!("{project:?}") };
    assert_eq!(
        (shop.id.as_str(), shop.location.as_str(), two.id.as_str()),
        ("shop", "europe-west1", "other")
    );
    assert_eq!((shop.database.as_deref(), shop.validation), (Some("fdcdb"), Validation::Strict));
    let names: Vec<&str> = shop.schema.iter().map(|text| &*text.name).collect();
    assert_eq!(names, ["dc/schema/b/more.graphql", "dc/schema/schema.gql"]);
    let connectors: Vec<(&str, usize)> =
        shop.connectors.iter().map(|connector| (connector.id.as_str(), connector.texts.len())).collect();
    assert_eq!(connectors, [("web", 2), ("admin", 0)]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let yaml = "serviceId: shop\nconnectorDir: [x]\nschema:\n  sorce: ./schema\n";
    let said_here = said(&[("dataconnect.yaml", yaml)], &["."]);
    assert!(said_here.iter().any(|text| text.starts_with("dataconnect.yaml:2:1: warning") && text.contains("`connectorDirs`")), "{said_here:?}");
    assert!(said_here.iter().any(|text| text.starts_with("dataconnect.yaml:4:3: warning")), "{said_here:?}");
    for (files, sources, part) in [
        (vec![], vec!["dc"], "`dc` has no `dataconnect.yaml`"),
        (vec![("dataconnect.yaml", "serviceId: [\n")], vec![""], "cannot be read"),
        (vec![("dataconnect.yaml", "- a\n")], vec![""], "not a mapping"),
        (vec![("dataconnect.yaml", "location: x\n")], vec![""], "`serviceId` is missing"),
        (vec![("dataconnect.yaml", YAML)], vec![""], "has no `connector.yaml`"),
        (vec![("dataconnect.yaml", &YAML.replace("STRICT", "MAYBE"))], vec![""], "`MAYBE`"),
        (
            vec![("a/dataconnect.yaml", "serviceId: x"), ("b/dataconnect.yaml", "serviceId: x")],
            vec!["a", "b"],
            "two services",
        ),
    ] {
        let said = said(&files, &sources);
        assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:?}");
    }
}
