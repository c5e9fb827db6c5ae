//! Where rows live: keys and ranges of them.
//!
//! A stored key is one byte of keyspace, then bytes whose order is the order of the rows.

use std::fmt;

use bytes::Bytes;

/// The first byte of every stored key. Services own disjoint ones; from `0xF0` on they are the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(pub u8);

impl Keyspace {
    /// The first keyspace that belongs to the store itself.
    pub const RESERVED_FROM: u8 = 0xF0;

    /// Whether only the store may use it.
    pub fn is_reserved(self) -> bool {
        self.0 >= Self::RESERVED_FROM
    }
}

/// A keyspace and ordered bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The key with these bytes in this keyspace.
    pub fn new(keyspace: Keyspace, bytes: &[u8]) -> Self {
        let mut stored = Vec::with_capacity(bytes.len() + 1);
        stored.push(keyspace.0);
        stored.extend_from_slice(bytes);
        Self(stored.into())
    }

    /// The key that is stored as these bytes. `None` if there are none: every key has a keyspace.
    pub fn from_stored(stored: Bytes) -> Option<Self> {
        (!stored.is_empty()).then_some(Self(stored))
    }

    /// The same key in memory of its own: one that was cut from something larger keeps all of that.
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Whose key it is.
    pub fn keyspace(&self) -> Keyspace {
        Keyspace(self.0.first().copied().unwrap_or_default())
    }

    /// The bytes given to [`Key::new`], without the keyspace.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// The bytes as engines store them: keyspace first.
    pub fn stored(&self) -> &[u8] {
        &self.0
    }

    /// Its first bytes as stored, of which there are `length`. `None` when it is shorter, and for none.
    pub fn prefix(&self, length: usize) -> Option<Key> {
        (length > 0 && length <= self.0.len()).then(|| Self(self.0.slice(..length)))
    }

    /// The very next key in order.
    pub fn successor(&self) -> Key {
        let mut stored = Vec::with_capacity(self.0.len() + 1);
        stored.extend_from_slice(&self.0);
        stored.push(0);
        Self(stored.into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x}:{}", self.keyspace().0, self.as_bytes().escape_ascii())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, out)
    }
}

/// All keys from `start` on and before `end`; empty if `end` is not above `start`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// The first key inside.
    pub start: Key,
    /// The first key behind it.
    pub end: Key,
}

impl KeyRange {
    /// All keys of the keyspace that start with these bytes.
    pub fn prefix(keyspace: Keyspace, bytes: &[u8]) -> Self {
        let start = Key::new(keyspace, bytes);
        let mut end = start.stored().to_vec();
        // The first key behind: the last byte that can be raised is raised, what follows is cut off.
        while let Some(last) = end.pop() {
            if let Some(raised) = last.checked_add(1) {
                end.push(raised);
                return Self { start, end: Key(end.into()) };
            }
        }
        // Only `0xFF…` in keyspace 0xFF comes here; no user key does.
        let end = Key::new(Keyspace(u8::MAX), &[u8::MAX; 32]);
        Self { start, end }
    }

    /// From `start` on, before `end`.
    pub fn between(start: Key, end: Key) -> Self {
        Self { start, end }
    }

    /// Whether these are all keys that begin like `start`.
    pub fn is_prefix(&self) -> bool {
        Self::prefix(self.start.keyspace(), self.start.as_bytes()).end == self.end
    }

    /// Whether the key lies inside.
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.start && *key < self.end
    }

    /// Whether no key lies inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// What is left of the range behind a key a scan has reached.
    pub(crate) fn beyond(&self, key: &Key, reverse: bool) -> KeyRange {
        if reverse {
            KeyRange { start: self.start.clone(), end: key.clone() }
        } else {
            KeyRange { start: key.successor(), end: self.end.clone() }
        }
    }

    /// What a scan has seen of the range when it stands on this key.
    pub(crate) fn up_to(&self, key: &Key, reverse: bool) -> KeyRange {
        if reverse {
            KeyRange { start: key.clone(), end: self.end.clone() }
        } else {
            KeyRange { start: self.start.clone(), end: key.successor() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_holds_what_starts_with_it_and_nothing_else() {
        let cases: [(u8, &[u8], &[u8], bool); 9] = [
            (1, b"a", b"a", true),
            (1, b"a", b"a\xff\xff", true),
            (1, b"a", b"b", false),
            (1, b"a", b"", false),
            (1, b"\xff", b"\xff\xff\xff", true),
            (1, b"a\xff", b"a\xff\x00", true),
            (1, b"a\xff", b"b", false),
            (1, b"", b"\xff\xff", true),
            (0xEF, b"", b"\xff\xff", true),
        ];
        for (keyspace, prefix, key, inside) in cases {
            let range = KeyRange::prefix(Keyspace(keyspace), prefix);
            assert_eq!(range.contains(&Key::new(Keyspace(keyspace), key)), inside, "{prefix:?} {key:?}");
            assert!(!range.contains(&Key::new(Keyspace(keyspace + 1), key)), "{prefix:?} {key:?}");
        }
    }

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        let key = Key::new(Keyspace(7), b"xy\0");
        assert_eq!(
            (key.keyspace(), key.as_bytes(), key.stored()),
            (Keyspace(7), &b"xy\0"[..], &b"\x07xy\0"[..])
        );
        assert_eq!(format!("{key}"), "07:xy\\x00");
        assert!(key < key.successor());
        assert_eq!(Key::from_stored(Bytes::new()), None);
    }
}
