//! The scenario that was recorded on the live service (`rtdb-modular-ondisconnect-operations-cancel` of davideast/pyric,
//! Apache-2.0): what clients leave behind, and the seven values that are there after their disconnection.

use std::sync::Arc;

use realtime::model::{Change, Node, Path, Sparse, Write, encode_export};
use serde_json::{Value, json};

use super::random::node;

enum Step {
    Set(Value),
    Update(Value),
    Cancel,
}

/// What is at `place` of a database `{place: before}` after a disconnection.
fn after(before: Value, steps: &[(&str, Step)]) -> Value {
    let mut sparse = Sparse::default();
    for (path, step) in steps {
        let write = match step {
            Step::Set(value) => Write::set(path, &value.to_string()).unwrap(),
            Step::Update(values) => Write::update(path, &values.to_string()).unwrap(),
            Step::Cancel => {
                sparse.forget(&Path::parse(path).unwrap());
                continue;
            }
        };
        for change in write.changes {
            match change {
                Change::Set { path, value } => sparse.remember(&path, value).unwrap(),
                Change::Priority { path, value } => sparse.remember_priority(&path, value).unwrap(),
            }
        }
    }
    let mut tree: Option<Arc<Node>> = node(&json!({ "place": before }));
    for change in sparse.entries() {
        let (path, value) = (change.path(), change.value().resolve(0, None).unwrap());
        tree = Node::with(tree.as_ref(), path.keys(), value);
    }
    let mut out = String::new();
    encode_export(
        Node::find(tree.as_ref(), Path::parse("place").unwrap().keys()).map(|node| &**node),
        &mut out,
    );
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_seven_recorded_outcomes() {
    let (before, set) = (json!({"before": true}), |value| ("place", Step::Set(value)));
    assert_eq!(after(before.clone(), &[set(json!({"after": true}))]), json!({"after": true}), "set");

    let update = ("place", Step::Update(json!({"value": 2, "added": true})));
    let updated = json!({"added": true, "keep": true, "value": 2});
    assert_eq!(after(json!({"keep": true, "value": 1}), &[update]), updated, "update");

    assert_eq!(after(before.clone(), &[set(Value::Null)]), Value::Null, "remove");

    let with_priority = json!({"after": true, ".priority": 7});
    assert_eq!(after(before, &[set(with_priority.clone())]), with_priority, "setWithPriority");

    let overlap = [
        set(json!({"parent": true, "child": "parent-child"})),
        ("place/child", Step::Set(json!("child"))),
        ("place/child", Step::Cancel),
    ];
    let kept = json!({"child": "original-child", "original": true, "parent": true});
    let original = json!({"original": true, "child": "original-child"});
    assert_eq!(after(original, &overlap), kept, "overlapAfterChildCancel");

    let below = [
        ("place/child", Step::Set(json!("queued-child"))),
        ("place/child/grandchild", Step::Set(json!("queued-grandchild"))),
        ("place", Step::Cancel),
    ];
    let original = json!({"child": "original"});
    assert_eq!(after(original.clone(), &below), original, "parentCancelDescendantsTerminal");

    let original = json!({"original": true});
    let cancelled = [set(json!({"shouldNotApply": true})), ("place", Step::Cancel)];
    assert_eq!(after(original.clone(), &cancelled), original, "cancelledTerminal");
}
