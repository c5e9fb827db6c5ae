//! Compound hashes: what a client has of a large value, range by range, so that only ranges that differ are sent.
//!
//! Source: the Android SDK's `CompoundHash` and `RangeMerge`. A range is hashed (V2) as a text with the keys, values and
//! parentheses of its leaves. The priority of a node with children is a child with the key `.priority`, which the SDK
//! only meets when a key follows it.

use std::cmp::Ordering;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha1::{Digest as _, Sha1};

use crate::model::{Key, Leaf, Node, Path, hash_leaf};

/// Ranges of a hash: a client that has 75 million leaves sends about a thousand.
pub const RANGES_MAX: usize = 4096;

/// What a client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompoundHash {
    /// The last leaves of the ranges, ascending; the last range has no end.
    posts: Vec<Post>,
    /// One for each range.
    hashes: Vec<String>,
}

/// Keys of a leaf; the last may be `.priority`.
type Post = Vec<Key>;

/// A range to be replaced by a client. Places are relative to the listener's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeMerge {
    /// What follows this leaf; `None` is everything.
    pub start: Option<String>,
    /// Up to this leaf; `None` is everything.
    pub end: Option<String>,
    /// What is there.
    pub value: Option<Arc<Node>>,
}

impl CompoundHash {
    /// Of the wire's object `{hs, ps}`. `None` when it is none: then it is as if the client had nothing.
    pub fn from_wire(ch: &Value) -> Option<CompoundHash> {
        let texts = |name: &str| -> Option<Vec<&str>> {
            ch.get(name)?.as_array()?.iter().map(Value::as_str).collect()
        };
        let (hashes, posts) = (texts("hs")?, texts("ps")?);
        if hashes.len() != posts.len() + 1 || hashes.len() > RANGES_MAX {
            return None;
        }
        let posts = posts.into_iter().map(post).collect::<Option<Vec<_>>>()?;
        let hashes = hashes.into_iter().map(str::to_owned).collect();
        posts.is_sorted_by(|left, right| left < right).then_some(CompoundHash { posts, hashes })
    }

    /// The ranges in which a value differs from what the client has. `None`: the value cannot be sent so, or nothing
    /// differs although the client said so; it is to be sent whole.
    pub fn differences(&self, node: Option<&Arc<Node>>) -> Option<Vec<RangeMerge>> {
        let node = node?;
        let mut walk = Walk {
            posts: &self.posts,
            hashes: Vec::new(),
            range: None,
            place: Vec::new(),
            is_complete: true,
        };
        walk.node(node);
        let hashes = walk.finish()?;
        let mut merges = Vec::new();
        for (index, (ours, theirs)) in hashes.iter().zip(&self.hashes).enumerate() {
            if ours == theirs {
                continue;
            }
            let start = index.checked_sub(1).and_then(|before| self.posts.get(before));
            let end = self.posts.get(index);
            let value = restrict(node, &mut Vec::new(), start, end).ok()?;
            merges.push(RangeMerge { start: start.map(text), end: end.map(text), value });
        }
        (!merges.is_empty()).then_some(merges)
    }
}

fn post(raw: &str) -> Option<Post> {
    let trimmed = raw.trim_matches('/');
    let (place, is_priority) = match trimmed.strip_suffix(PRIORITY) {
        Some(place) if place.is_empty() || place.ends_with('/') => (place, true),
        _ => (trimmed, false),
    };
    let mut keys = Path::parse(place).ok()?.keys().to_vec();
    keys.extend(is_priority.then(priority_key));
    Some(keys)
}

fn text(post: &Post) -> String {
    post.iter().map(Key::as_str).collect::<Vec<_>>().join("/")
}

const PRIORITY: &str = ".priority";

fn priority_key() -> Key {
    Key::unchecked(PRIORITY)
}

/// Children with the priority at its place. `false`: there is a priority that the SDK does not meet.
fn with_priority(node: &Node) -> (usize, bool) {
    let at = node.children().partition_point(|(key, _)| key.compare_text(PRIORITY) == Ordering::Less);
    (at, node.priority().is_none() || at < node.children().len())
}

