//! Writes as clients ask for them.

use super::decode::decode_value;
use super::draft::Draft;
use super::node::Node;
use super::path::{DEPTH_MAX, Path, PathError};
use super::size::SizeLimit;
use super::update::{self, decode_update};
use super::value_error::ValueError;

/// What kind of write it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One place is overwritten.
    Set,
    /// Several places are overwritten together.
    Update,
    /// A set that takes place only if what is there is what the client thinks.
    Transaction,
    /// A set below a new push id.
    Push,
    /// A deletion.
    Remove,
    /// What a client left behind for its disconnection.
    OnDisconnect,
}

impl Verb {
    /// Its name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Set => "set",
            Verb::Update => "update",
            Verb::Transaction => "transaction",
            Verb::Push => "push",
            Verb::Remove => "remove",
            Verb::OnDisconnect => "onDisconnect",
        }
    }
}

/// One place that a write changes. Paths are from the root.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Its value is overwritten; null deletes.
    Set {
        /// The place.
        path: Path,
        /// What will be there.
        value: Draft,
    },
    /// Its priority is overwritten, if there is something.
    Priority {
        /// The place.
        path: Path,
        /// A text, a number, a server value or null.
        value: Draft,
    },
}

impl Change {
    /// The place.
    pub fn path(&self) -> &Path {
        match self {
            Change::Set { path, .. } | Change::Priority { path, .. } => path,
        }
    }

    /// Its value.
    pub fn value(&self) -> &Draft {
        match self {
            Change::Set { value, .. } | Change::Priority { value, .. } => value,
        }
    }
}

/// The hash (V1) of what a client thinks is at the place; of null it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(pub Box<str>);

impl Expected {
    /// Whether a value is the expected one.
    pub fn is(&self, node: Option<&Node>) -> bool {
        node.map_or("", Node::hash) == &*self.0
    }
}

/// A write. All its changes take effect together or none does.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What kind of write it is.
    pub verb: Verb,
    /// The place it was asked for.
    pub path: Path,
    /// What changes: no place is above another; priorities come last.
    pub changes: Vec<Change>,
    /// What must be there.
    pub expected: Option<Expected>,
    /// How large it may be.
    pub size_limit: Option<SizeLimit>,
}

/// Why a write cannot be one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// Its path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Its value is none.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// An update changes a place and one below.
    #[error(
        "Invalid data; an update may not change {above} and {below}, which is the same place or below it."
    )]
    Overlap {
        /// The one place.
        above: String,
        /// The other.
        below: String,
    },
}

impl Write {
    /// A set of a value at a place, or of the priority when the path ends with `.priority`.
    pub fn set(path: &str, value_json: &str) -> Result<Write, WriteError> {
        let (raw, is_priority) = priority_of(path);
        let path = Path::parse(raw)?;
        let value = decode_value(value_json, DEPTH_MAX.saturating_sub(path.keys().len()))?;
        let change = change(path.clone(), is_priority, value)?;
        Ok(Write { verb: Verb::Set, path, changes: vec![change], expected: None, size_limit: None })
    }

    /// A set of a value at a place.
    pub fn at(verb: Verb, path: Path, value: Draft) -> Write {
        let changes = vec![Change::Set { path: path.clone(), value }];
        Write { verb, path, changes, expected: None, size_limit: None }
    }

    /// An update: an object of values by paths relative to the place. They may be deep and may end with `.priority`.
    pub fn update(path: &str, object_json: &str) -> Result<Write, WriteError> {
        let path = Path::parse(path)?;
        let mut decoded = decode_update(object_json, &path)?;
        decoded.sort_by(|left, right| left.0.cmp(&right.0).then(left.1.cmp(&right.1)));
        overlap(&decoded)?;
        // Stable: what a set makes has a priority only after it.
        decoded.sort_by_key(|(_, is_priority, _)| *is_priority);
        let changes = decoded.into_iter().map(|(path, is_priority, value)| change(path, is_priority, value));
        let changes = changes.collect::<Result<_, _>>()?;
        Ok(Write { verb: Verb::Update, path, changes, expected: None, size_limit: None })
    }

    /// Whether it leaves what it does not name.
    pub fn is_update(&self) -> bool {
        self.verb == Verb::Update
    }

    /// Whether it has increments: to resolve them takes what was there before.
    pub fn needs_before(&self) -> bool {
        self.changes.iter().any(|change| change.value().needs_before())
    }
}

fn change(path: Path, is_priority: bool, value: Draft) -> Result<Change, WriteError> {
    if !is_priority {
        return Ok(Change::Set { path, value });
    }
    // Refused now rather than when it is executed; what it resolves to does not matter.
    value.resolve_priority(0, None)?;
    Ok(Change::Priority { path, value })
}

/// A place and another below it, or the same one twice. A priority is below its place.
fn overlap(sorted: &update::Changes) -> Result<(), WriteError> {
    let text = |path: &Path, is_priority: bool| match is_priority {
        true => format!("{}/.priority", path.to_string().trim_end_matches('/')),
        false => path.to_string(),
    };
    let mut set: Option<&Path> = None;
    let mut priority: Option<&Path> = None;
    for (path, is_priority, _) in sorted {
        let above = set.filter(|above| path.starts_with(above)).map(|above| (above, false));
        let above =
            above.or(priority.filter(|above| *is_priority && path == *above).map(|above| (above, true)));
        if let Some((above, of_priority)) = above {
            return Err(WriteError::Overlap {
                above: text(above, of_priority),
                below: text(path, *is_priority),
            });
        }
        if *is_priority { priority = Some(path) } else { set = Some(path) }
    }
    Ok(())
}

/// The path before a last `.priority`, and whether there is one.
pub(super) fn priority_of(raw: &str) -> (&str, bool) {
    let trimmed = raw.trim_end_matches('/');
    match trimmed.strip_suffix(".priority") {
        Some(place) if place.is_empty() || place.ends_with('/') => (place, true),
        _ => (raw, false),
    }
}
