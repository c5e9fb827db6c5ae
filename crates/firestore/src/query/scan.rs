//! Walks stretches of indexes: hits in the order of positions, forwards or backwards, alone or intersected.
//!
//! Invariant: reads start as small as the caller's need and grow, so that a query for twenty reads about twenty.

use std::cmp::Ordering;
use std::collections::VecDeque;

use access::Session;
use access::keyspace::INDEX_ENTRIES;
use base::{Code, DocumentPath, Status};
use kv::{Key, KeyRange, Scan};

use super::index::read_entry;
use super::plan::Stretch;

/// Entries read at once, at most.
pub const ENTRIES_PER_READ_MAX: usize = 1_000;
/// Entries read at once after a jump, when it is unknown how many of them will do.
const ENTRIES_AFTER_JUMP: usize = 4;

/// A document found, by its position in the query's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where it stands.
    pub position: Vec<u8>,
    /// Which it is.
    pub path: DocumentPath,
}

/// A walk over one stretch.
#[derive(Debug)]
pub struct EntryScan {
    prefix_len: usize,
    prefix: Vec<u8>,
    reverse: bool,
    /// What is left to read, in walking order.
    ranges: VecDeque<KeyRange>,
    hits: VecDeque<Hit>,
    rows_next: usize,
    rows_read: usize,
    rows_taken: usize,
    /// Entries read so far.
    pub examined: usize,
}

/// Which of two positions a walk meets first.
pub fn meets_first(a: &[u8], b: &[u8], reverse: bool) -> Ordering {
    if reverse { b.cmp(a) } else { a.cmp(b) }
}

impl EntryScan {
    /// A walk that expects to need so many entries.
    pub fn new(stretch: &Stretch, reverse: bool, expected: usize) -> Self {
        let end_of_all = KeyRange::prefix(INDEX_ENTRIES, &[]).end;
        let mut ranges: VecDeque<_> = stretch
            .intervals
            .iter()
            .map(|interval| {
                let whole = KeyRange::prefix(INDEX_ENTRIES, &stretch.prefix);
                let key = |edge: &super::position::Edge| match edge.first_key(&stretch.prefix) {
                    Some(bytes) => Key::new(INDEX_ENTRIES, &bytes),
                    None => end_of_all.clone(),
                };
                let start = interval.start.as_ref().map_or(whole.start, key);
                let end = interval.end.as_ref().map_or_else(|| whole.end.clone(), key);
                KeyRange::between(start, end.min(whole.end))
            })
            .filter(|range| !range.is_empty())
            .collect();
        if reverse {
            ranges.make_contiguous().reverse();
        }
        Self {
            prefix_len: stretch.prefix.len(),
            prefix: stretch.prefix.clone(),
            reverse,
            ranges,
            hits: VecDeque::new(),
            rows_next: expected.clamp(1, ENTRIES_PER_READ_MAX),
            rows_read: 0,
            rows_taken: 0,
            examined: 0,
        }
    }

    /// The next hit, left in place.
    pub async fn peek(&mut self, session: &mut Session) -> Result<Option<&Hit>, Status> {
        while self.hits.is_empty() {
            let Some(range) = self.ranges.pop_front() else { return Ok(None) };
            let scan = Scan { reverse: self.reverse, rows_max: self.rows_next, ..Scan::default() };
            self.rows_next = self.rows_next.saturating_mul(2).min(ENTRIES_PER_READ_MAX);
            let page = session.scan(&range, scan).await?;
            self.examined += page.rows.len();
            (self.rows_read, self.rows_taken) = (page.rows.len(), 0);
            for row in &page.rows {
                let (position, path) = read_entry(row.key.as_bytes(), self.prefix_len).ok_or_else(|| {
                    tracing::error!(key = %row.key, "an index entry is unreadable");
                    Status::new(Code::DataLoss, "An index entry is unreadable.")
                })?;
                self.hits.push_back(Hit { position, path });
            }
            if let Some(rest) = page.next {
                self.ranges.push_front(rest);
            }
        }
        Ok(self.hits.front())
    }

    /// Takes the hit that [`EntryScan::peek`] showed.
    pub fn take(&mut self) -> Option<Hit> {
        self.rows_taken += 1;
        self.hits.pop_front()
    }

    /// Goes on at a position: what the walk meets before it is left out.
    pub fn jump(&mut self, position: &[u8]) {
        while let Some(hit) = self.hits.front() {
            if meets_first(&hit.position, position, self.reverse).is_ge() {
                return;
            }
            self.hits.pop_front();
        }
        let key = Key::new(INDEX_ENTRIES, &[self.prefix.as_slice(), position].concat());
        if self.rows_taken * 2 < self.rows_read {
            self.rows_next = ENTRIES_AFTER_JUMP;
        }
        while let Some(range) = self.ranges.pop_front() {
            let left = if self.reverse {
                // A position is followed by the length of its path: the entry at it lies just behind its bytes.
                let at = KeyRange::prefix(INDEX_ENTRIES, key.as_bytes());
                KeyRange::between(range.start, range.end.min(at.end))
            } else {
                KeyRange::between(range.start.max(key.clone()), range.end)
            };
            if !left.is_empty() {
                self.ranges.push_front(left);
                return;
            }
        }
    }
}

/// A walk over the documents that several stretches share.
#[derive(Debug)]
pub struct Intersection {
    scans: Vec<EntryScan>,
    reverse: bool,
    next: Option<Hit>,
}

impl Intersection {
    /// A walk that expects to need so many hits.
    pub fn new(stretches: &[Stretch], reverse: bool, expected: usize) -> Self {
        let expected = if stretches.len() > 1 { expected.min(ENTRIES_AFTER_JUMP) } else { expected };
        let scans = stretches.iter().map(|stretch| EntryScan::new(stretch, reverse, expected)).collect();
        Self { scans, reverse, next: None }
    }

    /// The next hit, left in place.
    pub async fn peek(&mut self, session: &mut Session) -> Result<Option<&Hit>, Status> {
        if self.next.is_none() {
            self.next = self.find(session).await?;
        }
        Ok(self.next.as_ref())
    }

    /// Takes the hit that [`Intersection::peek`] showed.
    pub fn take(&mut self) -> Option<Hit> {
        self.next.take()
    }

    /// Entries read so far.
    pub fn examined(&self) -> usize {
        self.scans.iter().map(|scan| scan.examined).sum()
    }

    /// Each walk in turn jumps to where the furthest one stands, until all stand at the same place.
    async fn find(&mut self, session: &mut Session) -> Result<Option<Hit>, Status> {
        let mut goal: Option<Hit> = None;
        let mut agreeing = 0;
        let all = self.scans.len();
        loop {
            for scan in &mut self.scans {
                if let Some(goal) = &goal {
                    scan.jump(&goal.position);
                }
                let Some(hit) = scan.peek(session).await? else { return Ok(None) };
                match &goal {
                    Some(goal) if goal.position == hit.position => agreeing += 1,
                    _ => {
                        debug_assert!(goal.as_ref().is_none_or(|goal| {
                            meets_first(&goal.position, &hit.position, self.reverse).is_lt()
                        }));
                        goal = Some(hit.clone());
                        agreeing = 1;
                    }
                }
                if agreeing == all {
                    self.scans.iter_mut().for_each(|scan| drop(scan.take()));
                    return Ok(goal);
                }
            }
            if all == 0 {
                return Ok(None);
            }
        }
    }
}
