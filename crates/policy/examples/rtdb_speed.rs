//! Prints what deciding Realtime Database operations costs: nanoseconds per decision. Run with
//! `cargo run --release -p policy --example rtdb_speed`.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::hint::black_box;
use std::time::Instant;

use base::{Fields, Value};
use policy::Source;
use policy::rtdb::{Change, Memory, Observe, Operation, Request, Tree, compile, limits};

/// The deep rule looks up the caller's group and then what the group may do with this type of content.
const RULES: &str = r#"{
  "rules": {
    "site": {
      "content": {
        "$stage": {
          "$type": {
            "$locale": {
              ".read": "auth != null
                && root.child('site').child('permissions')
                  .child(root.child('site').child('users').child(auth.uid).child('group').val() + '')
                  .child('content').child($stage).child($type)
                  .child('view').val() === true"
            }
          }
        }
      }
    },
    "claims": {".read": "auth.token.siteUser === true"},
    "own": {"$uid": {".read": "$uid === auth.uid"}},
    "posts": {
      "$post": {
        ".write": "auth != null && (!data.exists() || data.child('owner').val() === auth.uid)",
        ".validate": "newData.hasChildren(['owner', 'title'])",
        "owner": {".validate": "newData.val() === auth.uid"},
        "title": {".validate": "newData.isString() && newData.val().length < 80"}
      }
    }
  }
}"#;

const ROUNDS: u32 = 5_000;
const BATCHES: usize = 100;

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn main() {
    let begun = Instant::now();
    let Some(ruleset) = compile(Source::new("speed.json", RULES)).ruleset else { return };
    println!("compile {:>6} µs", begun.elapsed().as_micros());

    let view = map(&[("view", Value::Bool(true))]);
    let group = map(&[("content", map(&[("production", map(&[("posts", view)]))]))]);
    let user = map(&[("group", Value::Integer(7))]);
    let site = map(&[("permissions", map(&[("7", group)])), ("users", map(&[("alice", user)]))]);
    let data = Memory::new(&map(&[("site", site)]));
    let post = Memory::new(&map(&[("owner", text("alice")), ("title", text("a title"))]));
    let tree = data.as_ref().map(|tree| tree as &dyn Tree);
    let post = post.as_ref().map(|tree| tree as &(dyn Tree + Sync));
    let auth = Fields::from([
        ("uid".to_owned(), text("alice")),
        ("token".to_owned(), map(&[("siteUser", Value::Bool(true))])),
    ]);
    let limits = limits();

    let read = |path| Operation::Read { path, query: None };
    let cases: [(&str, Operation<'_>); 4] = [
        ("a claim", read(&["claims", "x"])),
        ("the path's uid", read(&["own", "alice"])),
        ("the deep read", read(&["site", "content", "production", "posts", "en", "p1"])),
        ("a validated write", Operation::Write(Change { path: &["posts", "p"], value: post })),
    ];
    for (name, operation) in cases {
        let request = Request { operation, auth: Some(&auth), now_ms: 0 };
        let decide = || ruleset.decide(black_box(&request), tree, &limits, Observe::default()).allowed;
        assert!(decide(), "{name} is denied");
        // The best of several batches: other work on the machine only ever adds.
        let batch = || {
            let begun = Instant::now();
            for _ in 0..ROUNDS {
                black_box(decide());
            }
            begun.elapsed().as_nanos() / u128::from(ROUNDS)
        };
        let best = (0..BATCHES).map(|_| batch()).min().unwrap_or_default();
        println!("{name:<20} {best:>6} ns");
    }
}
