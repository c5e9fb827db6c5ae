//! What a session left behind for its disconnection: values at places of which none is below another.
//!
//! Source: the JS SDK's `SparseSnapshotTree`, which clients apply to themselves when they lose the connection.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::key::Key;
use super::path::Path;
use super::write::Change;

/// Bytes of all values and keys, about.
pub const SPARSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A session's writes for its disconnection.
#[derive(Clone, Debug, Default)]
pub struct Sparse {
    tree: Tree,
    /// Not less than the bytes there are.
    spent: usize,
    /// Something was refused: everything is until nothing is left.
    is_full: bool,
}

/// A session has left too much behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection's onDisconnect writes have more than {SPARSE_BYTES_MAX} bytes")]
pub struct SparseFull;

/// With a value there are neither children nor a priority.
#[derive(Clone, Debug, Default)]
struct Tree {
    value: Option<Draft>,
    priority: Option<Draft>,
    children: BTreeMap<Key, Tree>,
}

impl Sparse {
    /// Remembers a value for a place: within the value of a place above, if there is one; instead of those below.
    pub fn remember(&mut self, path: &Path, value: Draft) -> Result<(), SparseFull> {
        self.spend(path, &value)?;
        self.tree.remember(path.keys(), value);
        Ok(())
    }

    /// Remembers a priority for a place, likewise.
    pub fn remember_priority(&mut self, path: &Path, priority: Draft) -> Result<(), SparseFull> {
        self.spend(path, &priority)?;
        self.tree.remember_priority(path.keys(), priority);
        Ok(())
    }

    /// Forgets a place and those below. The value of a place above is taken apart into those of its children.
    pub fn forget(&mut self, path: &Path) {
        if self.tree.forget(path.keys()) {
            *self = Sparse::default();
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Everything remembered, in the order of the places: each is a write of its own.
    pub fn entries(&self) -> impl Iterator<Item = Change> + '_ {
        let mut entries = Vec::new();
        self.tree.collect(&Path::ROOT, &mut entries);
        entries.into_iter().map(|(path, is_priority, value)| match is_priority {
            true => Change::Priority { path, value: value.clone() },
            false => Change::Set { path, value: value.clone() },
        })
    }

    /// Adds up what is remembered and counts anew when that is too much. That at least halves the sum or is refused, so
    /// counting costs no more than what was sent.
    fn spend(&mut self, path: &Path, value: &Draft) -> Result<(), SparseFull> {
        let keys: usize = path.keys().iter().map(|key| key.as_str().len() + TREE_BYTES).sum();
        let new = keys + value.bytes();
        self.spent = self.spent.saturating_add(new);
        if self.spent > SPARSE_BYTES_MAX && !self.is_full {
            self.spent = self.tree.bytes() + new;
            self.is_full = self.spent > SPARSE_BYTES_MAX / 2;
        }
        if self.is_full { Err(SparseFull) } else { Ok(()) }
    }
}

/// About what a place costs in memory beside its key: most are alone in a map that has room for more.
const TREE_BYTES: usize = 600;

impl Tree {
    fn remember(&mut self, path: &[Key], value: Draft) {
        let Some((key, rest)) = path.split_first() else {
            *self = Tree { value: Some(value), ..Tree::default() };
            return;
        };
        match &mut self.value {
            Some(above) => *above = above.with(path, value),
            None => self.children.entry(key.clone()).or_default().remember(rest, value),
        }
    }

    fn remember_priority(&mut self, path: &[Key], priority: Draft) {
        if let Some(above) = &mut self.value {
            *above = above.with_priority(path, priority);
            return;
        }
        match path.split_first() {
            None => self.priority = Some(priority),
            Some((key, rest)) => {
                self.children.entry(key.clone()).or_default().remember_priority(rest, priority)
            }
        }
    }

    /// Whether nothing is left here.
    fn forget(&mut self, path: &[Key]) -> bool {
        let Some((key, rest)) = path.split_first() else {
            *self = Tree::default();
            return true;
        };
        if let Some(value) = self.value.take() {
            let Some(children) = value.children() else {
                // Below a leaf there is nothing to forget.
                self.value = Some(value);
                return false;
            };
            for (key, child) in children {
                self.children.insert(key, Tree { value: Some(child), ..Tree::default() });
            }
        }
        if self.children.get_mut(key).is_some_and(|child| child.forget(rest)) {
            self.children.remove(key);
        }
        self.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.value.is_none() && self.priority.is_none() && self.children.is_empty()
    }

