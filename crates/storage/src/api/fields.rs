//! The `fields` parameter of Google's APIs: the part of an answer that a client asks for.
//!
//! ```text
//! fields = field {"," field}
//! field  = name {"/" name} ["(" fields ")"]      a name may be `*`
//! ```
//! Source: "Partial response" in the documentation of the JSON API.

use serde_json::{Map, Value as Json};

/// How deep selections may be.
const DEPTH_MAX: usize = 10;

/// What is asked for of an object's members: of each name everything (`None`) or a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(Vec<(String, Option<Selection>)>);

/// Reads a selection. `None`: it is none.
pub fn parse(text: &str) -> Option<Selection> {
    let mut rest = text;
    let selection = selection(&mut rest, 0)?;
    rest.is_empty().then_some(selection)
}

fn selection(rest: &mut &str, depth: usize) -> Option<Selection> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut selected = Vec::new();
    loop {
        selected.push(field(rest, depth)?);
        match rest.strip_prefix(',') {
            Some(behind) => *rest = behind,
            None => return Some(Selection(selected)),
        }
    }
}

fn field(rest: &mut &str, depth: usize) -> Option<(String, Option<Selection>)> {
    let end = rest.find([',', '/', '(', ')']).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    *rest = behind;
    let part = if let Some(behind) = rest.strip_prefix('/') {
        *rest = behind;
        if depth > DEPTH_MAX {
            return None;
        }
        Some(Selection(vec![field(rest, depth + 1)?]))
    } else if let Some(behind) = rest.strip_prefix('(') {
        *rest = behind;
        let inner = selection(rest, depth + 1)?;
        *rest = rest.strip_prefix(')')?;
        Some(inner)
    } else {
        None
    };
    Some((name.to_owned(), part))
}

impl Selection {
    /// Leaves only what is selected.
    pub fn apply(&self, json: Json) -> Json {
        match json {
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.apply(item)).collect()),
            Json::Object(members) => Json::Object(self.of(members)),
            json => json,
        }
    }

    fn of(&self, members: Map<String, Json>) -> Map<String, Json> {
        let mut kept = Map::new();
        for (key, value) in members {
            let asked: Vec<_> = self.0.iter().filter(|(name, _)| *name == key || name == "*").collect();
            if asked.iter().any(|(_, part)| part.is_none()) {
                kept.insert(key, value);
            } else if !asked.is_empty() {
                let parts = asked.iter().filter_map(|(_, part)| part.as_ref());
                let all = Selection(parts.flat_map(|part| part.0.iter().cloned()).collect());
                kept.insert(key, all.apply(value));
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_selected_stays() {
        let json = json!({
            "kind": "storage#objects", "nextPageToken": "n",
            "items": [{"name": "a", "size": "1", "metadata": {"x": "1", "y": "2"}}, {"name": "b", "size": "2"}],
        });
        for (fields, expected) in [
            ("kind", json!({"kind": "storage#objects"})),
            (
                "items(name),nextPageToken",
                json!({"nextPageToken": "n", "items": [{"name": "a"}, {"name": "b"}]}),
            ),
            (
                "items/name,items/size",
                json!({"items": [{"name": "a", "size": "1"}, {"name": "b", "size": "2"}]}),
            ),
            ("items(metadata/x)", json!({"items": [{"metadata": {"x": "1"}}, {}]})),
            ("*", json.clone()),
            ("nothing", json!({})),
        ] {
            assert_eq!(parse(fields).unwrap().apply(json.clone()), expected, "{fields}");
        }
        for broken in ["", ",", "a,", "a(", "a()", "a)b", "a/", &"a(".repeat(1000), &"a/".repeat(100_000)] {
            assert_eq!(parse(broken), None, "{}", broken.chars().take(10).collect::<String>());
        }
    }
}
