//! Runs test cases against rules: the verdict, and how it came about.

use policy::coverage::{
    ExpressionReport, FunctionCall, Positions, SourcePosition, VisitedExpression, expression_reports,
    function_calls, visited,
};
use policy::{Auth, Document, Limits, NoDocuments, Request, Ruleset, Setting, Source, Step, Trace};
use serde::Serialize;

use super::{Case, Level};
use crate::model::source::CompiledSource;

/// What became of one case.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// `SUCCESS` when the verdict is the expected one.
    state: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    debug_messages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_position: Option<SourcePosition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    function_calls: Vec<FunctionCall>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    visited_expressions: Vec<VisitedExpression>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expression_reports: Vec<ExpressionReport>,
}

/// Decides a case. Where the source has no rules for its service, nothing allows it.
pub fn run(compiled: &CompiledSource, case: &Case) -> TestResult {
    let Some(ruleset) = compiled.ruleset(case.service) else {
        return TestResult { state: state(!case.expects_allow), ..TestResult::default() };
    };
    let mut trace = Trace::reporting();
    let request = request(case);
    let decision = match ruleset.decide(&request, &NoDocuments, &Limits::default(), Some(&mut trace)) {
        Step::Decided(decision) => decision,
        // In this setting documents come from mocks alone.
        Step::Needs(_) => return TestResult { state: state(false), ..TestResult::default() },
    };
    trace.end_at_grants();
    let source = ruleset.source();
    let errors: Vec<_> = decision.causes.iter().filter(|cause| cause.error).collect();
    let message = |cause: &&policy::Cause| {
        format!("Error: {} line [{}], column [{}]. {}", source.name, cause.line, cause.column, cause.text())
    };
    let positions = Positions::new(source);
    TestResult {
        state: state(decision.allowed == case.expects_allow),
        debug_messages: errors.iter().map(message).collect(),
        error_position: errors.first().map(|cause| positions.in_file(cause.span)),
        function_calls: function_calls(&ruleset.sites(), &trace),
        visited_expressions: visits(source, &trace, case.level),
        expression_reports: reports(ruleset, &trace, case.level),
    }
}

fn request(case: &Case) -> Request<'_> {
    let document = |fields| Document { fields };
    Request {
        method: case.method,
        database: &case.database,
        path: &case.path,
        auth: case.auth.as_ref().map(|(uid, token)| Auth { uid, token }),
        time: case.time,
        resource: case.resource.as_ref().map(document),
        new_resource: case.new_resource.as_ref().map(document),
        query: None,
        in_transaction: false,
        setting: Setting::TestApi(&case.mocks),
    }
}

fn state(met: bool) -> &'static str {
    if met { "SUCCESS" } else { "FAILURE" }
}

fn visits(source: &Source, trace: &Trace, level: Level) -> Vec<VisitedExpression> {
    if level == Level::None { Vec::new() } else { visited(source, trace) }
}

fn reports(ruleset: &Ruleset, trace: &Trace, level: Level) -> Vec<ExpressionReport> {
    if level == Level::Full { expression_reports(ruleset.sites(), trace) } else { Vec::new() }
}
