//! What a session adds to its commit.

use bytes::Bytes;
use kv::Version;

use super::backlog::Room;

/// An event that a service emits itself.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// What it is about: events about the same are told in order.
    pub key: Bytes,
    /// What triggers are matched by.
    pub attributes: Vec<(&'static str, String)>,
    /// What was there before, as the source has it.
    pub before: Option<Bytes>,
    /// The version of that.
    pub before_version: Option<Version>,
    /// What is there now.
    pub after: Option<Bytes>,
}

/// The events of a session.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// An import, or the like.
    pub are_none: bool,
    /// What they are known by.
    pub unique: Option<[u8; 16]>,
    /// How many occurrences, and how many rows.
    pub occurrences: usize,
    pub rows: u32,
    pub rooms: Vec<Room>,
}
