//! Types of arguments: data, filters, orders, keys.

use super::fields::ordered;
use super::mutations::key_type;
use super::relations::{aggregates, filter_of};
use super::{Block, Edition, Member};
use crate::schema::{Base, Column, Enum, ReverseKind, Scalar, Schema, Table};

const FORBIDDEN: &str = "@fdc_forbiddenInVariables";

/// `input.gql`
pub(super) fn blocks(schema: &Schema, edition: Edition) -> Vec<Block> {
    let mut scalars: Vec<(&str, Block)> = Vec::new();
    let mut inputs: Vec<(&str, Vec<Block>)> = Vec::new();
    for (at, table) in schema.tables.iter().enumerate() {
        if table.view.is_none() {
            scalars.push((&table.name, key_output(table, edition)));
        }
        inputs.push((&table.name, of_table(schema, at, table, edition)));
    }
    for of in schema.enums.values() {
        scalars.push((&of.name, enum_expr(of)));
        inputs.push((&of.name, of_enum(of, edition)));
    }
    scalars.sort_by_key(|(name, _)| *name);
    inputs.sort_by_key(|(name, _)| *name);
    let scalars = scalars.into_iter().map(|(_, block)| block);
    scalars.chain(inputs.into_iter().flat_map(|(_, blocks)| blocks)).collect()
}

fn key_output(table: &Table, edition: Edition) -> Block {
    let name = &table.name;
    let docs = format!(
        "✨ `{name}_KeyOutput` returns the primary key fields of table type `{name}`.\n\nIt has the same format as `{name}_Key`, but is only used as mutation return value."
    );
    Block::new(docs, format!("scalar {}", key_type(table, edition)), Vec::new())
}

fn enum_expr(of: &Enum) -> Block {
    let name = &of.name;
    let docs = format!(
        "✨ `{name}_Expr` is a server value variant of enum type `{name}`.\n\nIt accepts a CEL expression."
    );
    Block::new(docs, format!("scalar {name}_Expr"), Vec::new())
}

fn of_table(schema: &Schema, at: usize, table: &Table, edition: Edition) -> Vec<Block> {
    let is_table = table.view.is_none();
    let mut blocks = Vec::new();
    if is_table {
        blocks.push(data(schema, at, table, edition));
    }
    blocks.push(filter(schema, at, table));
    if is_table && edition > Edition::Keys {
        blocks.push(first_row(table));
    }
    if edition >= Edition::Groups {
        blocks.push(having(table));
    }
    if is_table && edition > Edition::Keys {
        blocks.push(key(table, edition));
    }
    blocks.push(list_filter(table, edition));
    blocks.push(order(schema, table, edition));
    blocks
}

fn from_field(table: &Table, field: &str, ty: &str) -> String {
    format!("✨ Generated from Field `{}`.`{field}` of type `{ty}`", table.name)
}

fn variant(suffix: &str, name: &str, docs: &str, ty: String, edition: Edition) -> Member {
    let docs = format!("✨ `_{suffix}` server value variant of `{name}` ({docs})");
    let member = Member::new(docs, format!("{name}_{suffix}"), ty);
    if edition >= Edition::Entities { member.directive(FORBIDDEN) } else { member }
}

fn column_data(table: &Table, column: &Column, edition: Edition) -> Vec<Member> {
    let base = column.ty.base.name();
    let docs = from_field(table, &column.name, &column.ty.to_string());
    let with = |suffix: &str, ty: String| variant(suffix, &column.name, &docs, ty, edition);
    let is_list = column.ty.list.is_some();
    let ty = if is_list { format!("[{base}!]") } else { base.to_owned() };
    let mut members = vec![Member::new(&docs, &column.name, ty)];
    let groups = edition >= Edition::Groups;
    let times = edition >= Edition::Orders;
    if is_list {
        if groups && column.ty.base.scalar().is_some() {
            members.push(with("update", format!("[{base}_ListUpdate!]")));
        }
        return members;
    }
    let expr = || with("expr", format!("{base}_Expr"));
    let update = || with("update", format!("[{base}_Update!]"));
    match &column.ty.base {
        Base::Enum(_) => members.push(expr()),
        Base::Scalar(Scalar::Uuid | Scalar::String) => members.push(expr()),
        Base::Scalar(Scalar::Boolean | Scalar::Any) => members.extend(groups.then(expr)),
        Base::Scalar(scalar) if scalar.is_number() => {
            members.extend(groups.then(expr));
            members.extend(groups.then(update));
        }
        Base::Scalar(Scalar::Date) => {
            members.push(with("date", "Date_Relative".to_owned()));
            members.push(expr());
            members.extend(times.then(update));
        }
        Base::Scalar(Scalar::Timestamp) => {
            members.push(expr());
            members.push(with("time", "Timestamp_Relative".to_owned()));
            members.extend(times.then(update));
        }
        Base::Scalar(_) => members.push(with("embed", "Vector_Embed".to_owned())),
    }
    members
}

