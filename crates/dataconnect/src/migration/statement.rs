//! The statements that make what a catalog says.

use super::catalog::{Column, Enum, Index, Key, Reference, Table};
use crate::sql::{quoted, text_literal};

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

pub(super) fn create_enum(of: &Enum) -> String {
    let values: Vec<String> = of.values.iter().map(|value| text_literal(value)).collect();
    format!("CREATE TYPE {} AS ENUM ({})", quoted(&of.name), values.join(", "))
}

pub(super) fn create_table(table: &Table) -> String {
    let mut parts: Vec<String> = table.columns.iter().map(definition).collect();
    parts.extend(table.key.as_ref().map(primary_key));
    format!("CREATE TABLE {} (\n  {}\n)", quoted(&table.name), parts.join(",\n  "))
}

pub(super) fn primary_key(key: &Key) -> String {
    format!("CONSTRAINT {} PRIMARY KEY ({})", quoted(&key.name), list(&key.columns))
}

pub(super) fn definition(column: &Column) -> String {
    let mut out = format!("{} {}", quoted(&column.name), column.ty);
    if column.required {
        out.push_str(" NOT NULL");
    }
    if let Some(default) = &column.default {
        out.push_str(&format!(" DEFAULT {default}"));
    }
    if let Some(expression) = &column.generated {
        out.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
    }
    out
}

pub(super) fn add_reference(table: &str, reference: &Reference) -> String {
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {}",
        quoted(table),
        quoted(&reference.name),
        list(&reference.columns),
        quoted(&reference.target),
        list(&reference.matches),
        reference.on_delete,
    )
}

pub(super) fn drop_constraint(table: &str, name: &str) -> String {
    format!("ALTER TABLE {} DROP CONSTRAINT {}", quoted(table), quoted(name))
}

pub(super) fn create_index(table: &str, index: &Index) -> String {
    let columns = index
        .columns
        .iter()
        .map(|column| format!("{}{}", quoted(&column.name), if column.descends { " DESC" } else { "" }));
    let method = if index.method == "btree" { String::new() } else { format!(" USING {}", index.method) };
    format!(
        "CREATE {}INDEX {} ON {}{method} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quoted(&index.name),
        quoted(table),
        columns.collect::<Vec<_>>().join(", ")
    )
}

/// Rows whose values are not unique.
pub(super) fn count_duplicates(table: &str, index: &Index) -> String {
    let columns: Vec<String> = index.columns.iter().map(|column| quoted(&column.name)).collect();
    let present: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1) d",
        quoted(table),
        present.join(" AND "),
        columns.join(", ")
    )
}

/// Rows that refer to nothing.
pub(super) fn count_orphans(table: &str, reference: &Reference) -> String {
    let present = reference.columns.iter().map(|column| format!("a.{} IS NOT NULL", quoted(column)));
    let pairs = reference.columns.iter().zip(&reference.matches);
    let equal = pairs.map(|(own, other)| format!("b.{} = a.{}", quoted(other), quoted(own)));
    format!(
        "SELECT count(*) FROM {} a WHERE {} AND NOT EXISTS (SELECT 1 FROM {} b WHERE {})",
        quoted(table),
        present.collect::<Vec<_>>().join(" AND "),
        quoted(&reference.target),
        equal.collect::<Vec<_>>().join(" AND ")
    )
}
