//! Rules as clients send them, and what compiling them comes to.

use base::Status;
use policy::coverage::{Issue, issues};
use policy::rules::parser;
use policy::{Diagnostic, Service, Severity, Source};
use serde::{Deserialize, Serialize};

use crate::status;

/// Characters of a rules file's name.
const FILE_NAME_LEN_MAX: usize = 256;

/// A rules file as clients send it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub content: String,
    /// The client's own, given back as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// The source of a ruleset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesSource {
    /// Its files: one.
    #[serde(default)]
    pub files: Vec<RulesFile>,
}

/// A compiled source: its rules for each service it has, and what was remarked.
pub struct CompiledSource {
    /// The text.
    pub source: Source,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The rules, where there is no error.
    pub rulesets: Vec<policy::Ruleset>,
}

impl CompiledSource {
    /// The services it has rules for.
    pub fn services(&self) -> Vec<String> {
        self.rulesets.iter().map(|ruleset| ruleset.service().name().to_owned()).collect()
    }

    /// Errors and warnings as the API shows them.
    pub fn issues(&self) -> Vec<Issue> {
        issues(&self.source, &self.diagnostics)
    }

    /// The rules for a service.
    pub fn ruleset(&self, service: Service) -> Option<&policy::Ruleset> {
        self.rulesets.iter().find(|ruleset| ruleset.service() == service)
    }
}

/// Compiles a source for each service that it names; for Firestore when it names none, to say what is wrong.
pub fn compile(source: &RulesSource) -> Result<CompiledSource, Status> {
    let [file] = &source.files[..] else {
        return Err(status::one_file());
    };
    if file.name.chars().count() > FILE_NAME_LEN_MAX || file.name.chars().any(char::is_control) {
        return Err(status::bad_file_name(FILE_NAME_LEN_MAX));
    }
    let source = Source::new(file.name.as_str(), file.content.as_str());
    let (parsed, _) = parser::parse(&source.text);
    let has = |service: &Service| parsed.services.iter().any(|block| block.name.text == service.name());
    let mut services: Vec<Service> = [Service::Firestore, Service::Storage].into_iter().filter(has).collect();
    if services.is_empty() {
        services.push(Service::Firestore);
    }
    let mut compiled =
        CompiledSource { source: source.clone(), diagnostics: Vec::new(), rulesets: Vec::new() };
    for service in services {
        let of_service = policy::compile(source.clone(), service);
        for diagnostic in of_service.diagnostics {
            if !compiled.diagnostics.contains(&diagnostic) {
                compiled.diagnostics.push(diagnostic);
            }
        }
        compiled.rulesets.extend(of_service.ruleset);
    }
    if compiled.diagnostics.iter().any(|found| found.severity == Severity::Error) {
        compiled.rulesets.clear();
    }
    Ok(compiled)
}
