//! Decisions of a source that is one condition: what became of it, and why.

use crate::cause::Said;
use crate::decision::{Cause, Decision, Dependence, RulePosition, Step};
use crate::meter::Cost;
use crate::policy::Who;
use crate::source::{Source, Span};
use crate::trace::{Candidate, Node};
use crate::value::Str;

use super::value::Map;
use super::{Outcome, Value, show};

/// All of a source.
fn whole(source: &Source) -> Span {
    Span::new(0, source.text.len())
}

/// The caller as expressions see it: `uid` and `token`, or null.
pub(super) fn auth<'v>(who: &Who<'v>) -> Value<'v> {
    who.auth.map_or(Value::Null, |auth| {
        Value::record([
            ("uid", Value::Str(Str::Borrowed(auth.uid))),
            ("token", Value::Map(Map::Stored(auth.token))),
        ])
    })
}

/// The decision.
pub(super) fn decided<N>(
    source: &Source,
    (allowed, causes): (bool, Vec<Cause>),
    depends: Dependence,
    expressions: u32,
) -> Step<N> {
    let (line, column) = source.line_column(0);
    Step::Decided(Decision {
        allowed,
        exact_match_only: false,
        by: allowed.then_some(RulePosition { line, column, span: whole(source) }),
        causes,
        documents: Default::default(),
        depends,
        cost: Cost { expressions, reads: 0 },
    })
}

/// What a trace keeps of it.
pub(super) fn candidate(
    source: &Source,
    rule: &'static str,
    granted: bool,
    condition: Option<Node>,
) -> Candidate {
    Candidate { rule, span: whole(source), alternative: 0, granted, condition }
}

/// Why an expression did not come to true.
pub(super) fn cause(source: &Source, outcome: &Outcome<'_>, node: &Node) -> Cause {
    let fault = outcome.as_ref().err().map(|fault| fault.span);
    let text = match outcome {
        Ok(value) => show(value),
        Err(fault) => fault.to_string(),
    };
    let rule_line = source.line_column(0).0;
    Cause::of(source, node, Said { text, rule_line, at: fault, failed: fault, error: fault.is_some() })
}
