//! Where a document stands in a query's order, as bytes: comparing two positions is comparing documents.
//!
//! A position is the encodings of the ordered values, then the document's path. Directions are relative to the
//! direction of `__name__`: a value that runs the other way is encoded as its complement, and a query with
//! descending names is walked from the end. Index entries end with these very bytes, so entries of different
//! indexes merge by comparing them, and a cursor is a place between two byte strings.
//!
//! Invariant: value and path encodings are prefix-free, so "all positions that start with these values" is one
//! contiguous range.

use base::key::{push_segment, push_value};
use base::{DatabaseName, DocumentPath, FieldPath, Fields, Value, name};

use super::shape::{Cursor, Order, Query};

/// How many bytes of one value's encoding take part in the order. A plain string always fits (1,500 bytes, each
/// perhaps escaped); a larger map or array is cut here and ties by name.
pub const ORDERED_VALUE_BYTES_MAX: usize = 3_072;

/// Ends a path: below every segment, so that a document stands before its descendants.
const PATH_END: u8 = 0;

/// The part of a value's encoding that counts.
pub fn value_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_value(&mut bytes, value);
    bytes.truncate(ORDERED_VALUE_BYTES_MAX);
    bytes
}

/// Whether equal encodings mean equal values. They do unless something was cut off.
pub fn is_exact(value: &Value) -> bool {
    fn uncut(value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() <= base::limits::INDEXED_VALUE_BYTES_MAX,
            Value::Bytes(bytes) => bytes.len() <= base::limits::INDEXED_VALUE_BYTES_MAX,
            Value::Array(items) => items.iter().all(uncut),
            Value::Map(fields) => fields.values().all(uncut),
            _ => true,
        }
    }
    uncut(value) && value_bytes(value).len() < ORDERED_VALUE_BYTES_MAX
}

/// Turns ascending bytes into descending ones and back.
pub fn complement(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

/// Appends a value in its direction.
pub fn push_ordered(position: &mut Vec<u8>, value: &Value, descending: bool) {
    let mut bytes = value_bytes(value);
    if descending {
        complement(&mut bytes);
    }
    position.append(&mut bytes);
}

/// A path's bytes, with its end.
pub fn path_bytes(segments: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for segment in segments {
        push_segment(&mut bytes, segment);
    }
    bytes.push(PATH_END);
    bytes
}

/// The path these bytes were made of.
pub fn read_path(bytes: &[u8]) -> Option<DocumentPath> {
    let mut segments = Vec::new();
    let mut rest = bytes.strip_suffix(&[PATH_END])?;
    while !rest.is_empty() {
        let (segment, tail) = base::key::split_segment(rest)?;
        segments.push(segment);
        rest = tail;
    }
    DocumentPath::new(base::ResourcePath::from_segments(segments).ok()?)
}

/// Orders on fields with directions relative to the names'.
pub fn relative(orders: &[Order], reverse: bool) -> impl Iterator<Item = (&FieldPath, bool)> {
    orders.iter().map(move |order| (&order.field, order.descending != reverse))
}

/// A document's position; `None` when it lacks an ordered field and so is not in the result.
pub fn of(query: &Query, path: &DocumentPath, fields: &Fields) -> Option<Vec<u8>> {
    let mut position = Vec::new();
    for (field, descending) in relative(query.field_orders(), query.is_reverse()) {
        push_ordered(&mut position, field.get(fields)?, descending);
    }
    position.append(&mut path_bytes(path.segments()));
    Some(position)
}

/// A place between positions: just before, or just after, all that start with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What those positions start with.
    pub prefix: Vec<u8>,
    /// After them rather than before.
    pub after: bool,
}

impl Edge {
    /// Just before everything that starts so.
    pub fn before(prefix: Vec<u8>) -> Self {
        Self { prefix, after: false }
    }

    /// Just after everything that starts so.
    pub fn after(prefix: Vec<u8>) -> Self {
        Self { prefix, after: true }
    }

    /// The first byte string at or behind the edge, given what every key starts with. `None`: there is none.
    pub fn first_key(&self, base: &[u8]) -> Option<Vec<u8>> {
        let mut key = [base, &self.prefix].concat();
        if !self.after {
            return Some(key);
        }
        while let Some(last) = key.pop() {
            if let Some(raised) = last.checked_add(1) {
                key.push(raised);
                return Some(key);
            }
        }
        None
    }

    /// The same place seen from the other end of a complemented order.
    pub fn complemented(mut self) -> Self {
        complement(&mut self.prefix);
        self.after = !self.after;
        self
    }

    /// Whether this edge lies at or before another.
    pub fn is_at_or_before(&self, other: &Edge) -> bool {
        match (self.first_key(&[]), other.first_key(&[])) {
            (Some(a), Some(b)) => a <= b,
            (_, None) => true,
            (None, Some(_)) => false,
        }
    }
}

