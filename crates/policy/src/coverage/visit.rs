//! What the Rules Test API tells of one test: the permissions visited, and the values of every expression.

use serde::Serialize;
use serde_json::Value as Json;

use super::{Coverage, EvaluationResult, Positions, Site, Sites, SourcePosition};
use crate::source::{Source, Span};
use crate::trace::{Ending, Trace};
use crate::value::report::plain;

/// The condition of an `allow` that came to a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VisitedExpression {
    /// Its first token.
    pub source_position: SourcePosition,
    /// The value.
    pub value: Json,
}

/// The values of one expression and of those in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpressionReport {
    /// Where.
    pub source_position: SourcePosition,
    /// Values and how often; an error has no value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueCount>,
    /// The expressions it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ExpressionReport>,
}

/// A value and how often it was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueCount {
    /// The value; `None` is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// How often.
    pub count: u64,
}

/// The conditions that a trace came to a value of.
pub fn visited(source: &Source, trace: &Trace) -> Vec<VisitedExpression> {
    let positions = Positions::new(source);
    let conditions = trace.candidates.iter().filter_map(|candidate| candidate.condition.as_ref());
    conditions
        .filter(|node| node.ending != Ending::Error)
        .map(|node| VisitedExpression {
            source_position: positions.of(first_token(source, node.span)),
            value: node.reported.as_deref().map_or(Json::Null, plain),
        })
        .collect()
}

/// Words and numbers whole, other tokens by their first character.
fn first_token(source: &Source, span: Span) -> Span {
    let text = source.slice(span);
    let word = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let len = if word > 0 { word } else { text.chars().next().map_or(0, char::len_utf8) };
    let start = span.start as usize;
    Span::new(start, start + len)
}

/// The values of the expressions of those rules and functions that a trace evaluated.
pub fn expression_reports(sites: Sites, trace: &Trace) -> Vec<ExpressionReport> {
    let mut coverage = Coverage::new(sites);
    coverage.add(trace);
    let evaluated = |root: &&Site| coverage.seen(root.span).is_some_and(|seen| seen.count > 0);
    coverage.sites.roots.iter().filter(evaluated).map(|root| report(&coverage, root)).collect()
}

fn report(coverage: &Coverage, site: &Site) -> ExpressionReport {
    let came = coverage.seen(site.span).map_or(&[][..], |seen| seen.came.as_slice());
    let values = came.iter().map(|(came, count)| ValueCount {
        value: match came {
            EvaluationResult::Value(value) => Some(plain(value)),
            EvaluationResult::Error { .. } => None,
        },
        count: *count,
    });
    ExpressionReport {
        source_position: coverage.positions.in_file(site.span),
        values: values.collect(),
        children: site.children.iter().map(|child| report(coverage, child)).collect(),
    }
}
