//! Limits on guessing passwords and on making accounts, in serve. What was counted is in the store: a restart forgets
//! nothing, and every instance counts the same.
//!
//! Failed attempts are counted by account and address together, by account, and by address. From a few on, each one
//! doubles the time until the next. An account's owner is not locked out by others: from where they have signed in before,
//! only attempts on this account from there count. Accounts are counted by e-mail address whether they exist or not, so that
//! the answers do not show it.

use access::{Attempts, Permit};
use kv::{Key, Scan};

use super::rounds::contention;
use super::{RequestContext, UnitOfWork};
use crate::Identity;
use crate::limits::{
    ATTEMPTS_MAX, FAILURES_FREE_PER_ACCOUNT, FAILURES_FREE_PER_ADDRESS, FAILURES_FREE_PER_PAIR, SWEPT_AT_ONCE,
};
use crate::model::counts::{Failures, SignUps};
use crate::model::key::{Realm, failure_counts, sign_up_counts};
use crate::model::{decode, encode};
use crate::status::{Failure, TOO_MANY_ATTEMPTS, TOO_MANY_SIGN_UPS};
use crate::turns::Party;

/// An attempt to sign in to an account that may be made.
pub(crate) struct Attempt {
    pub party: Party,
    account: Failures,
    has_failed_here: bool,
}

impl UnitOfWork<'_> {
    /// Whether a password may be tried for this e-mail address now.
    ///
    /// Errors: `TOO_MANY_ATTEMPTS_TRY_LATER`.
    pub async fn attempt(&mut self, email: &str) -> Result<Attempt, Failure> {
        let network = self.context.network_text();
        if !self.identity.serves() {
            let party = Party { account: email.to_owned(), address: network, is_familiar: false };
            return Ok(Attempt { party, account: Failures::default(), has_failed_here: false });
        }
        let (realm, now_s) = (self.realm(), self.now_s());
        let account: Failures = self.row(&realm.failures_of_account(email)).await?.unwrap_or_default();
        let pair: Option<Failures> = self.row(&realm.failures_of_pair(email, &network)).await?;
        let is_familiar = account.familiar.contains(&network);
        let mut must_wait = pair.as_ref().is_some_and(|pair| pair.must_wait(FAILURES_FREE_PER_PAIR, now_s));
        if !is_familiar {
            let address: Failures = self.row(&realm.failures_of_address(&network)).await?.unwrap_or_default();
            must_wait |= account.must_wait(FAILURES_FREE_PER_ACCOUNT, now_s)
                || (self.context.network.is_some() && address.must_wait(FAILURES_FREE_PER_ADDRESS, now_s));
        }
        // The attempt that was made already is answered as what it was.
        if must_wait && !self.has_hashed() {
            return Err(TOO_MANY_ATTEMPTS.into());
        }
        let party = Party { account: email.to_owned(), address: network, is_familiar };
        Ok(Attempt { party, account, has_failed_here: pair.is_some() })
    }

    /// Stages what a successful attempt changes: failures from here are forgotten, and here is familiar from now on.
    pub fn succeeded(&mut self, permit: &Permit, attempt: Attempt) -> Result<(), Failure> {
        let Attempt { party, mut account, has_failed_here } = attempt;
        if has_failed_here {
            self.erase(permit, self.realm().failures_of_pair(&party.account, &party.address));
        }
        if !party.is_familiar && self.context.network.is_some() && self.identity.serves() {
            account.familiarise(&party.address);
            self.put(permit, self.realm().failures_of_account(&party.account), &account)?;
        }
        Ok(())
    }

    /// Stages the end of what is counted of an account whose owner has shown, by e-mail or through an administrator, that
    /// it is theirs.
    pub fn forgive(&mut self, permit: &Permit, email: &str) {
        if self.identity.serves() {
            self.erase(permit, self.realm().failures_of_account(email));
            self.erase(permit, self.realm().failures_of_pair(email, &self.context.network_text()));
        }
    }

    /// Whether another account may be made from this address; what is then to be counted.
    ///
    /// Errors: `TOO_MANY_ATTEMPTS_TRY_LATER`.
    pub async fn sign_ups(&mut self) -> Result<Option<SignUps>, Failure> {
        let max = self.identity.settings.sign_ups_per_address_hour;
        let Some(network) = self.context.network.filter(|_| max > 0 && self.identity.serves()) else {
            return Ok(None);
        };
        let row: SignUps = self.row(&self.realm().sign_ups(&network.to_string())).await?.unwrap_or_default();
        let row = row.current(self.now_s());
        if row.count >= max {
            return Err(TOO_MANY_SIGN_UPS.into());
        }
        Ok(Some(SignUps { count: row.count + 1, ..row }))
    }

    /// Stages the count of a new account.
    pub fn count_sign_up(&mut self, permit: &Permit, counted: Option<SignUps>) -> Result<(), Failure> {
        match counted {
            Some(row) => self.put(permit, self.realm().sign_ups(&self.context.network_text()), &row),
            None => Ok(()),
        }
    }
}

