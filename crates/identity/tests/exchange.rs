//! The exchanges in `cases/*.json`, run against a house of their own each.
//!
//! A file is a list of cases: `name`, `mode` (`dev` or `serve`, dev when not said), `steps`. A step is a `request`
//! (`METHOD path`; a path without a leading slash is below `v1/`), perhaps `as` (a bearer), `key: false`, `headers`, a
//! `body` (JSON, or text as it is), and what must come back: `status` (200 when not said), `error` (the exact message)
//! or `answer` (a pattern). `keep` puts parts of the answer under names, which `$name` gives back. `advance_s` moves
//! the clock first. `event` must be part of an event of the log.
//!
//! In a pattern `"=text"` is any non-empty text, `"=absent"` means that the key is not there, `"=claims:…"` looks into
//! a token; objects may have more keys than the pattern, lists may not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may"
)]

mod house;

use std::collections::BTreeMap;
use std::path::Path;

use house::{House, claims};
use serde_json::{Value as Json, json};

type Kept = BTreeMap<String, String>;

fn filled(json: &Json, kept: &Kept) -> Json {
    match json {
        Json::String(text) => Json::String(filled_text(text, kept)),
        Json::Array(items) => items.iter().map(|item| filled(item, kept)).collect(),
        Json::Object(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), filled(value, kept))).collect())
        }
        other => other.clone(),
    }
}

fn filled_text(text: &str, kept: &Kept) -> String {
    kept.iter().rev().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}

fn mismatch(at: &str, pattern: &Json, found: Option<&Json>) -> Option<String> {
    match (pattern, found) {
        (Json::String(word), None) if word == "=absent" => None,
        (_, None) => Some(format!("{at} is missing")),
        (Json::String(word), Some(found)) if word == "=text" => {
            (found.as_str().is_none_or(str::is_empty)).then(|| format!("{at} is {found}, not text"))
        }
        (Json::String(word), Some(found)) if word == "=absent" => Some(format!("{at} is there: {found}")),
        (Json::Object(pattern), Some(Json::String(token))) if pattern.contains_key("=claims") => {
            mismatch(&format!("{at}(claims)"), &pattern["=claims"], Some(&claims(token)))
        }
        (Json::Object(pattern), Some(Json::Object(found))) => pattern
            .iter()
            .find_map(|(name, pattern)| mismatch(&format!("{at}.{name}"), pattern, found.get(name))),
        (Json::Array(pattern), Some(Json::Array(found))) if pattern.len() == found.len() => {
            pattern.iter().zip(found).enumerate().find_map(|(index, (pattern, found))| {
                mismatch(&format!("{at}[{index}]"), pattern, Some(found))
            })
        }
        (pattern, Some(found)) if pattern == found => None,
        (pattern, Some(found)) => Some(format!("{at} is {found}, not {pattern}")),
    }
}

async fn run(house: &House, step: &Json, kept: &mut Kept) -> Result<(), String> {
    if let Some(seconds) = step["advance_s"].as_i64() {
        house.advance_s(seconds);
    }
    let request = filled_text(step["request"].as_str().ok_or("no request")?, kept);
    let (method, path) = request.split_once(' ').ok_or("no method")?;
    let mut target = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None => format!("/identitytoolkit.googleapis.com/v1/{path}"),
    };
    if step["key"].as_bool().unwrap_or(step["as"].is_null()) {
        target.push_str(if target.contains('?') { "&key=k" } else { "?key=k" });
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    if let Some(bearer) = step["as"].as_str() {
        headers.push(("authorization".into(), format!("Bearer {}", filled_text(bearer, kept))));
    }
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
    }
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = match filled(&step["body"], kept) {
        Json::Null => String::new(),
        Json::String(text) => text,
        json => json.to_string(),
    };
    let (status, kind, text) = house.send(method, &target, &headers, body).await;
    let answer: Json = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
    if let Some(error) = step["error"].as_str() {
        let expected = u16::try_from(step["status"].as_u64().unwrap_or(400)).unwrap();
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        let good = if error.ends_with('…') {
            message.starts_with(error.trim_end_matches('…'))
        } else {
            message == error
        };
        if !good || status.as_u16() != expected {
            return Err(format!("{status} {answer}"));
        }
    } else if u64::from(status.as_u16()) != step["status"].as_u64().unwrap_or(200) {
        return Err(format!("{status} {answer}"));
    }
    if !kind.starts_with("application/json") {
        return Err(format!("the answer is {kind}"));
    }
    if let Some(problem) =
        step.get("answer").and_then(|pattern| mismatch("answer", &filled(pattern, kept), Some(&answer)))
    {
        return Err(format!("{problem} in {answer}"));
    }
    for (name, pointer) in step["keep"].as_object().into_iter().flatten() {
        let value = answer.pointer(pointer.as_str().unwrap_or_default()).and_then(Json::as_str);
        kept.insert(
            name.clone(),
            value.ok_or_else(|| format!("nothing to keep as {name} in {answer}"))?.to_owned(),
        );
    }
    if let Some(event) = step.get("event") {
        let events: Vec<Json> =
            house.gate.log().events().iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        let event = filled(event, kept);
        if !events.iter().any(|found| mismatch("event", &event, Some(found)).is_none()) {
            return Err(format!("no such event; the last is {}", events.last().unwrap_or(&Json::Null)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_exchange_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let (mut problems, mut steps) = (Vec::new(), 0);
    for file in files {
        let cases: Json = serde_json::from_str(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for case in cases.as_array().unwrap() {
            let house = if case["mode"] == "serve" { House::serve().await } else { House::dev().await };
            let mut kept = Kept::new();
            for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
                steps += 1;
                if let Err(problem) = run(&house, step, &mut kept).await {
                    let name = file.file_name().unwrap().to_string_lossy();
                    problems
                        .push(format!("{name}: {} [{index}] {}: {problem}", case["name"], step["request"]));
                }
            }
        }
    }
    assert!(steps > 100, "only {steps} steps were run");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_pattern_that_does_not_fit_is_noticed() {
    let found = json!({ "a": { "b": "text" }, "list": [1, 2] });
    for pattern in [
        json!({ "a": { "b": "other" } }),
        json!({ "a": "=absent" }),
        json!({ "c": "=text" }),
        json!({ "list": "=text" }),
        json!({ "list": [1] }),
        json!({ "list": [1, 3] }),
    ] {
        assert!(mismatch("x", &pattern, Some(&found)).is_some(), "{pattern}");
    }
    assert_eq!(
        mismatch("x", &json!({ "a": { "b": "=text" }, "c": "=absent", "list": [1, 2] }), Some(&found)),
        None
    );
}
