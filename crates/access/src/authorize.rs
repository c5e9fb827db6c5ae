//! The decision: rules of any language, asked about an operation of a session, with facts of its snapshot.

use std::sync::Arc;

use base::value::fields_size;
use base::{Code, Status};
use policy::value::json::fields_to_json;
use policy::{Decision, Policy, Step, Who};
use serde_json::Value as Json;

use crate::facts::Facts;
use crate::grant::{Evidence, Footprint, Grant, Permit, Subject};
use crate::log::{Basis, Cause, Event, Verdict};
use crate::reads::Reads;
use crate::refusal::{Denial, Reason, Refusal};
use crate::rulesets::{Enforced, Rules};
use crate::session::Session;

/// Bytes of a caller's claims that the log keeps.
const CLAIMS_BYTES_MAX: usize = 4096;

/// A decision of one policy with what it has read.
struct Judged<P: Policy> {
    decision: Decision,
    /// What it asked for that no decision of the session had asked for before.
    asked: Vec<P::Need>,
}

/// Lets a policy evaluate until it needs no more facts.
async fn judge<P: Policy>(
    policy: &P,
    enforced: Option<&Enforced<P>>,
    who: &Who<'_>,
    request: &P::Request<'_>,
    facts: &dyn Facts<P>,
    reads: &mut Reads,
    evidence: &mut Evidence,
) -> Result<Judged<P>, Status> {
    let mut known = evidence.take::<P>();
    known.begin();
    let mut asked = Vec::new();
    let decision = loop {
        let needs = match policy.decide(who, request, &known, None) {
            Step::Decided(decision) => break decision,
            Step::Needs(needs) => needs,
        };
        if needs.is_empty() || needs.iter().any(|need| known.get(need).is_some()) {
            tracing::error!("the rules went on asking for facts they were given");
            return Err(Status::new(Code::Internal, "The rules could not be evaluated."));
        }
        if asked.len() + needs.len() > P::FACTS_MAX {
            let text = format!("The rules depend on more than {} places of the data.", P::FACTS_MAX);
            return Err(Status::new(Code::ResourceExhausted, text));
        }
        let mark = reads.mark();
        let found = facts.facts(reads, &needs).await?;
        let (keys, ranges) = reads.since(mark);
        evidence.keys.extend_from_slice(keys);
        evidence.ranges.extend_from_slice(ranges);
        if found.len() != needs.len() {
            tracing::error!("a service answered {} facts of {}", found.len(), needs.len());
            return Err(Status::new(Code::Internal, "The rules could not be evaluated."));
        }
        for (need, fact) in needs.into_iter().zip(found) {
            asked.push(need.clone());
            known.insert(need, fact);
        }
    };
    // The answer is the same.
    if let Some(enforced) = enforced {
        enforced.cover(|trace| {
            let _ = policy.decide(who, request, &known, Some(trace));
        });
    }
    evidence.keep(known);
    Ok(Judged { decision, asked })
}

impl Session {
    /// Asks rules whether the operation is allowed. Administrators pass without being asked.
    ///
    /// `facts` finds what the rules want to know, in this session's snapshot; it becomes part of the read set, and so of
    /// what the commit validates. The decision is recorded, whatever it is.
    pub async fn authorize<P: Policy>(
        &mut self,
        rules: &Rules<P>,
        subject: Subject<'_>,
        request: &P::Request<'_>,
        facts: &dyn Facts<P>,
    ) -> Result<Grant, Refusal> {
        if self.caller().is_admin() {
            return Ok(self.pass_admin(subject));
        }
        let enforced = match rules {
            Rules::Enforced(enforced) => enforced,
            Rules::Open(_) => {
                let mut event = self.event(subject.method, subject.path);
                event.rule = Some("no rules are loaded: dev allows everything".to_owned());
                event.basis = Some(Box::new(self.basis::<P>(request)));
                self.events.push(event);
                return Ok(self.grant(Footprint::default(), false));
            }
            Rules::Closed(why) => {
                let mut event = self.event(subject.method, subject.path);
                event.basis = Some(Box::new(self.basis::<P>(request)));
                let cause = Cause::plain(why);
                return Err(self.deny(subject.method, event, vec![cause], Reason::NoRules(Arc::clone(why))));
            }
        };
        self.decide(&enforced.policy, Some(enforced), subject, request, facts).await
    }