impl Identity {
    /// Counts a wrong password, durably, before the answer is given.
    pub(super) async fn count_failure(&self, context: &RequestContext, email: &str) -> Result<(), Failure> {
        let (realm, network) = (&context.realm, context.network_text());
        let mut keys = vec![realm.failures_of_account(email), realm.failures_of_pair(email, &network)];
        if context.network.is_some() {
            keys.push(realm.failures_of_address(&network));
        }
        let (keys, now_s) = (&keys, self.now_s());
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: keys, exhausted: contention };
        let work = |mut session: access::Session| async move {
            let rows = session.get_many(keys).await?;
            let permit = session.authorize_self("wrong password", "/users");
            for (key, row) in keys.iter().zip(rows) {
                let mut failures: Failures = row.map(|row| decode(&row)).transpose()?.unwrap_or_default();
                failures.add(now_s);
                session.write(&permit, key.clone(), Some(encode(&failures)?));
            }
            Ok::<_, Failure>((session, ()))
        };
        let operation = Self::operation("countFailure");
        self.gate.transact(&context.caller, &operation, attempts, work).await?;
        Ok(())
    }

    /// Erases counts that no longer matter.
    pub(super) async fn sweep_counts(&self) -> Result<(), Failure> {
        for (range, is_failures) in [(failure_counts(), true), (sign_up_counts(), false)] {
            let mut rest = Some(range);
            while let Some(range) = rest.take() {
                let range = &range;
                let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: contention };
                let work = |mut session: access::Session| async move {
                    let scan = Scan { rows_max: SWEPT_AT_ONCE, ..Scan::default() };
                    let page = session.scan(range, scan).await?;
                    let over = self.over(&page.rows, is_failures)?;
                    if !over.is_empty() {
                        let permit = session.authorize_self("upkeep", "/users");
                        over.into_iter().for_each(|key| session.write(&permit, key, None));
                    }
                    Ok::<_, Failure>((session, page.next))
                };
                let operation = Self::operation("sweepCounts");
                let caller = access::Caller::admin("hearth");
                (rest, _) = self.gate.transact(&caller, &operation, attempts, work).await?;
            }
        }
        Ok(())
    }

    fn over(&self, rows: &[kv::Row], is_failures: bool) -> Result<Vec<Key>, Failure> {
        let now_s = self.now_s();
        let mut over = Vec::new();
        for row in rows {
            let is_over = if is_failures {
                decode::<Failures>(row)?.is_over(now_s)
            } else {
                decode::<SignUps>(row)?.is_over(now_s)
            };
            if is_over {
                over.push(row.key.clone());
            }
        }
        Ok(over)
    }
}

/// The row that counts new accounts of a request's address: parallel sign-ups contend on it.
pub(super) fn sign_ups_row(context: &RequestContext, realm: &Realm) -> Option<Key> {
    context.network.map(|network| realm.sign_ups(&network.to_string()))
}
