//! Random schemas, rows and queries beside a plain evaluator: equal.

use std::cmp::Ordering;

use dataconnect::sql::{Given, Statement, query};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value as Json, json};

use crate::harness::{House, NOW};
use crate::server::Server;

const SCHEMAS: usize = 4;
const QUERIES: usize = 100;
const ROWS: usize = 20;
const WORDS: [&str; 7] = ["", "a", "ab", "b%", "_", "Ab", "é"];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Int,
    Float,
    String,
    Boolean,
}

fn value(kind: Kind) -> BoxedStrategy<Json> {
    match kind {
        Kind::Int => (-3..4i32).prop_map(Json::from).boxed(),
        Kind::Float => (-4..5i32).prop_map(|n| json!(f64::from(n) / 2.0)).boxed(),
        Kind::String => (0..WORDS.len()).prop_map(|n| json!(WORDS[n])).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Json::from).boxed(),
    }
}

/// A condition as the tree that both sides read.
pub fn condition(columns: Vec<(String, Kind)>) -> BoxedStrategy<Json> {
    let leaf = (0..columns.len()).prop_flat_map(move |at| {
        let (name, kind) = columns[at].clone();
        let mut operators = vec!["eq", "ne", "in", "nin", "isNull"];
        if kind != Kind::Boolean {
            operators.extend(["lt", "le", "gt", "ge"]);
        }
        if kind == Kind::String {
            operators.extend(["contains", "startsWith", "endsWith"]);
        }
        (0..operators.len(), vec(value(kind), 0..3), value(kind), any::<bool>()).prop_map(
            move |(operator, list, one, flag)| {
                let operand = match operators[operator] {
                    "in" | "nin" => json!(list),
                    "isNull" => json!(flag),
                    "eq" | "ne" if flag && one == json!(0) => Json::Null,
                    _ => one,
                };
                json!({(name.as_str()): {(operators[operator]): operand}})
            },
        )
    });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|items| json!({"_and": items})),
            vec(inner.clone(), 0..3).prop_map(|items| json!({"_or": items})),
            inner.clone().prop_map(|item| json!({"_not": item})),
            inner.clone().prop_map(|item| json!({"parent": item})),
            inner.clone().prop_map(|item| json!({"items_on_parent": {"exist": item}})),
            (inner, 0..3)
                .prop_map(|(item, n)| json!({"items_on_parent": {"exist": item, "count": {"ge": n}}})),
        ]
    })
    .boxed()
}

/// GraphQL's text of a value.
pub fn graphql(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", graphql(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(graphql).collect::<Vec<_>>().join(", ")),
        plain => plain.to_string(),
    }
}

fn compare(a: &Json, b: &Json) -> Ordering {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()),
        (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        other => panic!("{other:?}"),
    }
}

/// A condition on a row, in SQL's logic of three values. `None` in `Some(None)` is "unknown"; the outer `None`:
/// nothing is asked.
pub fn holds(rows: &[Json], row: &Json, condition: &Json) -> Option<Option<bool>> {
    let and = |parts: Vec<Option<bool>>| {
        if parts.contains(&Some(false)) {
            Some(false)
        } else {
            parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
        }
    };
    let or = |parts: Vec<Option<bool>>| {
        if parts.contains(&Some(true)) {
            Some(true)
        } else {
            parts.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
        }
    };
    let mut parts = Vec::new();
    for (name, value) in condition.as_object().unwrap() {
        let inner = |items: &Json| -> Vec<Option<bool>> {
            items.as_array().unwrap().iter().filter_map(|item| holds(rows, row, item)).collect()
        };
        match name.as_str() {
            "_and" | "_or" => {
                let items = inner(value);
                if !items.is_empty() {
                    parts.push(if name == "_and" { and(items) } else { or(items) });
                }
            }
            "_not" => parts.extend(holds(rows, row, value).map(|held| held.map(|held| !held))),
            "parent" => {
                let parent = rows.iter().find(|other| other["id"] == row["parentId"]);
                if holds(rows, row, value).is_some() {
                    parts.push(Some(
                        parent.is_some_and(|parent| holds(rows, parent, value) == Some(Some(true))),
                    ));
                }
            }
            "items_on_parent" => {
                let fits = |child: &&Json| {
                    child["parentId"] == row["id"]
                        && holds(rows, child, &value["exist"]).is_none_or(|held| held == Some(true))
                };
                let count = rows.iter().filter(fits).count();
                let at_least = value["count"]["ge"].as_u64().unwrap_or(1);
                parts.push(Some(count as u64 >= at_least));
            }
            column => {
                for (operator, operand) in value.as_object().unwrap() {
                    parts.push(operator_holds(&row[column], operator, operand));
                }
            }
        }
    }
    (!parts.is_empty()).then(|| and(parts))
}

