//! Which rules are in force, per service. A load that fails keeps the last good rules and reports why.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use policy::{Coverage, Diagnostic, Policy, Severity, Source, Trace, bolt, rtdb, rules};
use tokio::sync::watch;

use crate::log::AccessLog;
use crate::mode::{DevPermit, Mode};

/// What decides when a caller is not an administrator.
pub enum Rules<P> {
    /// A compiled ruleset.
    Enforced(Box<Enforced<P>>),
    /// No rules file, in dev: everything is allowed, and the start-up screen says so loudly.
    Open(DevPermit),
    /// There are no rules to decide by, for this reason: everything is denied.
    Closed(Arc<str>),
}

/// A ruleset in force.
pub struct Enforced<P> {
    /// The rules.
    pub policy: P,
    /// What tells their text from every other, for the log.
    pub(crate) fingerprint: Option<String>,
    /// What became of their expressions since they are in force. Dev only.
    coverage: Option<Mutex<Coverage>>,
}

impl<P> Enforced<P> {
    /// Where coverage is kept, has a decision made again, observed, and adds what it did. The first decisions are
    /// reported with their values, later ones are only counted: dev must not become slow.
    pub(crate) fn cover(&self, decide: impl FnOnce(&mut Trace)) {
        if let Some(coverage) = &self.coverage {
            let mut trace = coverage.lock().next_trace();
            decide(&mut trace);
            trace.end_at_grants();
            coverage.lock().add(&trace);
        }
    }
}

impl<P> Rules<P> {
    /// Rules that are in force without a [`Rulesets`]: those of a single operation.
    pub fn enforced(policy: P) -> Self {
        Rules::Enforced(Box::new(Enforced { policy, fingerprint: None, coverage: None }))
    }
}

/// How many projects may bring rules of their own, in dev.
const PROJECTS_MAX: usize = 1000;

/// Makes rules of a text: the rules, unless there are errors, and what there is to report.
pub type Compile<P> = fn(Source) -> (Option<P>, Vec<Diagnostic>);

/// Compiled rules and the warnings about them.
type Loaded<P> = (Arc<Rules<P>>, Vec<Diagnostic>);

/// The rules of one service. Readers never wait; a load swaps.
pub struct Rulesets<P> {
    compile: Compile<P>,
    covers: bool,
    /// Where the texts are kept.
    log: Option<AccessLog>,
    current: ArcSwap<Rules<P>>,
    /// What was deployed over the Rules API, in production: it stands before the file's.
    deployed: ArcSwapOption<Rules<P>>,
    /// What was deployed for parts of the service of their own, in production: databases beside the default one.
    of_parts: ArcSwap<HashMap<String, Arc<Rules<P>>>>,
    /// Rules that tests have put for a project of theirs, or for a part of it (`project/part`), in dev.
    of_projects: ArcSwap<HashMap<String, Arc<Rules<P>>>>,
    /// Counts what was put in force.
    generation: watch::Sender<u64>,
}

/// The rules of every service that has rules of its own.
pub struct RulesInForce {
    /// Firestore's.
    pub firestore: Rulesets<rules::Ruleset>,
    /// Cloud Storage's.
    pub storage: Rulesets<rules::Ruleset>,
    /// The Realtime Database's.
    pub database: Rulesets<rtdb::Ruleset>,
}

impl RulesInForce {
    /// Before any load: open in dev, closed in production.
    pub(crate) fn new(mode: &Mode, log: &AccessLog) -> Self {
        fn service(source: Source, service: rules::Service) -> (Option<rules::Ruleset>, Vec<Diagnostic>) {
            let rules::Compiled { ruleset, diagnostics } = rules::compile(source, service);
            (ruleset, diagnostics)
        }
        fn database(source: Source) -> (Option<rtdb::Ruleset>, Vec<Diagnostic>) {
            if source.name.ends_with(".bolt") {
                let compiled = bolt::compile(source);
                return (compiled.ruleset, compiled.diagnostics);
            }
            let rtdb::Compiled { ruleset, diagnostics } = rtdb::compile(source);
            (ruleset, diagnostics)
        }
        Self {
            firestore: Rulesets::new(|source| service(source, rules::Service::Firestore), mode).logged(log),
            storage: Rulesets::new(|source| service(source, rules::Service::Storage), mode).logged(log),
            database: Rulesets::new(database, mode).logged(log),
        }
    }
}

/// The rules did not compile; those in force before still are.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the rules have errors; the last good rules stay in force")]
pub struct RulesRefused {
    /// Why, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

impl<P: Policy> Rulesets<P> {
    /// Before any load: open in dev, closed in production.
    pub fn new(compile: Compile<P>, mode: &Mode) -> Self {
        let rules = match mode {
            Mode::Dev(permit) => Rules::Open(*permit),
            Mode::Serve => Rules::Closed("no rules are loaded: production denies everything".into()),
        };
        let covers = mode.dev().is_some();
        Self {
            compile,
            covers,
            log: None,
            current: ArcSwap::from_pointee(rules),
            deployed: ArcSwapOption::empty(),
            of_parts: ArcSwap::default(),
            of_projects: ArcSwap::default(),
            generation: watch::Sender::new(0),
        }
    }

    /// The same, with the texts that come into force kept beside a log.
    fn logged(self, log: &AccessLog) -> Self {
        Self { log: Some(log.clone()), ..self }
    }

