//! What rules see of a database: a tree that the service lends for one decision.
//!
//! Invariants: a tree that exists is never empty (it has a value or children that exist), and it does not change
//! while it is lent. A database that is known only in part is lent as a [`super::Partial`] tree.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use base::Value;

/// Deepest nesting that [`Memory`] takes from a value; what is deeper is dropped.
const MEMORY_LEVELS_MAX: u32 = 64;

/// A value without children.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaf<'t> {
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'t str),
}

/// A place of the database that is not null, with all below it. The exception is a place of which nothing is known yet:
/// it finds out whether it is null when asked.
pub trait Tree {
    /// Whether it is not null.
    fn exists(&self) -> bool {
        true
    }
    /// Whether its value is known: looking at it asks for nothing.
    fn is_known(&self) -> bool {
        true
    }
    /// Its value, `None` when it has children.
    fn leaf(&self) -> Option<Leaf<'_>>;
    /// Its priority.
    fn priority(&self) -> Option<Leaf<'_>>;
    /// A child, `None` when it is null.
    fn child<'t>(&'t self, key: &str) -> Option<&'t dyn Tree>;
    /// Shows every child until told to stop.
    fn each_child<'t>(&'t self, visit: &mut dyn FnMut(&'t str, &'t dyn Tree) -> ControlFlow<()>);
    /// Whether it has a child that is not among those known.
    fn has_other_child(&self, known: &dyn Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.each_child(&mut |key, _| {
            found = !known(key);
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }
}

/// A tree in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    leaf: Option<Value>,
    priority: Option<Value>,
    children: BTreeMap<String, Memory>,
}

impl Memory {
    /// The tree of a value in the export form: null and what is empty vanish, lists become children with numbers as
    /// keys, `.value` and `.priority` are understood.
    pub fn new(value: &Value) -> Option<Self> {
        Self::at_level(value, 0)
    }

    fn at_level(value: &Value, level: u32) -> Option<Self> {
        if level >= MEMORY_LEVELS_MAX {
            return None;
        }
        let mut tree = Memory::default();
        match value {
            Value::Bool(_) | Value::Integer(_) | Value::Double(_) | Value::String(_) => {
                tree.leaf = Some(value.clone());
            }
            Value::Map(fields) => {
                if let Some(value) = fields.get(".value") {
                    tree.leaf = Self::at_level(value, level + 1)?.leaf;
                } else {
                    let present = fields.iter().filter(|(key, _)| !key.starts_with('.'));
                    tree.children = present
                        .filter_map(|(key, value)| Some((key.clone(), Self::at_level(value, level + 1)?)))
                        .collect();
                }
                tree.priority = fields.get(".priority").filter(|value| leaf(value).is_some()).cloned();
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                tree.children = items
                    .filter_map(|(index, value)| Some((index.to_string(), Self::at_level(value, level + 1)?)))
                    .collect();
            }
            _ => {}
        }
        (tree.leaf.is_some() || !tree.children.is_empty()).then_some(tree)
    }
}

/// A stored value as a leaf; `None` for what is none.
pub fn leaf(value: &Value) -> Option<Leaf<'_>> {
    match value {
        Value::Bool(value) => Some(Leaf::Bool(*value)),
        #[expect(clippy::cast_precision_loss, reason = "the rules language has doubles only")]
        Value::Integer(value) => Some(Leaf::Number(*value as f64)),
        Value::Double(value) => Some(Leaf::Number(*value)),
        Value::String(text) => Some(Leaf::Text(text)),
        _ => None,
    }
}

impl Tree for Memory {
    fn leaf(&self) -> Option<Leaf<'_>> {
        self.leaf.as_ref().and_then(leaf)
    }

    fn priority(&self) -> Option<Leaf<'_>> {
        self.priority.as_ref().and_then(leaf)
    }

    fn child<'t>(&'t self, key: &str) -> Option<&'t dyn Tree> {
        self.children.get(key).map(|child| child as &dyn Tree)
    }

    fn each_child<'t>(&'t self, visit: &mut dyn FnMut(&'t str, &'t dyn Tree) -> ControlFlow<()>) {
        let _ = self.children.iter().try_for_each(|(key, child)| visit(key, child));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_does_not_exist() {
        let map = |entries: &[(&str, Value)]| {
            Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        assert_eq!(Memory::new(&map(&[("a", Value::Null), ("b", map(&[]))])), None);
        let list = Memory::new(&Value::Array(vec![Value::Null, Value::Integer(7)])).unwrap();
        assert!(list.child("0").is_none());
        assert_eq!(list.child("1").unwrap().leaf(), Some(Leaf::Number(7.0)));
        let valued = map(&[(".value", Value::Integer(1)), (".priority", Value::String("p".to_owned()))]);
        let valued = Memory::new(&valued).unwrap();
        assert_eq!((valued.leaf(), valued.priority()), (Some(Leaf::Number(1.0)), Some(Leaf::Text("p"))));
        assert!(list.has_other_child(&|key| key == "0") && !list.has_other_child(&|key| key == "1"));
    }
}