fn operator_holds(left: &Json, operator: &str, right: &Json) -> Option<bool> {
    let any = |items: &Json| items.as_array().unwrap().iter().any(|item| compare(left, item).is_eq());
    match operator {
        "isNull" => return Some(left.is_null() == right.as_bool().unwrap()),
        "eq" if right.is_null() => return Some(left.is_null()),
        "ne" if right.is_null() => return Some(!left.is_null()),
        "in" if right.as_array().unwrap().is_empty() => return Some(false),
        "nin" if right.as_array().unwrap().is_empty() => return Some(true),
        _ => {}
    }
    if left.is_null() {
        return None;
    }
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    Some(match operator {
        "eq" => compare(left, right).is_eq(),
        "ne" => compare(left, right).is_ne(),
        "lt" => compare(left, right).is_lt(),
        "le" => compare(left, right).is_le(),
        "gt" => compare(left, right).is_gt(),
        "ge" => compare(left, right).is_ge(),
        "in" => any(right),
        "nin" => !any(right),
        "contains" => text(left).contains(&text(right)),
        "startsWith" => text(left).starts_with(&text(right)),
        "endsWith" => text(left).ends_with(&text(right)),
        other => panic!("{other}"),
    })
}

/// One query: its condition, its order, its page.
type Asked = (Json, Vec<(usize, bool)>, u64, u64);

fn expected(rows: &[Json], columns: &[(String, Kind)], (condition, order, limit, offset): &Asked) -> Json {
    let page = |found: Vec<&Json>, limit: u64, offset: u64| {
        let mut found = found;
        found.sort_by(|a, b| {
            for (at, descending) in order {
                let name = columns[*at].0.as_str();
                // Nulls come last, and first in the other direction.
                let ordering = match (a[name].is_null(), b[name].is_null()) {
                    (false, false) => compare(&a[name], &b[name]),
                    (a, b) => a.cmp(&b),
                };
                let ordering = if *descending { ordering.reverse() } else { ordering };
                if ordering.is_ne() {
                    return ordering;
                }
            }
            compare(&a["id"], &b["id"])
        });
        let page = found.into_iter().skip(offset as usize).take(limit as usize).cloned();
        page.collect::<Vec<_>>()
    };
    let fits = |row: &&Json| holds(rows, row, condition).is_none_or(|held| held == Some(true));
    let listed = page(rows.iter().filter(fits).collect(), *limit, *offset);
    let with_children = listed.iter().map(|row| {
        let children = page(rows.iter().filter(|child| child["parentId"] == row["id"]).collect(), 2, 0);
        let parent = rows.iter().find(|other| other["id"] == row["parentId"]);
        let mut row = row.clone();
        row["items_on_parent"] = children.iter().map(|child| json!({"id": child["id"]})).collect();
        row["parent"] = parent.map_or(Json::Null, |parent| json!({"id": parent["id"]}));
        row
    });
    json!({"items": with_children.collect::<Vec<_>>()})
}

