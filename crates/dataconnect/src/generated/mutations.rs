//! Fields of `Mutation`.

use super::queries::one;
use super::{Argument, Block, Edition, Member};
use crate::schema::{Schema, Table};

struct Verb {
    suffix: &'static str,
    purpose: &'static str,
    since: Edition,
    member: fn(&Table, Edition) -> (String, Vec<Argument>, String),
}

const VERBS: [Verb; 8] = [
    Verb { suffix: "insert", purpose: "INSERT_SINGLE", since: Edition::Keys, member: insert },
    Verb { suffix: "insertMany", purpose: "INSERT_MULTIPLE", since: Edition::Rows, member: insert_many },
    Verb { suffix: "upsert", purpose: "UPSERT_SINGLE", since: Edition::Keys, member: upsert },
    Verb { suffix: "upsertMany", purpose: "UPSERT_MULTIPLE", since: Edition::Rows, member: upsert_many },
    Verb { suffix: "update", purpose: "UPDATE_SINGLE", since: Edition::Keys, member: update },
    Verb { suffix: "updateMany", purpose: "UPDATE_MULTIPLE", since: Edition::Keys, member: update_many },
    Verb { suffix: "delete", purpose: "DELETE_SINGLE", since: Edition::Keys, member: delete },
    Verb { suffix: "deleteMany", purpose: "DELETE_MULTIPLE", since: Edition::Keys, member: delete_many },
];

/// `mutation.gql`
pub(super) fn blocks(schema: &Schema, edition: Edition) -> Vec<Block> {
    let mut members = Vec::new();
    for verb in VERBS.iter().filter(|verb| verb.since <= edition) {
        for table in schema.tables.iter().filter(|table| table.view.is_none()) {
            let (docs, arguments, ty) = (verb.member)(table, edition);
            let member = Member::new(docs, format!("{}_{}", table.singular, verb.suffix), ty);
            members.push(member.arguments(arguments).generated(&table.name, verb.purpose));
        }
    }
    vec![Block::new("", "extend type Mutation", members)]
}

pub(super) fn key_type(table: &Table, edition: Edition) -> String {
    let suffix = if edition == Edition::Keys { "Key" } else { "KeyOutput" };
    format!("{}_{suffix}", table.name)
}

fn data(table: &Table, docs: &str) -> Argument {
    Argument::new(docs, "data", format!("{}_Data!", table.name))
}

fn many(table: &Table, docs: &str) -> Argument {
    Argument::new(docs, "data", format!("[{}_Data!]!", table.name))
}

/// Since aggregates are there, descriptions say what comes back.
fn since_groups<'t>(edition: Edition, before: &'t str, after: &'t str) -> &'t str {
    if edition < Edition::Groups { before } else { after }
}

fn insert(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let back = since_groups(edition, "", " and return its key");
    let docs = format!(
        "✨ Insert a single `{}` into the table{back}. Columns not specified in `data` will receive defaults (e.g. `null`).",
        table.name
    );
    let arguments = vec![data(table, "Data object to insert into the table.")];
    (docs, arguments, format!("{}!", key_type(table, edition)))
}

fn insert_many(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let back = since_groups(edition, "", " and return their keys");
    let docs = format!(
        "✨ Insert `{}` objects into the table{back}. Columns not specified in `data` will receive defaults (e.g. `null`).",
        table.name
    );
    let arguments = vec![many(table, "List of data objects to insert into the table.")];
    (docs, arguments, format!("[{}!]!", key_type(table, edition)))
}

fn upsert(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let or = since_groups(edition, "", " or existing updated");
    let name = &table.name;
    let docs = format!(
        "✨ Insert or update a single `{name}` into the table, based on the primary key. Returns the key of the newly inserted{or} `{name}`."
    );
    let arguments = vec![data(table, "Data object to insert or update if it already exists.")];
    (docs, arguments, format!("{}!", key_type(table, edition)))
}

fn upsert_many(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let or = since_groups(edition, "", " or existing updated");
    let name = &table.name;
    let docs = format!(
        "✨ Insert or update `{name}` objects into the table, based on the primary key. Returns the key of the newly inserted{or} `{name}`."
    );
    let arguments = vec![many(table, "List of data objects to insert or update if it already exists.")];
    (docs, arguments, format!("[{}!]!", key_type(table, edition)))
}

fn update(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let name = &table.name;
    let back = format!("Returns the key of the updated `{name}` or `null` if not found.");
    let back = since_groups(edition, "Returns `null` if not found.", &back);
    let docs = format!(
        "✨ Update a single `{name}` based on `id`, `key` or `first`, setting columns specified in `data`. {back}"
    );
    let mut arguments = one(table, edition);
    arguments.push(data(table, "Data object containing fields to be updated."));
    (docs, arguments, key_type(table, edition))
}

fn all(docs: &str) -> Argument {
    Argument::new(docs, "all", "Boolean").default("false")
}

fn update_many(table: &Table, _: Edition) -> (String, Vec<Argument>, String) {
    let docs = format!(
        "✨ Update `{}` objects matching `where` conditions (or `all`, if true) according to `data`. Returns the number of rows updated.",
        table.name
    );
    let filter = "Filter condition to specify which rows to update.";
    let arguments = vec![
        Argument::new(filter, "where", format!("{}_Filter", table.name)),
        all("Set to true to update all rows."),
        data(table, "Data object containing fields to update."),
    ];
    (docs, arguments, "Int!".to_owned())
}

fn delete(table: &Table, edition: Edition) -> (String, Vec<Argument>, String) {
    let docs = format!(
        "✨ Delete a single `{}` based on `id`, `key` or `first` and return its key (or `null` if not found).",
        table.name
    );
    (docs, one(table, edition), key_type(table, edition))
}

fn delete_many(table: &Table, _: Edition) -> (String, Vec<Argument>, String) {
    let docs = format!(
        "✨ Delete `{}` objects matching `where` conditions (or `all`, if true). Returns the number of rows deleted.",
        table.name
    );
    let filter = "Filter condition to specify which rows to delete.";
    let arguments = vec![
        Argument::new(filter, "where", format!("{}_Filter", table.name)),
        all("Set to true to delete all rows."),
    ];
    (docs, arguments, "Int!".to_owned())
}
