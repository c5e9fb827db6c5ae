//! The database as it will be after a write: what was there, with the changes laid over it.
//!
//! Only the places on the way to a change are made anew; everything else is what was there or what is written.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::request::Change;
use super::tree::{Leaf, Tree};

/// A place above or at a change.
pub struct Merged<'v> {
    before: Option<&'v dyn Tree>,
    /// Whether all of it is written by this operation, not only the changed children.
    pub whole: bool,
    changed: BTreeMap<&'v str, Merged<'v>>,
    exists: bool,
}

impl<'v> Merged<'v> {
    /// Lays changes over a database.
    pub fn new(before: Option<&'v dyn Tree>, changes: &'v [Change<'v>]) -> Self {
        let mut root = Self::unchanged(before);
        for change in changes {
            root.lay(change.path, change.value.map(|value| value as &dyn Tree));
        }
        root.settle();
        root
    }

    fn unchanged(before: Option<&'v dyn Tree>) -> Self {
        Self { before, whole: false, changed: BTreeMap::new(), exists: false }
    }

    fn lay(&mut self, path: &'v [&'v str], value: Option<&'v dyn Tree>) {
        let mut place = self;
        for key in path {
            let (before, whole) = (place.before.and_then(|before| before.child(key)), place.whole);
            place = place.changed.entry(key).or_insert_with(|| Merged { whole, ..Merged::unchanged(before) });
        }
        *place = Merged { whole: true, ..Merged::unchanged(value) };
    }

    /// Finds out, from below, what exists. Recursion is as deep as the longest path of a change.
    fn settle(&mut self) {
        if self.changed.is_empty() {
            self.exists = self.before.is_some_and(Tree::exists);
            return;
        }
        let mut any = false;
        for child in self.changed.values_mut() {
            child.settle();
            any |= child.exists;
        }
        self.exists = any
            || self.before.is_some_and(|before| {
                before.leaf().is_some() || before.has_other_child(&|key| self.changed.contains_key(key))
            });
    }

    /// The place, unless it is null.
    pub fn tree(&self) -> Option<&dyn Tree> {
        match (self.exists, self.changed.is_empty()) {
            (false, _) => None,
            (true, true) => self.before.map(|before| before as &dyn Tree),
            (true, false) => Some(self),
        }
    }

    /// The child on the way to a change.
    pub fn on_the_way(&self, key: &str) -> Option<&Merged<'v>> {
        self.changed.get(key)
    }

    /// The children on the way to changes.
    pub fn changed(&self) -> impl Iterator<Item = (&'v str, &Merged<'v>)> {
        self.changed.iter().map(|(key, child)| (*key, child))
    }
}

impl Tree for Merged<'_> {
    fn leaf(&self) -> Option<Leaf<'_>> {
        // A child that is written makes a value go away.
        let replaced = self.changed.values().any(|child| child.exists);
        self.before.filter(|_| !replaced).and_then(|before| before.leaf())
    }

    fn priority(&self) -> Option<Leaf<'_>> {
        self.before.and_then(|before| before.priority())
    }

    fn child<'t>(&'t self, key: &str) -> Option<&'t dyn Tree> {
        match self.changed.get(key) {
            Some(child) => child.tree(),
            None => self.before.and_then(|before| before.child(key)),
        }
    }

    fn each_child<'t>(&'t self, visit: &mut dyn FnMut(&'t str, &'t dyn Tree) -> ControlFlow<()>) {
        for (key, child) in &self.changed {
            if let Some(tree) = child.tree()
                && visit(key, tree).is_break()
            {
                return;
            }
        }
        if let Some(before) = self.before {
            before.each_child(&mut |key, child| match self.changed.contains_key(key) {
                true => ControlFlow::Continue(()),
                false => visit(key, child),
            });
        }
    }
}
