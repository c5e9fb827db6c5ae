//! What rules called beyond their own functions: the documents they asked for, and functions that there are not. In the order
//! they were called: what the Rules Test API calls function calls.

use serde::Serialize;
use serde_json::Value as Json;

use super::Sites;
use crate::trace::{Node, Trace};
use crate::value;
use crate::value::report::plain;

/// One call of `get`, `exists` and the like, or of a function that there is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionCall {
    /// The function, as rules name it.
    pub function: String,
    /// The arguments that have a value; a path is text, percent-encoded.
    pub args: Vec<Json>,
}

/// The calls of a trace that reports values.
pub fn function_calls(sites: &Sites, trace: &Trace) -> Vec<FunctionCall> {
    let mut calls = Vec::new();
    let mut visit = |node: &Node| {
        let Some(function) = sites.calls.get(&node.span) else { return };
        let args = node.children.iter().filter_map(|argument| argument_value(argument.reported.as_deref()?));
        calls.push(FunctionCall { function: function.to_string(), args: args.collect() });
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

fn argument_value(reported: &Json) -> Option<Json> {
    let Some(path) = reported.get("pathValue") else {
        return Some(plain(reported));
    };
    let segments = path.get("segments").and_then(Json::as_array);
    let names = segments.into_iter().flatten().filter_map(|segment| segment.get("simple")?.as_str());
    Some(Json::String(value::path_text(names)))
}
