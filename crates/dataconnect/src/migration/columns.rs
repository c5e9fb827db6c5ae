//! Columns and keys of tables that are there.

use super::catalog::{Column, Index, Table};
use super::difference::{Check, Difference, Pair};
use super::statement;
use crate::sql::{SEARCH_COLUMN, quoted};

pub(super) fn compare(pair: &Pair<'_>, out: &mut Difference) {
    let search_goes = search_goes(pair);
    if search_goes {
        let table = &pair.found.name;
        // It stands in the way of changes to what it is computed of.
        let sql = format!("ALTER TABLE {} DROP COLUMN {}", quoted(table), quoted(SEARCH_COLUMN));
        out.step(sql, format!("drops what search looks at in `{table}`"));
    }
    for wanted in &pair.wanted.columns {
        match (pair.found.column(&wanted.name), pair.declared.column(&wanted.name)) {
            (Some(_), Some(declared)) if search_goes && wanted.name == SEARCH_COLUMN => {
                search_again(pair, declared, out);
            }
            (Some(found), Some(declared)) => change(pair, declared, wanted, found, out),
            (None, Some(declared)) => add(pair, declared, wanted, out),
            (_, None) => {}
        }
    }
    for found in &pair.found.columns {
        let is_gone = search_goes && found.name == SEARCH_COLUMN;
        if pair.wanted.column(&found.name).is_none() && !is_gone {
            unknown(pair, found, out);
        }
    }
}

/// Whether the search column that is there is dropped. It is computed of others: nothing is lost.
fn search_goes(pair: &Pair<'_>) -> bool {
    let Some(found) = pair.found.column(SEARCH_COLUMN) else { return false };
    let retyped = || {
        pair.wanted.columns.iter().any(|wanted| {
            let found = pair.found.column(&wanted.name);
            found.is_some_and(|found| !is_same_type(&wanted.ty, &found.ty))
        })
    };
    match pair.wanted.column(SEARCH_COLUMN) {
        Some(wanted) => wanted.generated != found.generated || retyped(),
        None => {
            found.generated.is_some()
                && pair.mark.as_ref().is_some_and(|mark| mark.columns.contains(SEARCH_COLUMN))
        }
    }
}

fn alter(table: &Table, column: &str, what: &str) -> String {
    format!("ALTER TABLE {} ALTER COLUMN {} {what}", quoted(&table.name), quoted(column))
}

fn add(pair: &Pair<'_>, declared: &Column, wanted: &Column, out: &mut Difference) {
    let table = &pair.found.name;
    let sql = format!("ALTER TABLE {} ADD COLUMN {}", quoted(table), statement::definition(declared));
    let step = out.step(sql, format!("adds the column `{}` to `{table}`", wanted.name));
    if wanted.required && wanted.default.is_none() {
        step.check = Some(Check {
            sql: format!("SELECT count(*) FROM {}", quoted(table)),
            message: format!(
                "rows of `{table}` would have no `{}`: give the field a `@default`, or make it nullable first",
                wanted.name
            ),
        });
    }
    let known = |found: &&Column| pair.wanted.column(&found.name).is_none() && found.ty == wanted.ty;
    let mut gone = pair.found.columns.iter().filter(known);
    if let (Some(old), None) = (gone.next(), gone.next()) {
        out.notes.push(format!(
            "`{table}` gets `{}`, and `{}` of the same type is not in the schema: if it was renamed, write \
             `@col(name: \"{}\")`",
            wanted.name, old.name, old.name
        ));
    }
}

fn change(pair: &Pair<'_>, declared: &Column, wanted: &Column, found: &Column, out: &mut Difference) {
    let (table, name) = (pair.found, &wanted.name);
    if wanted.generated != found.generated {
        let what = format!("`{}.{name}` is generated, which the schema does not say: it is kept", table.name);
        out.notes.push(what);
        return;
    }
    if !is_same_type(&wanted.ty, &found.ty) {
        if found.default.is_some() {
            out.step(
                alter(table, name, "DROP DEFAULT"),
                format!("drops the default of `{}.{name}`", table.name),
            );
        }
        let ty = &wanted.ty;
        let step = out.step(
            alter(table, name, &format!("TYPE {ty} USING {}::text::{ty}", quoted(name))),
            format!("changes `{}.{name}` from `{}` to `{ty}`", table.name, found.ty),
        );
        step.destructive = !is_wider(ty, &found.ty);
    }
    match (wanted.required, found.required) {
        (true, false) => {
            let description = format!("`{}.{name}` must not be null", table.name);
            let step = out.step(alter(table, name, "SET NOT NULL"), description);
            step.check = Some(Check {
                sql: format!("SELECT count(*) FROM {} WHERE {} IS NULL", quoted(&table.name), quoted(name)),
                message: format!("rows of `{}` have no `{name}`", table.name),
            });
        }
        (false, true) => {
            out.step(alter(table, name, "DROP NOT NULL"), format!("`{}.{name}` may be null", table.name));
        }
        _ => {}
    }
    default(pair, declared, wanted, found, out);
}

