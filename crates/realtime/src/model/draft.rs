//! Values as clients send them: with server values that are not resolved yet.

use std::sync::Arc;

use super::key::Key;
use super::leaf::{Leaf, write_text};
use super::node::Node;
use super::value_error::{ValueError, ValueProblem};

/// A value that may have server values, or null.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft(Content);

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Null,
    Plain(Arc<Node>),
    Deferred(Arc<Deferred>),
}

/// Somewhere in it is a server value.
#[derive(Debug, PartialEq)]
struct Deferred {
    priority: Option<Slot>,
    body: Body,
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Leaf(Slot),
    Inner(Vec<(Key, Draft)>),
}

/// A leaf or a server value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Slot {
    Known(Leaf),
    /// Milliseconds since 1970.
    Timestamp,
    /// The number that was there plus this one.
    Increment(Leaf),
}

impl Slot {
    fn resolve(&self, now_ms: i64, before: Option<&Leaf>) -> Result<Leaf, ValueError> {
        match self {
            Slot::Known(leaf) => Ok(leaf.clone()),
            Slot::Timestamp => Ok(Leaf::Integer(now_ms)),
            Slot::Increment(by) => sum(before, by),
        }
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Slot::Known(leaf) => leaf.write_json(out),
            Slot::Timestamp => out.push_str(r#"{".sv":"timestamp"}"#),
            Slot::Increment(by) => {
                out.push_str(r#"{".sv":{"increment":"#);
                by.write_json(out);
                out.push_str("}}");
            }
        }
    }
}

/// Whole numbers as long as both are and the sum is one of 64 bits; what is no number counts as absent.
fn sum(before: Option<&Leaf>, by: &Leaf) -> Result<Leaf, ValueError> {
    if let (Some(Leaf::Integer(before)), Leaf::Integer(by)) = (before, by)
        && let Some(sum) = before.checked_add(*by)
    {
        return Ok(Leaf::Integer(sum));
    }
    let Some(before) = before.and_then(Leaf::number) else { return Ok(by.clone()) };
    let by = by.number().unwrap_or_default();
    Leaf::number_of(before + by).ok_or_else(|| ValueProblem::Increment { before, by }.into())
}

impl Draft {
    /// Null.
    pub fn null() -> Draft {
        Draft(Content::Null)
    }

    pub(super) fn leaf(leaf: Slot, priority: Option<Slot>) -> Draft {
        match (leaf, priority) {
            (Slot::Known(leaf), None) => Draft(Content::Plain(Node::leaf(leaf, None))),
            (Slot::Known(leaf), Some(Slot::Known(priority))) => {
                Draft(Content::Plain(Node::leaf(leaf, Some(priority))))
            }
            (leaf, priority) => {
                Draft(Content::Deferred(Arc::new(Deferred { priority, body: Body::Leaf(leaf) })))
            }
        }
    }

    /// Of children that are sorted by key, each key once, none of them null.
    pub(super) fn inner(children: Vec<(Key, Draft)>, priority: Option<Slot>) -> Draft {
        if children.is_empty() {
            return Draft::null();
        }
        let known = matches!(priority, None | Some(Slot::Known(_)));
        if !known || !children.iter().all(|(_, child)| child.is_plain()) {
            return Draft(Content::Deferred(Arc::new(Deferred { priority, body: Body::Inner(children) })));
        }
        let priority = match priority {
            Some(Slot::Known(priority)) => Some(priority),
            _ => None,
        };
        // Of exactly the size: nodes with one child are many.
        let mut nodes = Vec::with_capacity(children.len());
        for (key, child) in children {
            if let Draft(Content::Plain(node)) = child {
                nodes.push((key, node));
            }
        }
        Node::inner(nodes, priority).into()
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Content::Null)
    }

    /// Whether it has no server values.
    pub fn is_plain(&self) -> bool {
        !matches!(self.0, Content::Deferred(_))
    }

