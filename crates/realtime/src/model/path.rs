//! Paths: keys from the root.

use std::fmt;

use super::key::{Key, KeyError};

/// Levels of a database: keys of a path and of the value there.
pub const DEPTH_MAX: usize = 32;

/// Bytes of a path as rows have it.
pub const PATH_BYTES_MAX: usize = 15 * 1024;

/// A place of the database. Its order is that of the keys.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Path(Vec<Key>);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Something between the slashes is no key.
    #[error("Invalid path: Invalid token in path: {0}")]
    Key(#[from] KeyError),
    /// It has more keys than [`DEPTH_MAX`].
    #[error("Invalid path: it has {0} keys, the limit is {DEPTH_MAX}")]
    TooDeep(usize),
    /// It needs more bytes than [`PATH_BYTES_MAX`].
    #[error("Invalid path: it has {0} bytes, the limit is {PATH_BYTES_MAX}")]
    TooLong(usize),
}

impl Path {
    /// The place of everything.
    pub const ROOT: Path = Path(Vec::new());

    /// The path of a text as clients send it, not percent-encoded. Slashes before, after and next to each other do not
    /// matter.
    pub fn parse(raw: &str) -> Result<Path, PathError> {
        Path::ROOT.parse_below(raw)
    }

    /// The path of a text that starts at this place.
    pub(crate) fn parse_below(&self, raw: &str) -> Result<Path, PathError> {
        let mut keys = self.0.clone();
        for text in raw.split('/').filter(|text| !text.is_empty()) {
            if keys.len() == DEPTH_MAX {
                let below = raw.split('/').filter(|text| !text.is_empty()).count();
                return Err(PathError::TooDeep(self.0.len() + below));
            }
            keys.push(Key::new(text)?);
        }
        let path = Path(keys);
        let mut bytes = Vec::new();
        path.encode(&mut bytes);
        if bytes.len() > PATH_BYTES_MAX { Err(PathError::TooLong(bytes.len())) } else { Ok(path) }
    }

    /// Its keys from the root.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// A place directly below. Does not check the depth.
    pub fn child(&self, key: Key) -> Path {
        let mut keys = Vec::with_capacity(self.0.len() + 1);
        keys.extend_from_slice(&self.0);
        keys.push(key);
        Path(keys)
    }

    /// A place below. Does not check the depth.
    pub fn join(&self, other: &Path) -> Path {
        Path([self.0.as_slice(), other.0.as_slice()].concat())
    }

    /// The place above; the root has none.
    pub fn parent(&self) -> Option<Path> {
        self.0.split_last().map(|(_, above)| Path(above.to_vec()))
    }

    /// The place and those above, up to the root.
    pub fn with_ancestors(&self) -> impl Iterator<Item = Path> + '_ {
        (0..=self.0.len()).rev().map(|length| Path(self.0.iter().take(length).cloned().collect()))
    }

    /// Whether it is the other place or below it.
    pub fn starts_with(&self, other: &Path) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The way from a place above.
    pub fn relative_to(&self, above: &Path) -> Option<Path> {
        self.0.strip_prefix(above.0.as_slice()).map(|keys| Path(keys.to_vec()))
    }

    /// The texts of its keys, as rules take a path.
    pub fn texts(&self) -> Vec<&str> {
        self.0.iter().map(Key::as_str).collect()
    }

    /// Appends the keys as rows have them, see [`Key::encode`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|key| key.encode(out));
    }
}

impl From<Vec<Key>> for Path {
    fn from(keys: Vec<Key>) -> Self {
        Path(keys)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return out.write_str("/");
        }
        self.0.iter().try_for_each(|key| write!(out, "/{key}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}
