//! Enums: values are added; fewer values, or another order, need another type.

use super::catalog::{Catalog, Enum};
use super::difference::{Check, Difference, Step};
use super::{mark, statement};
use crate::sql::{quoted, text_literal};

pub(super) fn compare(wanted: &Catalog, found: &Catalog, strict: bool, out: &mut Difference) {
    for of in &wanted.enums {
        match found.enums.iter().find(|found| found.name == of.name) {
            None => {
                out.step(statement::create_enum(of), format!("creates the enum `{}`", of.name));
                let sql = format!("COMMENT ON TYPE {} IS {}", quoted(&of.name), text_literal(mark::ENUM));
                out.step(sql, format!("records that Hearth made `{}`", of.name));
            }
            Some(there) => change(of, there, found, strict, out),
        }
    }
}

fn change(wanted: &Enum, there: &Enum, found: &Catalog, strict: bool, out: &mut Difference) {
    let gone: Vec<&String> = there.values.iter().filter(|value| !wanted.values.contains(value)).collect();
    let mut common = there.values.iter().filter(|value| wanted.values.contains(value));
    let in_order = wanted
        .values
        .iter()
        .filter(|value| there.values.contains(value))
        .all(|value| common.next() == Some(value));
    if !in_order || (strict && !gone.is_empty()) {
        let mut values = wanted.values.clone();
        if !strict {
            values.extend(gone.into_iter().cloned());
        }
        return replace(&Enum { values, ..wanted.clone() }, there, found, out);
    }
    if !gone.is_empty() {
        let gone: Vec<&str> = gone.iter().map(|value| value.as_str()).collect();
        out.notes.push(format!(
            "the enum `{}` has `{}`, which the schema does not: they are kept",
            wanted.name,
            gone.join("`, `")
        ));
    }
    let mut values = there.values.clone();
    for (at, value) in wanted.values.iter().enumerate() {
        if values.contains(value) {
            continue;
        }
        let next = wanted.values.iter().skip(at + 1).find(|later| values.contains(later));
        let (place, at) = match next {
            Some(next) => {
                let at = values.iter().position(|known| known == next).unwrap_or(values.len());
                (format!(" BEFORE {}", text_literal(next)), at)
            }
            None => (String::new(), values.len()),
        };
        values.insert(at, value.clone());
        out.before.push(Step {
            sql: format!("ALTER TYPE {} ADD VALUE {}{place}", quoted(&wanted.name), text_literal(value)),
            description: format!("adds `{value}` to the enum `{}`", wanted.name),
            destructive: false,
            check: None,
        });
    }
}

/// A new type, to which every column goes over.
fn replace(wanted: &Enum, there: &Enum, found: &Catalog, out: &mut Difference) {
    let (name, old) = (quoted(&wanted.name), quoted(&format!("{}_old", wanted.name)));
    let why = format!("the values of the enum `{}` change", wanted.name);
    out.step(format!("ALTER TYPE {name} RENAME TO {old}"), why.clone()).destructive = true;
    out.step(statement::create_enum(wanted), why.clone());
    out.step(format!("COMMENT ON TYPE {name} IS {}", text_literal(mark::ENUM)), why.clone());
    let gone: Vec<String> =
        there.values.iter().filter(|value| !wanted.values.contains(value)).map(|v| text_literal(v)).collect();
    for table in &found.tables {
        for column in &table.columns {
            let list = match column.ty.strip_prefix(plain_name(&wanted.name).as_str()) {
                Some("") => "",
                Some("[]") => "[]",
                _ => continue,
            };
            let alter = format!("ALTER TABLE {} ALTER COLUMN {}", quoted(&table.name), quoted(&column.name));
            if column.default.is_some() {
                out.step(format!("{alter} DROP DEFAULT"), why.clone());
            }
            let cast = format!("{}::text{list}::{name}{list}", quoted(&column.name));
            let step = out.step(format!("{alter} TYPE {name}{list} USING {cast}"), why.clone());
            step.destructive = true;
            if !gone.is_empty() {
                let has = match list {
                    "" => format!("{}::text IN ({})", quoted(&column.name), gone.join(", ")),
                    _ => format!("{}::text[] && ARRAY[{}]", quoted(&column.name), gone.join(", ")),
                };
                step.check = Some(Check {
                    sql: format!("SELECT count(*) FROM {} WHERE {has}", quoted(&table.name)),
                    message: format!(
                        "rows of `{}` have a value in `{}` that the enum no longer has: {}",
                        table.name,
                        column.name,
                        gone.join(", ")
                    ),
                });
            }
            if let Some(default) = &column.default {
                out.step(format!("{alter} SET DEFAULT {default}"), why.clone());
            }
        }
    }
    out.step(format!("DROP TYPE {old}"), why);
}

/// As the catalog writes a type's name: in quotes where it needs them.
fn plain_name(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let is_word = name.chars().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_word { name.to_owned() } else { quoted(name) }
}

pub(super) fn drop_unknown(wanted: &Catalog, found: &Catalog, strict: bool, out: &mut Difference) {
    for of in found.enums.iter().filter(|of| !wanted.enums.iter().any(|wanted| wanted.name == of.name)) {
        if strict && of.note.as_deref() == Some(mark::ENUM) {
            let sql = format!("DROP TYPE {}", quoted(&of.name));
            out.step(sql, format!("drops the enum `{}`", of.name)).destructive = true;
        }
    }
}
