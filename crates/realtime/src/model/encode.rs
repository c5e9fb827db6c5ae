//! Values as JSON text.

use super::key::Key;
use super::leaf::write_text;
use super::node::Node;

/// Appends a value as the wire has it: with priorities, never as an array.
pub fn encode_export(node: Option<&Node>, out: &mut String) {
    let Some(node) = node else { return out.push_str("null") };
    match (node.value(), node.priority()) {
        (Some(leaf), None) => leaf.write_json(out),
        (Some(leaf), Some(priority)) => {
            out.push_str(r#"{".value":"#);
            leaf.write_json(out);
            out.push_str(r#",".priority":"#);
            priority.write_json(out);
            out.push('}');
        }
        (None, priority) => {
            let mut before = '{';
            for (key, child) in node.children() {
                out.push(before);
                before = ',';
                write_text(key.as_str(), out);
                out.push(':');
                encode_export(Some(child), out);
            }
            if let Some(priority) = priority {
                out.push_str(r#",".priority":"#);
                priority.write_json(out);
            }
            out.push('}');
        }
    }
}

/// Appends a value as REST has it: without priorities, and as an array when its keys are mostly those of one.
pub fn encode_plain(node: Option<&Node>, out: &mut String) {
    let Some(node) = node else { return out.push_str("null") };
    if let Some(leaf) = node.value() {
        return leaf.write_json(out);
    }
    if is_array(node) {
        let mut before = '[';
        let mut next = 0;
        for (key, child) in node.children() {
            let index = array_index(key).unwrap_or(next);
            while next < index {
                out.push(before);
                before = ',';
                out.push_str("null");
                next += 1;
            }
            out.push(before);
            before = ',';
            encode_plain(Some(child), out);
            next += 1;
        }
        return out.push(']');
    }
    let mut before = '{';
    for (key, child) in node.children() {
        out.push(before);
        before = ',';
        write_text(key.as_str(), out);
        out.push(':');
        encode_plain(Some(child), out);
    }
    out.push('}');
}

/// Appends an object with `true` for every key: what is shallow of an inner node.
pub fn encode_keys<'k>(keys: impl Iterator<Item = &'k Key>, out: &mut String) {
    let before = out.len();
    for key in keys {
        out.push(if out.len() == before { '{' } else { ',' });
        write_text(key.as_str(), out);
        out.push_str(":true");
    }
    out.push_str(if out.len() == before { "{}" } else { "}" });
}

/// Whether all keys are indices and less than half of an array would be null.
fn is_array(node: &Node) -> bool {
    let children = node.children();
    // Indices that are 32-bit integers are in their order: the last is the largest.
    let largest = children.last().and_then(|(key, _)| array_index(key));
    largest.is_some_and(|largest| largest < 2 * children.len())
        && children.iter().all(|(key, _)| array_index(key).is_some())
}

/// `^(0|[1-9]\d*)$` as far as it can be an index here.
fn array_index(key: &Key) -> Option<usize> {
    let text = key.as_str();
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    canonical.then(|| text.parse::<u32>().ok()).flatten().and_then(|index| usize::try_from(index).ok())
}
