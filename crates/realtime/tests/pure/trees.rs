use std::sync::Arc;

use policy::rtdb::{self, Tree};
use proptest::prelude::*;
use realtime::model::{Draft, Key, Leaf, Node, decode_value, encode_export};
use serde_json::{Map, Value, json};

use super::random::{self, canonical, node};

/// A set in a canonical value.
fn set(tree: Value, path: &[String], value: Value) -> Value {
    let Some((key, rest)) = path.split_first() else { return value };
    let mut children = match &tree {
        Value::Object(object) if !object.contains_key(".value") => object.clone(),
        Value::Object(leaf) => Map::from_iter([(".priority".to_owned(), leaf[".priority"].clone())]),
        _ => Map::new(),
    };
    let before = children.remove(key).unwrap_or_default();
    let after = set(before, rest, value);
    if after.is_null() && !children.keys().any(|key| !key.starts_with('.')) {
        return if tree.is_object() && !tree.as_object().unwrap().contains_key(".value") {
            Value::Null
        } else {
            tree
        };
    }
    if !after.is_null() {
        children.insert(key.clone(), after);
    }
    children.into()
}

/// A priority set in a canonical value.
fn set_priority(tree: Value, path: &[String], priority: Option<Value>) -> Value {
    if let Some((key, rest)) = path.split_first() {
        let Value::Object(mut object) = tree else { return tree };
        if let Some(child) = object.get(key).cloned() {
            object.insert(key.clone(), set_priority(child, rest, priority));
        }
        return object.into();
    }
    match tree {
        Value::Null => Value::Null,
        Value::Object(mut object) => {
            object.remove(".priority");
            object.extend(priority.map(|priority| (".priority".to_owned(), priority)));
            canonical(&object.into())
        }
        leaf => canonical(&json!({".value": leaf, ".priority": priority})),
    }
}

fn keys(path: &[String]) -> Vec<Key> {
    path.iter().map(|key| Key::new(key).unwrap()).collect()
}

fn exported(node: Option<&Arc<Node>>) -> Value {
    let mut out = String::new();
    encode_export(node.map(|node| &**node), &mut out);
    canonical(&serde_json::from_str(&out).unwrap())
}

fn draft(json: &Value) -> Draft {
    decode_value(&json.to_string(), 32).unwrap()
}

/// The nodes of a tree with their places.
fn places(node: &Node, above: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    for (key, child) in node.children() {
        above.push(key.as_str().to_owned());
        out.push(above.clone());
        places(child, above, out);
        above.pop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn sets_do_what_they_do_to_json(
        tree in random::value(), other in random::path(), value in random::value(),
        priority in random::priority(), pick in any::<prop::sample::Index>(), is_known in any::<bool>(),
    ) {
        let before = node(&tree);
        let mut known = vec![Vec::new()];
        before.iter().for_each(|before| places(before, &mut Vec::new(), &mut known));
        let path = if is_known { pick.get(&known).clone() } else { other };

        let after = Node::with(before.as_ref(), &keys(&path), node(&value));
        let wanted = set(canonical(&tree), &path, canonical(&value));
        prop_assert_eq!(exported(after.as_ref()), wanted.clone());
        // A draft is set likewise.
        let mut text = String::new();
        draft(&tree).with(&keys(&path), draft(&value)).encode(&mut text);
        prop_assert_eq!(canonical(&serde_json::from_str(&text).unwrap()), wanted.clone());
        // What is found there is what was set; equal trees are equal.
        prop_assert_eq!(exported(Node::find(after.as_ref(), &keys(&path))), canonical(&value));
        prop_assert_eq!(node(&wanted), after);

        let leaf = priority.as_ref().map(|priority| node(priority).unwrap().value().unwrap().clone());
        let ranked = Node::with_priority(before.as_ref(), &keys(&path), leaf);
        let wanted = set_priority(canonical(&tree), &path, priority.as_ref().map(canonical));
        prop_assert_eq!(exported(ranked.as_ref()), wanted.clone());
        let mut text = String::new();
        draft(&tree).with_priority(&keys(&path), draft(&priority.into())).encode(&mut text);
        prop_assert_eq!(canonical(&serde_json::from_str(&text).unwrap()), wanted);
    }

    #[test]
    fn rules_see_the_same_tree(tree in random::value()) {
        let Some(node) = node(&tree) else { return Ok(()) };
        let memory = rtdb::Memory::new(&base(&canonical(&tree))).unwrap();
        prop_assert!(same(&*node, &memory));
    }
}

fn base(json: &Value) -> base::Value {
    match json {
        Value::Null => base::Value::Null,
        Value::Bool(value) => base::Value::Bool(*value),
        Value::Number(number) => base::Value::Double(number.as_f64().unwrap()),
        Value::String(text) => base::Value::String(text.clone()),
        Value::Array(items) => base::Value::Array(items.iter().map(base).collect()),
        Value::Object(object) => {
            base::Value::Map(object.iter().map(|(key, child)| (key.clone(), base(child))).collect())
        }
    }
}

fn same(left: &dyn Tree, right: &dyn Tree) -> bool {
    let mut count = (0, 0);
    right.each_child(&mut |_, _| {
        count.1 += 1;
        std::ops::ControlFlow::Continue(())
    });
    let mut equal = left.leaf() == right.leaf() && left.priority() == right.priority();
    left.each_child(&mut |key, child| {
        count.0 += 1;
        let found = left.child(key).is_some_and(|found| std::ptr::addr_eq(found, child));
        equal &= found && right.child(key).is_some_and(|other| same(child, other));
        std::ops::ControlFlow::Continue(())
    });
    equal && count.0 == count.1
}

#[test]
fn a_leaf_gives_way_to_children_and_keeps_its_priority() {
    let leaf = node(&json!({".value": 1, ".priority": "p"}));
    let path = keys(&["a".to_owned()]);
    let value = Some(Node::leaf(Leaf::Bool(true), None));
    let inner = Node::with(leaf.as_ref(), &path, value);
    assert_eq!(exported(inner.as_ref()), canonical(&json!({"a": true, ".priority": "p"})));
    assert_eq!(Node::with(leaf.as_ref(), &path, None), leaf);
    assert_eq!(Node::with(inner.as_ref(), &path, None), None);
    assert_eq!(Node::with_priority(None, &path, Some(Leaf::Integer(1))), None);
    let counted = node(&json!({"a": {"b": 1, "c": "text"}, "d": true})).unwrap();
    assert_eq!((counted.leaves(), counted.depth()), (3, 2));
    assert!(counted.bytes().abs_diff(r#"{"a":{"b":1,"c":"text"},"d":true}"#.len()) < 12);
}
