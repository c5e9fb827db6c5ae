//! Fields that other tables and aggregates add to a table.

use super::queries::list;
use super::{Argument, Block, Edition, Member};
use crate::schema::{Base, Column, Reverse, ReverseKind, Scalar, Schema, Table};

/// An aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many are not null.
    Count,
    /// The sum.
    Sum,
    /// The average.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

impl Aggregate {
    /// In the order they are printed in.
    pub const ALL: [Aggregate; 5] =
        [Aggregate::Count, Aggregate::Sum, Aggregate::Avg, Aggregate::Min, Aggregate::Max];

    /// What follows a field's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum => "sum",
            Aggregate::Avg => "avg",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
        }
    }

    /// The type that a column's aggregate has, when it has it.
    pub fn of(self, column: &Column) -> Option<&'static str> {
        if column.ty.list.is_some() {
            return None;
        }
        let scalar = column.ty.base.scalar();
        match self {
            Aggregate::Count => Some("Int!"),
            Aggregate::Sum => scalar.filter(|scalar| scalar.is_number()).map(Scalar::name),
            Aggregate::Avg => scalar.filter(|scalar| scalar.is_number()).map(|_| "Float"),
            Aggregate::Min | Aggregate::Max => {
                let ordered = |scalar: &Scalar| {
                    scalar.is_number() || matches!(scalar, Scalar::Date | Scalar::Timestamp | Scalar::Any)
                };
                scalar.filter(ordered).map(Scalar::name)
            }
        }
    }
}

/// An aggregate's field: its name, what it is of, its type. `_count` is of no column.
type Field<'t> = (String, Option<(&'t Column, Aggregate)>, &'static str);

/// A table's aggregates: first `_count`.
pub(super) fn aggregates(table: &Table) -> Vec<Field<'_>> {
    let mut found = vec![("_count".to_owned(), None, "Int!")];
    for aggregate in Aggregate::ALL {
        let mut fields: Vec<Field<'_>> = Vec::new();
        for column in &table.columns {
            if let Some(ty) = aggregate.of(column) {
                let name = format!("{}_{}", column.name, aggregate.suffix());
                fields.push((name, Some((column, aggregate)), ty));
            }
        }
        // By the whole name: `sourceOrigin_count` comes before `source_count`.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        found.append(&mut fields);
    }
    found
}

/// `relation.gql`
pub(super) fn blocks(schema: &Schema, edition: Edition) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (at, table) in schema.tables.iter().enumerate() {
        let mut members: Vec<Member> =
            schema.reverses(at).iter().filter_map(|reverse| side(schema, reverse, edition)).collect();
        if edition >= Edition::Groups {
            let docs = "Implicit metadata field that cannot be written. It provides extra information about query results.";
            members
                .push(Member::new(docs, "_metadata", "_Metadata").generated(&table.name, "METADATA_FIELD"));
            members.extend(
                aggregates(table).into_iter().map(|(name, of, ty)| aggregate(table, name, of, ty, edition)),
            );
        }
        if edition >= Edition::Orders && !table.key.is_empty() {
            let key: Vec<&str> = table.key_columns().map(|column| column.name.as_str()).collect();
            let docs = "A generated field that is used for caching results in SDKs.";
            let from = format!("{}.{}", table.name, key.join(","));
            let purpose = if edition == Edition::Orders { "GLOBAL_ID" } else { "ENTITY_ID" };
            members.push(Member::new(docs, "_id", "ID!").generated(&from, purpose));
        }
        blocks.push(Block::new("", format!("extend type {}", table.name), members));
    }
    blocks
}

fn side(schema: &Schema, reverse: &Reverse, edition: Edition) -> Option<Member> {
    let table = schema.tables.get(reverse.table)?;
    let reference = table.references.get(reverse.reference)?;
    let (name, field) = (&table.name, &reference.name);
    let from = format!("{name}.{field}");
    let relation = |what: &str| {
        format!(
            "✨ List `{name}` objects in a {what} relationship (where `{name}`.`{field}` is this object)."
        )
    };
    Some(match reverse.kind {
        ReverseKind::One => Member::new(relation("one-to-one"), &reverse.name, name)
            .generated(&from, "QUERY_SINGLE_ONE_TO_ONE"),
        ReverseKind::Many => Member::new(relation("one-to-many"), &reverse.name, format!("[{name}!]!"))
            .arguments(list(table, edition))
            .generated(&from, "QUERY_MULTIPLE_ONE_TO_MANY"),
        ReverseKind::Via { forth } => {
            let there = &table.references.get(forth)?.name;
            let target = &schema.tables.get(reverse.target)?.name;
            let docs = format!(
                "✨ List `{target}` objects using `{name}` as the join table (a `{name}` object exists where its `{field}` is this and its `{there}` is that)."
            );
            Member::new(docs, &reverse.name, format!("[{target}!]!"))
                .arguments(list(table, edition))
                .generated(name, "QUERY_MULTIPLE_MANY_TO_MANY")
        }
    })
}

fn aggregate(
    table: &Table,
    name: String,
    of: Option<(&Column, Aggregate)>,
    ty: &str,
    edition: Edition,
) -> Member {
    let table = &table.name;
    let Some((column, aggregate)) = of else {
        let docs = format!("✨ Count the number of rows in the `{table}` table.");
        let from = if edition >= Edition::Orders { format!("{table}.") } else { table.clone() };
        return Member::new(docs, name, ty).generated(&from, "QUERY_COUNT");
    };
    let field = &column.name;
    let (docs, purpose, distinct) = match aggregate {
        Aggregate::Count => (
            format!(
                "✨ Count the number of rows in the `{table}` table where the `{field}` field is non-null. Pass the `distinct` argument to instead count the number of distinct values."
            ),
            "QUERY_COUNT",
            Some("Set to true to count the number of distinct values."),
        ),
        Aggregate::Sum => (
            format!("✨ Sum the `{field}` field in the `{table}` table."),
            "QUERY_SUM",
            Some("Set to true to sum the distinct values."),
        ),
        Aggregate::Avg => (
            format!("✨ Average the `{field}` field in the `{table}` table."),
            "QUERY_AVG",
            Some("Set to true to average the distinct values."),
        ),
        Aggregate::Min => {
            (format!("✨ Minimum of the `{field}` field in the `{table}` table."), "QUERY_MIN", None)
        }
        Aggregate::Max => {
            (format!("✨ Maximum of the `{field}` field in the `{table}` table."), "QUERY_MAX", None)
        }
    };
    let arguments = distinct.map(|docs| Argument::new(docs, "distinct", "Boolean").default("false"));
    Member::new(docs, name, ty)
        .arguments(arguments.into_iter().collect())
        .generated(&format!("{table}.{field}"), purpose)
}

/// The type of filters over a base.
pub(super) fn filter_of(base: &Base, list: bool) -> String {
    format!("{}_{}", base.name(), if list { "ListFilter" } else { "Filter" })
}
