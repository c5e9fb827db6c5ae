//! A database of which only some places are known.
//!
//! A decision over a [`Partial`] tree notes the places it looks at and does not find; its answer is then worthless, and
//! it is made again when those places are known. Stepping through a place asks nothing: only looking at one does, so a
//! chain of `child()` asks for its last place alone.

use std::cell::RefCell;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use base::Value;
use elsa::FrozenMap;

use super::tree::{Leaf, Tree, leaf};

/// Children that a glance at a place reports at most.
pub const GLANCE_KEYS_MAX: usize = 32;

/// A place of the database that a decision depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Keys from the root.
    pub path: Vec<String>,
    /// How much of it.
    pub depth: Depth,
}

/// How much of a place a decision wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Its value and priority, and the keys of its first children: a [`Glance`].
    Glance,
    /// All below it.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path.join("/"))
    }
}

/// A place without what is below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Glance {
    /// Its value: a boolean, a number or a text; `None` when it has children or is null.
    pub value: Option<Value>,
    /// Its priority.
    pub priority: Option<Value>,
    /// The keys of its children, the first [`GLANCE_KEYS_MAX`].
    pub keys: Vec<String>,
    /// Whether there are more children.
    pub more: bool,
}

impl Glance {
    fn is_null(&self) -> bool {
        self.value.is_none() && self.keys.is_empty()
    }
}

/// What is at a place, as deep as it was asked for.
pub enum Found {
    /// For [`Depth::Glance`].
    Glance(Glance),
    /// For [`Depth::Whole`]; `None` is null. It answers a glance, too.
    Whole(Option<Arc<dyn Tree + Send + Sync>>),
}

/// What is known of a database, as rules see it.
pub struct Partial<'k> {
    root: Node<'k>,
}

impl<'k> Partial<'k> {
    /// A view of what `find` knows. Places that were looked for in vain are added to `asked`, each once.
    pub fn new(find: Find<'k>, asked: &'k Asked) -> Self {
        Self { root: Node::at(Vec::new(), find, asked) }
    }

    /// The tree to decide over; `None` when the database is known to be empty.
    pub fn tree(&self) -> Option<&dyn Tree> {
        self.root.resolved()
    }
}

/// Finds a fact by its place.
pub type Find<'k> = &'k dyn Fn(&Place) -> Option<&'k Found>;

/// Places that were looked for in vain.
#[derive(Debug, Default)]
pub struct Asked(RefCell<Vec<Place>>);

impl Asked {
    /// Whether nothing was looked for in vain.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The places, in the order in which they were looked for.
    pub fn into_places(self) -> Vec<Place> {
        self.0.into_inner()
    }

    fn add(&self, place: Place) {
        let mut places = self.0.borrow_mut();
        if !places.contains(&place) {
            places.push(place);
        }
    }
}

/// What is known of one place.
#[derive(Clone, Copy)]
enum Known<'k> {
    Nothing,
    Glance(&'k Glance),
    Whole(Option<&'k dyn Tree>),
}

struct Node<'k> {
    path: Vec<String>,
    known: Known<'k>,
    find: Find<'k>,
    asked: &'k Asked,
    children: FrozenMap<String, Box<Node<'k>>>,
}

impl<'k> Node<'k> {
    fn at(path: Vec<String>, find: Find<'k>, asked: &'k Asked) -> Self {
        let mut place = Place { path, depth: Depth::Whole };
        let known = match find(&place) {
            Some(Found::Whole(tree)) => Known::Whole(tree.as_ref().map(|tree| &**tree as &dyn Tree)),
            _ => {
                place.depth = Depth::Glance;
                match find(&place) {
                    Some(Found::Glance(glance)) => Known::Glance(glance),
                    Some(Found::Whole(tree)) => Known::Whole(tree.as_ref().map(|tree| &**tree as &dyn Tree)),
                    None => Known::Nothing,
                }
            }
        };
        Node { path: place.path, known, find, asked, children: FrozenMap::new() }
    }

    /// The node as a tree: what is known to be null is none.
    fn resolved(&self) -> Option<&dyn Tree> {
        match self.known {
            Known::Whole(tree) => tree,
            Known::Glance(glance) if glance.is_null() => None,
            Known::Glance(_) | Known::Nothing => Some(self),
        }
    }

    fn ask(&self, depth: Depth) {
        self.asked.add(Place { path: self.path.clone(), depth });
    }

