//! The tables of a schema.
//!
//! Source: databases that the official emulator made; the reference, §12.1.

use sha2::{Digest as _, Sha256};

use super::{cast_of, enum_name, quoted, text_literal};
use crate::names::snake;
use crate::schema::{Base, Column, Default, Direction, Index, Reference, Scalar, Schema, Table};

/// Bytes of a name that PostgreSQL keeps.
const NAME_BYTES_MAX: usize = 63;

/// The statements that make a schema's types, tables, indexes and constraints in an empty database, in order.
pub fn create(schema: &Schema) -> Vec<String> {
    let mut statements = Vec::new();
    for of in schema.enums.values() {
        let values: Vec<String> = of.values.iter().map(|value| text_literal(value)).collect();
        let name = quoted(&enum_name(&of.name));
        statements.push(format!("CREATE TYPE {name} AS ENUM ({})", values.join(", ")));
    }
    let tables: Vec<&Table> = schema.tables.iter().filter(|table| table.view.is_none()).collect();
    statements.extend(tables.iter().map(|table| create_table(table)));
    for table in &tables {
        statements.extend(table.indexes.iter().filter_map(|index| create_index(table, index)));
        for reference in &table.references {
            statements.extend(foreign_key(schema, table, reference));
        }
    }
    for table in schema.tables.iter() {
        if let Some(crate::schema::View::Sql(sql)) = &table.view {
            statements.push(format!("CREATE VIEW {} AS {sql}", quoted(&table.sql_name)));
        }
    }
    statements
}

/// Columns at creation: the key, foreign keys, the rest by the fields' names.
fn ordered(table: &Table) -> Vec<&Column> {
    let mut rest: Vec<(bool, &Column)> = Vec::new();
    for (at, column) in table.columns.iter().enumerate().filter(|(at, _)| !table.key.contains(at)) {
        rest.push((!table.is_foreign(at), column));
    }
    rest.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    table.key_columns().chain(rest.into_iter().map(|(_, column)| column)).collect()
}

fn create_table(table: &Table) -> String {
    let mut parts: Vec<String> = ordered(table).into_iter().map(definition).collect();
    let key: Vec<String> = table.key_columns().map(|column| quoted(&column.sql_name)).collect();
    let name = shortened(&format!("{}_pkey", table.sql_name));
    parts.push(format!("CONSTRAINT {} PRIMARY KEY ({})", quoted(&name), key.join(", ")));
    format!("CREATE TABLE {} (\n  {}\n)", quoted(&table.sql_name), parts.join(",\n  "))
}

/// A column's type.
fn sql_type(column: &Column) -> String {
    let base = match &column.data_type {
        Some(written) => written.clone(),
        None => cast_of(&column.ty.base),
    };
    let list = if column.ty.list.is_some() { "[]" } else { "" };
    format!("{base}{list}")
}

fn definition(column: &Column) -> String {
    let mut out = format!("{} {}", quoted(&column.sql_name), sql_type(column));
    if column.ty.required {
        out.push_str(" NOT NULL");
    }
    if let Some(default) = sql_default(column) {
        out.push_str(&format!(" DEFAULT {default}"));
    }
    out
}

/// Defaults that the database computes; others are computed when a row is inserted.
fn sql_default(column: &Column) -> Option<String> {
    match column.default.as_ref()? {
        Default::Sql(sql) => Some(sql.clone()),
        Default::Expr(expr) if is_uuid(expr) => Some(match column.ty.base {
            Base::Scalar(Scalar::Uuid) => "gen_random_uuid()".to_owned(),
            _ => "replace(gen_random_uuid()::text, '-', '')".to_owned(),
        }),
        Default::Expr(_) => None,
        Default::Value(value) => {
            let cast = cast_of(&column.ty.base);
            let one = |value: &serde_json::Value| match (&column.ty.base, value) {
                (Base::Scalar(Scalar::Any), value) => text_literal(&value.to_string()),
                (_, serde_json::Value::String(text)) => text_literal(text),
                (_, value) => text_literal(&value.to_string()),
            };
            match (value, column.ty.list) {
                (serde_json::Value::Null, _) => None,
                (serde_json::Value::Array(items), Some(_)) => {
                    let items: Vec<String> = items.iter().map(one).collect();
                    Some(format!("ARRAY[{}]::{cast}[]", items.join(", ")))
                }
                (value, _) => Some(format!("{}::{cast}", one(value))),
            }
        }
    }
}

