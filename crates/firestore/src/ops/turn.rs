//! The turn of a commit among transactions that hold locks on what it writes.

use std::sync::Arc;

use access::Session;
use base::Status;
use kv::Key;
use tokio::sync::Mutex;

use super::locks::{Holder, Locks};
use super::transaction::Transactions;

/// The turn of one commit, kept until the commit is over.
pub struct Turn<'a> {
    locks: &'a Arc<Locks>,
    transactions: &'a Transactions,
    keys: &'a [Key],
    state: Mutex<State>,
}

struct State {
    holder: Option<Holder>,
    has_come: bool,
}

impl<'a> Turn<'a> {
    /// The turn to write these documents; `holder` has the locks of the transaction that is committed.
    pub fn new(transactions: &'a Transactions, keys: &'a [Key], holder: Option<Holder>) -> Self {
        let state = Mutex::new(State { holder, has_come: false });
        Self { locks: transactions.locks(), transactions, keys, state }
    }

    /// Waits for it, with a commit that is decided and staged. Where others hold what it writes, nothing of the store is held
    /// meanwhile; what they changed makes the commit conflict.
    ///
    /// Errors: `ABORTED` when the turn does not come.
    pub async fn wait(&self, session: &mut Session) -> Result<(), Status> {
        let mut state = self.state.lock().await;
        if state.has_come {
            return Ok(());
        }
        if state.holder.is_none() {
            if !self.locks.is_any_held(self.keys) {
                return Ok(());
            }
            state.holder = Some(self.locks.holder(false));
        }
        session.let_go();
        if let Some(holder) = &mut state.holder {
            holder.write(self.keys, &|| self.transactions.end_expired()).await?;
        }
        state.has_come = true;
        Ok(())
    }
}
