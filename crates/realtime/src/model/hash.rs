//! Hashes of values (V1): what a client thinks is there, for listeners that come back and for transactions.
//!
//! Source: the JS SDK's `LeafNode.hash` and `ChildrenNode.hash`: SHA-1, in Base64, of a text that has the type and value
//! of a leaf, or the key and hash of every child in the order of priorities.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use super::key::Key;
use super::leaf::Leaf;
use super::node::Node;
use super::order::Rank;

/// Characters of a hash.
const CHARACTERS: usize = 28;

type Hash = [u8; CHARACTERS];

pub(super) fn of(node: &Node) -> Box<str> {
    std::str::from_utf8(&hash(node)).unwrap_or_default().into()
}

fn hash(node: &Node) -> Hash {
    if let Some(known) = node.known_hash().and_then(|known| known.as_bytes().try_into().ok()) {
        return known;
    }
    let mut text = Sha1::new();
    if let Some(priority) = node.priority() {
        text.update("priority:");
        leaf(&mut text, priority);
        text.update(":");
    }
    if let Some(value) = node.value() {
        leaf(&mut text, value);
        return finish(text);
    }
    let children = node.children();
    if children.iter().all(|(_, child)| child.priority().is_none()) {
        children.iter().for_each(|entry| child(&mut text, entry));
    } else {
        let mut sorted: Vec<_> =
            children.iter().map(|entry| (Rank::of_leaf(entry.1.priority()), entry)).collect();
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        sorted.into_iter().for_each(|(_, entry)| child(&mut text, entry));
    }
    finish(text)
}

fn child(text: &mut Sha1, (key, node): &(Key, Arc<Node>)) {
    text.update(":");
    text.update(key.as_str());
    text.update(":");
    text.update(hash(node));
}

/// Type and value.
pub(crate) fn leaf(text: &mut Sha1, leaf: &Leaf) {
    match leaf {
        Leaf::Bool(value) => text.update(if *value { "boolean:true" } else { "boolean:false" }),
        Leaf::Text(value) => {
            text.update("string:");
            text.update(value.as_bytes());
        }
        Leaf::Integer(_) | Leaf::Double(_) => {
            text.update("number:");
            text.update(number_hex(leaf));
        }
    }
}

/// The big-endian IEEE double as 16 lower-case hexadecimal digits.
fn number_hex(leaf: &Leaf) -> [u8; 16] {
    let bits = leaf.number().unwrap_or_default().to_bits();
    std::array::from_fn(|index| {
        let nibble = u8::try_from((bits >> (60 - 4 * index)) & 0xf).unwrap_or_default();
        if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
    })
}

fn finish(text: Sha1) -> Hash {
    let mut out = [b'='; CHARACTERS];
    let _ = STANDARD.encode_slice(text.finalize(), &mut out);
    out
}
