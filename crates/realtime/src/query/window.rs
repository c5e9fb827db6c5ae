//! Queries, and what they select.

use std::cmp::Ordering;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::model::{Key, Leaf, Node, Path, Rank};

/// A query: which children of a node, in which order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// What it is ordered by.
    pub order: Order,
    /// Where it begins.
    pub start: Option<Bound>,
    /// Where it ends.
    pub end: Option<Bound>,
    /// How many.
    pub limit: Option<Limit>,
}

/// What a query is ordered by, then by key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By priority.
    #[default]
    Priority,
    /// By key.
    Key,
    /// By value.
    Value,
    /// By what is at a place below each child.
    Child(ChildPath),
}

/// The place below each child that an order looks at: at least one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildPath {
    path: Path,
    text: SmolStr,
}

impl ChildPath {
    /// `None` for the root.
    pub fn new(path: Path) -> Option<Self> {
        let text = SmolStr::from(path.texts().join("/"));
        (!path.is_root()).then_some(Self { path, text })
    }

    /// As a path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As `.indexOn` and clients have it: `a/b`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// An end of a range: a value, and a key among those with the same value. Ordered by key it has no value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The value; `None` is null.
    pub value: Option<Leaf>,
    /// The key.
    pub key: BoundKey,
    /// Whether what is exactly there is in the range.
    pub is_inclusive: bool,
}

/// A key, or before or after all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BoundKey {
    /// Before every key.
    First,
    /// A key; its text may be none that a child can have.
    Key(Key),
    /// After every key.
    Last,
}

/// How many children, from which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// At least one.
    pub count: u32,
    /// From which side.
    pub side: Side,
}

/// A side of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// `limitToFirst`
    First,
    /// `limitToLast`
    Last,
}

/// Where a child stands in the order of a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    value: Rank,
    key: Key,
}

impl Position {
    /// The child's key.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl Bound {
    /// The order of this bound and a position.
    fn compare(&self, position: &Position) -> Ordering {
        Rank::of_leaf(self.value.as_ref()).cmp(&position.value).then_with(|| match &self.key {
            BoundKey::First => Ordering::Less,
            BoundKey::Key(key) => key.cmp(&position.key),
            BoundKey::Last => Ordering::Greater,
        })
    }
}

impl Query {
    /// Whether it is no query but the whole node.
    pub fn is_default(&self) -> bool {
        self.selects_all() && self.order == Order::Priority
    }

    /// Whether it selects the whole node, in whatever order.
    pub fn selects_all(&self) -> bool {
        self.start.is_none() && self.end.is_none() && self.limit.is_none()
    }

    /// What `.indexOn` must name; `None` when no index is needed.
    pub fn index(&self) -> Option<String> {
        match &self.order {
            Order::Priority | Order::Key => None,
            Order::Value => Some(".value".to_owned()),
            Order::Child(child) => Some(child.as_str().to_owned()),
        }
    }

    /// What it selects of a node. Of a leaf nothing, unless it selects all; what it selects has no priority of its own.
    pub fn select(&self, node: Option<&Arc<Node>>) -> Option<Arc<Node>> {
        let node = node?;
        if self.selects_all() {
            return Some(Arc::clone(node));
        }
        let Some(limit) = self.limit else {
            let admitted =
                node.children().iter().filter(|(key, child)| self.admits(&self.position(key, child)));
            return Node::inner(admitted.cloned().collect(), None);
        };
        let count = usize::try_from(limit.count).unwrap_or(usize::MAX);
        if self.order == Order::Key {
            return self.select_keys(node, count, limit.side);
        }
        let positions = node.children().iter().enumerate().filter_map(|(index, (key, child))| {
            let position = self.position(key, child);
            self.admits(&position).then_some((position, index))
        });
        let mut admitted: Vec<_> = positions.collect();
        if admitted.len() > count {
            match limit.side {
                Side::First => {
                    admitted.select_nth_unstable(count);
                    admitted.truncate(count);
                }
                Side::Last => {
                    let left = admitted.len() - count;
                    admitted.select_nth_unstable(left);
                    admitted.drain(..left);
                }
            }
        }
        let mut indices: Vec<_> = admitted.into_iter().map(|(_, index)| index).collect();
        indices.sort_unstable();
        let children = indices.into_iter().filter_map(|index| node.children().get(index).cloned());
        Node::inner(children.collect(), None)
    }

    fn select_keys(&self, node: &Node, count: usize, side: Side) -> Option<Arc<Node>> {
        let is_admitted = |(key, child): &&(Key, Arc<Node>)| self.admits(&self.position(key, child));
        let children = node.children().iter();
        let selected = match side {
            Side::First => children.filter(is_admitted).take(count).cloned().collect(),
            Side::Last => {
                let mut selected: Vec<_> = children.rev().filter(is_admitted).take(count).cloned().collect();
                selected.reverse();
                selected
            }
        };
        Node::inner(selected, None)
    }

    /// Where a child stands.
    pub fn position(&self, key: &Key, child: &Node) -> Position {
        let value = match &self.order {
            Order::Priority => Rank::of_leaf(child.priority()),
            Order::Key => Rank::Null,
            Order::Value => Rank::of_node(Some(child)),
            Order::Child(place) => Rank::of_node(child.at(place.path.keys()).map(|node| &**node)),
        };
        Position { value, key: key.clone() }
    }

    /// Whether a position is in the range. The limit does not matter.
    pub fn admits(&self, position: &Position) -> bool {
        let start = self.start.as_ref().map(|bound| (bound.compare(position), bound.is_inclusive));
        let end = self.end.as_ref().map(|bound| (bound.compare(position), bound.is_inclusive));
        !matches!(start, Some((Ordering::Greater, _) | (Ordering::Equal, false)))
            && !matches!(end, Some((Ordering::Less, _) | (Ordering::Equal, false)))
    }

    /// As rules see it.
    pub fn rules(&self) -> policy::rtdb::Query<'_> {
        let by_key = self.order == Order::Key;
        let (start, end) = (self.start.as_ref(), self.end.as_ref());
        let is_point = start.zip(end).is_some_and(|(start, end)| {
            start.value == end.value
                && start.is_inclusive
                && end.is_inclusive
                && (start.key == end.key
                    || (!by_key && start.key == BoundKey::First && end.key == BoundKey::Last))
        });
        let limit = |side| self.limit.filter(|limit| limit.side == side).map(|limit| limit.count);
        policy::rtdb::Query {
            order: match &self.order {
                _ if self.is_default() => policy::rtdb::Order::default(),
                Order::Priority => policy::rtdb::Order::Priority,
                Order::Key => policy::rtdb::Order::Key,
                Order::Value => policy::rtdb::Order::Value,
                Order::Child(child) => policy::rtdb::Order::Child(child.as_str()),
            },
            start_at: start.and_then(|bound| bound.as_rules(by_key)),
            end_at: end.and_then(|bound| bound.as_rules(by_key)),
            equal_to: start.filter(|_| is_point).and_then(|bound| bound.as_rules(by_key)),
            limit_to_first: limit(Side::First),
            limit_to_last: limit(Side::Last),
        }
    }
}

impl Bound {
    fn as_rules(&self, by_key: bool) -> Option<policy::rtdb::Leaf<'_>> {
        match (by_key, &self.key) {
            (true, BoundKey::Key(key)) => Some(policy::rtdb::Leaf::Text(key.as_str())),
            (true, _) => None,
            (false, _) => self.value.as_ref().map(Leaf::as_rules),
        }
    }
}
