//! The exact codes and texts clients see, in one place.
//!
//! Source: the recorded answers of the Rules API; where it has none, the words are ours.

use access::Refusal;
use base::{Code, Status};
use kv::Key;
use policy::coverage::{Issue, IssueSeverity};

/// Something of ours went wrong; its cause is in the operator's log.
fn internal() -> Status {
    Status::new(Code::Internal, "Internal error encountered.")
}

/// What the client hears of a refusal.
pub fn refused(refusal: Refusal) -> Status {
    refusal.status(|_| "Missing or insufficient permissions.".to_owned())
}

/// A request came past the front door without its caller.
pub fn no_caller() -> Status {
    tracing::error!("a request came without its caller");
    internal()
}

/// A message or a row cannot be written.
pub fn cannot_encode(error: &serde_json::Error) -> Status {
    tracing::error!(%error, "a ruleset, a release or an answer cannot be written");
    internal()
}

/// Work in a task of its own ended early.
pub fn ended_early(error: &tokio::task::JoinError) -> Status {
    tracing::error!(%error, "a release or a test of rules ended early");
    internal()
}

/// Rules that compiled when they were released did not when they were put in force.
pub fn refused_at_last(error: &access::RulesRefused) -> Status {
    tracing::error!(%error, "released rules did not compile the second time");
    internal()
}

/// A row that is not what was stored.
pub fn unreadable(key: &Key, error: &serde_json::Error) -> Status {
    tracing::error!(%error, %key, "a stored ruleset or release cannot be read");
    Status::new(Code::DataLoss, "Stored rules cannot be read.")
}

/// A path that names no method.
pub fn no_method() -> Status {
    Status::new(Code::NotFound, "There is no such method.")
}

/// A body that is not the JSON of its method.
pub fn bad_payload(error: &serde_json::Error) -> Status {
    Status::invalid(format!("Invalid JSON payload received. {error}"))
}

/// A body beyond the limit, in bytes.
pub fn too_large(bytes_max: usize) -> Status {
    Status::invalid(format!("A request may have {} MiB.", bytes_max >> 20))
}

/// Lists are not filtered.
pub fn no_filters() -> Status {
    Status::new(Code::Unimplemented, "`filter` is not supported.")
}

/// `getExecutable`.
pub fn no_executables() -> Status {
    Status::new(Code::Unimplemented, "Compiled rules are not given out.")
}

/// A long list of permissions to test.
pub fn too_many_permissions() -> Status {
    Status::invalid("There are too many permissions to test.")
}

/// A project other than the one that production serves.
pub fn not_served(project: &str) -> Status {
    Status::new(Code::PermissionDenied, format!("The project `{project}` is not served here."))
}

/// A ruleset or release that is not there.
pub fn not_found() -> Status {
    Status::new(Code::NotFound, "Requested entity was not found.")
}

/// A release that is made twice.
pub fn already_exists() -> Status {
    Status::new(Code::AlreadyExists, "Requested entity already exists.")
}

/// Others were in the way of every attempt.
pub fn contention() -> Status {
    Status::new(Code::Aborted, "Others are changing the same rules. Try again.")
}

/// A ruleset beyond the limit.
pub fn too_many_rulesets(rulesets_max: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("The project has {rulesets_max} rulesets. Delete some."))
}

/// A release beyond the limit.
pub fn too_many_releases(releases_max: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("The project has {releases_max} releases. Delete some."))
}

/// A ruleset that cannot be deleted: this release names it.
pub fn is_released(name: &str) -> Status {
    let text = format!("The ruleset is released as `{name}`. Release another one first.");
    Status::new(Code::FailedPrecondition, text)
}

/// A release whose ruleset has no rules for what its name says.
pub fn no_rules_for(service: policy::Service, release: &str) -> Status {
    Status::invalid(format!("The ruleset has no `service {}`, which `{release}` needs.", service.name()))
}

/// A full name that is no ruleset's of this project.
pub fn bad_ruleset_name(project: &str, name: &str) -> Status {
    let usual = format!("It is `projects/{project}/rulesets/` and an id.");
    Status::invalid(format!("Invalid ruleset name: `{name}`. {usual}"))
}

/// A full name that is no release's of this project.
pub fn bad_release_name(project: &str, name: &str) -> Status {
    let usual = format!("It is `projects/{project}/releases/` and a name such as `cloud.firestore`.");
    Status::invalid(format!("Invalid release name: `{name}`. {usual}"))
}

/// A source of no file or several.
pub fn one_file() -> Status {
    Status::invalid("Exactly one rules file is expected in `source.files`.")
}

/// A file's name that is long or not one line.
pub fn bad_file_name(len_max: usize) -> Status {
    Status::invalid(format!("`source.files[0].name` is at most {len_max} characters in one line."))
}

/// A source with errors, in the words of the official tools.
pub fn compile_errors(issues: &[Issue]) -> Status {
    let line = |issue: &Issue| {
        let place = &issue.source_position;
        format!("L{}:{} {}", place.line, place.column, issue.description)
    };
    let errors = issues.iter().filter(|issue| issue.severity == IssueSeverity::Error);
    let lines: Vec<String> = errors.map(line).collect();
    Status::invalid(format!("Error compiling rules:\n{}", lines.join("\n")))
}

/// Released rules that do not compile at a start.
pub fn released_with_errors(error: &access::RulesRefused) -> Status {
    Status::new(Code::FailedPrecondition, format!("the released rules have errors: {error}"))
}

/// A test of nothing.
pub fn no_source() -> Status {
    Status::invalid("`source` is missing.")
}

/// A test of a stored ruleset and of a source.
pub fn two_sources() -> Status {
    Status::invalid("A stored ruleset is tested as it is: leave `source` out.")
}

/// A suite beyond the limit.
pub fn too_many_cases(cases_max: usize) -> Status {
    Status::invalid(format!("A test suite may have {cases_max} test cases."))
}

/// A case that cannot be read.
pub fn bad_case(index: usize, reason: &str) -> Status {
    Status::invalid(format!("testSuite.testCases[{index}]: {reason}"))
}