/// Goes through the leaves of a value and hashes the ranges.
struct Walk<'c> {
    posts: &'c [Post],
    /// Of the ranges that are over.
    hashes: Vec<String>,
    /// The text of the range so far and the place of its last leaf.
    range: Option<(Sha1, Vec<Key>)>,
    place: Vec<Key>,
    is_complete: bool,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) {
        if let Some(value) = node.value() {
            return self.leaf(value, node.priority());
        }
        let (at, is_met) = with_priority(node);
        self.is_complete &= is_met;
        for (index, (key, child)) in node.children().iter().enumerate() {
            if let Some(priority) = node.priority().filter(|_| index == at) {
                self.place.push(priority_key());
                self.leaf(priority, None);
                self.place.pop();
            }
            self.place.push(key.clone());
            self.node(child);
            self.place.pop();
        }
    }

    fn leaf(&mut self, value: &Leaf, priority: Option<&Leaf>) {
        while self.posts.get(self.hashes.len()).is_some_and(|end| self.place > *end) {
            self.end();
        }
        let (mut text, mut before) = match self.range.take() {
            Some(range) => range,
            None => {
                let mut text = Sha1::new();
                text.update("(");
                (text, Vec::new())
            }
        };
        let common = before.iter().zip(&self.place).take_while(|(before, now)| before == now).count();
        before.iter().skip(common).for_each(|_| text.update(")"));
        for (index, key) in self.place.iter().enumerate().skip(common) {
            if index == common && !before.is_empty() {
                text.update(",");
            }
            escaped(&mut text, key.as_str());
            text.update(":(");
        }
        if let Some(priority) = priority {
            text.update("priority:");
            hash_v2(&mut text, priority);
            text.update(":");
        }
        hash_v2(&mut text, value);
        before.truncate(common);
        before.extend(self.place.iter().skip(common).cloned());
        self.range = Some((text, before));
    }

    /// Ends a range.
    fn end(&mut self) {
        let hash = self.range.take().map(|(mut text, place)| {
            place.iter().for_each(|_| text.update(")"));
            text.update(")");
            STANDARD.encode(text.finalize())
        });
        self.hashes.push(hash.unwrap_or_default());
    }

    fn finish(mut self) -> Option<Vec<String>> {
        while self.hashes.len() <= self.posts.len() {
            self.end();
        }
        self.is_complete.then_some(self.hashes)
    }
}

fn hash_v2(text: &mut Sha1, leaf: &Leaf) {
    match leaf {
        Leaf::Text(value) => {
            text.update("string:");
            escaped(text, value);
        }
        _ => hash_leaf(text, leaf),
    }
}

fn escaped(text: &mut Sha1, value: &str) {
    text.update("\"");
    let mut rest = value;
    while let Some((plain, special)) = rest.find(['"', '\\']).and_then(|at| rest.split_at_checked(at)) {
        text.update(plain);
        text.update("\\");
        let (special, after) = special.split_at_checked(1).unwrap_or((special, ""));
        text.update(special);
        rest = after;
    }
    text.update(rest);
    text.update("\"");
}

/// A priority would be without children, which no value can say.
struct PriorityAlone;

/// The value with only the leaves after `start` and up to `end`.
fn restrict(
    node: &Arc<Node>,
    place: &mut Vec<Key>,
    start: Option<&Post>,
    end: Option<&Post>,
) -> Result<Option<Arc<Node>>, PriorityAlone> {
    let after_start = start.is_none_or(|start| *place > *start);
    let before_end = end.is_none_or(|end| *place <= *end);
    let has_start = start.is_some_and(|start| start.starts_with(place));
    let has_end = end.is_some_and(|end| end.starts_with(place) && end != place);
    if !before_end || (!after_start && !has_start) {
        return Ok(None);
    }
    if node.value().is_some() {
        // The SDK takes away the priority of a leaf where the range starts, or above, unless it is there again.
        let is_there = after_start || (has_start && node.priority().is_some());
        return Ok(is_there.then(|| Arc::clone(node)));
    }
    if after_start && !has_end && end != Some(place) {
        return Ok(Some(Arc::clone(node)));
    }
    let mut children = Vec::new();
    for (key, child) in node.children() {
        place.push(key.clone());
        let part = restrict(child, place, start, end);
        place.pop();
        children.extend(part?.map(|child| (key.clone(), child)));
    }
    place.push(priority_key());
    let in_range = start.is_none_or(|start| *place > *start) && end.is_none_or(|end| *place <= *end);
    place.pop();
    let priority = node.priority().filter(|_| in_range).cloned();
    if priority.is_some() && children.is_empty() {
        return Err(PriorityAlone);
    }
    Ok(Node::inner(children, priority))
}
