//! How a query is served, for those who ask: the indexes of its plan, and what running it took.
//!
//! What was scanned and how long it took are this engine's own figures. What is billable is what production would bill for
//! such a result, by its published rules: nothing is billed here.
//!
//! Source: the documented report of query explain; names and forms as t-k/fireemu recorded them on 2026-09-24.

use std::time::Duration;

use wire::prost_types::value::Kind as Member;
use wire::prost_types::{self, Struct, Value};
use wire::v1::{ExecutionStats, ExplainMetrics, PlanSummary};

use super::index::{Breadth, Component, Definition, Kind, Spec};
use super::plan::{Plan, Source};
use super::run::Scanned;
use super::shape::{Query, Scope};

/// Entries that one plan may list.
const LISTED_MAX: usize = 1_000;
/// Index entries that are billed as one read of an aggregation.
const ENTRIES_PER_READ: u64 = 1_000;
/// Vectors that are billed as one read of a search for the nearest.
const VECTORS_PER_READ: u64 = 100;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many documents, after so many that the offset skipped.
    Documents {
        /// How many.
        given: usize,
        /// Before them.
        skipped: usize,
    },
    /// One result over so many documents.
    Aggregate {
        /// How many, skipped ones included.
        counted: usize,
    },
}

/// The indexes that a plan reads: one entry for each stretch that is scanned.
pub fn summary(query: &Query, plan: &Plan, definitions: &[Definition]) -> PlanSummary {
    let mut indexes_used = Vec::new();
    if query.limit != Some(0) {
        for source in &plan.sources {
            add_source(query, source, definitions, &mut indexes_used);
        }
    }
    indexes_used.truncate(LISTED_MAX);
    PlanSummary { indexes_used }
}

fn add_source(query: &Query, source: &Source, definitions: &[Definition], listed: &mut Vec<Struct>) {
    let stretches = match source {
        Source::Entries(stretches) => stretches,
        Source::Names(_) | Source::Scope(_) => {
            let scope = match query.scope {
                Scope::Collection(_) => "Collection",
                Scope::Group { .. } => "Collection group",
                Scope::Children(_) | Scope::Descendants(_) => "Includes Ancestors",
            };
            let direction =
                if query.is_reverse() && query.field_orders().is_empty() { "DESC" } else { "ASC" };
            return listed.push(entry(scope, format!("(__name__ {direction})")));
        }
    };
    for stretch in stretches {
        let Some(definition) = definitions.iter().find(|definition| definition.id == stretch.index) else {
            continue;
        };
        // An index is walked from its end for names that descend.
        let read = Spec::of(&definition.shape, query.is_reverse());
        let scope = match read.breadth {
            Breadth::Collection => "Collection",
            Breadth::Group => "Collection group",
        };
        let fields: Vec<String> = read.written_fields(true).iter().map(field).collect();
        let scans = stretch.intervals.len().clamp(1, LISTED_MAX);
        let one = entry(scope, format!("({})", fields.join(", ")));
        listed.extend(std::iter::repeat_n(one, scans));
    }
}

fn field(component: &Component) -> String {
    match component.kind {
        Kind::Ascending => format!("{} ASC", component.field),
        Kind::Descending => format!("{} DESC", component.field),
        Kind::Contains => format!("{} ARRAY_CONTAINS", component.field),
        Kind::Vector(dimension) => format!("{} VECTOR<{dimension}>", component.field),
    }
}

fn entry(scope: &str, properties: String) -> Struct {
    structure([("properties", text(properties)), ("query_scope", text(scope))])
}

/// The whole report.
pub fn metrics(
    query: &Query,
    plan: PlanSummary,
    scanned: Scanned,
    outcome: Outcome,
    took: Duration,
) -> ExplainMetrics {
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    // A walk by name reads the entries of the index on names, which are the documents themselves.
    let entries = number(scanned.entries.saturating_add(scanned.walked));
    let (returned, documents, counted, vectors) = match outcome {
        Outcome::Documents { given, skipped } => {
            let vectors = query.nearest.is_some().then_some(entries);
            (number(given), number(given.saturating_add(skipped)), 0, vectors)
        }
        Outcome::Aggregate { counted } => (1, 0, number(counted), None),
    };
    let reads = documents
        .saturating_add(counted.div_ceil(ENTRIES_PER_READ))
        .saturating_add(vectors.unwrap_or(0).div_ceil(VECTORS_PER_READ));
    let mut billing = vec![
        ("documents_billable", text(documents)),
        ("index_entries_billable", text(counted)),
        ("small_ops", text(0)),
        ("min_query_cost", text(u8::from(reads == 0))),
    ];
    billing.extend(vectors.map(|vectors| ("knn_vector_index_entries_billable", text(vectors))));
    let debug_stats = structure([
        ("index_entries_scanned", text(entries)),
        ("documents_scanned", text(scanned.documents.max(scanned.walked))),
        ("billing_details", Value { kind: Some(Member::StructValue(structure(billing))) }),
    ]);
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ExplainMetrics {
        plan_summary: Some(plan),
        execution_stats: Some(ExecutionStats {
            results_returned: signed(returned),
            execution_duration: Some(duration(took)),
            read_operations: signed(reads.max(1)),
            debug_stats: Some(debug_stats),
        }),
    }
}

fn duration(took: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(took.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(took.subsec_nanos()).unwrap_or_default(),
    }
}

fn text(value: impl ToString) -> Value {
    Value { kind: Some(Member::StringValue(value.to_string())) }
}

fn structure(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}