fn default(pair: &Pair<'_>, declared: &Column, wanted: &Column, found: &Column, out: &mut Difference) {
    let (table, name) = (pair.found, &wanted.name);
    let retyped = !is_same_type(&wanted.ty, &found.ty);
    if found.identity || (is_same_default(wanted.default.as_deref(), found.default.as_deref()) && !retyped) {
        return;
    }
    match (&declared.default, &wanted.default, &found.default) {
        (Some(expression), _, _) => {
            let description = format!("sets the default of `{}.{name}`", table.name);
            out.step(alter(table, name, &format!("SET DEFAULT {expression}")), description);
        }
        (None, Some(expression), _) => out.notes.push(format!(
            "`{}.{name}` is not numbered by the database: run `CREATE SEQUENCE` and set the default `{expression}`",
            table.name
        )),
        (None, None, Some(_)) if pair.mark.as_ref().is_some_and(|mark| mark.columns.contains(name)) => {
            out.step(alter(table, name, "DROP DEFAULT"), format!("drops the default of `{}.{name}`", table.name));
        }
        (None, None, Some(expression)) => out.notes.push(format!(
            "the default `{expression}` of `{}.{name}` is not in the schema: it is kept",
            table.name
        )),
        (None, None, None) => {}
    }
}

fn search_again(pair: &Pair<'_>, declared: &Column, out: &mut Difference) {
    let table = &pair.found.name;
    let add = format!("ALTER TABLE {} ADD COLUMN {}", quoted(table), statement::definition(declared));
    out.step(add, format!("makes what search looks at in `{table}`"));
    // Its index went with it.
    let of_search = |index: &&Index| index.columns.iter().any(|column| column.name == SEARCH_COLUMN);
    let there = |index: &&Index| pair.found.indexes.iter().any(|found| index.is_like(found));
    for index in pair.declared.indexes.iter().filter(of_search).filter(there) {
        let description = format!("creates the index `{}` on `{table}`", index.name);
        out.step(statement::create_index(table, index), description);
    }
}

/// A column that the schema does not have.
fn unknown(pair: &Pair<'_>, found: &Column, out: &mut Difference) {
    let (table, name) = (pair.found, &found.name);
    let is_ours = pair.mark.as_ref().is_some_and(|mark| mark.columns.contains(name));
    if pair.strict && is_ours {
        let sql = format!("ALTER TABLE {} DROP COLUMN {}", quoted(&table.name), quoted(name));
        out.step(sql, format!("drops the column `{}.{name}`", table.name)).destructive = true;
        return;
    }
    let in_key = table.key.as_ref().is_some_and(|key| key.columns.contains(name));
    let is_filled = found.default.is_some() || found.generated.is_some() || found.identity;
    if found.required && !is_filled && !in_key {
        let description = format!("`{}.{name}` may be null: rows of the schema do not have it", table.name);
        out.step(alter(table, name, "DROP NOT NULL"), description);
    }
    out.notes.push(format!("the column `{}.{name}` is not in the schema: it is kept", table.name));
}

/// Tables whose key changes.
pub(super) fn rekeyed(pairs: &[Pair<'_>]) -> Vec<String> {
    let changed = pairs.iter().filter(|pair| {
        let columns = |table: &Table| table.key.as_ref().map(|key| key.columns.clone());
        columns(pair.wanted) != columns(pair.found)
    });
    changed.map(|pair| pair.found.name.clone()).collect()
}

pub(super) fn set_keys(pairs: &[Pair<'_>], out: &mut Difference) {
    let rekeyed = rekeyed(pairs);
    for pair in pairs.iter().filter(|pair| rekeyed.contains(&pair.found.name)) {
        let table = &pair.found.name;
        if let Some(old) = &pair.found.key {
            let sql = format!("{} CASCADE", statement::drop_constraint(table, &old.name));
            out.step(sql, format!("drops the key of `{table}`")).destructive = true;
        }
        let Some(key) = &pair.declared.key else { continue };
        let sql = format!("ALTER TABLE {} ADD {}", quoted(table), statement::primary_key(key));
        out.step(sql, format!("the key of `{table}` is `{}`", key.columns.join("`, `")));
    }
}

/// A vector is a list of numbers with and without pgvector.
fn is_same_type(wanted: &str, found: &str) -> bool {
    wanted == found || (wanted == "real[]" && (found == "vector" || found.starts_with("vector(")))
}

/// Whether every value of one type is one of the other.
fn is_wider(wanted: &str, found: &str) -> bool {
    let is_text =
        |ty: &str| ty.starts_with("character varying") || ty.starts_with("character(") || ty == "uuid";
    match wanted {
        "text" => is_text(found),
        "bigint" => matches!(found, "integer" | "smallint"),
        "integer" => found == "smallint",
        "double precision" => matches!(found, "real" | "integer" | "smallint"),
        "jsonb" => found == "json",
        _ => false,
    }
}

fn is_same_default(wanted: Option<&str>, found: Option<&str>) -> bool {
    let is_uuid =
        |text: &str| ["gen_random_uuid()", "uuid_generate_v4()", "public.uuid_generate_v4()"].contains(&text);
    match (wanted, found) {
        (Some(wanted), Some(found)) => wanted == found || (is_uuid(wanted) && is_uuid(found)),
        (None, None) => true,
        _ => false,
    }
}
