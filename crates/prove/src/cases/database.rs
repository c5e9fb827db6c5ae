//! Requests to the Realtime Database: `alice read /rooms/1 {"orderByChild": "a"}`, `alice write /rooms/1 {…}`,
//! `alice update /rooms {"1/title": "x"}`. Bolt is asked the same and explained in its own text.

use base::{Fields, Value};
use policy::decision::Decision;
use policy::rtdb::{Change, Leaf, Memory, Observe, Operation, Order, Query, Request, Ruleset, Tree, limits};
use policy::trace::Trace;
use serde_json::Value as Json;

use super::World;
use super::answer::{Answer, user, words};
use super::value::value;

/// The tree of a JSON value.
pub(super) fn tree(json: &Json) -> Result<Option<Memory>, String> {
    Ok(Memory::new(&value(json)?))
}

fn path(text: &str) -> Vec<&str> {
    text.split('/').filter(|key| !key.is_empty()).collect()
}

pub(super) fn ask(ruleset: &Ruleset, text: &str, world: &World) -> Result<Answer, String> {
    let (name, verb, at, rest) = words(text)?;
    let details: Json = if rest.is_empty() {
        Json::Null
    } else {
        serde_json::from_str(rest).map_err(|error| format!("`{rest}` is not JSON: {error}"))?
    };
    let auth = name.map(|name| auth(name, world));
    let at = path(at);
    let asked_query = if verb == "read" { query(&details)? } else { Query::default() };
    let written = tree(&details)?;
    // An update's keys are paths from the place.
    let mut paths: Vec<(Vec<&str>, Option<Memory>)> = Vec::new();
    if let ("update", Json::Object(values)) = (verb, &details) {
        for (key, value) in values {
            paths.push((at.iter().copied().chain(path(key)).collect(), tree(value)?));
        }
    }
    let changes: Vec<Change<'_>> = paths
        .iter()
        .map(|(path, value)| Change { path, value: value.as_ref().map(|tree| tree as &(dyn Tree + Sync)) })
        .collect();
    let operation = match verb {
        "read" => Operation::Read { path: &at, query: details.is_object().then_some(&asked_query) },
        "write" => Operation::Write(Change {
            path: &at,
            value: written.as_ref().map(|tree| tree as &(dyn Tree + Sync)),
        }),
        "update" if details.is_object() => Operation::Update(&changes),
        "update" => {
            return Err("an update needs the new values by path, such as {\"title\": \"x\"}".to_owned());
        }
        other => return Err(format!("`{other}` is not a verb of these rules: use read, write or update")),
    };
    let request = Request { operation, auth: auth.as_ref(), now_ms: world.time.micros().div_euclid(1000) };
    let before = world.data.as_ref().map(|tree| tree as &dyn Tree);
    let decision = ruleset.decide(&request, before, &limits(), Observe::default());
    let mut trace = Trace::reporting();
    let observe = Observe { trace: Some(&mut trace), touched: None };
    let observed = ruleset.decide(&request, before, &limits(), observe);
    if decision.allowed != observed.allowed || decision.by != observed.by {
        return Err("observing the decision changes it: this is a mistake of Hearth".to_owned());
    }
    // What was looked at without need is no reason.
    let decision =
        Decision { causes: if decision.allowed { Vec::new() } else { decision.causes }, ..decision };
    let outcome = if decision.allowed { "allow" } else { "deny" }.to_owned();
    let missing = (before.is_none() && !decision.allowed).then(|| "the database is empty".to_owned());
    let (request, source) = (text.trim().to_owned(), ruleset.source().clone());
    Ok(Answer { request, outcome, decision, trace, source, missing })
}

/// The variable `auth` of a user.
fn auth(name: &str, world: &World) -> Fields {
    let none = Fields::new();
    let who = user(name, world, &none);
    let mut auth = who.auth.cloned().unwrap_or_default();
    auth.entry("uid".to_owned()).or_insert_with(|| Value::String(who.uid.to_owned()));
    auth.entry("token".to_owned()).or_insert_with(|| Value::Map(who.claims.clone()));
    auth.entry("provider".to_owned()).or_insert_with(|| {
        let provider = match who.claims.get("firebase") {
            Some(Value::Map(firebase)) => firebase.get("sign_in_provider").cloned(),
            _ => None,
        };
        provider.unwrap_or_else(|| Value::String("password".to_owned()))
    });
    auth
}

fn leaf(json: &Json) -> Option<Leaf<'_>> {
    match json {
        Json::Bool(value) => Some(Leaf::Bool(*value)),
        Json::Number(number) => number.as_f64().map(Leaf::Number),
        Json::String(text) => Some(Leaf::Text(text)),
        _ => None,
    }
}

fn query(json: &Json) -> Result<Query<'_>, String> {
    let flag = |name: &str| json.get(name) == Some(&Json::Bool(true));
    let leaf_of = |name: &str| json.get(name).and_then(leaf);
    let limit = |name: &str| match json.get(name) {
        None => Ok(None),
        Some(limit) => {
            let places = limit.as_u64().and_then(|limit| u32::try_from(limit).ok());
            places.map(Some).ok_or_else(|| format!("`{name}` is `{limit}`, not a number of places"))
        }
    };
    let order = match json.get("orderByChild").and_then(Json::as_str) {
        Some(child) => Order::Child(child),
        None if flag("orderByValue") => Order::Value,
        None if flag("orderByPriority") => Order::Priority,
        None => Order::Key,
    };
    Ok(Query {
        order,
        start_at: leaf_of("startAt"),
        end_at: leaf_of("endAt"),
        equal_to: leaf_of("equalTo"),
        limit_to_first: limit("limitToFirst")?,
        limit_to_last: limit("limitToLast")?,
    })
}
