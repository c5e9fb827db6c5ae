//! The client's side of compound hashes, as the Android SDK has it, against ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use realtime::model::{Key, Leaf, Node};
use realtime::query::{CompoundHash, RANGES_MAX, RangeMerge};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::random::{self, node};

const PRIORITY: &str = ".priority";

/// `CompoundHashBuilder`, with the texts of the ranges.
#[derive(Default)]
struct Builder {
    text: Option<String>,
    path: Vec<String>,
    last: Vec<String>,
    needs_comma: bool,
    posts: Vec<String>,
    texts: Vec<String>,
    /// A range ends with a leaf when its text is longer.
    split_at: usize,
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn leaf_text(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Bool(value) => format!("boolean:{value}"),
        Leaf::Text(text) => format!("string:{}", quoted(text)),
        number => format!("number:{:016x}", number.number().unwrap().to_bits()),
    }
}

impl Builder {
    fn ensure_range(&mut self) {
        if self.text.is_none() {
            let parents: String = self.path.iter().map(|key| format!("{}:(", quoted(key))).collect();
            self.text = Some(format!("({parents}"));
            self.needs_comma = false;
        }
    }

    fn add(&mut self, text: &str) {
        self.text.as_mut().unwrap().push_str(text);
    }

    fn leaf(&mut self, leaf: &Leaf, priority: Option<&Leaf>) {
        self.ensure_range();
        self.last.clone_from(&self.path);
        let priority = priority.map(|priority| format!("priority:{}:", leaf_text(priority)));
        self.add(&(priority.unwrap_or_default() + &leaf_text(leaf)));
        self.needs_comma = true;
        let is_priority = self.path.last().is_some_and(|key| key == PRIORITY);
        if self.text.as_ref().unwrap().len() > self.split_at && !is_priority {
            self.end_range();
        }
    }

    fn child(&mut self, key: &str, visit: impl FnOnce(&mut Self)) {
        self.ensure_range();
        if self.needs_comma {
            self.add(",");
        }
        self.add(&format!("{}:(", quoted(key)));
        self.path.push(key.to_owned());
        self.needs_comma = false;
        visit(self);
        self.path.pop();
        if self.text.is_some() {
            self.add(")");
        }
        self.needs_comma = true;
    }

    fn end_range(&mut self) {
        let text = self.text.take().unwrap() + &")".repeat(self.path.len() + 1);
        self.texts.push(text);
        self.posts.push(self.last.join("/"));
    }

    fn node(&mut self, node: &Node) {
        if let Some(leaf) = node.value() {
            return self.leaf(leaf, node.priority());
        }
        let mut priority = node.priority();
        for (key, child) in node.children() {
            if super::keys::reference(key.as_str(), PRIORITY).is_gt()
                && let Some(priority) = priority.take()
            {
                self.child(PRIORITY, |this| this.leaf(priority, None));
            }
            self.child(key.as_str(), |this| this.node(child));
        }
    }
}

/// What a client sends for a value.
fn wire(node: Option<&Arc<Node>>, split_at: usize) -> Value {
    let mut builder = Builder { split_at, ..Builder::default() };
    if let Some(node) = node {
        builder.node(node);
        if builder.text.is_some() {
            builder.end_range();
        }
    }
    let mut hashes: Vec<String> =
        builder.texts.iter().map(|text| STANDARD.encode(Sha1::digest(text))).collect();
    hashes.push(String::new());
    json!({"hs": hashes, "ps": builder.posts})
}

/// `Path.compareTo`, and `contains`.
fn post(text: Option<&String>) -> Option<Vec<&str>> {
    text.map(|text| text.split('/').filter(|key| !key.is_empty()).collect())
}

fn compare(left: &[String], right: &[&str]) -> std::cmp::Ordering {
    let mut pairs = left.iter().zip(right).map(|(left, right)| super::keys::reference(left, right));
    pairs.find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
}

fn contains(above: &[String], below: &[&str]) -> bool {
    above.len() <= below.len() && above.iter().zip(below).all(|(above, below)| above == below)
}

/// A child, or the priority as one.
fn child(node: Option<&Arc<Node>>, key: &str) -> Option<Arc<Node>> {
    if key == PRIORITY {
        return node?.priority().map(|priority| Node::leaf(priority.clone(), None));
    }
    node?.child(&Key::new(key).unwrap()).cloned()
}

