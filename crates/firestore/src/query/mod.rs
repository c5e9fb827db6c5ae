//! The query engine: what a structured query means, which index serves it, and its result at a cost that follows
//! the result.
//!
//! A request's way: [`parse`] makes a validated [`Query`]; [`proof`] says what it proves, for the rules; once they
//! allow it, [`Results`] (or [`run`], [`aggregate()`]) finds its documents through the session; what it says is
//! [`Results::wanted`] goes to an [`index::Builder`]. Writers ask [`index::definitions`] and [`index::changes`].
//!
//! Invariants: a result is the same with and without an index; whatever a query reads it reads through the
//! session, so that a commit notices when it changed; every buffer has a named limit.
//!
//! Source: Firestore's documented query semantics.

pub mod aggregate;
pub mod explain;
pub mod filter;
pub mod index;
mod index_use;
mod input;
pub mod nearest;
mod parse;
pub mod plan;
pub mod position;
mod proof;
pub mod ranges;
mod run;
mod scan;
pub mod shape;
pub mod split;
pub(crate) mod walk;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod testing;

pub use aggregate::{Aggregation, AggregationQuery, aggregate};
pub use filter::{Condition, Disjunct, Filter, Test};
pub use index_use::IndexUse;
pub use nearest::Nearest;
pub use parse::{parse, parse_order_by};
pub use proof::{path as proof_path, proof};
pub use run::{PAGE_DOCUMENTS_MAX, Results, SORT_BYTES_MAX, Scanned, finds_literally};
pub use shape::{Cursor, Order, Query, Scope};
pub use walk::Found;

use access::Session;
use base::{DatabaseName, Status};

/// A whole result at once: the documents in order, and how many the offset skipped. For results that are known to be
/// small; others are read page by page.
pub async fn run(
    session: &mut Session,
    database: &DatabaseName,
    query: &Query,
) -> Result<(Vec<Found>, usize), Status> {
    let mut results = Results::open(session, database, query).await?;
    let mut documents = Vec::new();
    while let Some(page) = results.page(session).await? {
        documents.extend(page);
    }
    Ok((documents, results.skipped()))
}
