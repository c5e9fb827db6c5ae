//! Running a verb. Passwords are hashed between its sessions, never within: while somebody waits for a turn nothing of the
//! store is held, and a conflict never hashes again.
//!
//! A verb that needs a hash ends its session without a trace; the hash is made when its turn comes, and the verb begins
//! again and finds it done. Before a password is checked the verb runs once more, so that attempts that failed while it
//! waited count.

use access::{Attempts, BlockingAnswer, Operation, Service};
use base::{Code, Status};
use kv::Key;
use parking_lot::Mutex;

use super::blocking::unanswered;
use super::{RequestContext, UnitOfWork, Verb};
use crate::Identity;
use crate::limits::{ATTEMPTS_MAX, ROUNDS_MAX};
use crate::password::{Hashed, Hashing};
use crate::status::Failure;
use crate::turns::Party;

/// What a request keeps between the sessions of its verb.
#[derive(Default)]
pub(crate) struct Rounds {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    wanted: Option<(Hashing, Party)>,
    done: Vec<(Hashing, Hashed)>,
    contended: Vec<Key>,
    consumed: Vec<Key>,
    asked: Option<Question>,
    answers: Vec<(&'static str, Result<BlockingAnswer, Status>)>,
    uid: Option<String>,
}

/// A question to a blocking function.
pub(crate) struct Question {
    /// The event that it has a say in.
    pub event: &'static str,
    /// The signed question.
    pub text: String,
}

impl Rounds {
    /// What became of a hashing, if it is done. Else it is wanted now, and the verb ends with what is returned.
    pub fn hashed(&self, hashing: Hashing, party: Party) -> Result<Hashed, Failure> {
        let mut inner = self.inner.lock();
        if let Some((_, hashed)) = inner.done.iter().find(|(done, _)| *done == hashing) {
            return Ok(hashed.clone());
        }
        inner.wanted = Some((hashing, party));
        Err(Failure::Fault(Status::new(Code::Internal, "A password has not been hashed yet.")))
    }

    /// What a blocking function has answered.
    pub fn answer(&self, event: &str) -> Option<Result<BlockingAnswer, Status>> {
        let inner = self.inner.lock();
        inner.answers.iter().find(|(of, _)| *of == event).map(|(_, answer)| answer.clone())
    }

    /// Has a blocking function asked: the verb ends with what is returned and begins again.
    pub fn ask(&self, question: Question) -> Failure {
        self.inner.lock().asked = Some(question);
        Failure::Fault(Status::new(Code::Internal, "A blocking function has not been asked yet."))
    }

    /// The id of the user that the verb makes: the same in each of its sessions.
    pub fn new_uid(&self) -> Result<String, Failure> {
        let mut inner = self.inner.lock();
        match &inner.uid {
            Some(uid) => Ok(uid.clone()),
            None => Ok(inner.uid.insert(base::id::user_id()?).clone()),
        }
    }

    /// Notes a row that the verb will write.
    pub fn contend(&self, key: Key) {
        self.inner.lock().contended.push(key);
    }

    /// Notes a row that is erased if the verb is refused.
    pub fn consume(&self, key: Key) {
        self.inner.lock().consumed.push(key);
    }

    /// Whether something is done.
    pub fn has_hashed(&self) -> bool {
        !self.inner.lock().done.is_empty()
    }