    /// Its value if it has no server values.
    pub fn plain(&self) -> Option<Option<&Arc<Node>>> {
        match &self.0 {
            Content::Null => Some(None),
            Content::Plain(node) => Some(Some(node)),
            Content::Deferred(_) => None,
        }
    }

    /// Whether it has increments: to resolve them takes what was there before.
    pub fn needs_before(&self) -> bool {
        let Content::Deferred(deferred) = &self.0 else { return false };
        matches!(deferred.priority, Some(Slot::Increment(_)))
            || match &deferred.body {
                Body::Leaf(leaf) => matches!(leaf, Slot::Increment(_)),
                Body::Inner(children) => children.iter().any(|(_, child)| child.needs_before()),
            }
    }

    /// The value at a time and with what is at the place now.
    pub fn resolve(&self, now_ms: i64, before: Option<&Node>) -> Result<Option<Arc<Node>>, ValueError> {
        let deferred = match &self.0 {
            Content::Null => return Ok(None),
            Content::Plain(node) => return Ok(Some(Arc::clone(node))),
            Content::Deferred(deferred) => deferred,
        };
        let priority = deferred.priority.as_ref();
        let priority =
            priority.map(|slot| slot.resolve(now_ms, before.and_then(Node::priority))).transpose()?;
        match &deferred.body {
            Body::Leaf(leaf) => {
                Ok(Some(Node::leaf(leaf.resolve(now_ms, before.and_then(Node::value))?, priority)))
            }
            Body::Inner(children) => {
                let mut resolved = Vec::with_capacity(children.len());
                for (key, child) in children {
                    let before = before.and_then(|node| node.child(key)).map(|node| &**node);
                    let child = child.resolve(now_ms, before).map_err(|error| error.below(key))?;
                    resolved.extend(child.map(|child| (key.clone(), child)));
                }
                Ok(Node::inner(resolved, priority))
            }
        }
    }

    /// The priority that it is: a text, a number or null.
    pub fn resolve_priority(&self, now_ms: i64, before: Option<&Node>) -> Result<Option<Leaf>, ValueError> {
        let before = before.and_then(Node::priority).map(|priority| Node::leaf(priority.clone(), None));
        let node = self.resolve(now_ms, before.as_deref())?;
        match node.as_deref() {
            None => Ok(None),
            Some(node) => match node.value() {
                Some(leaf @ (Leaf::Text(_) | Leaf::Integer(_) | Leaf::Double(_)))
                    if node.priority().is_none() =>
                {
                    Ok(Some(leaf.clone()))
                }
                Some(Leaf::Bool(_)) => Err(ValueProblem::Priority("a boolean").into()),
                _ => Err(ValueProblem::Priority("an object").into()),
            },
        }
    }

    /// Its leaf or server value if it is one without a priority; null is `Ok(None)`.
    pub(super) fn into_slot(self) -> Result<Option<Slot>, Draft> {
        match &self.0 {
            Content::Null => Ok(None),
            Content::Plain(node) => match (node.value(), node.priority()) {
                (Some(leaf), None) => Ok(Some(Slot::Known(leaf.clone()))),
                _ => Err(self),
            },
            Content::Deferred(deferred) => match (&deferred.body, &deferred.priority) {
                (Body::Leaf(slot), None) => Ok(Some(slot.clone())),
                _ => Err(self),
            },
        }
    }

    /// Its children; a leaf has none.
    pub(super) fn children(&self) -> Option<Vec<(Key, Draft)>> {
        match &self.0 {
            Content::Null => Some(Vec::new()),
            Content::Plain(node) if node.value().is_some() => None,
            Content::Plain(node) => {
                let children = node.children().iter();
                Some(children.map(|(key, child)| (key.clone(), Some(Arc::clone(child)).into())).collect())
            }
            Content::Deferred(deferred) => match &deferred.body {
                Body::Leaf(_) => None,
                Body::Inner(children) => Some(children.clone()),
            },
        }
    }