/// The references of a table by name, with the type that `suffix` gives.
fn references<'s>(
    schema: &'s Schema,
    table: &'s Table,
    suffix: &'s str,
) -> impl Iterator<Item = Member> + 's {
    let mut references: Vec<_> = table.references.iter().collect();
    references.sort_by(|a, b| a.name.cmp(&b.name));
    references.into_iter().filter_map(move |reference| {
        let target = &schema.target(reference)?.name;
        let ty = format!("{target}{}", if reference.required { "!" } else { "" });
        let docs = from_field(table, &reference.name, &ty);
        Some(Member::new(docs, &reference.name, format!("{target}_{suffix}")))
    })
}

fn data(schema: &Schema, at: usize, table: &Table, edition: Edition) -> Block {
    let docs = format!(
        "✨ Generated data input type for table '{}'. It includes all necessary fields for creating or upserting rows into table.",
        table.name
    );
    let (first, rest) = ordered(table);
    let mut members: Vec<Member> =
        first.into_iter().flat_map(|column| column_data(table, column, edition)).collect();
    for member in references(schema, table, "Key") {
        members.push(if edition >= Edition::Entities { member.directive(FORBIDDEN) } else { member });
    }
    members.extend(rest.into_iter().flat_map(|column| column_data(table, column, edition)));
    if edition >= Edition::Trees {
        for reverse in schema.reverses(at) {
            let Some(child) = schema.tables.get(reverse.table) else { continue };
            let (of, ty) = match reverse.kind {
                ReverseKind::Many => (format!("[{}!]!", child.name), format!("[{}_Data!]", child.name)),
                ReverseKind::One => (child.name.clone(), format!("{}_Data", child.name)),
                ReverseKind::Via { .. } => continue,
            };
            if child.view.is_none() {
                members.push(Member::new(from_field(table, &reverse.name, &of), &reverse.name, ty));
            }
        }
    }
    Block::new(docs, format!("input {}_Data", table.name), members)
}

fn combined(name: &str, what: &str) -> [Member; 3] {
    let conditions = if what.is_empty() { "filter".to_owned() } else { what.to_owned() };
    [
        Member::new(
            format!("Apply multiple {conditions} conditions using `AND` logic."),
            "_and",
            format!("[{name}!]"),
        ),
        Member::new(format!("Negate the result of the provided {conditions} condition."), "_not", name),
        Member::new(
            format!("Apply multiple {conditions} conditions using `OR` logic."),
            "_or",
            format!("[{name}!]"),
        ),
    ]
}

fn filter(schema: &Schema, at: usize, table: &Table) -> Block {
    let docs = filter_docs(&table.name);
    let name = format!("{}_Filter", table.name);
    let mut members: Vec<Member> = combined(&name, "filter").into();
    let (first, rest) = ordered(table);
    let scalar = |column: &&Column| {
        let docs = from_field(table, &column.name, &column.ty.to_string());
        Member::new(docs, &column.name, filter_of(&column.ty.base, column.ty.list.is_some()))
    };
    members.extend(first.iter().map(scalar));
    members.extend(references(schema, table, "Filter"));
    members.extend(rest.iter().map(scalar));
    for reverse in schema.reverses(at) {
        let Some(target) = schema.tables.get(reverse.target) else { continue };
        let (of, ty) = match reverse.kind {
            ReverseKind::One => (target.name.clone(), format!("{}_Filter", target.name)),
            _ => (format!("[{}!]!", target.name), format!("{}_ListFilter", target.name)),
        };
        members.push(Member::new(from_field(table, &reverse.name, &of), &reverse.name, ty));
    }
    Block::new(docs, format!("input {name}"), members)
}

/// The official tool says "table" of enums, too.
fn filter_docs(name: &str) -> String {
    format!(
        "✨ Generated filter input type for table '{name}'. This input allows filtering objects using various conditions. Use `_or`, `_and`, and `_not` to compose complex filters."
    )
}

fn list_filter_docs(name: &str) -> String {
    format!(
        "✨ Generated list filter input type for table '{name}'. This input applies filtering logic based on the count or existence of related objects that matches certain criteria."
    )
}

fn first_row(table: &Table) -> Block {
    let name = &table.name;
    let docs = format!(
        "✨ Generated first-row input type for table '{name}'. This input selects the first row matching the filter criteria, ordered according to the specified conditions."
    );
    let members = vec![
        Member::new("Order the result by the specified fields.", "orderBy", format!("[{name}_Order!]")),
        Member::new("Filters rows based on the specified conditions.", "where", format!("{name}_Filter")),
    ];
    Block::new(docs, format!("input {name}_FirstRow"), members)
}

