//! The emulator's own verb for rules: a test gives its project the rules it is about. Dev only.
//!
//! Source: `@firebase/rules-unit-testing` and the official emulator (`PUT …:securityRules`).

use access::{DevPermit, RulesRefused};
use policy::Source;
use policy::diagnostic::Report;

use super::Firestore;

/// The name that diagnostics give to rules without one.
const UNNAMED: &str = "firestore.rules";

impl Firestore {
    /// Puts rules in force for a project. Gives what was found: with errors, nothing was changed.
    pub fn put_rules(
        &self,
        permit: DevPermit,
        project: &str,
        name: Option<&str>,
        text: &str,
    ) -> Result<Vec<Report>, Vec<Report>> {
        let source = Source::new(name.unwrap_or(UNNAMED), text);
        let loaded = self.gate.firestore_rules().load_for(permit, project, source.clone());
        let report = |found: &policy::Diagnostic| found.report(&source);
        match loaded {
            Ok(warnings) => Ok(warnings.iter().map(report).collect()),
            Err(refused) => {
                let RulesRefused { diagnostics } = *refused;
                Err(diagnostics.iter().map(report).collect())
            }
        }
    }
}