/// What lies between two edges; `None` is open.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interval {
    /// Where it begins.
    pub start: Option<Edge>,
    /// Where it ends.
    pub end: Option<Edge>,
}

impl Interval {
    /// What two intervals share; `None` when nothing.
    pub fn intersect(&self, other: &Interval) -> Option<Interval> {
        let start = match (&self.start, &other.start) {
            (Some(a), Some(b)) => Some(if a.is_at_or_before(b) { b } else { a }),
            (a, b) => a.as_ref().or(b.as_ref()),
        };
        let end = match (&self.end, &other.end) {
            (Some(a), Some(b)) => Some(if a.is_at_or_before(b) { a } else { b }),
            (a, b) => a.as_ref().or(b.as_ref()),
        };
        match (start, end) {
            (Some(start), Some(end)) if end.is_at_or_before(start) => None,
            (start, end) => Some(Interval { start: start.cloned(), end: end.cloned() }),
        }
    }

    /// The interval of a complemented order.
    pub fn complemented(self) -> Self {
        Self { start: self.end.map(Edge::complemented), end: self.start.map(Edge::complemented) }
    }

    /// Whether a position lies inside.
    pub fn contains(&self, position: &[u8]) -> bool {
        let at_or_behind =
            |edge: &Edge| edge.first_key(&[]).is_some_and(|first| position >= first.as_slice());
        self.start.as_ref().is_none_or(at_or_behind) && !self.end.as_ref().is_some_and(at_or_behind)
    }
}

/// The positions between a query's cursors.
pub fn window(query: &Query) -> Interval {
    let reverse = query.is_reverse();
    let edge = |cursor: &Cursor| {
        let mut prefix = Vec::new();
        for (order, value) in query.orders.iter().zip(&cursor.values) {
            if order.field.is_document_id() {
                prefix.append(&mut reference_bytes(value));
            } else {
                push_ordered(&mut prefix, value, order.descending != reverse);
            }
        }
        // Before in the query's order is after in a walk from the end.
        Edge { prefix, after: cursor.before == reverse }
    };
    let (start, end) = (query.start.as_ref().map(edge), query.end.as_ref().map(edge));
    if reverse { Interval { start: end, end: start } } else { Interval { start, end } }
}

/// The path bytes of a reference into the same database; validation has made sure that it is one.
pub fn reference_bytes(value: &Value) -> Vec<u8> {
    let path = match value {
        Value::Reference(text) => name::parse_resource(text).map(|(_, path)| path).unwrap_or_default(),
        _ => base::ResourcePath::ROOT,
    };
    path_bytes(path.segments())
}

/// A document's full name as the value `__name__` has.
pub fn name_value(database: &DatabaseName, path: &DocumentPath) -> Value {
    Value::Reference(path.name_in(database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_separate_what_starts_with_a_prefix() {
        let (before, after) = (Edge::before(b"b".to_vec()), Edge::after(b"b".to_vec()));
        let interval = Interval { start: Some(before.clone()), end: Some(after.clone()) };
        for (position, inside) in [(&b"a\xff"[..], false), (b"b", true), (b"b\xff\xff", true), (b"c", false)]
        {
            assert_eq!(interval.contains(position), inside, "{position:?}");
        }
        assert!(before.is_at_or_before(&after));
        assert!(!after.is_at_or_before(&before));
        let open = Interval { start: Some(Edge::after(vec![0xFF])), end: None };
        assert!(!open.contains(b"\xff\xff"));
    }

    #[test]
    fn complement_turns_an_interval_around() {
        let interval = Interval { start: Some(Edge::after(vec![3])), end: Some(Edge::after(vec![5])) };
        let turned = interval.clone().complemented();
        for byte in 0..8u8 {
            assert_eq!(interval.contains(&[byte]), turned.contains(&[!byte]), "{byte}");
        }
    }

    #[test]
    fn intervals_intersect() {
        let interval =
            |a: u8, b: u8| Interval { start: Some(Edge::before(vec![a])), end: Some(Edge::before(vec![b])) };
        assert_eq!(interval(1, 5).intersect(&interval(3, 9)), Some(interval(3, 5)));
        assert_eq!(interval(1, 3).intersect(&interval(3, 9)), None);
        assert_eq!(interval(1, 3).intersect(&Interval::default()), Some(interval(1, 3)));
    }

    #[test]
    fn paths_round_trip_and_stand_before_their_descendants() {
        let path = |text: &str| DocumentPath::new(base::ResourcePath::parse(text).unwrap()).unwrap();
        let (parent, child, next) = (path("a/b"), path("a/b/c/__id7__"), path("a/b!"));
        let bytes = |path: &DocumentPath| path_bytes(path.segments());
        assert_eq!(read_path(&bytes(&child)), Some(child.clone()));
        assert!(bytes(&parent) < bytes(&child) && bytes(&child) < bytes(&next));
        assert_eq!(read_path(b"\x20a\0\x01\0"), None);
    }
}