/// Whether a default's expression is one that the database computes.
pub(super) fn is_uuid(expr: &str) -> bool {
    expr.trim() == "uuidV4()"
}

fn foreign_key(schema: &Schema, table: &Table, reference: &Reference) -> Vec<String> {
    let Some(target) = schema.target(reference) else { return Vec::new() };
    let names = |table: &Table, columns: &[usize]| {
        let columns = columns.iter().filter_map(|at| table.columns.get(*at));
        columns.map(|column| quoted(&column.sql_name)).collect::<Vec<_>>().join(", ")
    };
    let own: Vec<&Column> = reference.columns.iter().filter_map(|at| table.columns.get(*at)).collect();
    let last = own.first().map(|column| column.sql_name.clone()).unwrap_or_default();
    let field = if own.len() == 1 { last } else { snake(&reference.name) };
    let constraint = reference.constraint.clone();
    let constraint = constraint.unwrap_or_else(|| shortened(&format!("{}_{field}_fkey", table.sql_name)));
    let action = if reference.required { "CASCADE" } else { "SET NULL" };
    let mut statements = vec![format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {action}",
        quoted(&table.sql_name),
        quoted(&constraint),
        names(table, &reference.columns),
        quoted(&target.sql_name),
        names(target, &reference.matches),
    )];
    // Every foreign key has an index, also where the primary key begins with it.
    for column in own {
        let name = shortened(&format!("{}_{}_idx", table.sql_name, column.name));
        statements.push(format!(
            "CREATE INDEX IF NOT EXISTS {} ON {} ({})",
            quoted(&name),
            quoted(&table.sql_name),
            quoted(&column.sql_name)
        ));
    }
    statements
}

fn create_index(table: &Table, index: &Index) -> Option<String> {
    let columns: Vec<&Column> = index.columns.iter().filter_map(|at| table.columns.get(*at)).collect();
    let method = match index.method.as_deref() {
        // Without pgvector vectors have no index: they are compared one by one.
        Some("HNSW" | "IVFFLAT") => return None,
        Some("GIN") => " USING gin",
        _ if columns.iter().any(|column| column.ty.list.is_some()) => " USING gin",
        _ => "",
    };
    if columns.iter().any(|column| column.ty.base == Base::Scalar(Scalar::Vector)) {
        return None;
    }
    let direction = |at: usize| index.order.get(at).copied().unwrap_or(Direction::Asc);
    let fields: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let letters: String =
        (0..columns.len()).map(|at| if direction(at) == Direction::Asc { 'a' } else { 'd' }).collect();
    let name = index.name.clone().unwrap_or_else(|| {
        let fields = fields.join("_");
        shortened(&match (index.unique, columns.len()) {
            (true, _) => format!("{}_{fields}_uidx", table.sql_name),
            (false, 1) => format!("{}_{fields}_idx", table.sql_name),
            (false, _) => format!("{}_{fields}_{letters}_idx", table.sql_name),
        })
    });
    let written = columns.iter().enumerate().map(|(at, column)| {
        let descending = if direction(at) == Direction::Desc && method.is_empty() { " DESC" } else { "" };
        format!("{}{descending}", quoted(&column.sql_name))
    });
    Some(format!(
        "CREATE {}INDEX IF NOT EXISTS {} ON {}{method} ({})",
        if index.unique { "UNIQUE " } else { "" },
        quoted(&name),
        quoted(&table.sql_name),
        written.collect::<Vec<_>>().join(", ")
    ))
}

/// A name that PostgreSQL keeps whole: the readable part is cut, and a hash of all of it appended.
pub(super) fn shortened(name: &str) -> String {
    const HASH_DIGITS: usize = 8;
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    let mut kept = NAME_BYTES_MAX - HASH_DIGITS - 1;
    while !name.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}_{}", name.get(..kept).unwrap_or_default(), hash.get(..HASH_DIGITS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_names_stay_distinct() {
        let long = "a".repeat(70);
        let longer = "a".repeat(71);
        assert_eq!(shortened(&long).len(), 63);
        assert_ne!(shortened(&long), shortened(&longer));
        assert_eq!(shortened("movie_pkey"), "movie_pkey");
    }
}
