//! Fields of `Query`, and the arguments of lists.

use super::{Argument, Block, Edition, Member};
use crate::schema::{Base, Scalar, Schema, Table};

/// The arguments that find one row.
pub(super) fn one(table: &Table, edition: Edition) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut key = table.key_columns();
    if let (Some(id), None) = (key.next().filter(|column| column.name == "id"), key.next()) {
        let docs = "The unique ID of the object.";
        arguments.push(Argument::new(docs, "id", id.ty.base.name()));
        if id.ty.base == Base::Scalar(Scalar::String) && edition > Edition::Keys {
            let docs = format!("✨ `_expr` server value variant of `id` ({docs})");
            arguments.push(Argument::new(docs, "id_expr", "String_Expr"));
        }
    }
    arguments.push(Argument::new(
        "The key used to identify the object.",
        "key",
        format!("{}_Key", table.name),
    ));
    if edition > Edition::Keys {
        let docs = "Fetch the first row based on the filters and ordering.";
        arguments.push(Argument::new(docs, "first", format!("{}_FirstRow", table.name)));
    }
    arguments
}

/// The arguments of a list of a table's rows, or of the rows that a join table connects.
pub(super) fn list(table: &Table, edition: Edition) -> Vec<Argument> {
    let name = &table.name;
    let mut arguments = vec![
        Argument::new(
            "Filter condition to narrow down the query results.",
            "where",
            format!("{name}_Filter"),
        ),
        Argument::new("Order the query results by specific fields.", "orderBy", format!("[{name}_Order!]")),
    ];
    if edition > Edition::Keys {
        let docs = "Number of rows to skip before starting to return the results.";
        arguments.push(Argument::new(docs, "offset", "Int"));
    }
    let docs = "Maximum number of rows to return (defaults to 100 rows).";
    arguments.push(Argument::new(docs, "limit", "Int").default("100"));
    if edition > Edition::Rows {
        let docs = "Set to true to return distinct results.";
        arguments.push(Argument::new(docs, "distinct", "Boolean").default("false"));
        let docs = "Filter condition to apply to the groups of aggregate queries.";
        arguments.push(Argument::new(docs, "having", format!("{name}_Having")));
    }
    arguments
}

/// `query.gql`
pub(super) fn blocks(schema: &Schema, edition: Edition) -> Vec<Block> {
    let mut members = Vec::new();
    for table in schema.tables.iter().filter(|table| table.view.is_none()) {
        let docs = format!(
            "✨ Look up a single `{}` based on `id`, `key` or `first` and return selected fields (or `null` if not found).",
            table.name
        );
        let member = Member::new(docs, &table.singular, &table.name).arguments(one(table, edition));
        members.push(member.generated(&table.name, "QUERY_SINGLE"));
    }
    for table in &schema.tables {
        let docs = match edition {
            Edition::Keys | Edition::Rows => format!(
                "✨ List `{}` objects in the table, optionally filtered by `where` conditions.",
                table.name
            ),
            _ => format!(
                "✨ List `{}` objects in the table and return selected fields, optionally filtered by `where` conditions",
                table.name
            ),
        };
        let member = Member::new(docs, &table.plural, rows(table)).arguments(list(table, edition));
        members.push(member.generated(&table.name, "QUERY_MULTIPLE"));
    }
    members.extend(schema.tables.iter().flat_map(|table| similar(table, edition)));
    let searchable = schema.tables.iter().filter(|table| table.is_searchable());
    members.extend(searchable.map(|table| search(table, edition)));
    vec![Block::new("", "extend type Query", members)]
}

fn rows(table: &Table) -> String {
    format!("[{}!]!", table.name)
}

fn search(table: &Table, edition: Edition) -> Member {
    let name = &table.name;
    let docs = format!(
        "✨ Search for `{name}` objects where fields with the @searchable directive contain a query string. Return selected fields, ordered by relevance of the query."
    );
    let mut arguments = list(table, edition);
    arguments.push(Argument::new("The search term to use.", "query", "String"));
    let threshold = "Relevance threshold to use for search results. If a result has a relevance score below this threshold, it will not be returned.";
    arguments.push(Argument::new(threshold, "relevanceThreshold", "Float").default("0"));
    let format_docs = "The query format for the search term.";
    arguments.push(Argument::new(format_docs, "queryFormat", "Search_QueryFormat").default("QUERY"));
    Member::new(docs, format!("{}_search", table.plural), rows(table))
        .arguments(arguments)
        .generated(name, "QUERY_MULTIPLE_BY_FULL_TEXT_SEARCH")
}

fn similar(table: &Table, edition: Edition) -> Vec<Member> {
    let vectors = super::fields::sorted(table)
        .into_iter()
        .filter(|column| column.ty.base == Base::Scalar(Scalar::Vector) && column.ty.list.is_none());
    let of = |field: &str| {
        let docs = format!(
            "✨ List `{}` objects and return selected fields, ordered by vector similarity between the `{field}` field and `compare_embed`.\n(Alternatively, `compare` can be used if the input is a raw Vector.)",
            table.name
        );
        let compare = "Vector to compare with the stored vectors.";
        let embed = format!("✨ `_embed` server value variant of `compare` ({compare})");
        let method = "Similarity method to use for vector comparison (defaults to `INNER_PRODUCT`).";
        let filter = "Filter condition to apply when searching for similar vectors.";
        let limit = "Limit the number of similar vectors returned (defaults to 100 rows).";
        let mut arguments = vec![
            Argument::new(compare, "compare", "Vector"),
            Argument::new(embed, "compare_embed", "Vector_Embed"),
            Argument::new(method, "method", "VectorSimilarityMethod").default("INNER_PRODUCT"),
            Argument::new("Threshold for distance comparison.", "within", "Float"),
            Argument::new(filter, "where", format!("{}_Filter", table.name)),
            Argument::new(limit, "limit", "Int").default("100"),
        ];
        if edition >= Edition::Trees {
            let docs = "Number of rows to skip before starting to return the results.";
            arguments.push(Argument::new(docs, "offset", "Int"));
        }
        Member::new(docs, format!("{}_{field}_similarity", table.plural), rows(table))
            .arguments(arguments)
            .generated(&format!("{}.{field}", table.name), "QUERY_MULTIPLE_BY_SIMILARITY")
    };
    vectors.map(|column| of(&column.name)).collect()
}
