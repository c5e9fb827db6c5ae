//! The order of values: null, false, true, numbers, texts, then whatever has children.
//!
//! Source: the JS SDK's `LeafNode.compareTo` and `ChildrenNode.compareTo`.

use std::cmp::Ordering;
use std::sync::Arc;

use super::leaf::Leaf;
use super::node::Node;

/// The order of two texts by UTF-16 code units, as JavaScript has it.
pub(crate) fn utf16_order(left: &str, right: &str) -> Ordering {
    let differing = left.bytes().zip(right.bytes()).find(|(left, right)| left != right);
    match differing {
        // Characters from U+10000 are surrogates in UTF-16, which come before U+E000.
        Some((0xf0.., 0xee | 0xef)) => Ordering::Less,
        Some((0xee | 0xef, 0xf0..)) => Ordering::Greater,
        Some((left, right)) => left.cmp(&right),
        None => left.len().cmp(&right.len()),
    }
}

/// Where a value stands in the order of values. All that have children are equal.
#[derive(Clone, Debug)]
pub enum Rank {
    /// Null, also what does not exist.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number. Never NaN.
    Number(f64),
    /// A text.
    Text(Arc<str>),
    /// A node with children.
    Inner,
}

impl Rank {
    /// Of a leaf or of null.
    pub fn of_leaf(leaf: Option<&Leaf>) -> Rank {
        match leaf {
            None => Rank::Null,
            Some(Leaf::Bool(value)) => Rank::Bool(*value),
            Some(Leaf::Text(text)) => Rank::Text(Arc::clone(text)),
            Some(number @ (Leaf::Integer(_) | Leaf::Double(_))) => {
                Rank::Number(number.number().unwrap_or_default())
            }
        }
    }

    /// Of a node or of null.
    pub fn of_node(node: Option<&Node>) -> Rank {
        match node.map(Node::value) {
            Some(None) => Rank::Inner,
            leaf => Rank::of_leaf(leaf.flatten()),
        }
    }

    fn class(&self) -> u8 {
        match self {
            Rank::Null => 0,
            Rank::Bool(_) => 1,
            Rank::Number(_) => 2,
            Rank::Text(_) => 3,
            Rank::Inner => 4,
        }
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Rank::Bool(left), Rank::Bool(right)) => left.cmp(right),
            (Rank::Number(left), Rank::Number(right)) => left.total_cmp(right),
            (Rank::Text(left), Rank::Text(right)) => utf16_order(left, right),
            _ => self.class().cmp(&other.class()),
        }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}
