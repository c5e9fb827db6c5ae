//! What a record keeps of an [`Action`] beside method, path and what exists: enough to ask the rules again.
//!
//! ```json
//! {"database": "other", "transaction": true, "data": {"a": 1}, "query": {"limit": 1, "where": [[["a", "==", 1]]], "orderBy": [["a", true]]}}
//! ```
//! What is usual is left out: `null` is a read in the default database.

use base::Fields;
use serde_json::{Map, Value as Json, json};

use super::Action;
use crate::request::{Query, Scope};
use crate::value::json::{fields_from_json, fields_to_json, from_json, to_json};
use crate::value::{Constraint, Operator};

const DEFAULT_DATABASE: &str = "(default)";
/// Bytes of a document or a query that are kept.
const BYTES_MAX: usize = 4096;

const OPERATORS: [(&str, Operator); 10] = [
    ("==", Operator::Eq),
    ("!=", Operator::Neq),
    ("<", Operator::Lt),
    ("<=", Operator::Lte),
    (">", Operator::Gt),
    (">=", Operator::Gte),
    ("in", Operator::In),
    ("not-in", Operator::NotIn),
    ("array-contains", Operator::Contains),
    ("array-contains-any", Operator::ContainsAny),
];

const SCOPES: [(&str, Scope); 4] = [
    ("collection", Scope::Collection),
    ("group", Scope::CollectionGroup),
    ("children", Scope::Children),
    ("descendants", Scope::Descendants),
];

/// A record of what was asked, as it is read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The database id; `None` is the default one.
    pub database: Option<String>,
    /// Whether it was part of a transaction.
    pub in_transaction: bool,
    /// What a write would leave.
    pub data: Option<Fields>,
    /// What a query asked.
    pub query: Option<Query>,
    /// What was there and is not kept, and why: `data: 5000 bytes`.
    pub left_out: Option<String>,
}

impl Asked {
    /// The record of an action; without `values`, what documents and queries hold is left out. `Null` where all is usual.
    pub fn json(action: &Action<'_>, values: bool) -> Json {
        let mut json = Map::new();
        if action.database != DEFAULT_DATABASE {
            json.insert("database".to_owned(), action.database.into());
        }
        if action.in_transaction {
            json.insert("transaction".to_owned(), true.into());
        }
        if let Some(data) = action.new_resource {
            keep(&mut json, "data", values, base::value::fields_size(data.fields), || {
                fields_to_json(data.fields)
            });
        }
        if let Some(query) = action.query {
            keep(&mut json, "query", values, query_size(query), || query_to_json(query));
        }
        if json.is_empty() { Json::Null } else { Json::Object(json) }
    }

    /// Reads a record; `None` for what is none.
    pub fn read(json: &Json) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        Some(Self {
            database: text("database"),
            in_transaction: json.get("transaction") == Some(&Json::Bool(true)),
            data: json.get("data").map(fields_from_json).map_or(Some(None), |data| Some(Some(data?)))?,
            query: json.get("query").map(query_from_json).map_or(Some(None), |query| Some(Some(query?)))?,
            left_out: text("leftOut"),
        })
    }
}

fn keep(json: &mut Map<String, Json>, name: &str, values: bool, bytes: usize, value: impl FnOnce() -> Json) {
    if !values {
        json.insert("leftOut".to_owned(), format!("{name}: values are not kept").into());
    } else if bytes > BYTES_MAX {
        json.insert("leftOut".to_owned(), format!("{name}: {bytes} bytes").into());
    } else {
        json.insert(name.to_owned(), value());
    }
}

fn query_size(query: &Query) -> usize {
    let constraints = query.alternatives.iter().flatten();
    constraints
        .map(|constraint| constraint.value.size() + constraint.field.iter().map(String::len).sum::<usize>())
        .sum()
}

