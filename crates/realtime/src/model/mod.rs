//! Values of a Realtime Database, and what clients ask to be done to them: keys, paths, trees, server values, hashes.
//!
//! Invariants: no I/O; nothing here panics on what a client sent; whatever is made of a client's text has a named limit.

mod decode;
mod draft;
mod encode;
mod hash;
mod key;
mod leaf;
mod node;
mod order;
mod path;
mod push_id;
mod size;
mod sparse;
mod surrogate;
mod update;
mod value_error;
mod write;

pub use decode::{LEAVES_MAX, NODES_MAX, TEXT_BYTES_MAX, decode_value};
pub use draft::Draft;
pub use encode::{encode_export, encode_keys, encode_plain};
pub use key::{KEY_BYTES_MAX, Key, KeyError};
pub use leaf::Leaf;
pub use node::Node;
pub use order::Rank;
pub use path::{DEPTH_MAX, PATH_BYTES_MAX, Path, PathError};
pub use push_id::PushIds;
pub use size::SizeLimit;
pub use sparse::{SPARSE_BYTES_MAX, Sparse, SparseFull};
pub use value_error::{ValueError, ValueProblem};
pub use write::{Change, Expected, Verb, Write, WriteError};

pub(crate) use hash::leaf as hash_leaf;
