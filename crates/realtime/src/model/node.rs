//! Trees of values.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use super::encode;
use super::hash;
use super::key::Key;
use super::leaf::Leaf;

/// A value: a leaf, or children in the order of their keys. Null is no node: an inner node has at least one child.
pub struct Node {
    priority: Option<Leaf>,
    body: Body,
    hash: OnceLock<Box<str>>,
}

pub(super) enum Body {
    Leaf(Leaf),
    Inner(Vec<(Key, Arc<Node>)>),
}

impl Node {
    fn new(body: Body, priority: Option<Leaf>) -> Arc<Node> {
        Arc::new(Node { priority, body, hash: OnceLock::new() })
    }

    /// A leaf.
    pub fn leaf(leaf: Leaf, priority: Option<Leaf>) -> Arc<Node> {
        Self::new(Body::Leaf(leaf), priority)
    }

    /// A node with children, which are sorted by key, each key once. `None` when there are none.
    pub fn inner(children: Vec<(Key, Arc<Node>)>, priority: Option<Leaf>) -> Option<Arc<Node>> {
        debug_assert!(children.is_sorted_by(|(left, _), (right, _)| left < right), "children are sorted");
        (!children.is_empty()).then(|| Self::new(Body::Inner(children), priority))
    }

    /// Its value if it is a leaf.
    pub fn value(&self) -> Option<&Leaf> {
        match &self.body {
            Body::Leaf(leaf) => Some(leaf),
            Body::Inner(_) => None,
        }
    }

    /// Its priority.
    pub fn priority(&self) -> Option<&Leaf> {
        self.priority.as_ref()
    }

    /// Its children in the order of their keys; a leaf has none.
    pub fn children(&self) -> &[(Key, Arc<Node>)] {
        match &self.body {
            Body::Leaf(_) => &[],
            Body::Inner(children) => children,
        }
    }

    /// A child.
    pub fn child(&self, key: &Key) -> Option<&Arc<Node>> {
        let children = self.children();
        let index = children.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        children.get(index).map(|(_, child)| child)
    }

    /// What is at a place below; with no keys nothing, see [`Node::find`].
    pub fn at(&self, path: &[Key]) -> Option<&Arc<Node>> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.child(first)?, |node, key| node.child(key))
    }

    /// What is at a place, this node itself when there are no keys.
    pub fn find<'n>(this: Option<&'n Arc<Node>>, path: &[Key]) -> Option<&'n Arc<Node>> {
        path.iter().try_fold(this?, |node, key| node.child(key))
    }

    /// The tree after a set at a place. A child set below a leaf replaces the leaf and leaves its priority; deleting
    /// what is not there changes nothing; what has lost its last child is null.
    pub fn with(this: Option<&Arc<Node>>, path: &[Key], value: Option<Arc<Node>>) -> Option<Arc<Node>> {
        let Some((key, rest)) = path.split_first() else { return value };
        let (children, priority) = match this {
            Some(node) => (node.children(), node.priority.clone()),
            None => (&[] as &[_], None),
        };
        let found = children.binary_search_by(|(other, _)| other.cmp(key));
        let before = found.ok().and_then(|index| children.get(index)).map(|(_, child)| child);
        let after = Self::with(before, rest, value);
        let (index, above) = match (found, &after) {
            (Err(_), None) => return this.cloned(),
            (Ok(index), _) => (index, index + 1),
            (Err(index), Some(_)) => (index, index),
        };
        let mut changed = Vec::with_capacity(children.len() + 1);
        changed.extend_from_slice(children.get(..index).unwrap_or_default());
        changed.extend(after.map(|child| (key.clone(), child)));
        changed.extend_from_slice(children.get(above..).unwrap_or_default());
        Self::inner(changed, priority)
    }

    /// The tree after a priority was set at a place. Null has no priority: setting it there changes nothing.
    pub fn with_priority(
        this: Option<&Arc<Node>>,
        path: &[Key],
        priority: Option<Leaf>,
    ) -> Option<Arc<Node>> {
        let Some(node) = Self::find(this, path) else { return this.cloned() };
        let body = match &node.body {
            Body::Leaf(leaf) => Body::Leaf(leaf.clone()),
            Body::Inner(children) => Body::Inner(children.clone()),
        };
        Self::with(this, path, Some(Self::new(body, priority)))
    }

    /// Its leaves, without priorities.
    pub fn leaves(&self) -> usize {
        match &self.body {
            Body::Leaf(_) => 1,
            Body::Inner(children) => children.iter().map(|(_, child)| child.leaves()).sum(),
        }
    }

    /// About the bytes of its JSON.
    pub fn bytes(&self) -> usize {
        let priority = self.priority.as_ref().map_or(0, |priority| priority.bytes() + 13);
        priority
            + match &self.body {
                Body::Leaf(leaf) => leaf.bytes(),
                Body::Inner(children) => {
                    let child = |(key, child): &(Key, Arc<Node>)| key.as_str().len() + 4 + child.bytes();
                    children.iter().map(child).sum::<usize>() + 1
                }
            }
    }

    /// Levels of keys below it; a leaf has none.
    pub fn depth(&self) -> usize {
        self.children().iter().map(|(_, child)| child.depth() + 1).max().unwrap_or(0)
    }

    /// Its hash (V1), computed once.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| hash::of(self))
    }

    /// The hash if it was computed before.
    pub(super) fn known_hash(&self) -> Option<&str> {
        self.hash.get().map(AsRef::as_ref)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        let same = |left: &[(Key, Arc<Node>)], right: &[(Key, Arc<Node>)]| {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((a, left), (b, right))| a == b && (Arc::ptr_eq(left, right) || left == right))
        };
        self.priority == other.priority
            && match (&self.body, &other.body) {
                (Body::Leaf(left), Body::Leaf(right)) => left == right,
                (Body::Inner(left), Body::Inner(right)) => same(left, right),
                _ => false,
            }
    }
}

impl Eq for Node {}

impl fmt::Debug for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        encode::encode_export(Some(self), &mut text);
        out.write_str(&text)
    }
}

impl policy::rtdb::Tree for Node {
    fn leaf(&self) -> Option<policy::rtdb::Leaf<'_>> {
        self.value().map(Leaf::as_rules)
    }

    fn priority(&self) -> Option<policy::rtdb::Leaf<'_>> {
        self.priority.as_ref().map(Leaf::as_rules)
    }

    fn child<'t>(&'t self, key: &str) -> Option<&'t dyn policy::rtdb::Tree> {
        let children = self.children();
        let index = children.binary_search_by(|(other, _)| other.compare_text(key)).ok()?;
        children.get(index).map(|(_, child)| &**child as &dyn policy::rtdb::Tree)
    }

    fn each_child<'t>(
        &'t self,
        visit: &mut dyn FnMut(&'t str, &'t dyn policy::rtdb::Tree) -> ControlFlow<()>,
    ) {
        let _ = self.children().iter().try_for_each(|(key, child)| visit(key.as_str(), &**child));
    }
}
