//! Replays the query cases of `cases/queries/*.json`: documents, queries in the protocol's JSON, and the names they
//! find in order, or the words they are refused with. Every query runs without an index and with the ones it wants.

use std::collections::BTreeMap;
use std::path::Path;

use base::{Code, ResourcePath};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::index::{Origin, build};
use super::testing::{Database, path};
use super::{parse, plan, run};
use crate::model::value::fields_from_wire;

#[derive(Deserialize)]
struct Suite {
    documents: BTreeMap<String, Box<RawValue>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    #[serde(default)]
    parent: String,
    query: Box<RawValue>,
    names: Option<Vec<String>>,
    error: Option<String>,
}

fn request(case: &Case) -> wire::v1::StructuredQuery {
    let text = format!("{{\"structuredQuery\":{}}}", case.query);
    let request: wire::v1::RunQueryRequest = wire::json::read(text.as_bytes()).unwrap();
    match request.query_type {
        Some(wire::v1::run_query_request::QueryType::StructuredQuery(query)) => query,
        None => panic!("no query in {}", case.case),
    }
}

async fn check(file: &str, database: &Database, case: &Case, failures: &mut Vec<String>) {
    let label = format!("{file}: {}", case.case);
    let parent = ResourcePath::parse(&case.parent).unwrap();
    let query = match parse(&database.name, &parent, request(case)) {
        Ok(query) => query,
        Err(status) => {
            if case.error.as_ref() != Some(&status.message) || status.code != Code::InvalidArgument {
                failures.push(format!("{label}: {status}"));
            }
            return;
        }
    };
    let Some(names) = &case.names else {
        failures.push(format!("{label}: was not refused"));
        return;
    };
    for indexed in [false, true] {
        if indexed {
            for shape in plan::wanted(&query) {
                build::build(&database.gate, &database.name, &shape, Origin::Query).await.unwrap();
            }
        }
        let mut session = database.session().await;
        let (found, _) = run(&mut session, &database.name, &query).await.unwrap();
        session.finish();
        let found: Vec<_> = found.iter().map(|found| found.path.to_string()).collect();
        if found != *names {
            failures.push(format!("{label} (indexed: {indexed}): {found:?}, expected {names:?}"));
        }
    }
}

#[tokio::test]
async fn cases_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/queries");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        let suite: Suite = serde_json::from_str(&text).unwrap();
        let file = file.file_name().unwrap().to_string_lossy().into_owned();
        let database = Database::new().await;
        for (name, fields) in &suite.documents {
            let text = format!("{{\"fields\":{fields}}}");
            let document: wire::v1::Document = wire::json::read(text.as_bytes()).unwrap();
            let fields = fields_from_wire(document.fields).unwrap();
            database.write(&[(path(name), Some(fields))]).await;
        }
        for case in &suite.cases {
            count += 1;
            check(&file, &database, case, &mut failures).await;
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases fail:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 137, "only {count} cases were found");
}
