//! Stretches of values that views ask for, found by a value that lies in them.
//!
//! A treap by where stretches begin; each node knows the furthest end below it. Adding, taking out and finding cost the
//! logarithm of how many there are, and one step for each that is found, however they overlap.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::interest::ViewId;
use crate::query::position::Interval;

/// The first value behind a stretch; the last of all stands for none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    At(Arc<[u8]>),
    Never,
}

/// Where a stretch begins, where it ends, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    start: Vec<u8>,
    end: End,
    view: ViewId,
}

/// Stretches with their views.
#[derive(Default)]
pub struct Ranges {
    root: Tree,
    /// Priorities come from here: nobody outside can build a tree that is deep.
    seeds: RandomState,
}

type Tree = Option<Box<Node>>;

struct Node {
    stretch: Stretch,
    priority: u64,
    /// The furthest end of this node and those below it.
    furthest: End,
    left: Tree,
    right: Tree,
}

impl Stretch {
    /// `None` for one that holds nothing.
    fn of(interval: &Interval, view: ViewId) -> Option<Self> {
        let start = match &interval.start {
            None => Vec::new(),
            Some(edge) => edge.first_key(&[])?,
        };
        let end = match interval.end.as_ref().map(|edge| edge.first_key(&[])) {
            Some(Some(end)) => End::At(end.into()),
            Some(None) | None => End::Never,
        };
        Some(Self { start, end, view }).filter(|stretch| stretch.end.is_behind(&stretch.start))
    }
}

impl End {
    fn is_behind(&self, value: &[u8]) -> bool {
        match self {
            End::At(end) => value < &**end,
            End::Never => true,
        }
    }
}

impl Ranges {
    /// Adds a view's stretch; one that is there already stays.
    pub fn add(&mut self, interval: &Interval, view: ViewId) {
        let Some(stretch) = Stretch::of(interval, view) else { return };
        let (less, rest) = split(self.root.take(), &stretch, false);
        let (_, more) = split(rest, &stretch, true);
        let (priority, furthest) = (self.seeds.hash_one(&stretch.start) ^ view, stretch.end.clone());
        let priority = self.seeds.hash_one(priority);
        let node = Some(Box::new(Node { stretch, priority, furthest, left: None, right: None }));
        self.root = join(join(less, node), more);
    }

    /// Takes a view's stretch out.
    pub fn remove(&mut self, interval: &Interval, view: ViewId) {
        let Some(stretch) = Stretch::of(interval, view) else { return };
        let (less, rest) = split(self.root.take(), &stretch, false);
        let (_, more) = split(rest, &stretch, true);
        self.root = join(less, more);
    }

    /// Calls with the view of each stretch that holds a value.
    pub fn find(&self, value: &[u8], found: &mut impl FnMut(ViewId)) {
        find(&self.root, value, found);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

fn find(tree: &Tree, value: &[u8], found: &mut impl FnMut(ViewId)) {
    let Some(node) = tree else { return };
    if !node.furthest.is_behind(value) {
        return;
    }
    find(&node.left, value, found);
    if node.stretch.start.as_slice() > value {
        return;
    }
    if node.stretch.end.is_behind(value) {
        found(node.stretch.view);
    }
    find(&node.right, value, found);
}

impl Node {
    /// Reckons the furthest end anew.
    fn with(mut self: Box<Self>, left: Tree, right: Tree) -> Tree {
        let below = [&left, &right].into_iter().flatten().map(|node| &node.furthest);
        self.furthest = below.chain([&self.stretch.end]).max().cloned().unwrap_or(End::Never);
        (self.left, self.right) = (left, right);
        Some(self)
    }
}

/// What lies before a stretch, and the rest. With `after`, the stretch itself lies before.
fn split(tree: Tree, at: &Stretch, after: bool) -> (Tree, Tree) {
    let Some(mut node) = tree else { return (None, None) };
    let is_before = if after { node.stretch <= *at } else { node.stretch < *at };
    let (left, right) = (node.left.take(), node.right.take());
    if is_before {
        let (less, more) = split(right, at, after);
        (node.with(left, less), more)
    } else {
        let (less, more) = split(left, at, after);
        (less, node.with(more, right))
    }
}

/// Two trees as one; everything in the first lies before everything in the second.
fn join(first: Tree, second: Tree) -> Tree {
    match (first, second) {
        (None, tree) | (tree, None) => tree,
        (Some(mut first), Some(mut second)) => {
            if first.priority >= second.priority {
                let (left, right) = (first.left.take(), first.right.take());
                first.with(left, join(right, Some(second)))
            } else {
                let (left, right) = (second.left.take(), second.right.take());
                second.with(join(Some(first), left), right)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::position::Edge;

    fn edge() -> impl Strategy<Value = Option<Edge>> {
        let prefix = proptest::collection::vec(prop::sample::select(vec![0, 1, 7, 0xFE, 0xFF]), 0..3);
        proptest::option::of((prefix, any::<bool>()).prop_map(|(prefix, after)| Edge { prefix, after }))
    }

    fn depth(tree: &Tree) -> usize {
        tree.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
    }

    proptest! {
        #[test]
        fn a_value_finds_the_stretches_that_hold_it(
            added in proptest::collection::vec((edge(), edge(), 0u64..8), 0..40),
            removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3), 1..20),
        ) {
            let mut ranges = Ranges::default();
            let mut model: Vec<(Interval, ViewId)> = Vec::new();
            for (start, end, view) in added {
                let interval = Interval { start, end };
                ranges.add(&interval, view);
                if !model.contains(&(interval.clone(), view)) {
                    model.push((interval, view));
                }
            }
            for index in removed {
                if !model.is_empty() {
                    let (interval, view) = model.swap_remove(index.index(model.len()));
                    // Another way to write the same stretch may have been added, too.
                    let same = Stretch::of(&interval, view);
                    model.retain(|(other, of)| Stretch::of(other, *of) != same);
                    ranges.remove(&interval, view);
                }
            }
            for value in values {
                let mut found = std::collections::BTreeSet::new();
                ranges.find(&value, &mut |view| { found.insert(view); });
                let expected = model.iter().filter(|(interval, _)| interval.contains(&value));
                prop_assert_eq!(found, expected.map(|(_, view)| *view).collect());
            }
            prop_assert_eq!(ranges.is_empty(), model.iter().all(|(interval, view)| Stretch::of(interval, *view).is_none()));
        }
    }

    #[test]
    fn neither_order_nor_nesting_makes_it_deep() {
        let mut ranges = Ranges::default();
        let interval = |n: u32, to: u32| Interval {
            start: Some(Edge::before(n.to_be_bytes().to_vec())),
            end: Some(Edge::before(to.to_be_bytes().to_vec())),
        };
        for n in 0..20_000u32 {
            ranges.add(&interval(n, 40_000 - n), u64::from(n));
        }
        assert!(depth(&ranges.root) < 80, "{}", depth(&ranges.root));
        let mut found = 0;
        ranges.find(&3u32.to_be_bytes(), &mut |_| found += 1);
        assert_eq!(found, 4);
    }
}
