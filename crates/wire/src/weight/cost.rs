//! What vectors, maps and texts take from the allocator, in bytes.

use std::mem::size_of;

/// What an allocator adds to a small block: its size is rounded up.
const ROUNDING_BYTES: usize = 16;
/// A map's node has room for so many entries; five are in it at least, once there is more than one node.
const NODE_ENTRIES: usize = 11;
const NODE_ENTRIES_MIN: usize = 5;
/// A node's links and lengths, and its part of the nodes above.
const NODE_OVERHEAD_BYTES: usize = 48;

/// An element of a vector that has so many already. Vectors begin with room for four and double.
pub const fn element(bytes: usize, index: usize) -> usize {
    let twice = bytes.saturating_mul(2);
    if index == 0 { twice.saturating_mul(2).saturating_add(ROUNDING_BYTES) } else { twice }
}

/// A node of a map (`BTreeMap<String, T>`) with values of so many bytes.
pub const fn node(value_bytes: usize) -> usize {
    (size_of::<String>() + value_bytes).saturating_mul(NODE_ENTRIES).saturating_add(NODE_OVERHEAD_BYTES)
}

/// An entry of a map that has so many already. Its name is a [`text`].
pub const fn entry(node_bytes: usize, index: usize) -> usize {
    let is_first_of_node =
        index == 0 || (index >= NODE_ENTRIES && (index - NODE_ENTRIES).is_multiple_of(NODE_ENTRIES_MIN));
    if is_first_of_node { node_bytes } else { 0 }
}

/// Text or bytes of this length.
pub const fn text(length: usize) -> usize {
    if length == 0 { 0 } else { length.saturating_add(ROUNDING_BYTES) }
}
