//! What a project's schema needs of a database.
//!
//! Source: databases that the official emulator made; the reference, §12.1.

use sha2::{Digest as _, Sha256};

use super::catalog::{Catalog, Column, Enum, Index, IndexColumn, Key, Reference, Table};
use crate::names::snake;
use crate::schema::{self, Base, Default, Direction, Scalar, Schema};
use crate::sql::{SEARCH_COLUMN, cast_of, enum_name, is_uuid, quoted, text_literal};

/// Bytes of a name that PostgreSQL keeps.
const NAME_BYTES_MAX: usize = 63;

/// The catalog of a database that has what a schema needs. Types and expressions are as the schema writes them.
pub(super) fn declared(schema: &Schema) -> Catalog {
    let enums = schema.enums.values();
    let enums = enums.map(|of| Enum { name: enum_name(&of.name), note: None, values: of.values.clone() });
    let tables = schema.tables.iter().filter(|table| table.view.is_none());
    Catalog {
        enums: enums.collect(),
        tables: tables.map(|table| declared_table(schema, table)).collect(),
        views: Vec::new(),
    }
}

fn declared_table(schema: &Schema, table: &schema::Table) -> Table {
    let mut columns: Vec<Column> = ordered(table).into_iter().map(column).collect();
    let mut indexes: Vec<Index> = table.indexes.iter().filter_map(|one| index(table, one)).collect();
    let mut references = Vec::new();
    for one in &table.references {
        references.extend(reference(schema, table, one));
        // Every foreign key has an index, also where the primary key begins with it.
        for own in one.columns.iter().filter_map(|at| table.columns.get(*at)) {
            let name = shortened(&format!("{}_{}_idx", table.sql_name, own.name));
            indexes.push(plain(name, "btree", &own.sql_name));
        }
    }
    if table.is_searchable() {
        columns.push(search_column(table));
        let name = shortened(&format!("{}{SEARCH_COLUMN}_idx", table.sql_name));
        indexes.push(plain(name, "gin", SEARCH_COLUMN));
    }
    let mut known = std::collections::HashSet::new();
    indexes.retain(|index| known.insert(index.name.clone()));
    let name = shortened(&format!("{}_pkey", table.sql_name));
    let key = table.key_columns().map(|column| column.sql_name.clone()).collect();
    let key = Some(Key { name, columns: key });
    Table { name: table.sql_name.clone(), note: None, columns, key, indexes, references }
}

/// Columns at creation: the key, foreign keys, the rest by the fields' names.
fn ordered(table: &schema::Table) -> Vec<&schema::Column> {
    let mut rest: Vec<(bool, &schema::Column)> = Vec::new();
    for (at, column) in table.columns.iter().enumerate().filter(|(at, _)| !table.key.contains(at)) {
        rest.push((!table.is_foreign(at), column));
    }
    rest.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    table.key_columns().chain(rest.into_iter().map(|(_, column)| column)).collect()
}

fn column(column: &schema::Column) -> Column {
    let base = column.data_type.clone().unwrap_or_else(|| cast_of(&column.ty.base));
    let list = if column.ty.list.is_some() { "[]" } else { "" };
    Column {
        name: column.sql_name.clone(),
        ty: format!("{base}{list}"),
        required: column.ty.required,
        default: sql_default(column),
        generated: None,
        identity: false,
    }
}

/// Defaults that the database computes; others are computed when a row is inserted.
fn sql_default(column: &schema::Column) -> Option<String> {
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

/// What full-text search looks at.
fn search_column(table: &schema::Table) -> Column {
    let words = table.columns.iter().filter_map(|column| {
        let language = text_literal(column.searchable.as_ref()?);
        Some(format!("to_tsvector({language}::regconfig, coalesce({}, ''))", quoted(&column.sql_name)))
    });
    Column {
        name: SEARCH_COLUMN.to_owned(),
        ty: "tsvector".to_owned(),
        required: false,
        default: None,
        generated: Some(words.collect::<Vec<_>>().join(" || ")),
        identity: false,
    }
}

fn reference(schema: &Schema, table: &schema::Table, of: &schema::Reference) -> Option<Reference> {
    let target = schema.target(of)?;
    let names = |table: &schema::Table, columns: &[usize]| -> Vec<String> {
        let columns = columns.iter().filter_map(|at| table.columns.get(*at));
        columns.map(|column| column.sql_name.clone()).collect()
    };
    let columns = names(table, &of.columns);
    let field = match columns.as_slice() {
        [one] => one.clone(),
        _ => snake(&of.name),
    };
    let name = of.constraint.clone();
    Some(Reference {
        name: name.unwrap_or_else(|| shortened(&format!("{}_{field}_fkey", table.sql_name))),
        target: target.sql_name.clone(),
        columns,
        matches: names(target, &of.matches),
        on_delete: if of.required { "CASCADE" } else { "SET NULL" }.to_owned(),
    })
}

fn plain(name: String, method: &str, column: &str) -> Index {
    Index {
        name,
        unique: false,
        method: method.to_owned(),
        is_plain: true,
        of_constraint: false,
        columns: vec![IndexColumn { name: column.to_owned(), descends: false }],
    }
}

fn index(table: &schema::Table, index: &schema::Index) -> Option<Index> {
    let columns: Vec<&schema::Column> =
        index.columns.iter().filter_map(|at| table.columns.get(*at)).collect();
    let method = match index.method.as_deref() {
        // Vectors are compared one by one.
        Some("HNSW" | "IVFFLAT") => return None,
        Some("GIN") => "gin",
        _ if columns.iter().any(|column| column.ty.list.is_some()) => "gin",
        _ => "btree",
    };
    if columns.iter().any(|column| column.ty.base == Base::Scalar(Scalar::Vector)) {
        return None;
    }
    let direction = |at: usize| index.order.get(at).copied().unwrap_or(Direction::Asc);
    let letters: String =
        (0..columns.len()).map(|at| if direction(at) == Direction::Asc { 'a' } else { 'd' }).collect();
    let fields: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let name = index.name.clone().unwrap_or_else(|| {
        let fields = fields.join("_");
        shortened(&match (index.unique, columns.len()) {
            (true, _) => format!("{}_{fields}_uidx", table.sql_name),
            (false, 1) => format!("{}_{fields}_idx", table.sql_name),
            (false, _) => format!("{}_{fields}_{letters}_idx", table.sql_name),
        })
    });
    let columns = columns.iter().enumerate().map(|(at, column)| IndexColumn {
        name: column.sql_name.clone(),
        descends: direction(at) == Direction::Desc && method == "btree",
    });
    Some(Index {
        name,
        unique: index.unique,
        method: method.to_owned(),
        is_plain: true,
        of_constraint: false,
        columns: columns.collect(),
    })
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
