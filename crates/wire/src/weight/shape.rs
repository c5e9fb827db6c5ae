//! A message's descriptor as the scale needs it. Written by `cargo xtask codegen` for all messages.

use std::mem::size_of;

/// A message.
pub struct Shape {
    /// Its fields, by number.
    pub(super) fields: &'static [Field],
}

/// A message that can be weighed.
pub trait Weighed {
    /// Its descriptor.
    const SHAPE: &'static Shape;
}

impl Weighed for () {
    const SHAPE: &'static Shape = &Shape { fields: &[] };
}

/// What a field holds, besides its place in the message. Sizes are those of one element, in bytes.
pub enum Field {
    /// The message has no such field.
    Unknown,
    /// A number, a boolean, an enum.
    Scalar(Width),
    /// Many of them.
    Scalars(Width, usize),
    /// Text or bytes.
    Text,
    /// Many of them.
    Texts(usize),
    /// A message.
    Message(&'static Shape),
    /// Many of them.
    Messages(&'static Shape, usize),
    /// A map of texts to something: the message of its entries, and the bytes of a node.
    Map(&'static Shape, usize),
}

/// How a number lies on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// As long as it needs.
    Varint,
    /// Four bytes. No field of ours is of that kind so far.
    #[allow(dead_code, reason = "what the wire has")]
    Four,
    /// Eight bytes.
    Eight,
}

/// What one element of a vector of texts takes.
pub(super) const TEXT: usize = size_of::<String>();
