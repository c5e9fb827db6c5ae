//! What a message will hold in memory, found from its bytes before anything is made of them.
//!
//! A few bytes can decode to very much: an empty element of an array takes two bytes on the wire and forty in memory, a map
//! with one field about ten and eight hundred. [`weigh`] walks a message by its descriptor and makes nothing; a text of
//! JSON is weighed by [`crate::json`] while it is read, or by [`json::weigh`] where a tree is to be made of it.
//!
//! - What is weighed is charged to the request's [`Account`], which lasts as long as the request.
//! - Whatever the decoder accepts within the limits is accepted here, and what is malformed here is refused by the decoder.
//! - Estimates are at least what the decoded form takes from the allocator, but for its own overhead.

mod account;
#[cfg(any(feature = "server", feature = "client"))]
mod codec;
mod cost;
pub mod json;
mod proto;
mod shape;

#[allow(dead_code, clippy::all, reason = "generated")]
mod generated {
    use super::cost::node;
    use super::shape::{Field, Shape, TEXT, Weighed, Width};

    include!("../generated/weight.rs");
}

use base::{Code, Status};

pub(crate) use account::Made;
pub use account::{Account, Hold, charge, charged, hold, message_bytes_max};
#[cfg(any(feature = "server", feature = "client"))]
pub use codec::Codec;
pub(crate) use cost::{element, entry, node, text};
pub use proto::weigh;
pub use shape::{Shape, Weighed};

/// What the decoded form of one message may take, unless the operator says otherwise. A commit of 10 MiB that is nothing but
/// short fields, or an array of small numbers, takes about 200 MiB.
pub const MESSAGE_BYTES_MAX: usize = 256 << 20;
/// Fields, entries of maps and elements of arrays in one message. A commit of 10 MiB has room for five million.
pub const ITEMS_MAX: usize = 6_000_000;
/// How deeply messages may be nested, entries of maps included: what the decoder takes. The deepest document needs 66.
pub const DEPTH_MAX: usize = 100;

/// What a message comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What its decoded form takes, estimated from above.
    pub bytes: usize,
    /// Fields, entries of maps and elements of arrays.
    pub items: usize,
    /// Messages inside one another.
    pub depth: usize,
}

/// What a message may come to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// See [`MESSAGE_BYTES_MAX`].
    pub bytes: usize,
    /// See [`ITEMS_MAX`].
    pub items: usize,
    /// See [`DEPTH_MAX`].
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: MESSAGE_BYTES_MAX, items: ITEMS_MAX, depth: DEPTH_MAX }
    }
}

/// Why a message is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    /// It would take too much memory.
    #[error("the message would take more than {max} bytes of memory when decoded")]
    Bytes {
        /// The limit.
        max: usize,
    },
    /// It has too many parts.
    #[error("the message has more than {max} fields, map entries and array elements")]
    Items {
        /// The limit.
        max: usize,
    },
    /// It is nested too deeply.
    #[error("the message is nested more than {max} levels deep")]
    Depth {
        /// The limit.
        max: usize,
    },
    /// All requests together hold too much.
    #[error("too many large requests at once")]
    Account,
    /// It is no message.
    #[error("the message is malformed")]
    Malformed,
}

impl From<WeightError> for Status {
    fn from(error: WeightError) -> Self {
        let code = match error {
            WeightError::Bytes { .. } | WeightError::Items { .. } | WeightError::Account => {
                Code::ResourceExhausted
            }
            WeightError::Depth { .. } => Code::InvalidArgument,
            // As gRPC has it for a message that cannot be parsed.
            WeightError::Malformed => Code::Internal,
        };
        Status::new(code, error.to_string())
    }
}

impl Weight {
    fn add(&mut self, bytes: usize, limits: &Limits) -> Result<(), WeightError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits.bytes { Err(WeightError::Bytes { max: limits.bytes }) } else { Ok(()) }
    }

    fn count(&mut self, items: usize, limits: &Limits) -> Result<(), WeightError> {
        self.items = self.items.saturating_add(items);
        if self.items > limits.items { Err(WeightError::Items { max: limits.items }) } else { Ok(()) }
    }

    fn enter(&mut self, depth: usize, limits: &Limits) -> Result<(), WeightError> {
        self.depth = self.depth.max(depth);
        if depth > limits.depth { Err(WeightError::Depth { max: limits.depth }) } else { Ok(()) }
    }
}
