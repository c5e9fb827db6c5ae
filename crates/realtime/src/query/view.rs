//! What a query shows of the children of a place, kept as they change.
//!
//! Invariant: after [`View::apply`] without [`Applied::NeedsReload`], and after [`View::reload`], the view is what the query
//! would find anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Position, Query, Side};
use crate::model::{Key, Node};

/// Children with their new values; `None` is one that is not shown any more.
pub type Difference = Vec<(Key, Option<Arc<Node>>)>;

/// The children that a query shows.
pub struct View {
    query: Query,
    shown: BTreeMap<Position, Arc<Node>>,
    positions: HashMap<Key, Position>,
    /// Whether there are children that only the limit hides.
    more: bool,
}

/// What became of changes.
#[derive(Debug, PartialEq)]
pub enum Applied {
    /// The view is right, and differs by this.
    Difference(Difference),
    /// What moves up is not known: the query has to be asked anew.
    NeedsReload,
}

impl View {
    /// What a query shows of a value, in which there is at least one child more where the limit hides some.
    pub fn of(query: Query, node: Option<&Arc<Node>>) -> Self {
        let mut view = Self { query, shown: BTreeMap::new(), positions: HashMap::new(), more: false };
        view.load(node);
        view
    }

    fn load(&mut self, node: Option<&Arc<Node>>) {
        self.shown.clear();
        self.positions.clear();
        self.more = false;
        for (key, child) in node.map(|node| node.children()).unwrap_or_default() {
            self.show(key, child);
        }
    }

    /// Shows a child if the query admits it, and hides one that has no room any more.
    fn show(&mut self, key: &Key, child: &Arc<Node>) -> Option<Key> {
        let position = self.query.position(key, child);
        if !self.query.admits(&position) {
            return None;
        }
        self.positions.insert(key.clone(), position.clone());
        self.shown.insert(position, Arc::clone(child));
        if self.shown.len() <= self.limit() {
            return None;
        }
        let hidden = if self.is_last() { self.shown.pop_first() } else { self.shown.pop_last() };
        self.more = true;
        let key = hidden?.0.key().clone();
        self.positions.remove(&key);
        Some(key)
    }

    fn limit(&self) -> usize {
        self.query.limit.map_or(usize::MAX, |limit| usize::try_from(limit.count).unwrap_or(usize::MAX))
    }

    fn is_last(&self) -> bool {
        self.query.limit.is_some_and(|limit| limit.side == Side::Last)
    }

    /// The child at the end where the limit hides others.
    fn edge(&self) -> Option<&Position> {
        let edge = if self.is_last() { self.shown.first_key_value() } else { self.shown.last_key_value() };
        edge.map(|(position, _)| position)
    }

    /// Whether a position lies where only the limit hides children.
    fn is_beyond(&self, position: &Position, edge: &Position) -> bool {
        if self.is_last() { position < edge } else { position > edge }
    }

    /// Everything it shows.
    pub fn node(&self) -> Option<Arc<Node>> {
        let mut children: Vec<_> =
            self.shown.iter().map(|(position, child)| (position.key().clone(), Arc::clone(child))).collect();
        children.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Node::inner(children, None)
    }

    /// Takes in children that have changed, each once and with its new value.
    pub fn apply(&mut self, changed: &[(Key, Option<Arc<Node>>)]) -> Applied {
        let edge = self.more.then(|| self.edge().cloned()).flatten();
        // Beyond the edge the limit hides children that are not known here.
        let enters = |key: &Key, child: &Arc<Node>| {
            let position = self.query.position(key, child);
            let is_beyond = edge.as_ref().is_some_and(|edge| self.is_beyond(&position, edge));
            self.query.admits(&position) && !is_beyond
        };
        let entering: Vec<(&Key, &Arc<Node>)> = changed
            .iter()
            .filter_map(|(key, child)| Some((key, child.as_ref()?)))
            .filter(|(key, child)| enters(key, child))
            .collect();
        let leaving = changed.iter().filter(|(key, _)| self.positions.contains_key(key)).count();
        if self.more && entering.len() < leaving {
            return Applied::NeedsReload;
        }
        let mut before = HashMap::new();
        for (key, _) in changed {
            if let Some(position) = self.positions.remove(key) {
                before.extend(self.shown.remove(&position).map(|child| (key.clone(), child)));
            }
        }
        let mut hidden = Vec::new();
        for (key, child) in entering {
            hidden.extend(self.show(key, child));
        }
        let mut difference = Difference::new();
        for (key, child) in changed {
            match (self.positions.contains_key(key), before.get(key)) {
                (true, Some(was)) if child.as_ref().is_some_and(|child| child.hash() == was.hash()) => {}
                (true, _) => difference.push((key.clone(), child.clone())),
                (false, Some(_)) => difference.push((key.clone(), None)),
                (false, None) => {}
            }
        }
        let is_new = |key: &Key| changed.iter().any(|(other, _)| other == key);
        difference.extend(hidden.into_iter().filter(|key| !is_new(key)).map(|key| (key, None)));
        Applied::Difference(difference)
    }

