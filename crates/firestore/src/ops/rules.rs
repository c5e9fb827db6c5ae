//! The emulator's own verbs for rules: a test gives its project the rules it is about, and asks how much of them it has
//! covered. Dev only.
//!
//! Source: `@firebase/rules-unit-testing` and the official emulator (`PUT …:securityRules`, `GET …:ruleCoverage`).

use access::{DevPermit, Rules, RulesRefused};
use policy::coverage::{Issue, issues};
use policy::{Coverage, Source};

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
    ) -> Result<Vec<Issue>, Vec<Issue>> {
        let source = Source::new(name.unwrap_or(UNNAMED), text);
        let loaded = self.gate.rules().firestore.load_for(permit, project, source.clone());
        match loaded {
            Ok(warnings) => Ok(issues(&source, &warnings)),
            Err(refused) => {
                let RulesRefused { diagnostics } = *refused;
                Err(issues(&source, &diagnostics))
            }
        }
    }

    /// The rules in force for a project; `None` where everything is allowed because there are none.
    pub fn rules(&self, _permit: DevPermit, project: &str) -> Option<Source> {
        match &*self.gate.rules().firestore.current(project) {
            Rules::Enforced(enforced) => Some(enforced.policy.source().clone()),
            Rules::Open(_) | Rules::Closed(_) => None,
        }
    }

    /// How much of a project's rules has been covered since they are in force; `None` where there are none.
    pub fn coverage(&self, permit: DevPermit, project: &str) -> Option<Coverage> {
        self.gate.rules().firestore.coverage(permit, project)
    }
}
