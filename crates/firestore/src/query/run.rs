//! Runs a plan: merges or sorts what its sources find, reads the documents, filters what is left to filter, skips
//! and stops.
//!
//! Invariants: a result has no document twice; memory is bounded by a page of documents, by [`SORT_BYTES_MAX`] when
//! a result has to be sorted, or by the names that a search for the nearest may give.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use access::Session;
use base::{Code, DatabaseName, DocumentPath, Fields, Status, Value};
use wire::v1::PlanSummary;

use super::explain;
use super::index::{self, Definition, SCANNED_DOCUMENTS_MAX, Shape};
use super::index_use::{IndexUse, IndexesFree};
use super::input::Input;
use super::nearest::{Nearest, Ranking};
use super::plan::{self, Plan};
use super::position::{self, Interval};
use super::scan::{Hit, meets_first};
use super::shape::Query;
use super::walk::{Found, fetch};
use crate::status;

/// Documents given at once.
pub const PAGE_DOCUMENTS_MAX: usize = 256;
/// Documents of the first page; later ones grow or shrink with what documents take.
const FIRST_PAGE_DOCUMENTS: usize = 32;
/// Bytes that a page is meant to take.
const PAGE_BYTES: usize = 1 << 20;
/// Memory for a result that no index has in order.
pub const SORT_BYTES_MAX: usize = 64 << 20;
/// What is counted for a document beside its contents and its position.
const SORT_OVERHEAD_BYTES: usize = 256;
/// Documents that one search for the nearest looks at, of others than administrators.
pub const COMPARED_OTHERS_MAX: usize = 100_000;
/// Documents whose vectors are compared before others get their turn.
const RANKED_AT_ONCE: usize = 64;

/// A query's result, page by page. Every page must be read through the session the result was opened with.
#[derive(Debug)]
pub struct Results {
    database: DatabaseName,
    query: Query,
    window: Interval,
    exact: bool,
    to_skip: usize,
    /// Documents still to give; `None` is without end.
    left: Option<usize>,
    skipped: usize,
    /// Documents of the next page.
    page_next: usize,
    given: usize,
    scanned: Scanned,
    feed: Feed,
    wanted: Vec<Shape>,
    looks_at: LooksAt,
}

/// What of a document the filter and the order look at.
#[derive(Debug)]
struct LooksAt {
    /// Top-level fields.
    fields: Vec<String>,
    /// The document's name, as a value.
    name: bool,
}

impl LooksAt {
    fn of(query: &Query) -> Self {
        let conditions = query.filter.conditions();
        let filtered = conditions.iter().map(|condition| &condition.field);
        let paths = filtered.chain(query.orders.iter().map(|order| &order.field));
        let paths = paths.chain(query.nearest.iter().map(|nearest| &nearest.field));
        let named = paths.filter(|path| !path.is_document_id()).filter_map(|path| path.segments().first());
        let fields: BTreeSet<&String> = named.collect();
        let name = conditions.iter().any(|condition| condition.field.is_document_id());
        Self { fields: fields.into_iter().cloned().collect(), name }
    }

    fn read(&self, database: &DatabaseName, found: &Found) -> Result<(Value, Fields), Status> {
        let name = if self.name { position::name_value(database, &found.path) } else { Value::Null };
        Ok((name, found.stored.fields_named(&self.fields)?))
    }
}

/// What has been read for a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Index entries.
    pub entries: usize,
    /// Documents that were walked over by name.
    pub walked: usize,
    /// Documents that were read.
    pub documents: usize,
}

impl Scanned {
    fn add(&mut self, input: &Input) {
        self.entries = self.entries.saturating_add(input.entries());
        self.walked = self.walked.saturating_add(input.walked());
    }
}

#[derive(Debug)]
enum Feed {
    /// Sources in the query's order.
    Merge(Vec<Input>),
    /// Sources to be sorted first.
    Unsorted(Vec<Input>),
    /// Sorted already.
    Sorted(VecDeque<Found>),
    /// Sources to be ranked by a search for the nearest first.
    Unranked(Vec<Input>, Box<Nearest>),
    /// Ranked already.
    Ranked(VecDeque<DocumentPath>),
}

/// Whether a document that a query found has what the query asks for literally: see [`policy::Decision::exact_match_only`].
pub fn finds_literally(database: &DatabaseName, query: &Query, found: &Found) -> Result<bool, Status> {
    let name = position::name_value(database, &found.path);
    Ok(query.filter.matches_literally(&name, &found.stored.fields()?))
}

