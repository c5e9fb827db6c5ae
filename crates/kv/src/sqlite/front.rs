//! What is newer than the data file: takes batches in, makes them durable in the journal and keeps their rows in
//! memory, one layer per turn of the journal, until [`super::mover`] has moved them into the file.
//!
//! Invariants:
//! - A batch is synced in the journal before any view shows it.
//! - A layer goes only when the data file has all of it; the journal's file is written anew only then.
//! - At most one layer is being moved while another takes batches. When that one has grown to
//!   [`WAITING_FACTOR_MAX`] times its length, batches wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use super::SqliteOptions;
use super::journal::Journal;
use super::layer::{Sealed, State};
use super::pages::Pages;
use super::read::Readers;
use super::view::SqliteView;
use crate::engine::Batch;
use crate::error::StoreError;
use crate::version::Version;

/// A layer grows to this many times the journal's length at most.
const WAITING_FACTOR_MAX: u64 = 4;
/// A move that failed is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Takes batches in and hands out views.
pub(super) struct Front {
    state: RwLock<State>,
    desk: Mutex<Desk>,
    /// There is something for the mover.
    work: Condvar,
    /// A layer was moved, or could not be.
    moved: Condvar,
    pages: Arc<Pages>,
    readers: Arc<Readers>,
    journal_bytes_max: u64,
    journal_age_max: Duration,
}

/// What the one who adds batches and the mover share.
struct Desk {
    journal: Journal,
    /// When the first batch came that is not in a sealed layer.
    since: Option<Instant>,
    /// Somebody waits for everything to be moved.
    hurry: bool,
    stop: Option<Stop>,
    /// Why the last move failed, and when the next is due.
    failure: Option<(StoreError, Instant)>,
}

/// How the mover ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// As soon as it can: what is not moved is in the journal.
    Now,
    /// When everything is moved.
    Empty,
}

impl Front {
    /// A front over a data file that has everything up to a batch.
    pub(super) fn new(
        journal: Journal,
        pages: Arc<Pages>,
        readers: Arc<Readers>,
        (sequence, version): (u64, Version),
        options: &SqliteOptions,
    ) -> Self {
        let state = State { active: Arc::default(), sealed: None, sequence, version, moved: sequence };
        let desk = Desk { journal, since: None, hurry: false, stop: None, failure: None };
        Self {
            state: RwLock::new(state),
            desk: Mutex::new(desk),
            work: Condvar::new(),
            moved: Condvar::new(),
            pages,
            readers,
            journal_bytes_max: options.journal_bytes_max.max(1),
            journal_age_max: Duration::from_millis(options.journal_age_ms_max),
        }
    }

    /// The newest state.
    pub(super) async fn view(&self) -> Result<SqliteView, StoreError> {
        self.pages.fault()?;
        loop {
            let state = self.state.read().clone();
            let file = self.readers.view().await?;
            // Once in a while a layer is moved in between: then the file may hold what is newer than the state.
            if (state.moved..=state.sequence).contains(&file.sequence()) {
                return Ok(SqliteView { state, file });
            }
        }
    }

    /// Makes a batch durable and shows it. For one caller at a time.
    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.pages.fault()?;
        let mut desk = self.desk.lock();
        self.wait_for_room(&mut desk)?;
        if desk.stop.is_some() {
            return Err(StoreError::Closed);
        }
        let (sequence, active) = {
            let state = self.state.read();
            (state.sequence + 1, Arc::clone(&state.active))
        };
        desk.journal.append(sequence, &batch)?;
        if let Err(error) = self.pages.mark.promise_more(|promise| promise.acknowledged = sequence) {
            // The batch is durable. Should it be damaged, too, that would go unnoticed.
            tracing::error!(%error, "the mark could not be written");
        }
        active.put(sequence, batch.rows);
        {
            let mut state = self.state.write();
            (state.sequence, state.version) = (sequence, batch.version);
        }
        let first = desk.since.is_none();
        desk.since.get_or_insert_with(Instant::now);
        if first || desk.journal.bytes() >= self.journal_bytes_max {
            self.seal_if_due(&mut desk);
            self.work.notify_one();
        }
        Ok(())
    }

    fn wait_for_room(&self, desk: &mut MutexGuard<'_, Desk>) -> Result<(), StoreError> {
        while desk.journal.bytes() >= self.journal_bytes_max * WAITING_FACTOR_MAX {
            match &desk.failure {
                Some((failure, _)) => return Err(failure.clone()),
                None => self.moved.wait(desk),
            }
        }
        Ok(())
    }

    /// Seals the active layer if it is long or old enough and no other is being moved.
    fn seal_if_due(&self, desk: &mut Desk) {
        let due = desk.journal.bytes() >= self.journal_bytes_max
            || desk.hurry
            || desk.stop == Some(Stop::Empty)
            || desk.since.is_some_and(|since| since.elapsed() >= self.journal_age_max);
        let mut state = self.state.write();
        if !due || desk.since.is_none() || state.sealed.is_some() {
            return;
        }
        desk.since = None;
        desk.journal.turn();
        let layer = std::mem::take(&mut state.active);
        state.sealed = Some(Sealed { layer, sequence: state.sequence, version: state.version });
    }

    /// Waits for a layer to move; `None` when it is time to end.
    pub(super) fn next_to_move(&self) -> Option<Sealed> {
        let mut desk = self.desk.lock();
        loop {
            if desk.stop == Some(Stop::Now) || (desk.stop.is_some() && desk.failure.is_some()) {
                return None;
            }
            if let Some((_, due)) = desk.failure
                && !self.work.wait_until(&mut desk, due).timed_out()
            {
                continue;
            }
            self.seal_if_due(&mut desk);
            if let Some(sealed) = self.state.read().sealed.clone() {
                return Some(sealed);
            }
            match desk.since {
                _ if desk.stop.is_some() => return None,
                Some(since) => {
                    self.work.wait_until(&mut desk, since + self.journal_age_max);
                }
                None => self.work.wait(&mut desk),
            }
        }
    }

    /// What came of moving the sealed layer.
    pub(super) fn report(&self, outcome: Result<(), StoreError>) {
        if outcome.is_ok() {
            // First, so that whoever does not see the layer any more opens a view of the file that has it.
            self.readers.outdate();
            let mut state = self.state.write();
            if let Some(sealed) = state.sealed.take() {
                state.moved = sealed.sequence;
            }
        }
        let mut desk = self.desk.lock();
        desk.failure = outcome.err().map(|error| (error, Instant::now() + RETRY_AFTER));
        self.moved.notify_all();
    }

    /// Waits until the data file has every batch there was when this was called.
    pub(super) fn move_all(&self) -> Result<(), StoreError> {
        let wanted = self.state.read().sequence;
        let mut desk = self.desk.lock();
        while self.state.read().moved < wanted {
            match (&desk.failure, desk.stop) {
                (Some((failure, _)), _) => return Err(failure.clone()),
                (None, Some(_)) => return Err(StoreError::Closed),
                (None, None) => {}
            }
            desk.hurry = true;
            self.work.notify_one();
            self.moved.wait(&mut desk);
        }
        desk.hurry = false;
        Ok(())
    }

    /// Lets the mover end.
    pub(super) fn stop(&self, how: Stop) {
        self.desk.lock().stop = Some(how);
        self.work.notify_all();
        self.moved.notify_all();
    }

    /// Why the mover left something, if it did; otherwise the journal goes.
    pub(super) fn end(&self) -> Result<(), StoreError> {
        let desk = self.desk.lock();
        match &desk.failure {
            Some((failure, _)) => Err(failure.clone()),
            None => desk.journal.remove(),
        }
    }
}