    /// The glance at this place, or a note that it is wanted. A whole place is never a node that is looked at.
    fn glance(&self) -> Option<&'k Glance> {
        match self.known {
            Known::Glance(glance) => Some(glance),
            Known::Nothing | Known::Whole(_) => {
                self.ask(Depth::Glance);
                None
            }
        }
    }
}

impl Tree for Node<'_> {
    fn is_known(&self) -> bool {
        matches!(self.known, Known::Glance(_))
    }

    fn exists(&self) -> bool {
        self.glance().is_none_or(|glance| !glance.is_null())
    }

    fn leaf(&self) -> Option<Leaf<'_>> {
        self.glance()?.value.as_ref().and_then(leaf)
    }

    fn priority(&self) -> Option<Leaf<'_>> {
        self.glance()?.priority.as_ref().and_then(leaf)
    }

    fn child<'t>(&'t self, key: &str) -> Option<&'t dyn Tree> {
        if let Known::Glance(glance) = self.known
            && (glance.value.is_some() || !glance.more && !glance.keys.iter().any(|known| known == key))
        {
            return None;
        }
        let child = match self.children.get(key) {
            Some(child) => child,
            None => {
                let mut path = self.path.clone();
                path.push(key.to_owned());
                self.children.insert(key.to_owned(), Box::new(Node::at(path, self.find, self.asked)))
            }
        };
        child.resolved()
    }

    fn each_child<'t>(&'t self, visit: &mut dyn FnMut(&'t str, &'t dyn Tree) -> ControlFlow<()>) {
        let complete = match self.known {
            Known::Glance(glance) if !glance.more => glance,
            _ => return self.ask(Depth::Whole),
        };
        for key in &complete.keys {
            if let Some(child) = self.child(key)
                && visit(key, child).is_break()
            {
                return;
            }
        }
    }

    fn has_other_child(&self, known: &dyn Fn(&str) -> bool) -> bool {
        match self.glance() {
            Some(glance) if glance.keys.iter().any(|key| !known(key)) => true,
            Some(glance) if glance.more => {
                self.ask(Depth::Whole);
                true
            }
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::rtdb::Memory;

    fn keys(path: &str) -> Vec<String> {
        path.split('/').filter(|key| !key.is_empty()).map(str::to_owned).collect()
    }

    fn place(path: &str, depth: Depth) -> Place {
        Place { path: keys(path), depth }
    }

    #[test]
    fn only_what_is_looked_at_is_asked_for() {
        let asked = Asked::default();
        let partial = Partial::new(&|_| None, &asked);
        let tree = partial.tree().unwrap();
        let name = tree.child("users").unwrap().child("ann").unwrap().child("name").unwrap();
        assert!(name.leaf().is_none() && name.exists() && name.leaf().is_none());
        tree.child("rooms").unwrap().each_child(&mut |_, _| ControlFlow::Continue(()));
        assert_eq!(
            asked.into_places(),
            [place("users/ann/name", Depth::Glance), place("rooms", Depth::Whole)]
        );
    }

    #[test]
    fn a_glance_says_what_is_not_there() {
        let glance = |value: Option<&str>, names: &[&str], more| {
            let keys = names.iter().map(|name| (*name).to_owned()).collect();
            let value = value.map(|text| Value::String(text.to_owned()));
            Found::Glance(Glance { value, priority: None, keys, more })
        };
        let whole = Memory::new(&Value::Bool(true)).map(|tree| Arc::new(tree) as Arc<dyn Tree + Send + Sync>);
        let places = HashMap::from([
            (place("", Depth::Glance), glance(None, &["a", "b", "c"], false)),
            (place("a", Depth::Glance), glance(Some("x"), &[], false)),
            (place("b", Depth::Glance), glance(None, &["d"], true)),
            (place("c", Depth::Whole), Found::Whole(whole)),
        ]);
        let (asked, find) = (Asked::default(), |place: &Place| places.get(place));
        let partial = Partial::new(&find, &asked);
        let tree = partial.tree().unwrap();
        assert_eq!(tree.child("a").unwrap().leaf(), Some(Leaf::Text("x")));
        assert!(tree.child("z").is_none() && tree.child("a").unwrap().child("below").is_none());
        assert_eq!(tree.child("c").unwrap().leaf(), Some(Leaf::Bool(true)));
        assert!(tree.has_other_child(&|key| key != "c") && !tree.has_other_child(&|_| true));
        assert!(asked.0.borrow().is_empty());
        assert!(tree.child("b").unwrap().has_other_child(&|key| key == "d"));
        assert_eq!(asked.0.borrow().as_slice(), [place("b", Depth::Whole)]);
    }
}
