//! Answers questions about values, for suites/values: reads lines of `{"question": …}` and prints a line for each.

#![expect(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;

use realtime::model::{Change, DEPTH_MAX, Draft, Node, Path, PushIds, Sparse, Write, decode_value};
use realtime::model::{encode_export, encode_plain};
use realtime::query::{Query, RestParameters};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

type Answer = Result<Value, Box<dyn Error>>;

#[derive(Deserialize)]
struct Line {
    question: Question,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Question {
    Tree { value: Value },
    Set { value: Value, path: String, to: Value },
    Query { value: Value, query: Value, rest: BTreeMap<String, String> },
    Resolve { value: Value, before: Value, now: i64 },
    Sparse { steps: Vec<Step> },
    Push { times: Vec<i64>, randoms: Vec<[u8; 12]> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Remember { remember: String, value: Value },
    Forget { forget: String },
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let Line { question } = serde_json::from_str(&line?)?;
        println!("{}", answer(question).unwrap_or_else(|error| json!({"error": error.to_string()})));
    }
    Ok(())
}

fn answer(question: Question) -> Answer {
    match question {
        Question::Tree { value } => tree(&value),
        Question::Set { value, path, to } => {
            let (node, to) = (node(&value)?, node(&to)?);
            let after = Node::with(node.as_ref(), Path::parse(&path)?.keys(), to);
            Ok(json!({"export": exported(after.as_ref())?, "hash": hash(after.as_ref())}))
        }
        Question::Query { value, query, rest } => select(&value, &query, &rest),
        Question::Resolve { value, before, now } => {
            let resolved = draft(&value)?.resolve(now, node(&before)?.as_deref())?;
            Ok(json!({"export": exported(resolved.as_ref())?}))
        }
        Question::Sparse { steps } => sparse(&steps),
        Question::Push { times, randoms } => {
            let mut ids = PushIds::default();
            let made =
                times.into_iter().zip(randoms).map(|(now, random)| ids.next(now, || random).to_string());
            Ok(json!({"ids": made.collect::<Vec<_>>()}))
        }
    }
}

fn draft(json: &Value) -> Result<Draft, Box<dyn Error>> {
    Ok(decode_value(&json.to_string(), DEPTH_MAX)?)
}

fn node(json: &Value) -> Result<Option<Arc<Node>>, Box<dyn Error>> {
    Ok(draft(json)?.resolve(0, None)?)
}

fn exported(node: Option<&Arc<Node>>) -> Answer {
    let mut out = String::new();
    encode_export(node.map(|node| &**node), &mut out);
    Ok(serde_json::from_str(&out)?)
}

fn hash(node: Option<&Arc<Node>>) -> &str {
    node.map_or("", |node| node.hash())
}

fn tree(value: &Value) -> Answer {
    let node = node(value)?;
    let mut plain = String::new();
    encode_plain(node.as_deref(), &mut plain);
    let plain: Box<RawValue> = to_raw_value(&serde_json::from_str::<Value>(&plain)?)?;
    let mut orders = serde_json::Map::new();
    for index in [".priority", ".key", ".value", "a", "b/a", "1"] {
        let query = Query::from_wire(&json!({"i": index}))?;
        let children = node.iter().flat_map(|node| node.children());
        let mut positions: Vec<_> = children.map(|(key, child)| query.position(key, child)).collect();
        positions.sort();
        let keys: Vec<&str> = positions.iter().map(|position| position.key().as_str()).collect();
        orders.insert(index.to_owned(), json!(keys));
    }
    Ok(json!({
        "hash": hash(node.as_ref()), "export": exported(node.as_ref())?, "plain": plain, "orders": orders,
    }))
}

fn select(value: &Value, query: &Value, rest: &BTreeMap<String, String>) -> Answer {
    let query = Query::from_wire(query)?;
    let get = |name: &str| rest.get(name).cloned();
    let parameters = RestParameters {
        order_by: get("orderBy"),
        start_at: get("startAt"),
        start_after: get("startAfter"),
        end_at: get("endAt"),
        end_before: get("endBefore"),
        equal_to: get("equalTo"),
        limit_to_first: get("limitToFirst"),
        limit_to_last: get("limitToLast"),
    };
    let by_rest = Query::from_rest(&parameters)?;
    if by_rest != query {
        return Err(format!("the query of REST is another: {by_rest:?}").into());
    }
    let selected = query.select(node(value)?.as_ref());
    Ok(json!({"export": exported(selected.as_ref())?, "hash": hash(selected.as_ref())}))
}

fn sparse(steps: &[Step]) -> Answer {
    let mut sparse = Sparse::default();
    for step in steps {
        match step {
            Step::Forget { forget } => sparse.forget(&Path::parse(forget)?),
            Step::Remember { remember, value } => {
                for change in Write::set(remember, &value.to_string())?.changes {
                    match change {
                        Change::Set { path, value } => sparse.remember(&path, value)?,
                        Change::Priority { path, value } => sparse.remember_priority(&path, value)?,
                    }
                }
            }
        }
    }
    let mut entries = serde_json::Map::new();
    for change in sparse.entries() {
        let path = match &change {
            Change::Set { path, .. } => path.to_string(),
            Change::Priority { path, .. } => format!("{}/.priority", path.to_string().trim_end_matches('/')),
        };
        let mut value = String::new();
        change.value().encode(&mut value);
        entries.insert(path, serde_json::from_str(&value)?);
    }
    Ok(json!({ "entries": entries }))
}
