//! What a client says it has of what it begins to listen to, and what it must be told then.

use std::sync::Arc;

use super::delta::{Changed, Delta, ranges_message};
use crate::model::{Node, Path};
use crate::query::CompoundHash;

/// What a client has.
#[derive(Default)]
pub struct Has {
    /// The hash of all of it.
    pub hash: Option<String>,
    /// The same range by range. The mobile SDKs send it with large values that they kept; no other client understands the answer.
    pub ranges: Option<CompoundHash>,
}

impl Has {
    /// The message that brings the client up to date; none when it is.
    pub fn news(&self, path: Path, value: Option<Arc<Node>>, tag: Option<&str>) -> Option<String> {
        let hash = value.as_ref().map_or("", |node| node.hash());
        if self.hash.as_deref() == Some(hash) {
            return None;
        }
        let ranges = self.ranges.as_ref().and_then(|ranges| ranges.differences(value.as_ref()));
        Some(match ranges {
            Some(ranges) => ranges_message(&path, &ranges, tag),
            None => Delta::new(path, Changed::Set(value)).message(tag),
        })
    }
}
