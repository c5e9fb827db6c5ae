//! Full-text search, and searches for likeness.
//!
//! Vectors are lists of numbers compared one by one, which is exact; pgvector is not needed. Source: the reference,
//! §12.4.

use serde_json::{Map, Value as Json};

use super::{Builder, Failure, SEARCH_COLUMN, cast_of, column_of, quoted, source, text_literal};
use crate::operation::Selected;
use crate::schema::values::{Misfit, shown};
use crate::schema::{Base, Column, Scalar, Table};

/// The column of a page that has a row's relevance, or its distance.
const RANK: &str = "_hearth_rank";

/// By what rows are found, and how they are ordered.
pub(super) struct Ranking {
    /// The alias of the page whose rows have a rank.
    rows: String,
    /// `relevance` or `distance`.
    name: &'static str,
}

impl Builder<'_> {
    /// `movies_search` and `movies_description_similarity`; `None` when the field is neither.
    pub(super) fn search(
        &mut self,
        root: &Selected,
        arguments: &Map<String, Json>,
    ) -> Result<Option<String>, Failure> {
        let schema = self.schema;
        for (at, table) in schema.tables.iter().enumerate() {
            let Some(rest) = root.name.strip_prefix(&table.plural) else { continue };
            if rest == "_search" && table.is_searchable() {
                return self.full_text(at, table, arguments, &root.selection).map(Some);
            }
            let field = rest.strip_prefix('_').and_then(|rest| rest.strip_suffix("_similarity"));
            if let Some((_, column)) = field.and_then(|field| table.column(field)) {
                return self.alike(at, table, column, arguments, &root.selection).map(Some);
            }
        }
        Ok(None)
    }

    fn full_text(
        &mut self,
        at: usize,
        table: &Table,
        arguments: &Map<String, Json>,
        selection: &[Selected],
    ) -> Result<String, Failure> {
        let text = arguments.get("query").and_then(Json::as_str).unwrap_or_default().to_owned();
        let bound = self.bind(Some(super::no_nul(text, "query")?), "text")?;
        let function = match arguments.get("queryFormat").and_then(Json::as_str) {
            None | Some("QUERY") => "websearch_to_tsquery",
            Some("PLAIN") => "plainto_tsquery",
            Some("PHRASE") => "phraseto_tsquery",
            Some(_) => "to_tsquery",
        };
        let mut languages: Vec<&str> =
            table.columns.iter().filter_map(|column| column.searchable.as_deref()).collect();
        languages.sort_unstable();
        languages.dedup();
        let asked = languages
            .iter()
            .map(|language| format!("{function}({}::regconfig, {bound})", text_literal(language)));
        let asked = format!("({})", asked.collect::<Vec<_>>().join(" || "));
        let alias = self.alias();
        let words = format!("{alias}.{}", quoted(SEARCH_COLUMN));
        let rank = format!("ts_rank({words}, {asked})::float8");
        let mut conditions = vec![format!("{words} @@ {asked}")];
        if let Some(least) = arguments.get("relevanceThreshold").filter(|least| !least.is_null()) {
            let least = self.bind_one(least, &Base::Scalar(Scalar::Float), "relevanceThreshold")?;
            conditions.push(format!("{rank} >= {least}"));
        }
        let order = match arguments.get("orderBy").filter(|order| !order.is_null()) {
            Some(order) => self.order(at, &alias, Some(order), true)?,
            None => format!(" ORDER BY {rank} DESC{}", by_key(table, &alias)),
        };
        self.ranked(at, &alias, (&rank, "relevance"), conditions, &order, arguments, selection)
    }

    fn alike(
        &mut self,
        at: usize,
        table: &Table,
        column: &Column,
        arguments: &Map<String, Json>,
        selection: &[Selected],
    ) -> Result<String, Failure> {
        let Some(compare) = arguments.get("compare").filter(|compare| !compare.is_null()) else {
            let what = "`compare_embed` without an embedding service: give the vector as `compare`";
            return Err(Failure::Unsupported(what.to_owned()));
        };
        let length = compare.as_array().map_or(0, Vec::len);
        if column.size.is_some_and(|size| usize::try_from(size) != Ok(length)) {
            return Err(Failure::Value {
                path: "compare".to_owned(),
                misfit: Misfit::Type {
                    observed: format!("{} of {length} numbers", shown(compare)),
                    wanted: format!("a vector of {} numbers", column.size.unwrap_or_default()),
                },
            });
        }
        let base = Base::Scalar(Scalar::Vector);
        let compare = self.bind_one(compare, &base, "compare")?;
        let alias = self.alias();
        let stored = format!("{}::{}", column_of(&alias, column), cast_of(&base));
        let sum = |of: &str| format!("(SELECT sum({of}) FROM unnest({stored}, {compare}) u(x, y))");
        let dot = sum("u.x::float8 * u.y::float8");
        let distance = match arguments.get("method").and_then(Json::as_str) {
            Some("L2") => format!("sqrt({})", sum("(u.x::float8 - u.y::float8) ^ 2")),
            Some("COSINE") => {
                let lengths = format!("{} * {}", sum("u.x::float8 ^ 2"), sum("u.y::float8 ^ 2"));
                format!("(1 - {dot} / nullif(sqrt({lengths}), 0))")
            }
            // Not the negation, which makes -0 of 0.
            _ => format!("(0 - {dot})"),
        };
        let mut conditions = vec![format!("{} IS NOT NULL", column_of(&alias, column))];
        if let Some(within) = arguments.get("within").filter(|within| !within.is_null()) {
            let within = self.bind_one(within, &Base::Scalar(Scalar::Float), "within")?;
            conditions.push(format!("{distance} <= {within}"));
        }
        let order = format!(" ORDER BY {distance} ASC NULLS LAST{}", by_key(table, &alias));
        self.ranked(at, &alias, (&distance, "distance"), conditions, &order, arguments, selection)
    }

    /// Rows with a rank as one JSON value.
    #[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
    fn ranked(
        &mut self,
        at: usize,
        alias: &str,
        (rank, name): (&str, &'static str),
        mut conditions: Vec<String>,
        order: &str,
        arguments: &Map<String, Json>,
        selection: &[Selected],
    ) -> Result<String, Failure> {
        if let Some(condition) = arguments.get("where") {
            conditions.extend(self.condition(at, alias, condition)?);
        }
        let page = self.page(arguments)?;
        let (rows, row) = (self.alias(), self.alias());
        let outer = self.ranking.replace(Ranking { rows: rows.clone(), name });
        let columns = self.columns(at, &rows, selection);
        self.ranking = outer;
        let (columns, needed) = columns?;
        let table = self.table(at)?;
        let own = needed.iter().filter_map(|at| table.columns.get(*at));
        let mut inner: Vec<String> = own.map(|column| column_of(alias, column)).collect();
        inner.push(format!("{rank} AS {}", quoted(RANK)));
        Ok(format!(
            "(SELECT coalesce(json_agg(row_to_json({row})), '[]'::json) FROM (SELECT {columns} FROM \
             (SELECT {} FROM {} {alias} WHERE {}{order}{page}) {rows}) {row})",
            inner.join(", "),
            source(table),
            conditions.join(" AND ")
        ))
    }

    /// `_metadata` of a row.
    pub(super) fn metadata(&self, rows: &str, selection: &[Selected]) -> String {
        let ranking = self.ranking.as_ref().filter(|ranking| ranking.rows == rows);
        let parts = selection.iter().filter(|field| self.given.includes(field)).map(|field| {
            let value = match (ranking, field.name.as_str()) {
                (Some(ranking), name) if name == ranking.name => format!("{rows}.{}", quoted(RANK)),
                (_, "__typename") => "'_Metadata'::text".to_owned(),
                _ => "NULL::float8".to_owned(),
            };
            format!("{}, {value}", text_literal(&field.key))
        });
        format!("json_build_object({})", parts.collect::<Vec<_>>().join(", "))
    }
}

/// The key, so that pages are stable.
fn by_key(table: &Table, alias: &str) -> String {
    table.key_columns().map(|column| format!(", {} ASC", column_of(alias, column))).collect()
}