fn having(table: &Table) -> Block {
    let docs = format!(
        "✨ Generated having input type for table '{}'. This input allows you to filter groups during aggregate queries using various conditions. Use `_or`, `_and`, and `_not` to compose complex filters.",
        table.name
    );
    let name = format!("{}_Having", table.name);
    let [and, not, or] = combined(&name, "Having");
    let distinct =
        Member::new("Whether to apply DISTINCT to the aggregate function.", "_distinct", "Boolean");
    let mut members = vec![and, distinct, not, or];
    for (aggregate, _, ty) in aggregates(table) {
        let scalar = ty.trim_end_matches('!');
        let docs = from_field(table, &aggregate, ty);
        members.push(Member::new(docs, aggregate, format!("{scalar}_Filter")));
    }
    Block::new(docs, format!("input {name}"), members)
}

fn key(table: &Table, edition: Edition) -> Block {
    let docs = format!(
        "✨ Generated key input type for table '{}'. It represents the primary key fields used to uniquely identify a row in the table.",
        table.name
    );
    let without_update = |member: &Member| !member.name.ends_with("_update");
    let members = table.key_columns().flat_map(|column| column_data(table, column, edition));
    Block::new(docs, format!("input {}_Key", table.name), members.filter(without_update).collect())
}

fn list_filter(table: &Table, edition: Edition) -> Block {
    let docs = list_filter_docs(&table.name);
    let what = "The desired number of objects that match the condition (defaults to at least one).";
    let count = Member {
        default: (edition > Edition::Keys).then_some("{gt:0}"),
        ..Member::new(what, "count", "Int_Filter")
    };
    let exist = "Condition of the related objects to filter for.";
    let exist = Member::new(exist, "exist", format!("{}_Filter", table.name));
    Block::new(docs, format!("input {}_ListFilter", table.name), vec![count, exist])
}

fn order(schema: &Schema, table: &Table, edition: Edition) -> Block {
    let docs = format!(
        "✨ Generated order input type for table '{}'. This input defines the sorting order of rows in query results based on one or more fields.",
        table.name
    );
    let (first, rest) = ordered(table);
    let scalar = |column: &&Column| {
        let docs = from_field(table, &column.name, &column.ty.to_string());
        Member::new(docs, &column.name, "OrderDirection")
    };
    let ordered = |column: &&&Column| column.ty.list.is_none();
    let mut members: Vec<Member> = first.iter().filter(ordered).map(scalar).collect();
    if edition > Edition::Keys {
        members.extend(references(schema, table, "Order"));
    }
    members.extend(rest.iter().filter(ordered).map(scalar));
    if edition >= Edition::Orders {
        for (name, _, ty) in aggregates(table) {
            members.push(Member::new(from_field(table, &name, ty), name, "OrderDirection"));
        }
    }
    Block::new(docs, format!("input {}_Order", table.name), members)
}

fn of_enum(of: &Enum, edition: Edition) -> Vec<Block> {
    let name = &of.name;
    let comparison = |operator: &str, docs: &str| {
        let plain = Member::new(docs, operator, name);
        [plain, variant("expr", operator, docs, format!("{name}_Expr"), edition)]
    };
    let list = |operator: &str, docs: &str| Member::new(docs, operator, format!("[{name}!]"));
    let ordering = "based on index ordering of supported enum values.";
    let mut filter: Vec<Member> = Vec::new();
    filter.extend(comparison("eq", "Match if field is exactly equal to provided value."));
    filter.extend(comparison("ne", "Match if field is not equal to provided value."));
    let null = "When true, match if field `IS NULL`. When false, match if field is `NOT NULL`.";
    filter.push(Member::new(null, "isNull", "Boolean"));
    filter.push(list("in", "Match if field value is among the provided list of values."));
    filter.push(list("nin", "Match if field value is not among the provided list of values."));
    if edition >= Edition::Trees {
        let than = |what: &str| format!("Match if field value is {what} than the provided value, {ordering}");
        filter.extend(comparison("gt", &than("greater")));
        filter.extend(comparison("ge", "Match if field is greater than or equal to the provided value."));
        filter.extend(comparison("lt", &than("less")));
        let le = format!("Match if field is less than or equal to the provided value, {ordering}");
        filter.extend(comparison("le", &le));
    }
    let mut of_list: Vec<Member> = Vec::new();
    of_list.extend(comparison("includes", "Match if list field contains the provided value as a member."));
    of_list.push(list("includesAll", "Match if list field contains all of the provided values as members."));
    of_list.extend(comparison(
        "excludes",
        "Match if list field does not contain the provided value as a member.",
    ));
    of_list.push(list(
        "excludesAll",
        "Match if list field does not contain any of the provided values as members.",
    ));
    if edition >= Edition::Trees {
        let count = "The desired number of enum values that match the condition (defaults to at least one).";
        of_list.push(Member { default: Some("{gt:0}"), ..Member::new(count, "count", "Int_Filter") });
        let exist = "Condition of the related objects to filter for.";
        of_list.push(Member::new(exist, "exist", format!("{name}_Filter")));
    }
    vec![
        Block::new(filter_docs(name), format!("input {name}_Filter"), filter),
        Block::new(list_filter_docs(name), format!("input {name}_ListFilter"), of_list),
    ]
}
