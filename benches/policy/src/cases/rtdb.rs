//! Realtime Database rules, beside targaryen: both get the rules, the data and the user of `targaryen/case.json`.

use base::{Fields, Value};
use policy::Source;
use policy::rtdb::{Change, Memory, Observe, Operation, Request, Ruleset, Tree, compile, limits};

use super::data::{map, stored, text};
use crate::{Case, Subject, keep};

const CASE: &str = include_str!("../../targaryen/case.json");
const DEEP: &[&str] = &["flamelink", "environments", "production", "content", "posts", "en-US"];

struct Setting {
    ruleset: Ruleset,
    data: Memory,
    post: Memory,
    auth: Fields,
}

fn setting() -> Setting {
    let case: serde_json::Value = serde_json::from_str(CASE).expect("case.json");
    let rules = serde_json::to_string_pretty(&case["rules"]).expect("the rules");
    let compiled = compile(Source::new("case.json", &*rules));
    let Value::Map(auth) = stored(&case["auth"]) else { panic!("auth is a map") };
    Setting {
        ruleset: compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics)),
        data: Memory::new(&stored(&case["data"])).expect("the data"),
        post: Memory::new(&map([("owner", text("alice")), ("title", text("a title"))])).expect("a post"),
        auth,
    }
}

fn case(
    name: &'static str,
    targaryen: &'static str,
    operation: impl Fn(&'static Setting) -> Operation<'static>,
    auth: bool,
    allowed: bool,
) -> Case {
    let setting = keep(setting());
    let request = Request { operation: operation(setting), auth: auth.then_some(&setting.auth), now_ms: 1 };
    let limits = limits();
    let decide = move || {
        let request = std::hint::black_box(&request);
        setting.ruleset.decide(request, Some(&setting.data as &dyn Tree), &limits, Observe::default()).allowed
    };
    let includes = if allowed { "decision, its position" } else { "decision, its reasons as text" };
    let subjects = vec![Subject::new("hearth", includes, allowed, decide)];
    Case {
        aim_ratio: Some(10.0),
        targaryen: Some(targaryen),
        ..Case::new("Realtime Database rules", name, subjects)
    }
}

pub fn cases() -> Vec<Case> {
    let read = |path| move |_: &'static Setting| Operation::Read { path, query: None };
    let write = |setting: &'static Setting| {
        Operation::Write(Change { path: &["posts", "p"], value: Some(&setting.post as &(dyn Tree + Sync)) })
    };
    vec![
        Case {
            aim_ns: Some(1000),
            aim_allocations: Some(0),
            ..case("a claim", "claim", read(&["claims", "x"]), true, true)
        },
        Case {
            aim_ns: Some(1000),
            aim_allocations: Some(0),
            ..case("the path's uid", "own", read(&["own", "alice"]), true, true)
        },
        Case {
            aim_ns: Some(2000),
            ..case("the deep read of the Flamelink guide", "deep", read(DEEP), true, true)
        },
        case("the same, denied, with its reasons", "deep-denied", read(DEEP), false, false),
        case("a write with three validations", "write", write, true, true),
    ]
}
