//! Values of a Realtime Database, and what clients ask to be done to them: keys, paths, trees, server values, hashes.
//!
//! Invariants: no I/O; nothing here panics on what a client sent; whatever is made of a client's text has a named limit.

mod draft;
mod hash;
mod json;
mod key;
mod leaf;
mod node;
mod order;
mod path;
mod push_id;
mod sparse;
mod write;

pub use draft::Draft;
pub use json::{
    LEAVES_MAX, NODES_MAX, TEXT_BYTES_MAX, ValueError, ValueProblem, decode_value, encode_export,
    encode_plain,
};
pub use key::{KEY_BYTES_MAX, Key, KeyError};
pub use leaf::Leaf;
pub use node::Node;
pub use order::Rank;
pub use path::{DEPTH_MAX, PATH_BYTES_MAX, Path, PathError};
pub use push_id::PushIds;
pub use sparse::Sparse;
pub use write::{Change, Expected, SizeLimit, Verb, Write, WriteError};