    /// Takes in a new state of the whole place.
    pub fn reload(&mut self, node: Option<&Arc<Node>>) -> Difference {
        let shown = self.node();
        let shown = shown.as_ref();
        self.load(node);
        let now = self.node();
        let mut difference = Difference::new();
        for (key, was) in shown.map(|node| node.children()).unwrap_or_default() {
            match now.as_ref().and_then(|now| now.child(key)) {
                Some(child) if child.hash() == was.hash() => {}
                child => difference.push((key.clone(), child.cloned())),
            }
        }
        let was = |key: &Key| shown.and_then(|shown| shown.child(key)).is_some();
        let new = now.iter().flat_map(|now| now.children()).filter(|(key, _)| !was(key));
        difference.extend(new.map(|(key, child)| (key.clone(), Some(Arc::clone(child)))));
        difference
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::{DEPTH_MAX, Path, decode_value};
    use crate::query::Limit;

    fn node(value: &serde_json::Value) -> Option<Arc<Node>> {
        decode_value(&value.to_string(), DEPTH_MAX).unwrap().resolve(0, None).unwrap()
    }

    /// A query on `n`, on keys, on values or on priorities.
    fn query() -> impl Strategy<Value = Query> {
        let order = prop::sample::select(vec![json!("n"), json!(".key"), json!(".value"), json!(null)]);
        let bound = prop::option::of(0..6i64);
        let limit = prop::option::of((1..5u32, prop::bool::ANY));
        (order, bound.clone(), bound, limit).prop_map(|(order, start, end, limit)| {
            let mut wire = json!({"i": order});
            let is_key = order == ".key";
            let value = |at: i64| if is_key { json!(at.to_string()) } else { json!(at) };
            if let Some(start) = start {
                wire["sp"] = value(start);
            }
            if let Some(end) = end {
                wire["ep"] = value(end);
            }
            if let Some((count, is_left)) = limit {
                wire["l"] = json!(count);
                wire["vf"] = json!(if is_left { "l" } else { "r" });
            }
            Query::from_wire(&wire).unwrap()
        })
    }

    /// Children by key: null, a number, or `n` with something beside it; sometimes with a priority.
    fn child() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            Just(json!(null)),
            (0..6i64).prop_map(|value| json!(value)),
            (0..6i64, 0..3i64).prop_map(|(n, m)| json!({"n": n, "m": m})),
            (0..6i64, 0..6i64).prop_map(|(n, priority)| json!({"n": n, ".priority": priority})),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_view_is_what_the_query_finds_anew(
            query in query(),
            first in prop::collection::btree_map(0..12u8, child(), 0..12),
            rounds in prop::collection::vec(prop::collection::btree_map(0..12u8, child(), 1..4), 1..12),
        ) {
            prop_assume!(!query.selects_all());
            let of = |entries: &std::collections::BTreeMap<u8, serde_json::Value>| {
                let entries = entries.iter().map(|(key, value)| (key.to_string(), value.clone()));
                node(&serde_json::Value::Object(entries.collect()))
            };
            let mut whole = of(&first);
            // The engine reads at least one child more than the limit shows.
            let more = query.limit.map(|limit| Limit { count: limit.count + 1, ..limit });
            let found = Query { limit: more, ..query.clone() }.select(whole.as_ref());
            let mut view = View::of(query.clone(), found.as_ref());
            // What a client has, from the differences alone.
            let mut client = view.node();
            for round in rounds {
                let mut changed = Vec::new();
                for (key, value) in &round {
                    let key = Key::new(&key.to_string()).unwrap();
                    let value = node(value);
                    whole = Node::with(whole.as_ref(), std::slice::from_ref(&key), value.clone());
                    changed.push((key, value));
                }
                let difference = match view.apply(&changed) {
                    Applied::Difference(difference) => difference,
                    Applied::NeedsReload => view.reload(whole.as_ref()),
                };
                for (key, value) in difference {
                    client = Node::with(client.as_ref(), Path::ROOT.child(key).keys(), value);
                }
                let text = |node: Option<&Arc<Node>>| {
                    let mut out = String::new();
                    crate::model::encode_export(node.map(|node| &**node), &mut out);
                    out
                };
                let expected = query.select(whole.as_ref());
                prop_assert_eq!(text(view.node().as_ref()), text(expected.as_ref()));
                prop_assert_eq!(text(client.as_ref()), text(expected.as_ref()));
            }
        }
    }
}