    /// Compiles and, when there is no error, puts in force. Gives the warnings.
    ///
    /// The newest load counts: what tests put for a project before is forgotten.
    pub fn load(&self, source: Source) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let (rules, warnings) = self.compile(source)?;
        self.current.store(rules);
        self.of_projects.store(Arc::default());
        self.swapped();
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
        self.swapped();
        Ok(warnings)
    }

    /// Forgets what a project has put: the others' rules decide again. Dev only.
    pub fn forget(&self, _permit: DevPermit, project: &str) {
        self.of_projects.rcu(|before| {
            let mut after = HashMap::clone(before);
            after.remove(project);
            after
        });
        self.swapped();
    }

    /// Puts deployed rules in force, before those of the file. Gives the warnings.
    pub fn deploy(&self, source: Source) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let (rules, warnings) = self.compile(source)?;
        self.deployed.store(Some(rules));
        self.swapped();
        Ok(warnings)
    }

    /// Takes deployed rules away: the file's decide again, or nothing is allowed where there is none.
    pub fn withdraw(&self) {
        self.deployed.store(None);
        self.swapped();
    }

    /// Puts deployed rules in force for a part of the service, which the others do not decide about. Gives the warnings.
    pub fn deploy_for(&self, part: &str, source: Source) -> Result<Vec<Diagnostic>, Box<RulesRefused>> {
        let (rules, warnings) = self.compile(source)?;
        self.put_part(part, Some(rules));
        Ok(warnings)
    }

    /// Takes a part's rules away: nothing of it is allowed any more.
    pub fn withdraw_from(&self, part: &str) {
        self.put_part(part, None);
    }

    /// Denies everything in a part from now on, for this reason.
    pub fn close_part(&self, part: &str, reason: &str) {
        self.put_part(part, Some(Arc::new(Rules::Closed(reason.into()))));
    }

    /// Forgets the rules of all parts: those of the whole service decide.
    pub fn withdraw_parts(&self) {
        self.of_parts.store(Arc::default());
        self.swapped();
    }

    fn put_part(&self, part: &str, rules: Option<Arc<Rules<P>>>) {
        self.of_parts.rcu(|before| {
            let mut after = HashMap::clone(before);
            match &rules {
                Some(rules) => after.insert(part.to_owned(), Arc::clone(rules)),
                None => after.remove(part),
            };
            after
        });
        self.swapped();
    }

    /// Whether deployed rules are in force.
    pub fn is_deployed(&self) -> bool {
        self.deployed.load().is_some()
    }

    fn compile(&self, source: Source) -> Result<Loaded<P>, Box<RulesRefused>> {
        let (policy, diagnostics) = (self.compile)(source);
        match policy {
            Some(policy) if diagnostics.iter().all(|found| found.severity != Severity::Error) => {
                let coverage = self.covers.then(|| Mutex::new(Coverage::new(policy.sites())));
                let fingerprint = policy.source().fingerprint();
                if let Some(log) = &self.log {
                    log.keep_rules(policy.source(), &fingerprint);
                }
                let enforced = Enforced { policy, fingerprint: Some(fingerprint), coverage };
                Ok((Arc::new(Rules::Enforced(Box::new(enforced))), diagnostics))
            }
            _ => Err(Box::new(RulesRefused { diagnostics })),
        }
    }

    /// Denies everything from now on, for this reason: the rules of dev are broken at start.
    pub fn close(&self, reason: &str) {
        self.current.store(Arc::new(Rules::Closed(reason.into())));
        self.swapped();
    }

    /// Has what is open decided again: something else than the rules that decisions depend on has changed.
    pub(crate) fn decide_again(&self) {
        self.swapped();
    }

    fn swapped(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Which rules are in force, as a number that every change of them raises. Read before a decision it says whether the
    /// decision still is that of the rules in force.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// The generation, and word of each new one.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The rules in force for a project at this moment.
    pub fn current(&self, project: &str) -> Arc<Rules<P>> {
        match self.of_projects.load().get(project) {
            Some(rules) => Arc::clone(rules),
            None => self.deployed.load_full().unwrap_or_else(|| self.current.load_full()),
        }
    }

    /// The rules in force for a part of the service. In production those that were deployed for it, and without any nothing is
    /// allowed; in dev those that were put for it, else the project's.
    pub fn current_for(&self, project: &str, part: &str) -> Arc<Rules<P>> {
        if self.covers {
            let own = self.of_projects.load().get(&format!("{project}/{part}")).cloned();
            return own.unwrap_or_else(|| self.current(project));
        }
        self.of_parts
            .load()
            .get(part)
            .cloned()
            .unwrap_or_else(|| Arc::new(Rules::Closed("no rules are loaded for this database".into())))
    }

    /// The rules in force for a part of the service that may have its own (a bucket): those that tests have put for it, then
    /// those that are loaded or deployed for it, else those of the whole service.
    pub fn of_part(&self, project: &str, part: &str) -> Arc<Rules<P>> {
        let put = self.of_projects.load().get(&format!("{project}/{part}")).cloned();
        let own = put.or_else(|| self.of_parts.load().get(part).cloned());
        own.unwrap_or_else(|| self.current(project))
    }

    /// The coverage of the rules in force for a project, as it is now; `None` where no rules are. Rules that are loaded
    /// begin anew.
    pub fn coverage(&self, _permit: DevPermit, project: &str) -> Option<Coverage> {
        match &*self.current(project) {
            Rules::Enforced(enforced) => enforced.coverage.as_ref().map(|coverage| coverage.lock().clone()),
            Rules::Open(_) | Rules::Closed(_) => None,
        }
    }
}
