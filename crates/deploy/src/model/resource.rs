//! Rulesets, releases and tests as the API shows them.

use base::Timestamp;
use policy::coverage::Issue;
use serde::Serialize;

use super::row::{ReleaseRow, RulesetRow};
use super::source::RulesSource;
use crate::suite::run::TestResult;

/// A ruleset as it is shown. Lists leave the source out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruleset {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<RulesSource>,
    create_time: String,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
struct Metadata {
    services: Vec<String>,
}

/// A release as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    name: String,
    ruleset_name: String,
    create_time: String,
    update_time: String,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Where the next page begins.
    pub next_page_token: Option<String>,
}

/// What a test came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    /// What there is to say about the source.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
    /// What became of each case, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_results: Vec<TestResult>,
}

impl Ruleset {
    /// The resource of a row.
    pub fn new(project: &str, id: &str, row: RulesetRow, source: Option<RulesSource>) -> Self {
        Self {
            name: format!("projects/{project}/rulesets/{id}"),
            source,
            create_time: time(row.created_micros),
            metadata: Metadata { services: row.services },
        }
    }
}

impl Release {
    /// The resource of a row.
    pub fn new(project: &str, name: &str, row: &ReleaseRow) -> Self {
        Self {
            name: format!("projects/{project}/releases/{name}"),
            ruleset_name: format!("projects/{project}/rulesets/{}", row.ruleset),
            create_time: time(row.created_micros),
            update_time: time(row.updated_micros),
        }
    }
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}
