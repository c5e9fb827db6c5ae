//! Random writes of many rows beside a plain evaluator: the same counts, and the same rows after each.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Json, json};

use crate::harness::House;
use crate::random::{Kind, condition, graphql, holds, sample};
use crate::server::Server;

const WRITES: usize = 80;
const ROWS: i64 = 15;
const SCHEMA: &str = "type Item @table { id: Int! n: Int s: String list: [Int!] parent: Item }";

/// One write.
#[derive(Clone, Debug)]
enum Write {
    Update(Json, Vec<Change>),
    Delete(Json),
    Upsert(i64, Option<i64>, Option<String>),
}

#[derive(Clone, Debug)]
enum Change {
    Inc(i64),
    Set(Option<i64>),
    Text(Option<String>),
    Append(Vec<i64>),
    Prepend(Vec<i64>),
    Add(Vec<i64>),
    Remove(Vec<i64>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let list = || vec(0..4i64, 0..3);
    let number =
        prop_oneof![(-3..4i64).prop_map(Change::Inc), proptest::option::of(-3..4i64).prop_map(Change::Set)];
    let text = proptest::option::of("[ab'\"\\\\]{0,3}").prop_map(Change::Text);
    let lists = prop_oneof![
        list().prop_map(Change::Append),
        list().prop_map(Change::Prepend),
        list().prop_map(Change::Add),
        list().prop_map(Change::Remove),
    ];
    let several = vec(lists, 0..3);
    let one = (proptest::option::of(number), proptest::option::of(text), several);
    one.prop_map(|(number, text, lists)| number.into_iter().chain(text).chain(lists).collect())
}

/// The text of `data`.
fn data(changes: &[Change]) -> String {
    let mut parts = Vec::new();
    let mut lists = Vec::new();
    for change in changes {
        match change {
            Change::Inc(by) => parts.push(format!("n_update: {{inc: {by}}}")),
            Change::Set(to) => parts.push(format!("n: {}", json!(to))),
            Change::Text(to) => parts.push(format!("s: {}", json!(to))),
            Change::Append(with) => lists.push(format!("{{append: {}}}", json!(with))),
            Change::Prepend(with) => lists.push(format!("{{prepend: {}}}", json!(with))),
            Change::Add(with) => lists.push(format!("{{add: {}}}", json!(with))),
            Change::Remove(with) => lists.push(format!("{{remove: {}}}", json!(with))),
        }
    }
    if !lists.is_empty() {
        parts.push(format!("list_update: [{}]", lists.join(", ")));
    }
    format!("{{{}}}", parts.join(", "))
}

fn apply(row: &mut Json, changes: &[Change]) {
    let mut list: Option<Vec<i64>> =
        row["list"].as_array().map(|items| items.iter().filter_map(Json::as_i64).collect());
    for change in changes {
        match change {
            Change::Inc(by) => row["n"] = json!(row["n"].as_i64().unwrap_or(0) + by),
            Change::Set(to) => row["n"] = json!(to),
            Change::Text(to) => row["s"] = json!(to),
            Change::Append(with) => list.get_or_insert_default().extend(with),
            Change::Prepend(with) => drop(list.get_or_insert_default().splice(0..0, with.iter().copied())),
            Change::Add(with) => {
                let list = list.get_or_insert_default();
                let new: Vec<i64> = with.iter().copied().filter(|item| !list.contains(item)).collect();
                list.extend(new);
            }
            Change::Remove(with) => list.get_or_insert_default().retain(|item| !with.contains(item)),
        }
    }
    row["list"] = json!(list);
}

fn writes() -> impl Strategy<Value = Write> {
    let condition = || condition(vec![("n".to_owned(), Kind::Int), ("s".to_owned(), Kind::String)]);
    prop_oneof![
        5 => (condition(), changes()).prop_map(|(condition, changes)| Write::Update(condition, changes)),
        1 => (0..ROWS * 2).prop_map(|id| Write::Delete(json!({"id": {"eq": id}}))),
        2 => (0..ROWS * 2, proptest::option::of(-3..4i64), proptest::option::of("[ab]{0,2}"))
            .prop_map(|(id, n, s)| Write::Upsert(id, n, s)),
    ]
}

fn document(n: usize, write: &Write) -> String {
    let body = match write {
        Write::Update(condition, changes) => {
            format!("item_updateMany(where: {}, data: {})", graphql(condition), data(changes))
        }
        Write::Delete(condition) => format!("item_deleteMany(where: {})", graphql(condition)),
        Write::Upsert(id, n, s) => {
            format!("item_upsert(data: {{id: {id}, n: {}, s: {}}})", json!(n), json!(s))
        }
    };
    format!("mutation W{n} @auth(level: NO_ACCESS) {{ {body} }}\n")
}

/// The answer, and the rows after it.
fn model(rows: &mut Vec<Json>, write: &Write) -> Json {
    let fits = |rows: &[Json], condition: &Json| -> Vec<Json> {
        let fits = |row: &&Json| holds(rows, row, condition).is_none_or(|held| held == Some(true));
        rows.iter().filter(fits).map(|row| row["id"].clone()).collect()
    };
    match write {
        Write::Update(condition, changes) => {
            let found = fits(rows, condition);
            rows.iter_mut().filter(|row| found.contains(&row["id"])).for_each(|row| apply(row, changes));
            json!({"item_updateMany": found.len()})
        }
        Write::Delete(condition) => {
            let found = fits(rows, condition);
            rows.retain(|row| !found.contains(&row["id"]));
            // The reference is optional: children stay, without it.
            for row in rows.iter_mut().filter(|row| found.contains(&row["parentId"])) {
                row["parentId"] = Json::Null;
            }
            json!({"item_deleteMany": found.len()})
        }
        Write::Upsert(id, n, s) => {
            match rows.iter_mut().find(|row| row["id"] == json!(id)) {
                Some(row) => (row["n"], row["s"]) = (json!(n), json!(s)),
                None => rows.push(json!({"id": id, "n": n, "s": s, "list": null, "parentId": null})),
            }
            json!({"item_upsert": {"id": id}})
        }
    }
}

pub fn run(server: &Server) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[23; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let writes: Vec<Write> = (0..WRITES).map(|_| sample(&mut runner, &writes())).collect();
    let mut texts: String = writes.iter().enumerate().map(|(n, write)| document(n, write)).collect();
    texts.push_str(
        "query All @auth(level: NO_ACCESS) { items(orderBy: {id: ASC}) { id n s list parentId } }\n",
    );
    texts.push_str("mutation Add($data: [Item_Data!]! @allow(fields: \"id n s list parentId\")) @auth(level: NO_ACCESS) { item_insertMany(data: $data) }");
    let house = House::new(server, "updates", SCHEMA, &texts);
    let mut rows: Vec<Json> = (0..ROWS)
        .map(|id| {
            let list = (id % 3 > 0).then(|| vec![id % 4, 1]);
            let (n, s) = ((id % 4 > 0).then_some(id % 5), (id % 5 > 0).then_some("ab"));
            json!({"id": id, "n": n, "s": s, "list": list, "parentId": (id % 2 > 0).then_some(id / 2)})
        })
        .collect();
    house.call("Add", None, json!({"data": rows})).unwrap();
    for (n, write) in writes.iter().enumerate() {
        let answer = house.call(&format!("W{n}"), None, json!({})).unwrap();
        assert_eq!(answer, model(&mut rows, write), "{write:?}");
        rows.sort_by_key(|row| row["id"].as_i64());
        assert_eq!(house.call("All", None, json!({})).unwrap()["items"], json!(rows), "after {write:?}");
    }
}