    /// The same by the guard of a single operation, which is part of no rules.
    pub async fn authorize_by<P: Policy>(
        &mut self,
        guard: &P,
        subject: Subject<'_>,
        request: &P::Request<'_>,
        facts: &dyn Facts<P>,
    ) -> Result<Grant, Refusal> {
        if self.caller().is_admin() {
            return Ok(self.pass_admin(subject));
        }
        self.decide(guard, None, subject, request, facts).await
    }

    /// Asks whether a condition holds that is a part of an operation and not only of who may call it: administrators are asked,
    /// too. A decision that allows and repeats the one before it is counted with it. `details`: further facts for its line.
    pub async fn check<P: Policy>(
        &mut self,
        condition: &P,
        subject: Subject<'_>,
        details: serde_json::Map<String, Json>,
        request: &P::Request<'_>,
        facts: &dyn Facts<P>,
    ) -> Result<Grant, Refusal> {
        let decided = self.decide(condition, None, subject, request, facts).await;
        if let (Some(last), false) = (self.events.last_mut(), matches!(decided, Err(Refusal::Fault(_)))) {
            last.details.extend(details);
        }
        let grant = decided?;
        if let [.., before, last] = self.events.as_mut_slice()
            && before.verdict == last.verdict
            && before.details == last.details
            && (&before.method, &before.path, &before.rule) == (&last.method, &last.path, &last.rule)
        {
            before.count = Some(before.count.unwrap_or(1) + 1);
            before.expressions += last.expressions;
            self.events.pop();
        }
        Ok(grant)
    }

    /// Leaves the record of what a condition refuses that could not even be asked.
    pub fn refuse_check(&mut self, subject: Subject<'_>, at: &str, reason: &str) {
        let mut event = self.event(subject.method, subject.path);
        event.verdict = Verdict::Deny;
        event.causes = vec![Cause { at: at.to_owned(), ..Cause::plain(reason) }];
        self.events.push(event);
    }

    fn pass_admin(&mut self, subject: Subject<'_>) -> Grant {
        let mut event = self.event(subject.method, subject.path);
        event.verdict = Verdict::Admin;
        self.events.push(event);
        self.grant(Footprint::default(), false)
    }

    fn basis<P: Policy>(&self, request: &P::Request<'_>) -> Basis {
        Basis {
            state: self.reads.version().0,
            time: self.now.micros(),
            asked: P::asked(request, self.gate().keeps_requests()),
            ..Basis::default()
        }
    }

    async fn decide<P: Policy>(
        &mut self,
        policy: &P,
        enforced: Option<&Enforced<P>>,
        subject: Subject<'_>,
        request: &P::Request<'_>,
        facts: &dyn Facts<P>,
    ) -> Result<Grant, Refusal> {
        let mut event = self.event(subject.method, subject.path);
        let mut basis = self.basis::<P>(request);
        let Session { caller, now, reads, evidence, .. } = self;
        let who = Who { auth: caller.auth(), app: caller.app.app(), time: *now };
        let judged = judge(policy, enforced, &who, request, facts, reads, evidence).await;
        let Judged { decision, asked } = judged.map_err(Refusal::Fault)?;
        event.expressions = u64::from(decision.cost.expressions);
        event.read = read_of::<P>(&decision, &asked);
        basis.rules = enforced.and_then(|enforced| enforced.fingerprint.clone());
        basis.claims = self.claims_for_log();
        event.basis = Some(Box::new(basis));
        let source = policy.source();
        if decision.allowed {
            event.rule = decision.by.map(|by| format!("{}:{}:{}", source.name, by.line, by.column));
            self.events.push(event);
            let footprint = Footprint {
                keys: self.evidence.keys.clone(),
                ranges: self.evidence.ranges.clone(),
                auth: decision.depends.auth,
                time: decision.depends.time,
            };
            let line = decision.by.map(|by| by.line);
            return Ok(Grant { line, ..self.grant(footprint, decision.exact_match_only) });
        }
        let causes = self.logged(source, &decision.causes);
        Err(self.deny(subject.method, event, causes, Reason::Rules(decision.causes)))
    }

