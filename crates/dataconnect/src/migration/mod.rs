//! What a database lacks of a schema, and the statements that change it.
//!
//! Whoever has a connection asks the database twice, with `search_path` on the service's schema:
//! 1. in a transaction that is rolled back, [`shape`] makes the schema's tables as temporary ones, and [`CATALOG`] of
//!    `pg_temp` reads them. So PostgreSQL itself says how it writes the author's types and defaults.
//! 2. [`CATALOG`] of the service's schema reads what is there.
//!
//! [`difference`] compares both. It does no I/O.
//!
//! Invariants:
//! - What Hearth did not make is never dropped: what it made is in the comments of tables and enums ([`Mark`]).
//! - Indexes and foreign keys are compared by what they do, not by their names.
//! - Applied twice, the second difference is empty.
//!
//! Source: the reference, §12.1 and §13.

mod catalog;
mod columns;
mod declared;
mod difference;
mod enums;
mod mark;
mod statement;

use crate::schema::{Schema, View};
use crate::sql::quoted;

pub use catalog::{CATALOG, Catalog, Column, Enum, Index, IndexColumn, Key, Reference, Table};
pub use difference::{Check, Difference, Step, difference};
pub use mark::Mark;

/// Held by a transaction that migrates, so that two servers do not migrate at once.
pub const LOCK: &str = "SELECT pg_advisory_xact_lock(4919103622)";

/// The statements that make a schema's types, tables, indexes and foreign keys in an empty database, in order.
pub fn create(schema: &Schema) -> Vec<String> {
    let declared = declared::declared(schema);
    let mut statements: Vec<String> = declared.enums.iter().map(statement::create_enum).collect();
    statements.extend(declared.tables.iter().map(statement::create_table));
    for table in &declared.tables {
        statements.extend(table.indexes.iter().map(|index| statement::create_index(&table.name, index)));
        let references = table.references.iter();
        statements.extend(references.map(|reference| statement::add_reference(&table.name, reference)));
    }
    statements
}

/// The statements that make a schema's tables as temporary ones. For a transaction that is rolled back. What fails of
/// them is the author's: a type or a default that PostgreSQL does not take.
pub fn shape(schema: &Schema) -> Vec<String> {
    let path = "SELECT set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)";
    std::iter::once(path.to_owned()).chain(create(schema)).collect()
}

/// For each view a statement without rows, which fails when the view does not have what its type says.
pub fn views(schema: &Schema) -> Vec<(String, String)> {
    let views = schema.tables.iter().filter_map(|table| {
        let from = match table.view.as_ref()? {
            View::Named(_) => quoted(&table.sql_name),
            View::Sql(sql) => format!("({sql}\n)"),
        };
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.sql_name)).collect();
        Some((table.name.clone(), format!("SELECT {} FROM {from} v LIMIT 0", columns.join(", "))))
    });
    views.collect()
}