fn document(columns: &[(String, Kind)], n: usize, (condition, order, limit, offset): &Asked) -> String {
    let order: Vec<String> = order
        .iter()
        .map(|(at, descending)| {
            format!("{{{}: {}}}", columns[*at].0, if *descending { "DESC" } else { "ASC" })
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let (condition, order) = (graphql(condition), order.join(", "));
    format!(
        "query Q{n} @auth(level: NO_ACCESS) {{ items(where: {condition}, orderBy: [{order}], limit: {limit}, offset: {offset}) \
         {{ id parentId {} items_on_parent(orderBy: [{order}], limit: 2) {{ id }} parent {{ id }} }} }}\n",
        names.join(" ")
    )
}

pub fn sample<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

pub fn run(server: &Server) {
    let seed = std::env::var("HEARTH_SEED").ok().and_then(|seed| seed.parse::<u8>().ok()).unwrap_or(7);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for n in 0..SCHEMAS {
        one_schema(server, &mut runner, n);
    }
}

fn one_schema(server: &Server, runner: &mut TestRunner, n: usize) {
    let kinds = prop_oneof![Just(Kind::Int), Just(Kind::Float), Just(Kind::String), Just(Kind::Boolean)];
    let kinds = sample(runner, &vec(kinds, 2..5));
    let columns: Vec<(String, Kind)> =
        kinds.into_iter().enumerate().map(|(at, kind)| (format!("col{at}X"), kind)).collect();
    let declared: Vec<String> = columns.iter().map(|(name, kind)| format!("{name}: {kind:?}")).collect();
    let schema = format!("type Item @table {{ id: Int! {} parent: Item }}", declared.join(" "));
    let mut rows = Vec::new();
    for id in 0..ROWS {
        let parent = sample(runner, &proptest::option::of(0..=id));
        let mut row = json!({"id": id, "parentId": parent});
        for (name, kind) in &columns {
            row[name] = json!(sample(runner, &proptest::option::of(value(*kind))));
        }
        rows.push(row);
    }
    let asked =
        (condition(columns.clone()), vec((0..columns.len(), any::<bool>()), 0..3), 0..50u64, 0..10u64);
    let asked: Vec<Asked> = (0..QUERIES).map(|_| sample(runner, &asked)).collect();
    let texts: String = asked.iter().enumerate().map(|(n, asked)| document(&columns, n, asked)).collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let insert = format!(
        "mutation Add($data: [Item_Data!]! @allow(fields: \"id parentId {}\")) @auth(level: NO_ACCESS) {{ item_insertMany(data: $data) }}",
        names.join(" ")
    );
    let house = House::new(server, &format!("random{n}"), &schema, &format!("{texts}{insert}"));
    house.call("Add", None, json!({"data": rows})).unwrap();

    let statements: Vec<Statement> = (0..QUERIES).map(|n| statement(&house, &format!("Q{n}"))).collect();
    let script: String = statements.iter().enumerate().map(|(n, statement)| script(n, statement)).collect();
    let out = server.run(&house.database, &script).unwrap();
    let answers: Vec<&str> = out.lines().collect();
    assert_eq!(answers.len(), QUERIES);
    for ((asked, answer), statement) in asked.iter().zip(answers).zip(&statements) {
        let answer: Json = serde_json::from_str(answer).unwrap();
        let expected = expected(&rows, &columns, asked);
        assert_eq!(answer, floats(expected), "{schema}\n{asked:?}\n{}", statement.text);
    }
}

/// PostgreSQL writes 1.0 as 1.
fn floats(value: Json) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 => json!(float as i64),
            _ => Json::Number(number),
        },
        Json::Array(items) => Json::Array(items.into_iter().map(floats).collect()),
        Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, floats(value))).collect(),
        plain => plain,
    }
}

fn statement(house: &House<'_>, name: &str) -> Statement {
    let operation = house.operations.get(name).unwrap();
    let variables = Map::new();
    let never = |_: usize| -> Result<Json, _> { unreachable!("no expressions") };
    let no_default = |_: &str| -> Result<Json, _> { unreachable!("no defaults") };
    let given = Given { variables: &variables, expression: &never, default: &no_default, now: NOW };
    query(house.api.tables(), &operation.selection, &given).unwrap()
}

fn script(n: usize, statement: &Statement) -> String {
    let bound: Vec<String> = statement
        .parameters
        .iter()
        .map(|value| {
            value.as_ref().map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
        })
        .collect();
    let call = if bound.is_empty() { String::new() } else { format!("({})", bound.join(", ")) };
    format!("PREPARE s{n} AS {};\nEXECUTE s{n}{call};\n", statement.text)
}