/// `RangeMerge.updateRangeInNode`.
fn apply(
    merge: &RangeMerge,
    path: &mut Vec<String>,
    node: Option<Arc<Node>>,
    update: Option<Arc<Node>>,
) -> Option<Arc<Node>> {
    let (start, end) = (post(merge.start.as_ref()), post(merge.end.as_ref()));
    let after_start = start.as_ref().is_none_or(|start| compare(path, start).is_gt());
    let to_end = end.as_ref().map(|end| compare(path, end));
    let start_in_node = start.as_ref().is_some_and(|start| contains(path, start));
    let end_in_node = end.as_ref().is_some_and(|end| contains(path, end));
    let is_leaf = |node: &Option<Arc<Node>>| node.as_ref().is_some_and(|node| node.value().is_some());
    if after_start && to_end.is_none_or(std::cmp::Ordering::is_lt) && !end_in_node {
        return update;
    }
    if after_start && end_in_node && is_leaf(&update) {
        return update;
    }
    if after_start && to_end.is_some_and(std::cmp::Ordering::is_eq) {
        assert!(end_in_node && !is_leaf(&update));
        return if is_leaf(&node) { None } else { node };
    }
    if !start_in_node && !end_in_node {
        return node;
    }
    let names = |node: &Option<Arc<Node>>| -> Vec<String> {
        node.iter().flat_map(|node| node.children()).map(|(key, _)| key.as_str().to_owned()).collect()
    };
    let all: BTreeSet<String> = names(&node).into_iter().chain(names(&update)).collect();
    let has_priority = |node: &Option<Arc<Node>>| node.as_ref().is_some_and(|node| node.priority().is_some());
    let priority = (has_priority(&node) || has_priority(&update)).then(|| PRIORITY.to_owned());
    let mut changed = node.clone();
    for key in all.into_iter().chain(priority) {
        let current = child(node.as_ref(), &key);
        path.push(key.clone());
        let updated = apply(merge, path, current.clone(), child(update.as_ref(), &key));
        path.pop();
        if updated == current {
            continue;
        }
        changed = if key == PRIORITY {
            let priority = updated.as_ref().map(|priority| priority.value().unwrap().clone());
            Node::with_priority(changed.as_ref(), &[], priority)
        } else {
            Node::with(changed.as_ref(), &[Key::new(&key).unwrap()], updated)
        };
    }
    changed
}

/// Whether it has a priority that the client's hash does not have: before none of its keys.
fn hides_priority(node: &Node) -> bool {
    let is_met = |(key, _): &(Key, _)| super::keys::reference(key.as_str(), PRIORITY).is_gt();
    let hidden = node.value().is_none() && node.priority().is_some() && !node.children().iter().any(is_met);
    hidden || node.children().iter().any(|(_, child)| hides_priority(child))
}

