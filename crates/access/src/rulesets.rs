//! Which rules are in force, per service. A load that fails keeps the last good rules and says why.

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

/// The rules of one service. Readers never wait; a load swaps.
pub struct Rulesets {
    service: policy::Service,
    current: ArcSwap<Rules>,
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
        Self { service, current: ArcSwap::from_pointee(rules) }
    }

    /// Compiles and, when there is no error, puts in force. Gives the warnings.
    pub fn load(&self, source: Source) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let compiled = policy::compile(source, self.service);
        match compiled.ruleset {
            Some(ruleset) if compiled.diagnostics.iter().all(|found| found.severity != Severity::Error) => {
                self.current.store(Arc::new(Rules::Enforced(Arc::new(ruleset))));
                Ok(compiled.diagnostics)
            }
            _ => Err(Box::new(RulesRefused { diagnostics: compiled.diagnostics })),
        }
    }

    /// Denies everything from now on: what production does when its rules file is broken at start.
    pub fn close(&self) {
        self.current.store(Arc::new(Rules::Closed));
    }

    /// The rules in force at this moment.
    pub fn current(&self) -> Arc<Rules> {
        self.current.load_full()
    }
}