    fn is_wanting(&self) -> bool {
        let inner = self.inner.lock();
        inner.wanted.is_some() || inner.asked.is_some()
    }
}

impl Identity {
    /// Runs a verb: in one session, or in several if it hashes passwords.
    pub(crate) async fn run<V: Verb>(
        &self,
        context: &RequestContext,
        verb: &V,
    ) -> Result<V::Output, Failure> {
        let rounds = Rounds::default();
        let mut turn = None;
        for _ in 0..ROUNDS_MAX {
            let outcome = self.round(context, verb, &rounds).await;
            let asked = rounds.inner.lock().asked.take();
            if let (Some(question), Some(blocking)) = (asked, self.blocking.get()) {
                let answer = blocking.ask(question.event, &question.text).await;
                let answer = answer.map_err(|status| unanswered(&status));
                rounds.inner.lock().answers.push((question.event, answer));
                continue;
            }
            let wanted = rounds.inner.lock().wanted.take();
            let Some((hashing, party)) = wanted else {
                if matches!(outcome, Err(Failure::Refused(_))) {
                    self.erase_consumed(context, V::NAME, &rounds).await?;
                }
                return outcome;
            };
            if turn.is_none() {
                match self.turns.wait(party.clone()).await {
                    Ok(begun) => turn = Some(begun),
                    Err(failure) => return Err(self.refused_unheard(context, V::NAME, failure).await),
                }
                if matches!(hashing, Hashing::Check { .. }) {
                    continue;
                }
            }
            let hashed = self.passwords.compute(&hashing).await?;
            if hashed == Hashed::Matches(false) {
                self.count_failure(context, &party.account).await?;
            }
            rounds.inner.lock().done.push((hashing, hashed));
            turn = None;
        }
        Err(contention().into())
    }

    /// One session of a verb, tried again while others change what it reads.
    async fn round<V: Verb>(
        &self,
        context: &RequestContext,
        verb: &V,
        rounds: &Rounds,
    ) -> Result<V::Output, Failure> {
        let operation = Self::operation(V::NAME);
        let mut contended = verb.contended(context);
        contended.extend(rounds.inner.lock().contended.iter().cloned());
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &contended, exhausted: contention };
        let work = |mut session: access::Session| async move {
            session.set_project(&context.realm.project);
            let mut work = UnitOfWork::new(self, context, rounds, session);
            match verb.execute(&mut work).await {
                Ok(output) => Ok((work.into_session(), output)),
                Err(Failure::Refused(refused)) => {
                    work.refuse(V::NAME, &refused);
                    Err(Failure::Refused(refused))
                }
                Err(fault) => {
                    if rounds.is_wanting() {
                        work.into_session().finish();
                    }
                    Err(fault)
                }
            }
        };
        let (output, _) = self.gate.transact(&context.caller, &operation, attempts, work).await?;
        Ok(output)
    }

    pub(super) fn operation(verb: &'static str) -> Operation {
        Operation { service: Service::Identity, verb, resource: "/users".to_owned() }
    }

    /// Erases what a refused verb has used up.
    async fn erase_consumed(
        &self,
        context: &RequestContext,
        verb: &'static str,
        rounds: &Rounds,
    ) -> Result<(), Failure> {
        let consumed = std::mem::take(&mut rounds.inner.lock().consumed);
        if consumed.is_empty() {
            return Ok(());
        }
        let consumed = &consumed;
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: consumed, exhausted: contention };
        let work = |mut session: access::Session| async move {
            session.set_project(&context.realm.project);
            let permit = session.authorize_self("e-mail code", "/users");
            for key in consumed {
                session.write(&permit, key.clone(), None);
            }
            Ok::<_, Failure>((session, ()))
        };
        self.gate.transact(&context.caller, &Self::operation(verb), attempts, work).await?;
        Ok(())
    }

    /// The record of a request that was refused before its verb had its say.
    async fn refused_unheard(
        &self,
        context: &RequestContext,
        verb: &'static str,
        failure: Failure,
    ) -> Failure {
        if let Failure::Refused(refused) = &failure {
            match self.gate.begin(&context.caller, Self::operation(verb)).await {
                Ok(mut session) => {
                    session.set_project(&context.realm.project);
                    session.refuse(verb, "/users", refused.name());
                }
                Err(status) => return status.into(),
            }
        }
        failure
    }
}

pub(super) fn contention() -> Status {
    Status::new(Code::Aborted, "Too much contention on these users. Please try again.")
}
