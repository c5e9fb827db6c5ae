//! The documents that rules asked for, in the order they asked: what the Rules Test API calls function calls.

use serde::Serialize;
use serde_json::Value as Json;

use super::Sites;
use crate::trace::{Node, Trace};
use crate::value;

/// One call of `get`, `exists` and the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentCall {
    /// The function, as rules name it.
    pub function: &'static str,
    /// The path, percent-encoded.
    pub args: Vec<String>,
}

/// The calls of a trace that reports values.
pub fn document_calls(sites: &Sites, trace: &Trace) -> Vec<DocumentCall> {
    let mut calls = Vec::new();
    let mut visit = |node: &Node| {
        let Some(function) = sites.reads.get(&node.span) else { return };
        let paths = node.children.iter().filter_map(|argument| path_text(argument.reported.as_deref()?));
        calls.push(DocumentCall { function, args: paths.collect() });
    };
    for condition in trace.candidates.iter().filter_map(|candidate| candidate.condition.as_ref()) {
        walk(condition, &mut visit);
    }
    calls
}

/// What an expression is made of comes before it.
fn walk(node: &Node, visit: &mut dyn FnMut(&Node)) {
    node.children.iter().for_each(|child| walk(child, visit));
    visit(node);
}

fn path_text(reported: &Json) -> Option<String> {
    let segments = reported.get("pathValue")?.get("segments")?.as_array()?;
    let names = segments.iter().filter_map(|segment| segment.get("simple")?.as_str());
    Some(value::path_text(names))
}