fn query_to_json(query: &Query) -> Json {
    let word = |op: Operator| OPERATORS.iter().find(|(_, other)| *other == op).map_or("", |(word, _)| word);
    let constraint = |one: &Constraint| json!([one.field, word(one.op), to_json(&one.value)]);
    let alternatives: Vec<Vec<Json>> =
        query.alternatives.iter().map(|all| all.iter().map(constraint).collect()).collect();
    let scope = SCOPES.iter().find(|(_, scope)| *scope == query.scope).map_or("", |(word, _)| word);
    json!({ "limit": query.limit, "offset": query.offset, "orderBy": query.order_by, "where": alternatives, "scope": scope })
}

fn query_from_json(json: &Json) -> Option<Query> {
    let constraint = |one: &Json| {
        let word = one.get(1)?.as_str()?;
        Some(Constraint {
            field: serde_json::from_value(one.get(0)?.clone()).ok()?,
            op: OPERATORS.iter().find(|(other, _)| *other == word)?.1,
            value: from_json(one.get(2)?)?,
        })
    };
    let alternative = |all: &Json| all.as_array()?.iter().map(constraint).collect::<Option<Vec<_>>>();
    let scope = json.get("scope")?.as_str()?;
    Some(Query {
        limit: json.get("limit")?.as_i64(),
        offset: json.get("offset")?.as_i64()?,
        order_by: serde_json::from_value(json.get("orderBy")?.clone()).ok()?,
        alternatives: json.get("where")?.as_array()?.iter().map(alternative).collect::<Option<_>>()?,
        scope: SCOPES.iter().find(|(word, _)| *word == scope)?.1,
    })
}

#[cfg(test)]
mod tests {
    use base::Value;

    use super::*;
    use crate::request::{Document, Method};

    #[test]
    fn what_is_kept_is_read_back() {
        let path = ["rooms".to_owned()];
        let constraint =
            |op| Constraint { field: vec!["a".into(), "b".into()], op, value: Value::Double(1.0) };
        for (_, op) in OPERATORS {
            let query = Query {
                limit: Some(3),
                offset: 2,
                order_by: vec![(vec!["a".into()], false)],
                alternatives: vec![vec![constraint(op)], Vec::new()],
                scope: Scope::Descendants,
            };
            let action = Action { query: Some(&query), ..Action::new(Method::List, "other", &path) };
            let expected =
                Asked { database: Some("other".into()), query: Some(query.clone()), ..Asked::default() };
            assert_eq!(Asked::read(&Asked::json(&action, true)), Some(expected));
        }
        let fields = Fields::from([("a".to_owned(), Value::Bytes(vec![1]))]);
        let resource = Some(Document { fields: &fields });
        let write = Action {
            new_resource: resource,
            in_transaction: true,
            ..Action::new(Method::Create, "(default)", &path)
        };
        let expected = Asked { in_transaction: true, data: Some(fields.clone()), ..Asked::default() };
        assert_eq!(Asked::read(&Asked::json(&write, true)), Some(expected));
        let kept = Asked::json(&write, false).to_string();
        assert_eq!(kept, r#"{"transaction":true,"leftOut":"data: values are not kept"}"#);
        assert_eq!(Asked::json(&Action::new(Method::Get, "(default)", &path), true), Json::Null);
    }

    #[test]
    fn what_is_large_is_left_out_and_what_is_no_record_is_refused() {
        let fields = Fields::from([("a".to_owned(), Value::String("x".repeat(5000)))]);
        let path = ["rooms".to_owned(), "1".to_owned()];
        let write = Action {
            new_resource: Some(Document { fields: &fields }),
            ..Action::new(Method::Create, "(default)", &path)
        };
        assert_eq!(
            Asked::read(&Asked::json(&write, true)).unwrap().left_out.as_deref(),
            Some("data: 5003 bytes")
        );
        for text in [r#"{"data": 1}"#, r#"{"query": {}}"#, r#"{"data": {"a": {"$x": 1}}}"#] {
            assert_eq!(Asked::read(&serde_json::from_str(text).unwrap()), None, "{text}");
        }
        assert_eq!(Asked::read(&Json::Null), Some(Asked::default()));
    }
}
