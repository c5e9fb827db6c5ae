//! Fields that nobody declared, and the order in which a table's fields come.

use super::{Block, Member};
use crate::schema::{Column, Implied, Schema, Table};

/// A table's columns in the API's order: the key, foreign keys, the rest.
pub(super) fn ordered(table: &Table) -> (Vec<&Column>, Vec<&Column>) {
    let key = table.key_columns();
    let mut foreign: Vec<&Column> = Vec::new();
    let mut plain: Vec<&Column> = Vec::new();
    for (at, column) in table.columns.iter().enumerate().filter(|(at, _)| !table.key.contains(at)) {
        if table.is_foreign(at) { foreign.push(column) } else { plain.push(column) }
    }
    foreign.sort_by(|a, b| a.name.cmp(&b.name));
    plain.sort_by(|a, b| a.name.cmp(&b.name));
    (key.chain(foreign).collect(), plain)
}

/// All columns by name.
pub(super) fn sorted(table: &Table) -> Vec<&Column> {
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    columns.sort_by(|a, b| a.name.cmp(&b.name));
    columns
}

/// `implicit.gql`
pub(super) fn blocks(schema: &Schema) -> Vec<Block> {
    let of = |table: &Table| {
        let (first, _) = ordered(table);
        let members = first.into_iter().filter_map(|column| implied(table, column));
        Block::new("", format!("extend type {}", table.name), members.collect())
    };
    schema.tables.iter().map(of).collect()
}

fn implied(table: &Table, column: &Column) -> Option<Member> {
    let (docs, from, purpose) = match column.implied.as_ref()? {
        Implied::Key => (
            "✨ Implicit primary key field. It's a UUID column default to a generated new value. See `@table` for how to customize it.".to_owned(),
            table.name.clone(),
            "IMPLICIT_KEY_FIELD",
        ),
        Implied::Reference { field, table: other, column } => (
            format!(
                "✨ Implicit foreign key field based on `{}`.`{field}`. It must match the value of `{other}`.`{column}`. See `@ref` for how to customize it.",
                table.name
            ),
            format!("{}.{field}", table.name),
            "IMPLICIT_REF_FIELD",
        ),
    };
    let member = Member::new(docs, &column.name, column.ty.to_string());
    let member = match column.implied {
        Some(Implied::Key) => member.directive("@default(expr: \"uuidV4()\")"),
        _ => member,
    };
    Some(member.generated(&from, purpose))
}