    fn priority(&self) -> Option<Slot> {
        match &self.0 {
            Content::Null => None,
            Content::Plain(node) => node.priority().cloned().map(Slot::Known),
            Content::Deferred(deferred) => deferred.priority.clone(),
        }
    }

    /// The value after a set at a place in it, see [`Node::with`].
    pub fn with(&self, path: &[Key], value: Draft) -> Draft {
        let Some((key, rest)) = path.split_first() else { return value };
        let mut children = self.children().unwrap_or_default();
        let found = children.binary_search_by(|(other, _)| other.cmp(key));
        let before = found.ok().and_then(|index| children.get(index)).map(|(_, child)| child.clone());
        let after = before.unwrap_or_else(Draft::null).with(rest, value);
        match (found, after.is_null()) {
            (Err(_), true) => return self.clone(),
            (Err(index), false) => children.insert(index, (key.clone(), after)),
            (Ok(index), true) => drop(children.remove(index)),
            (Ok(index), false) => {
                if let Some((_, child)) = children.get_mut(index) {
                    *child = after;
                }
            }
        }
        Draft::inner(children, self.priority())
    }

    /// The value after a priority was set at a place in it, see [`Node::with_priority`]. What is no priority is none.
    pub fn with_priority(&self, path: &[Key], priority: Draft) -> Draft {
        let Some((key, rest)) = path.split_first() else {
            let priority = priority.into_slot().unwrap_or_default();
            let body = match &self.0 {
                Content::Null => return Draft::null(),
                Content::Plain(node) => node.value().map(|leaf| Slot::Known(leaf.clone())),
                Content::Deferred(deferred) => match &deferred.body {
                    Body::Leaf(slot) => Some(slot.clone()),
                    Body::Inner(_) => None,
                },
            };
            return match body {
                Some(slot) => Draft::leaf(slot, priority),
                None => Draft::inner(self.children().unwrap_or_default(), priority),
            };
        };
        let children = self.children().unwrap_or_default();
        match children.into_iter().find(|(other, _)| other == key) {
            Some((_, child)) => {
                let child = child.with_priority(rest, priority);
                self.with(std::slice::from_ref(key), child)
            }
            None => self.clone(),
        }
    }

    /// About the bytes of its JSON.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Content::Null => 4,
            Content::Plain(node) => node.bytes(),
            Content::Deferred(deferred) => {
                const SERVER_VALUE: usize = 30;
                deferred.priority.as_ref().map_or(0, |_| SERVER_VALUE)
                    + match &deferred.body {
                        Body::Leaf(_) => SERVER_VALUE,
                        Body::Inner(children) => {
                            children.iter().map(|(key, child)| key.as_str().len() + 4 + child.bytes()).sum()
                        }
                    }
            }
        }
    }

    /// Appends it as a client would send it.
    pub fn encode(&self, out: &mut String) {
        let deferred = match &self.0 {
            Content::Null => return out.push_str("null"),
            Content::Plain(node) => return super::encode::encode_export(Some(node), out),
            Content::Deferred(deferred) => deferred,
        };
        match (&deferred.body, &deferred.priority) {
            (Body::Leaf(leaf), None) => leaf.write_json(out),
            (Body::Leaf(leaf), Some(priority)) => {
                out.push_str(r#"{".value":"#);
                leaf.write_json(out);
                out.push_str(r#",".priority":"#);
                priority.write_json(out);
                out.push('}');
            }
            (Body::Inner(children), priority) => {
                let mut before = '{';
                for (key, child) in children {
                    out.push(before);
                    before = ',';
                    write_text(key.as_str(), out);
                    out.push(':');
                    child.encode(out);
                }
                if let Some(priority) = priority {
                    out.push_str(r#",".priority":"#);
                    priority.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<Option<Arc<Node>>> for Draft {
    fn from(node: Option<Arc<Node>>) -> Self {
        Draft(node.map_or(Content::Null, Content::Plain))
    }
}
