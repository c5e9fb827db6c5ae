//! Index files and what queries require, as `cases/indexes/*.json` has them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise"
)]

use std::path::Path;

use base::{DatabaseName, ResourcePath};
use firestore::query::index::file::{self, Exemptions, Remark};
use firestore::query::index::{Breadth, Definition, Origin, Spec, State, missing};
use firestore::query::parse;
use serde::Deserialize;
use serde_json::value::RawValue;

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct Suite<T> {
        cases: Vec<T>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/indexes").join(name);
    serde_json::from_str::<Suite<T>>(&std::fs::read_to_string(path).unwrap()).unwrap().cases
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCase {
    case: String,
    file: Vec<String>,
    #[serde(default)]
    indexes: Vec<String>,
    #[serde(default)]
    exempt: Vec<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    errors: Vec<String>,
}

fn shown(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(ToString::to_string).collect()
}

fn is_exempt(exemptions: &Exemptions, text: &str) -> bool {
    let (group, field) = text.split_once(' ').unwrap();
    exemptions.exempt(group, &Spec::field(field).unwrap())
}

#[test]
fn index_files_are_read_as_their_cases_say() {
    for case in read::<FileCase>("files.json") {
        let text = case.file.join("\n");
        let label = &case.case;
        match file::parse(&text) {
            Ok((found, warnings)) => {
                assert!(case.errors.is_empty(), "{label}: it was read");
                let indexes: Vec<_> =
                    found.indexes.iter().map(|index| format!("{} {index}", index.scope())).collect();
                assert_eq!(indexes, case.indexes, "{label}");
                assert_eq!(shown(&warnings), case.warnings, "{label}");
                assert!(case.exempt.iter().all(|text| is_exempt(&found.exemptions, text)), "{label}");
                for other in ["c blob", "c blob:contains", "c n", "c n:contains", "c other", "d blob"] {
                    let expected = case.exempt.iter().any(|text| text == other);
                    assert_eq!(is_exempt(&found.exemptions, other), expected, "{label}: {other}");
                }
            }
            Err(errors) => assert_eq!(shown(&errors), case.errors, "{label}"),
        }
    }
}

fn spec(text: &str) -> Spec {
    let mut words = text.split(' ');
    let group = words.next().unwrap();
    let (group, breadth) = match group.strip_prefix("group:") {
        Some(group) => (group, Breadth::Group),
        None => (group, Breadth::Collection),
    };
    let fields = words.map(|word| Spec::field(word).unwrap()).collect();
    Spec::written(group, breadth, fields).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequiredCase {
    case: String,
    query: Box<RawValue>,
    #[serde(default)]
    indexes: Vec<String>,
    #[serde(default)]
    exempt: Vec<String>,
    lacks: Option<String>,
}

/// The exemptions of a file that exempts these fields.
fn exemptions(fields: &[String]) -> Exemptions {
    let entries: Vec<String> = fields
        .iter()
        .map(|text| {
            let (group, field) = text.split_once(' ').unwrap();
            format!(r#"{{"collectionGroup": "{group}", "fieldPath": "{field}", "indexes": []}}"#)
        })
        .collect();
    file::parse(&format!(r#"{{"fieldOverrides": [{}]}}"#, entries.join(","))).unwrap().0.exemptions
}

#[test]
fn queries_require_what_their_cases_say() {
    let database = DatabaseName::default_of("p");
    for RequiredCase { case, query, indexes, exempt, lacks } in read::<RequiredCase>("required.json") {
        let text = format!("{{\"structuredQuery\":{query}}}");
        let request: wire::v1::RunQueryRequest = wire::json::read(text.as_bytes()).unwrap();
        let Some(wire::v1::run_query_request::QueryType::StructuredQuery(asked)) = request.query_type else {
            panic!("{case}: no query")
        };
        let query = parse(&database, &ResourcePath::ROOT, asked).unwrap();
        let group = query.scope.group_id().unwrap();
        // A query sees the definitions of its own collection group.
        let specs = indexes.iter().map(|text| spec(text)).filter(|spec| spec.group == group);
        let definitions: Vec<Definition> = specs
            .zip(1..)
            .map(|(spec, id)| Definition {
                shape: spec.shape(),
                id,
                state: State::Readable,
                origin: Origin::File,
                name_descends: spec.name_descends,
            })
            .collect();
        let found = missing(&query, &definitions, &exemptions(&exempt));
        assert_eq!(
            found.as_ref().map(|missing| &missing.spec),
            lacks.as_deref().map(spec).as_ref(),
            "{case}"
        );
        let Some(found) = found else { continue };
        assert!(!found.is_building, "{case}");
        // What is lacking, once it is there, is enough; while it is built, the answer says so.
        for state in [State::Building, State::Readable] {
            let shape = found.spec.shape();
            let definition = Definition { shape, id: 9, state, origin: Origin::File, name_descends: false };
            let after = missing(&query, &[definition], &exemptions(&exempt));
            let is_building = after.map(|missing| missing.is_building);
            assert_eq!(is_building, (state == State::Building).then_some(true), "{case}: {state:?}");
        }
    }
}

#[test]
fn an_index_is_added_to_a_file_once_and_the_rest_stays_as_it_is() {
    let file = "{\n  // ours\n  \"indexes\": [\n    {\n      \"collectionGroup\": \"c\",\n      \"queryScope\": \"COLLECTION\",\n      \"fields\": [\n        { \"fieldPath\": \"a\", \"order\": \"ASCENDING\" },\n        { \"fieldPath\": \"b\", \"order\": \"ASCENDING\" }\n      ]\n    }\n  ]\n}\n";
    assert_eq!(file::add(file, &spec("c a b")).unwrap(), None);
    for (text, specs) in [(file, ["c a b:desc", "c tags:contains b"]), ("", ["c x y", "group:c x"])] {
        let mut after = text.to_owned();
        for text in specs {
            after = file::add(&after, &spec(text)).unwrap().unwrap();
            assert_eq!(file::add(&after, &spec(text)).unwrap(), None, "{after}");
        }
        let (found, warnings) = file::parse(&after).unwrap();
        assert!(
            warnings.is_empty() && specs.iter().all(|text| found.indexes.contains(&spec(text))),
            "{after}"
        );
        assert_eq!(after.contains("// ours"), text.contains("// ours"));
        assert!(found.exemptions.is_empty(), "what is added exempts nothing: {after}");
    }
    assert!(file::add("{", &spec("c a b")).is_err());
}

#[test]
fn links_and_commands_name_the_index() {
    let spec = spec("cities state population:desc");
    let link = spec.link(&DatabaseName::default_of("my-app"));
    assert_eq!(
        link,
        "https://console.firebase.google.com/v1/r/project/my-app/firestore/indexes?create_composite=\
         CkVwcm9qZWN0cy9teS1hcHAvZGF0YWJhc2VzLyhkZWZhdWx0KS9jb2xsZWN0aW9uR3JvdXBzL2NpdGllcy9pbmRleGVzL18QARoJCgVzdGF0ZRABGg4KCnBvcHVsYXRpb24QAhoMCghfX25hbWVfXxAC"
    );
    assert_eq!(spec.arguments(), "cities state population:desc");
    let odd = Spec::written("it's", Breadth::Group, vec![Spec::field("a.`b c`:contains").unwrap()]).unwrap();
    assert_eq!(odd.arguments(), r"'it'\''s' 'a.`b c`:contains' --group");
}
