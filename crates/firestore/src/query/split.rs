//! Cuts a collection group into parts of similar size: names between which lie about as many documents.
//!
//! One walk over the group, of which every so many-th name is kept; when too many are kept, every other one is dropped.
//! So memory does not follow the group, and the parts are even. Any set of names is a correct answer: what the
//! walk does not reach is part of the last one.
//!
//! Source: `PartitionQuery` in production makes no part smaller than about 128 documents.

use access::Session;
use base::{DatabaseName, DocumentPath, Status};

use super::index::{self, Breadth, Definition, Shape, State};
use super::plan::Stretch;
use super::position::{self, Interval};
use super::scan::EntryScan;
use super::walk::Collections;

/// Documents of the smallest part.
pub const PART_DOCUMENTS_MIN: usize = 128;
/// Names that cut one group.
pub const CUTS_MAX: usize = 1_000;
/// Index entries or documents that one split looks at; those behind them are in the last part.
pub const EXAMINED_MAX: usize = 2_000_000;
/// Names that are kept for each part that is asked for, so that parts differ little.
const KEPT_PER_PART: usize = 16;
/// Bytes of the names that are kept.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Rows read at once.
const ROWS_PER_READ: usize = 1_000;

/// The names that cut a group, ascending, and the index that would have spared the walk over its documents.
pub struct Split {
    /// The first documents of all parts but the first.
    pub cuts: Vec<DocumentPath>,
    /// Whether it is worth having the index [`by_name`].
    pub wants_index: bool,
}

/// The index that has a group's documents by name.
pub fn by_name(group: &str) -> Shape {
    Shape { group: group.to_owned(), breadth: Breadth::Group, components: Vec::new() }
}

/// Cuts a group into at most so many parts.
pub async fn split(
    session: &mut Session,
    database: &DatabaseName,
    group: &str,
    parts: usize,
) -> Result<Split, Status> {
    let parts = parts.clamp(1, CUTS_MAX + 1);
    let mut sample = Sample::new(parts.saturating_mul(KEPT_PER_PART));
    let shape = by_name(group);
    let definitions = index::definitions(session, database, group).await?;
    let by_name = definitions.iter().find(|index| index.state == State::Readable && index.shape == shape);
    match by_name {
        Some(index) => sample_entries(session, database, index, &mut sample).await?,
        None => sample_documents(session, database, group, &mut sample).await?,
    }
    let wants_index = by_name.is_none() && sample.seen > index::SCANNED_DOCUMENTS_MAX;
    Ok(Split { cuts: sample.cuts(parts), wants_index })
}

async fn sample_entries(
    session: &mut Session,
    database: &DatabaseName,
    index: &Definition,
    sample: &mut Sample,
) -> Result<(), Status> {
    let prefix = index::entry_prefix(database, index.id, Breadth::Group, &[]);
    let whole = Stretch { index: index.id, prefix, intervals: vec![Interval::default()] };
    let mut entries = EntryScan::new(&whole, false, ROWS_PER_READ);
    while sample.seen < EXAMINED_MAX && entries.peek(session).await?.is_some() {
        if let Some(hit) = entries.take() {
            sample.push(hit.path);
        }
    }
    Ok(())
}

async fn sample_documents(
    session: &mut Session,
    database: &DatabaseName,
    group: &str,
    sample: &mut Sample,
) -> Result<(), Status> {
    let mut walk = Collections::of_group(database, group, None, ROWS_PER_READ);
    while sample.seen < EXAMINED_MAX {
        let Some(found) = walk.next(session).await? else { break };
        sample.push(found.path);
    }
    Ok(())
}

/// Every so many-th of the names that have been seen.
struct Sample {
    every: usize,
    seen: usize,
    kept: Vec<DocumentPath>,
    kept_max: usize,
    kept_bytes: usize,
}

impl Sample {
    fn new(kept_max: usize) -> Self {
        Self { every: 1, seen: 0, kept: Vec::new(), kept_max: kept_max.max(2), kept_bytes: 0 }
    }

    fn push(&mut self, path: DocumentPath) {
        if self.seen.is_multiple_of(self.every) {
            self.kept_bytes += bytes(&path);
            self.kept.push(path);
        }
        self.seen += 1;
        while self.kept.len() > self.kept_max || self.kept_bytes > KEPT_BYTES_MAX && self.kept.len() > 1 {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        self.every = self.every.saturating_mul(2);
        let mut at = 0_usize;
        self.kept.retain(|_| {
            at += 1;
            !at.is_multiple_of(2)
        });
        self.kept_bytes = self.kept.iter().map(bytes).sum();
    }

    /// The first documents of all parts but the first.
    fn cuts(mut self, parts: usize) -> Vec<DocumentPath> {
        let parts = parts.min(self.seen / PART_DOCUMENTS_MIN);
        // A walk without index meets nested collections of the group one after the other.
        self.kept.sort_by_cached_key(|path| position::path_bytes(path.segments()));
        let mut cuts: Vec<DocumentPath> = Vec::with_capacity(parts);
        for part in 1..parts {
            let at = part.saturating_mul(self.seen) / parts / self.every;
            if let Some(path) = self.kept.get(at)
                && at > 0
                && cuts.last() != Some(path)
            {
                cuts.push(path.clone());
            }
        }
        cuts
    }
}

fn bytes(path: &DocumentPath) -> usize {
    path.segments().iter().map(|segment| segment.len() + size_of::<String>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::path;

    #[test]
    fn parts_are_even_and_memory_does_not_follow_the_group() {
        for (documents, parts, expected) in
            [(0, 3, 1), (127, 3, 1), (255, 3, 1), (256, 3, 2), (383, 3, 2), (384, 3, 3), (100_000, 8, 8)]
        {
            let mut sample = Sample::new(parts * KEPT_PER_PART);
            for n in 0..documents {
                sample.push(path(&format!("c/d{n:06}")));
                assert!(sample.kept.len() <= parts * KEPT_PER_PART);
            }
            let cuts = sample.cuts(parts);
            assert_eq!(cuts.len() + 1, expected, "{documents} documents in {parts} parts");
            let starts: Vec<usize> = cuts.iter().map(|cut| cut.id()[1..].parse().unwrap()).collect();
            let bounds = [&[0][..], &starts, &[documents]].concat();
            for part in bounds.windows(2) {
                let (size, even) = (part[1] - part[0], documents / expected);
                assert!(size.abs_diff(even) <= even / 8 + 1, "{documents}: {bounds:?}");
            }
        }
    }

    #[test]
    fn long_names_are_kept_in_bounded_memory() {
        let long = "x".repeat(1_400);
        let mut sample = Sample::new(16_000);
        for n in 0..30_000 {
            sample.push(path(&format!("{long}/a/{long}/d{n:06}")));
            assert!(sample.kept_bytes <= KEPT_BYTES_MAX);
        }
        assert!(sample.cuts(100).len() >= 90);
    }
}