impl Results {
    /// Plans a query with the indexes this session sees. The query must have been authorised.
    pub async fn open(session: &mut Session, database: &DatabaseName, query: &Query) -> Result<Self, Status> {
        Self::open_with(session, database, query, &IndexesFree).await
    }

    /// The same where the service has something to say about indexes.
    ///
    /// Errors: `FAILED_PRECONDITION` when the query lacks an index that it requires.
    pub async fn open_with(
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        uses: &dyn IndexUse,
    ) -> Result<Self, Status> {
        let (results, ..) = Self::prepare(session, database, query, uses).await?;
        Ok(results)
    }

    /// The same with the indexes that are used.
    ///
    /// Errors: those of [`Results::open_with`].
    pub async fn open_explained(
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        uses: &dyn IndexUse,
    ) -> Result<(Self, PlanSummary), Status> {
        let (results, plan, definitions) = Self::prepare(session, database, query, uses).await?;
        Ok((results, explain::summary(query, &plan, &definitions)))
    }

    async fn prepare(
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        uses: &dyn IndexUse,
    ) -> Result<(Self, Plan, Vec<Definition>), Status> {
        let definitions = match query.scope.group_id() {
            Some(group) => index::definitions(session, database, group).await?,
            None => Vec::new(),
        };
        uses.check(database, query, &definitions)?;
        let plan = plan::plan(database, query, &definitions);
        uses.used(database, &plan.indexes());
        let mut wanted = plan::wanted(query);
        // One that is still being built stays wanted: its build may have been cut short.
        wanted.retain(|shape| !plan::is_served(query, shape, &definitions));
        Ok((Self::planned(database, query, &plan, wanted), plan, definitions))
    }

    fn planned(database: &DatabaseName, query: &Query, plan: &Plan, wanted: Vec<Shape>) -> Self {
        let cursors = plan.sources.iter().map(|source| Input::new(database, query, source)).collect();
        Self {
            database: database.clone(),
            window: position::window(query),
            exact: plan.exact && query.nearest.is_none(),
            to_skip: query.offset,
            left: query.limit,
            skipped: 0,
            page_next: FIRST_PAGE_DOCUMENTS,
            given: 0,
            scanned: Scanned::default(),
            feed: match &query.nearest {
                Some(nearest) => Feed::Unranked(cursors, Box::new(nearest.clone())),
                None if plan.ordered => Feed::Merge(cursors),
                None => Feed::Unsorted(cursors),
            },
            wanted,
            looks_at: LooksAt::of(query),
            query: query.clone(),
        }
    }

    /// Whether the rest of the result is in memory already: then no session is read any more.
    pub fn is_sorted(&self) -> bool {
        matches!(self.feed, Feed::Sorted(_))
    }

    /// How many documents the offset has skipped so far.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The indexes that would have spared this query much of what it read; asked when it is done. They are worth
    /// building now: the query was authorised and its collection is not small.
    pub fn wanted(&self) -> &[Shape] {
        // An entry and a document for each one that is given is what an index costs as well.
        let useful = self.given.saturating_add(self.skipped).saturating_mul(2);
        let wasted = self.examined().saturating_sub(useful);
        if wasted > SCANNED_DOCUMENTS_MAX { &self.wanted } else { &[] }
    }

    /// What has been read so far.
    pub fn scanned(&self) -> Scanned {
        let mut scanned = self.scanned;
        if let Feed::Merge(inputs) | Feed::Unsorted(inputs) | Feed::Unranked(inputs, _) = &self.feed {
            inputs.iter().for_each(|input| scanned.add(input));
        }
        scanned
    }

    /// The index entries and documents looked at so far.
    pub fn examined(&self) -> usize {
        let scanned = self.scanned();
        scanned.entries.saturating_add(scanned.documents)
    }

    /// The next documents in order, at least one; `None` when there are no more.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the result has to be sorted and does not fit in [`SORT_BYTES_MAX`].
    pub async fn page(&mut self, session: &mut Session) -> Result<Option<Vec<Found>>, Status> {
        loop {
            let room = self.left.unwrap_or(PAGE_DOCUMENTS_MAX).min(self.page_next);
            if room == 0 {
                return Ok(None);
            }
            // The documents to skip cost a read each unless their entries say it all.
            if self.exact && self.to_skip > 0 && self.pass(session, self.to_skip).await? == 0 {
                return Ok(None);
            }
            let room = room.saturating_add(self.to_skip).min(PAGE_DOCUMENTS_MAX);
            let Some(mut page) = self.documents(session, room).await? else { return Ok(None) };
            let bytes: usize = page.iter().map(|found| found.stored.body().len()).sum();
            self.page_next = (PAGE_BYTES / (bytes / page.len().max(1)).max(1)).clamp(1, PAGE_DOCUMENTS_MAX);
            let skipped = self.to_skip.min(page.len());
            page.drain(..skipped);
            self.to_skip -= skipped;
            self.skipped += skipped;
            if let Some(left) = &mut self.left {
                page.truncate(*left);
                *left -= page.len();
            }
            if !page.is_empty() {
                self.given += page.len();
                return Ok(Some(page));
            }
        }
    }

