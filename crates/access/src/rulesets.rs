//! Which rules are in force, per service. A load that fails keeps the last good rules and says why.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::{Diagnostic, Ruleset, Severity, Source};

use crate::mode::{DevPermit, Mode};

/// What decides when a caller is not an administrator.
#[derive(Clone)]
pub enum Rules {
    /// A compiled ruleset.
    Enforced(Arc<Ruleset>),
    /// No rules file, in dev: everything is allowed, and the start-up screen says so loudly.
    Open(DevPermit),
    /// No rules, in production: everything is denied.
    Closed,
}

/// How many projects may bring rules of their own, in dev.
const PROJECTS_MAX: usize = 1000;

/// The rules of one service. Readers never wait; a load swaps.
pub struct Rulesets {
    service: policy::Service,
    current: ArcSwap<Rules>,
    /// Rules that tests have put for a project of theirs, in dev.
    of_projects: ArcSwap<HashMap<String, Arc<Rules>>>,
}

/// The rules did not compile; those in force before still are.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the rules have errors; the last good rules stay in force")]
pub struct RulesRefused {
    /// Why, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl Rulesets {
    /// Before any load: open in dev, closed in production.
    pub fn new(service: policy::Service, mode: &Mode) -> Self {
        let rules = match mode {
            Mode::Dev(permit) => Rules::Open(*permit),
            Mode::Serve => Rules::Closed,
        };
        Self { service, current: ArcSwap::from_pointee(rules), of_projects: ArcSwap::default() }
    }

    /// Compiles and, when there is no error, puts in force. Gives the warnings.
    ///
    /// The newest load counts: what tests put for a project before is forgotten.
    pub fn load(&self, source: Source) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let (rules, warnings) = self.compile(source)?;
        self.current.store(rules);
        self.of_projects.store(Arc::default());
        Ok(warnings)
    }

    /// The same for one project only: how `@firebase/rules-unit-testing` gives each test file its rules. Dev only.
    /// Beyond [`PROJECTS_MAX`] projects those put before are forgotten.
    pub fn load_for(
        &self,
        _permit: DevPermit,
        project: &str,
        source: Source,
    ) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let (rules, warnings) = self.compile(source)?;
        self.of_projects.rcu(|before| {
            let mut after = if before.len() < PROJECTS_MAX { HashMap::clone(before) } else { HashMap::new() };
            after.insert(project.to_owned(), Arc::clone(&rules));
            after
        });
        Ok(warnings)
    }

    fn compile(&self, source: Source) -> Result<(Arc<Rules>, Vec<Diagnostic>), Box<RulesRefused>> {
        let compiled = policy::compile(source, self.service);
        match compiled.ruleset {
            Some(ruleset) if compiled.diagnostics.iter().all(|found| found.severity != Severity::Error) => {
                Ok((Arc::new(Rules::Enforced(Arc::new(ruleset))), compiled.diagnostics))
            }
            _ => Err(Box::new(RulesRefused { diagnostics: compiled.diagnostics })),
        }
    }

    /// Denies everything from now on: what production does when its rules file is broken at start.
    pub fn close(&self) {
        self.current.store(Arc::new(Rules::Closed));
    }

    /// The rules in force for a project at this moment.
    pub fn current(&self, project: &str) -> Arc<Rules> {
        match self.of_projects.load().get(project) {
            Some(rules) => Arc::clone(rules),
            None => self.current.load_full(),
        }
    }
}
