//! List queries as cases write them: `group where a == 1 and b > 2 or c in [1] order by a desc limit 5 offset 2`.

use policy::request::{Query, Scope};
use policy::value::{Constraint, Operator};
use serde_json::Value as Json;

use super::value::value;

/// Reads a query.
pub(super) fn query(text: &str) -> Result<Query, String> {
    let mut query = Query::default();
    let mut rest = text.trim();
    let mut alternatives: Vec<Vec<Constraint>> = Vec::new();
    while !rest.is_empty() {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after.trim();
        match word {
            "group" => query.scope = Scope::CollectionGroup,
            "descendants" => query.scope = Scope::Descendants,
            "children" => query.scope = Scope::Children,
            "where" | "or" => {
                let (found, after) = constraint(rest)?;
                alternatives.push(vec![found]);
                rest = after;
            }
            "and" => {
                let (found, after) = constraint(rest)?;
                alternatives.last_mut().ok_or("`and` without `where`")?.push(found);
                rest = after;
            }
            "order" => {
                rest = rest.strip_prefix("by ").ok_or("`order` without `by`")?;
                let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
                let descending = after.strip_prefix("desc");
                rest = descending.or_else(|| after.strip_prefix("asc")).unwrap_or(after).trim();
                query.order_by.push((segments(field), descending.is_none()));
            }
            "limit" | "offset" => {
                let (number, after) = rest.split_once(' ').unwrap_or((rest, ""));
                let number = number.parse().map_err(|_| format!("`{number}` is not a number"))?;
                if word == "limit" {
                    query.limit = Some(number);
                } else {
                    query.offset = number;
                }
                rest = after.trim();
            }
            other => {
                return Err(format!(
                    "`{other}` is not a word of a query: use group, where, and, or, order by, limit, offset"
                ));
            }
        }
    }
    query.alternatives = alternatives;
    Ok(query)
}

fn segments(field: &str) -> Vec<String> {
    field.split('.').map(str::to_owned).collect()
}

/// Reads `field op json`; the rest is what follows the JSON.
fn constraint(text: &str) -> Result<(Constraint, &str), String> {
    let mut words = text.splitn(3, ' ');
    let (Some(field), Some(op), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return Err(format!("`{text}` is not a condition: it is `field operator value`"));
    };
    let op = match op {
        "==" => Operator::Eq,
        "!=" => Operator::Neq,
        "<" => Operator::Lt,
        "<=" => Operator::Lte,
        ">" => Operator::Gt,
        ">=" => Operator::Gte,
        "in" => Operator::In,
        "not-in" => Operator::NotIn,
        "array-contains" => Operator::Contains,
        "array-contains-any" => Operator::ContainsAny,
        other => return Err(format!("`{other}` is not an operator of a query")),
    };
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
    let json = values.next().ok_or_else(|| format!("`{text}` has no value"))?;
    let json = json.map_err(|_| {
        let word = rest.split_whitespace().next().unwrap_or_default();
        format!("`{word}` is not a JSON value: text is in quotes, as in `where {field} == \"{word}\"`")
    })?;
    let constraint = Constraint { field: segments(field), op, value: value(&json)? };
    Ok((constraint, rest.get(values.byte_offset()..).unwrap_or_default().trim()))
}