    /// How many documents the result has, up to a number; what is counted is used up.
    pub async fn count(&mut self, session: &mut Session, most: usize) -> Result<usize, Status> {
        let mut counted = 0;
        if self.exact {
            while self.to_skip > 0 {
                if self.pass(session, self.to_skip).await? == 0 {
                    return Ok(0);
                }
            }
            let most = self.left.map_or(most, |left| left.min(most));
            counted = self.hits(session, most).await?;
            self.given += counted;
            return Ok(counted);
        }
        while counted < most {
            let Some(page) = self.page(session).await? else { break };
            counted = counted.saturating_add(page.len());
        }
        Ok(counted.min(most))
    }

    /// Skips up to so many documents by their entries alone.
    async fn pass(&mut self, session: &mut Session, most: usize) -> Result<usize, Status> {
        let passed = self.hits(session, most).await?;
        self.to_skip -= passed;
        self.skipped += passed;
        Ok(passed)
    }

    /// Takes up to so many hits of an exact plan, not caring which.
    async fn hits(&mut self, session: &mut Session, most: usize) -> Result<usize, Status> {
        let mut taken = 0;
        while taken < most && self.next_hit(session).await?.is_some() {
            taken += 1;
        }
        Ok(taken)
    }

    /// Up to so many documents of the result; `None` when there are no more.
    async fn documents(&mut self, session: &mut Session, most: usize) -> Result<Option<Vec<Found>>, Status> {
        if let Feed::Unsorted(cursors) = &mut self.feed {
            let cursors = std::mem::take(cursors);
            self.feed = Feed::Sorted(self.sort(session, cursors).await?);
        }
        if let Feed::Unranked(inputs, nearest) = &mut self.feed {
            let (inputs, nearest) = (std::mem::take(inputs), nearest.clone());
            self.feed = Feed::Ranked(self.rank(session, inputs, &nearest).await?);
        }
        if let Feed::Sorted(sorted) = &mut self.feed {
            let page: Vec<_> = sorted.drain(..most.min(sorted.len())).collect();
            return Ok((!page.is_empty()).then_some(page));
        }
        if let Feed::Ranked(ranked) = &mut self.feed {
            let paths: Vec<_> = ranked.drain(..most.min(ranked.len())).collect();
            let found = fetch(session, &self.database, &paths).await?;
            let page: Vec<_> = found.into_iter().flatten().collect();
            return Ok((!page.is_empty()).then_some(page));
        }
        loop {
            let mut hits = Vec::new();
            while hits.len() < most {
                let Some(hit) = self.next_hit(session).await? else { break };
                hits.push(hit);
            }
            if hits.is_empty() {
                return Ok(None);
            }
            let mut page = Vec::with_capacity(hits.len());
            for (hit, found) in self.read(session, hits).await? {
                if self.exact || self.window.contains(&hit.position) && self.matches(&found)? {
                    page.push(found);
                }
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    /// The first of what the sources show; others at the same place show the same document and move on too.
    async fn next_hit(&mut self, session: &mut Session) -> Result<Option<(Hit, Option<Found>)>, Status> {
        let Feed::Merge(cursors) = &mut self.feed else { return Ok(None) };
        if let [only] = cursors.as_mut_slice() {
            let there = only.peek(session, &self.database).await?.is_some();
            return Ok(if there { only.take() } else { None });
        }
        let reverse = self.query.is_reverse();
        let mut first: Option<(Vec<u8>, Vec<usize>)> = None;
        for (index, cursor) in cursors.iter_mut().enumerate() {
            let Some(position) = cursor.peek(session, &self.database).await? else { continue };
            match &mut first {
                Some((best, at)) => match meets_first(position, best, reverse) {
                    Ordering::Less => first = Some((position.to_vec(), vec![index])),
                    Ordering::Equal => at.push(index),
                    Ordering::Greater => {}
                },
                None => first = Some((position.to_vec(), vec![index])),
            }
        }
        let mut taken = None;
        for index in first.map(|(_, at)| at).unwrap_or_default() {
            taken = cursors.get_mut(index).and_then(Input::take);
        }
        Ok(taken)
    }

    /// Reads the documents of hits that come without. An entry whose document is missing is a fault of ours that
    /// must not cost the user their result: it is reported and left out.
    async fn read(
        &mut self,
        session: &mut Session,
        hits: Vec<(Hit, Option<Found>)>,
    ) -> Result<Vec<(Hit, Found)>, Status> {
        self.scanned.documents += hits.len();
        let missing: Vec<_> =
            hits.iter().filter(|(_, found)| found.is_none()).map(|(hit, _)| hit.path.clone()).collect();
        let mut fetched = fetch(session, &self.database, &missing).await?.into_iter();
        Ok(hits
            .into_iter()
            .filter_map(|(hit, found)| {
                let found = match found {
                    Some(found) => Some(found),
                    None => fetched.next().flatten(),
                };
                if found.is_none() {
                    tracing::error!(path = %hit.path, "an index entry has no document");
                }
                found.map(|found| (hit, found))
            })
            .collect())
    }

    fn matches(&self, found: &Found) -> Result<bool, Status> {
        if !self.query.scope.contains(&found.path) {
            return Ok(false);
        }
        let (name, fields) = self.looks_at.read(&self.database, found)?;
        Ok(self.query.filter.matches(&name, &fields))
    }

    /// Collects and sorts what the sources find; with a limit only as many as will be needed.
    async fn sort(
        &mut self,
        session: &mut Session,
        mut cursors: Vec<Input>,
    ) -> Result<VecDeque<Found>, Status> {
        let reverse = self.query.is_reverse();
        let needed = self.query.needed();
        let mut sorted: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
        let mut bytes = 0usize;
        for cursor in &mut cursors {
            loop {
                let mut hits = Vec::new();
                while hits.len() < PAGE_DOCUMENTS_MAX && cursor.peek(session, &self.database).await?.is_some()
                {
                    hits.extend(cursor.take());
                }
                if hits.is_empty() {
                    break;
                }
                for (_, found) in self.read(session, hits).await? {
                    let (name, fields) = self.looks_at.read(&self.database, &found)?;
                    let Some(position) = position::of(&self.query, &found.path, &fields) else { continue };
                    if !self.query.scope.contains(&found.path)
                        || !self.window.contains(&position)
                        || !self.query.filter.matches(&name, &fields)
                    {
                        continue;
                    }
                    let size = position.len() + found.stored.body().len() + SORT_OVERHEAD_BYTES;
                    if sorted.insert(position, found).is_none() {
                        bytes += size;
                    }
                    if needed.is_some_and(|needed| sorted.len() > needed) {
                        let last = if reverse { sorted.pop_first() } else { sorted.pop_last() };
                        if let Some((position, found)) = last {
                            bytes -= position.len() + found.stored.body().len() + SORT_OVERHEAD_BYTES;
                        }
                    }
                    if bytes > SORT_BYTES_MAX {
                        return Err(Status::new(
                            Code::ResourceExhausted,
                            "The query's result is too large to be sorted without an index. Add a limit, or try \
                             again when the index has been built.",
                        ));
                    }
                }
            }
        }
        cursors.iter().for_each(|input| self.scanned.add(input));
        let mut sorted: VecDeque<_> = sorted.into_values().collect();
        if reverse {
            sorted.make_contiguous().reverse();
        }
        Ok(sorted)
    }

    /// Compares the vectors of all that the sources find.
    async fn rank(
        &mut self,
        session: &mut Session,
        mut inputs: Vec<Input>,
        nearest: &Nearest,
    ) -> Result<VecDeque<DocumentPath>, Status> {
        let mut ranking = Ranking::default();
        for input in &mut inputs {
            loop {
                let mut hits = Vec::new();
                while hits.len() < RANKED_AT_ONCE && input.peek(session, &self.database).await?.is_some() {
                    hits.extend(input.take());
                }
                if hits.is_empty() {
                    break;
                }
                let found = self.read(session, hits).await?;
                if self.scanned.documents > COMPARED_OTHERS_MAX && !session.caller().is_admin() {
                    return Err(status::too_many_vectors(COMPARED_OTHERS_MAX));
                }
                for (_, found) in found {
                    let (name, fields) = self.looks_at.read(&self.database, &found)?;
                    if self.query.scope.contains(&found.path)
                        && position::of(&self.query, &found.path, &fields).is_some()
                        && self.query.filter.matches(&name, &fields)
                    {
                        ranking.add(nearest, &found.path, &fields)?;
                    }
                }
                tokio::task::yield_now().await;
            }
        }
        inputs.iter().for_each(|input| self.scanned.add(input));
        Ok(ranking.into_paths().collect())
    }
}
