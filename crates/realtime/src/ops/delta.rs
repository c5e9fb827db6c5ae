//! What a commit changed, as listeners are told.

use std::sync::{Arc, OnceLock};

use crate::model::{Node, Path, encode_export};
use crate::query::RangeMerge;

/// A change at a place. Made once and shared by all who listen there.
pub struct Delta {
    /// Where, from the root.
    pub path: Path,
    /// What is there now.
    pub change: Changed,
    frame: OnceLock<Arc<str>>,
    bytes: usize,
}

/// What is at a place now.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// All of it.
    Set(Option<Arc<Node>>),
    /// Some places below it.
    Merge(Vec<(Path, Option<Arc<Node>>)>),
}

impl Delta {
    /// A change.
    pub fn new(path: Path, change: Changed) -> Arc<Self> {
        let weight = |value: &Option<Arc<Node>>| value.as_ref().map_or(4, |node| node.bytes());
        let bytes = match &change {
            Changed::Set(value) => weight(value),
            Changed::Merge(values) => values.iter().map(|(_, value)| 32 + weight(value)).sum(),
        };
        Arc::new(Self { path, change, frame: OnceLock::new(), bytes })
    }

    /// About how large it is on the wire, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The message to those who listen without a query.
    pub fn frame(&self) -> Arc<str> {
        Arc::clone(self.frame.get_or_init(|| self.message(None).into()))
    }

    /// The message, for a listener with a tag.
    pub fn message(&self, tag: Option<&str>) -> String {
        let mut out = String::with_capacity(self.bytes + 64);
        match &self.change {
            Changed::Set(value) => {
                push_message(&mut out, "d", &self.path, tag, |out| encode_export(value.as_deref(), out));
            }
            Changed::Merge(values) => push_message(&mut out, "m", &self.path, tag, |out| {
                for (index, (path, value)) in values.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    push_text(out, relative(&path.to_string()));
                    out.push(':');
                    encode_export(value.as_deref(), out);
                }
                out.push_str(if values.is_empty() { "{}" } else { "}" });
            }),
        }
        out
    }
}

/// The message that replaces ranges of what a client has.
pub fn ranges_message(path: &Path, ranges: &[RangeMerge], tag: Option<&str>) -> String {
    let mut out = String::new();
    push_message(&mut out, "rm", path, tag, |out| {
        for (index, range) in ranges.iter().enumerate() {
            out.push(if index == 0 { '[' } else { ',' });
            out.push('{');
            for (name, place) in [("s", &range.start), ("e", &range.end)] {
                let Some(place) = place else { continue };
                push_text(out, name);
                out.push(':');
                push_text(out, place);
                out.push(',');
            }
            out.push_str("\"m\":");
            encode_export(range.value.as_deref(), out);
            out.push('}');
        }
        out.push(']');
    });
    out
}

/// Appends a message with data for a listener.
fn push_message(
    out: &mut String,
    action: &str,
    path: &Path,
    tag: Option<&str>,
    data: impl FnOnce(&mut String),
) {
    out.push_str("{\"t\":\"d\",\"d\":{\"a\":\"");
    out.push_str(action);
    out.push_str("\",\"b\":{\"p\":");
    push_text(out, relative(&path.to_string()));
    out.push_str(",\"d\":");
    data(out);
    if let Some(tag) = tag {
        out.push_str(",\"t\":");
        out.push_str(tag);
    }
    out.push_str("}}}");
}

/// Paths in pushes have no slash before them.
fn relative(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// Appends a JSON string.
pub fn push_text(out: &mut String, text: &str) {
    // A string is always encodable.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
