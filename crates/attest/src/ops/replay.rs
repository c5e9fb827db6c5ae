//! Tokens that are used once.

use std::sync::atomic::Ordering;

use access::{Attempts, Caller, Flaw, Session};
use base::{Code, Status};
use bytes::Bytes;
use kv::Scan;

use super::{ATTEMPTS_MAX, operation};
use crate::model::rows::{all_consumed, consumed_before, consumed_key};
use crate::model::token::Token;
use crate::{AppCheck, status};

/// Tokens that are remembered as used up. Each is forgotten when it ends.
const CONSUMED_MAX: usize = 1_000_000;
/// Rows that are erased in one commit.
const ERASED_AT_ONCE: usize = 500;
/// What the record calls them.
const RESOURCE: &str = "/consumedTokens";

impl AppCheck {
    /// Uses a token up; `false` if it was used before.
    pub(super) async fn use_up(&self, token: &Token, text: &str) -> Result<bool, Status> {
        if self.consumed.load(Ordering::Relaxed) >= CONSUMED_MAX {
            return Err(status::replay_store_full(CONSUMED_MAX));
        }
        let id = token.jti.as_deref().unwrap_or(text);
        let key = &consumed_key(token.exp_s, format!("{}\0{id}", token.app).as_bytes());
        let contended = [key.clone()];
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &contended, exhausted: status::contention };
        let app = token.app.as_str();
        let work = |mut session: Session| async move {
            session.note("app", app.into());
            let is_new = session.get(key).await?.is_none();
            session.note("alreadyConsumed", (!is_new).into());
            let permit = session.authorize_self("app check token", RESOURCE);
            if is_new {
                session.write(&permit, key.clone(), Some(Bytes::from_static(b"{}")));
            }
            Ok::<_, Status>((session, is_new))
        };
        let nobody = Caller::unauthenticated();
        let (is_new, _) =
            self.gate.transact(&nobody, &operation("consumeToken", RESOURCE), attempts, work).await?;
        if is_new {
            self.consumed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(is_new)
    }

    /// What an administrator's server asks about a token that a client has shown it: whether it was used before. It is now.
    ///
    /// Errors: `INVALID_ARGUMENT` for a token that is no good.
    pub async fn verify_and_consume(&self, caller: &Caller, text: &str) -> Result<bool, Status> {
        let (session, _) = self.begin(caller, "verifyAppCheckToken", RESOURCE).await?;
        session.finish();
        match self.read(text).await? {
            Ok(token) if token.signer.stands() => self.use_up(&token, text).await,
            Ok(_) => Err(Status::invalid(Flaw::Revoked.to_string())),
            Err(flaw) => Err(Status::invalid(flaw.to_string())),
        }
    }

    /// Forgets tokens that have ended; how many are remembered still.
    pub async fn forget_used_tokens(&self) -> Result<usize, Status> {
        let over = &consumed_before(self.now_s());
        let caller = Caller::admin("hearth");
        let scan = || Scan { rows_max: ERASED_AT_ONCE, ..Scan::default() };
        loop {
            let mut session = self.gate.begin(&caller, operation("forgetTokens", RESOURCE)).await?;
            let rows = session.scan(over, scan()).await?.rows;
            if rows.is_empty() {
                session.discard();
                break;
            }
            let permit = session.authorize_admin(RESOURCE).map_err(status::refused)?;
            rows.into_iter().for_each(|row| session.write(&permit, row.key, None));
            match session.commit().await {
                Ok(_) | Err(access::CommitFailure::Conflict) => {}
                Err(access::CommitFailure::Failed(status)) => return Err(status),
            }
        }
        let mut session = self.gate.begin(&caller, operation("countTokens", RESOURCE)).await?;
        let (mut rest, mut number) = (Some(all_consumed()), 0);
        while let Some(range) = rest {
            let page = session.scan(&range, Scan::default()).await?;
            number += page.rows.len();
            rest = page.next;
        }
        session.discard();
        self.consumed.store(number, Ordering::Relaxed);
        Ok(number)
    }
}

/// Whether a fault is worth another attempt later, rather than a word to the operator.
pub(super) fn is_passing(status: &Status) -> bool {
    matches!(status.code, Code::Unavailable | Code::Aborted)
}