    fn collect<'t>(&'t self, path: &Path, entries: &mut Vec<(Path, bool, &'t Draft)>) {
        entries.extend(self.value.as_ref().map(|value| (path.clone(), false, value)));
        self.children.iter().for_each(|(key, child)| child.collect(&path.child(key.clone()), entries));
        entries.extend(self.priority.as_ref().map(|priority| (path.clone(), true, priority)));
    }

    fn bytes(&self) -> usize {
        let values = self.value.iter().chain(&self.priority).map(Draft::bytes);
        let children =
            self.children.iter().map(|(key, child)| key.as_str().len() + TREE_BYTES + child.bytes());
        values.sum::<usize>() + children.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decode_value;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn value(json: &str) -> Draft {
        decode_value(json, 32).unwrap()
    }

    fn shown(sparse: &Sparse) -> String {
        let entry = |change: Change| {
            let mut out = change.path().to_string();
            out.push_str(if matches!(change, Change::Priority { .. }) { "/.priority=" } else { "=" });
            change.value().encode(&mut out);
            out
        };
        sparse.entries().map(entry).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_cancelled_child_leaves_the_others() {
        let mut sparse = Sparse::default();
        sparse.remember(&path("p"), value(r#"{"parent":true,"child":"c"}"#)).unwrap();
        sparse.remember(&path("p/child"), value(r#""other""#)).unwrap();
        assert_eq!(shown(&sparse), r#"/p={"child":"other","parent":true}"#);
        sparse.forget(&path("p/child"));
        assert_eq!(shown(&sparse), "/p/parent=true");
        sparse.forget(&path("p"));
        assert!(sparse.is_empty());
    }

    #[test]
    fn deeper_places_give_way_and_leaves_stay_when_something_below_is_forgotten() {
        let mut sparse = Sparse::default();
        sparse.remember(&path("a/b/c"), value("1")).unwrap();
        sparse.remember(&path("a/x"), value(r#"{".sv":"timestamp"}"#)).unwrap();
        sparse.remember(&path("a/b"), value("2")).unwrap();
        sparse.forget(&path("a/b/c"));
        sparse.forget(&path("a/x/y"));
        sparse.forget(&path("z/z"));
        assert_eq!(shown(&sparse), r#"/a/b=2 /a/x={".sv":"timestamp"}"#);
        sparse.remember(&path("a"), Draft::null()).unwrap();
        assert_eq!(shown(&sparse), "/a=null");
        sparse.forget(&path("a/b"));
        assert!(sparse.is_empty());
    }

    #[test]
    fn priorities_are_entries_or_part_of_the_value_above() {
        let mut sparse = Sparse::default();
        sparse.remember_priority(&path("a"), value("1")).unwrap();
        sparse.remember(&path("a/b"), value("2")).unwrap();
        assert_eq!(shown(&sparse), "/a/b=2 /a/.priority=1");
        sparse.remember(&path("a"), value(r#"{"b":{".sv":"timestamp"}}"#)).unwrap();
        sparse.remember_priority(&path("a/b"), value(r#""p""#)).unwrap();
        assert_eq!(shown(&sparse), r#"/a={"b":{".value":{".sv":"timestamp"},".priority":"p"}}"#);
    }

    #[test]
    fn a_session_cannot_leave_more_than_the_limit() {
        let mut sparse = Sparse::default();
        let text = value(&format!("\"{}\"", "x".repeat(1024 * 1024)));
        let same = (0..100).map(|_| sparse.remember(&path("a"), text.clone()));
        assert!(same.collect::<Vec<_>>().iter().all(Result::is_ok), "what is replaced does not count");
        let others = (0..100).map(|n| sparse.remember(&path(&format!("b{n}")), text.clone()));
        assert!(others.filter(Result::is_ok).count() <= SPARSE_BYTES_MAX / (1024 * 1024));
        assert_eq!(sparse.remember(&path("c"), text.clone()), Err(SparseFull));
        sparse.forget(&Path::ROOT);
        assert_eq!(sparse.remember(&path("c"), text), Ok(()));
    }
}