/// The client's value after our answer.
fn resumed(client: Option<&Arc<Node>>, server: Option<&Arc<Node>>, split_at: usize) -> Option<Arc<Node>> {
    let hash = CompoundHash::from_wire(&wire(client, split_at)).unwrap();
    let Some(merges) = hash.differences(server) else { return server.cloned() };
    assert!(!merges.is_empty() && client != server);
    merges.iter().fold(client.cloned(), |node, merge| {
        // The value is sent as JSON.
        let value =
            format!("{:?}", merge.value.as_ref().map_or(&Node::leaf(Leaf::Bool(true), None), |value| value));
        let value = merge.value.as_ref().and_then(|_| random::node(&serde_json::from_str(&value).unwrap()));
        apply(merge, &mut Vec::new(), node, value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_client_ends_with_the_servers_value(
        tree in random::value(), path in random::path(), value in random::value(), other in random::value(), split_at in 0_usize..80,
    ) {
        let client = node(&tree);
        // A change somewhere, or something else altogether.
        let keys: Vec<Key> = path.iter().map(|key| Key::new(key).unwrap()).collect();
        let changed = Node::with(client.as_ref(), &keys, node(&value));
        for server in [changed, node(&other), client.clone()] {
            let after = resumed(client.as_ref(), server.as_ref(), split_at);
            let hidden = |node: &Option<Arc<Node>>| node.as_ref().is_some_and(|node| hides_priority(node));
            if !hidden(&client) {
                prop_assert_eq!(after, server);
            }
        }
    }

    #[test]
    fn any_object_is_a_hash_or_none(hashes in proptest::collection::vec(random::leaf(), 0..4), posts in proptest::collection::vec(random::leaf(), 0..4), tree in random::value()) {
        if let Some(hash) = CompoundHash::from_wire(&json!({"hs": hashes, "ps": posts})) {
            let _ = hash.differences(node(&tree).as_ref());
        }
    }
}

/// Of the Android SDK's `CompoundHashTest`: value, ends of ranges, texts of ranges.
#[test]
fn hashes_of_the_sdk() {
    let prioritised = json!({"foo": {"!beforePriority": "before", ".priority": "prio", "afterPriority": "after"}, "qux": "qux"});
    let split = [
        r#"("foo":("!beforePriority":(string:"before"),".priority":(string:"prio")))"#,
        r#"("foo":("afterPriority":(string:"after")),"qux":(string:"qux"))"#,
    ];
    let cases: Vec<(Value, Vec<&str>, Vec<&str>)> = vec![
        (json!({"foo": "bar"}), vec!["foo"], vec![r#"("foo":(string:"bar"))"#]),
        (prioritised, vec!["foo/.priority", "qux"], split.to_vec()),
        (
            json!({"foo": {".value": "bar", ".priority": "baz"}}),
            vec!["foo"],
            vec![r#"("foo":(priority:string:"baz":string:"bar"))"#],
        ),
        (
            json!({"1": "one", "2": "two", "10": "ten"}),
            vec!["2", "10"],
            vec![r#"("1":(string:"one"),"2":(string:"two"))"#, r#"("10":(string:"ten"))"#],
        ),
        (
            json!({"bar": {"deep": "value"}, "foo": {"other-deep": "value"}}),
            vec!["foo/other-deep"],
            vec![r#"("bar":("deep":(string:"value")),"foo":("other-deep":(string:"value")))"#],
        ),
        (
            json!({"\"\\\"\\": "\"\\\"\\", "\"": "\\"}),
            vec!["\"\\\"\\"],
            vec![r#"("\"":(string:"\\"),"\"\\\"\\":(string:"\"\\\"\\"))"#],
        ),
    ];
    for (value, posts, texts) in cases {
        let mut hashes: Vec<String> = texts.iter().map(|text| STANDARD.encode(Sha1::digest(text))).collect();
        hashes.push(String::new());
        let hash = CompoundHash::from_wire(&json!({"hs": hashes, "ps": posts})).unwrap();
        assert_eq!(hash.differences(node(&value).as_ref()), None, "{value}");
        if posts == ["foo"] && value["foo"].is_object() {
            continue; // The leaf before the range would be there again, for its priority.
        }
        let changed = Node::with(node(&value).as_ref(), &[Key::new("zz").unwrap()], node(&json!(1)));
        let merge = RangeMerge {
            start: posts.last().map(|post| (*post).to_owned()),
            end: None,
            value: node(&json!({"zz": 1})),
        };
        assert_eq!(hash.differences(changed.as_ref()), Some(vec![merge]), "{value}");
    }
    assert_eq!(STANDARD.encode(Sha1::digest(r#"("foo":(string:"bar"))"#)), "LmKmJmXugtGlEGoulMbz86myDNw=");
}

#[test]
fn what_is_no_hash_is_none() {
    let many: Vec<String> = (0..RANGES_MAX).map(|n| n.to_string()).collect();
    for wire in [
        json!(null),
        json!({"hs": [""]}),
        json!({"hs": [""], "ps": ["a"]}),
        json!({"hs": ["", ""], "ps": ["$a"]}),
        json!({"hs": ["x", "y", ""], "ps": ["b", "a"]}),
        json!({"hs": ["x", "y", ""], "ps": ["a", "a"]}),
        json!({"hs": vec![""; RANGES_MAX + 1], "ps": many}),
    ] {
        assert_eq!(CompoundHash::from_wire(&wire), None);
    }
}