    /// The caller's claims, where the log keeps them.
    fn claims_for_log(&self) -> Json {
        match self.caller().auth() {
            Some(auth) if self.gate().keeps_requests() && fields_size(auth.token) <= CLAIMS_BYTES_MAX => {
                fields_to_json(auth.token)
            }
            _ => Json::Null,
        }
    }

    /// The causes for the log. Observed values are data: outside of dev it keeps their types only.
    fn logged(&self, source: &policy::Source, causes: &[policy::Cause]) -> Vec<Cause> {
        if causes.is_empty() {
            return vec![Cause::plain("no rule matches this path and method")];
        }
        let dev = self.gate().mode().dev().is_some();
        let logged = causes.iter().map(|cause| Cause {
            at: format!("{}:{}:{}", source.name, cause.line, cause.column),
            expression: cause.expression().to_owned(),
            observed: if dev { cause.observed() } else { cause.observed_type() }.to_owned(),
            text: cause.text().to_owned(),
        });
        logged.collect()
    }

    /// For verbs that only administrators have.
    pub fn authorize_admin(&mut self, resource: &str) -> Result<Permit, Refusal> {
        let mut event = self.event("admin", resource);
        if self.caller().is_admin() {
            event.verdict = Verdict::Admin;
            self.events.push(event);
            return Ok(self.permit());
        }
        let causes = vec![Cause::plain("only administrators may do this")];
        Err(self.deny("admin", event, causes, Reason::NotAdmin))
    }

    /// For acts whose right was proved to the service itself; `ground` names the proof (`password`, `refresh token`).
    pub fn authorize_self(&mut self, ground: &'static str, resource: &str) -> Permit {
        let mut event = self.event(ground, resource);
        if self.caller().is_admin() {
            event.verdict = Verdict::Admin;
        }
        self.events.push(event);
        self.permit()
    }

    /// Ends with a denial that no rule made: a wrong password, a revoked session.
    pub fn refuse(mut self, ground: &'static str, resource: &str, reason: &str) {
        let mut event = self.event(ground, resource);
        event.verdict = Verdict::Deny;
        event.causes.push(Cause::plain(reason));
        self.events.push(event);
        self.finish();
    }

    /// Takes back what the rules allowed on a condition that the data does not meet. `method` is the one that they allowed.
    pub fn retract(&mut self, method: &'static str, reason: &str) -> Refusal {
        for event in self.events.iter_mut().filter(|event| event.verdict == Verdict::Allow) {
            event.verdict = Verdict::Deny;
            event.causes.push(Cause::plain(reason));
        }
        Refusal::Denied(Denial {
            method,
            reason: Reason::Retracted(reason.to_owned()),
            shows_reasons: self.gate().mode().dev(),
        })
    }

    fn deny(
        &mut self,
        method: &'static str,
        mut event: Event,
        causes: Vec<Cause>,
        reason: Reason,
    ) -> Refusal {
        event.verdict = Verdict::Deny;
        event.causes = causes;
        self.events.push(event);
        Refusal::Denied(Denial { method, reason, shows_reasons: self.gate().mode().dev() })
    }

    fn permit(&self) -> Permit {
        Permit { request: self.request }
    }

    fn grant(&self, footprint: Footprint, literally: bool) -> Grant {
        Grant { permit: self.permit(), footprint, literally, line: None }
    }
}

/// What the record says that the rules read.
fn read_of<P: Policy>(decision: &Decision, asked: &[P::Need]) -> Vec<String> {
    if decision.documents.is_empty() {
        return asked.iter().map(ToString::to_string).collect();
    }
    decision.documents.iter().map(ToString::to_string).collect()
}
