//! Runs a plan: merges or sorts what its sources find, reads the documents, filters what is left to filter, skips
//! and stops.
//!
//! Invariants: a result has no document twice; memory is bounded by a page of documents, or by [`SORT_BYTES_MAX`] when
//! a result has to be sorted.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use access::Session;
use base::{Code, DatabaseName, DocumentPath, Fields, Status, Value};

use super::index::{self, SCANNED_DOCUMENTS_MAX, Shape, State};
use super::index_use::{IndexUse, IndexesFree};
use super::plan::{self, Plan, Source};
use super::position::{self, Interval};
use super::scan::{Hit, Intersection, meets_first};
use super::shape::Query;
use super::walk::{Found, Walk, fetch};

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
    /// Documents read.
    examined: usize,
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

#[derive(Debug)]
enum Feed {
    /// Sources in the query's order.
    Merge(Vec<Cursor>),
    /// Sources to be sorted first.
    Unsorted(Vec<Cursor>),
    /// Sorted already.
    Sorted(VecDeque<Found>),
}

/// A source being read.
#[derive(Debug)]
enum Cursor {
    Entries(Intersection),
    Documents { from: Documents, next: Option<(Hit, Found)> },
}

/// Where documents come from that are read before they are hits.
#[derive(Debug)]
enum Documents {
    Names(VecDeque<DocumentPath>),
    Walk(Walk),
}

impl Documents {
    async fn next(
        &mut self,
        session: &mut Session,
        database: &DatabaseName,
    ) -> Result<Option<Found>, Status> {
        match self {
            Documents::Walk(walk) => walk.next(session).await,
            Documents::Names(paths) => {
                while let Some(path) = paths.pop_front() {
                    let found = fetch(session, database, std::slice::from_ref(&path)).await?.pop().flatten();
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }
}

impl Cursor {
    fn new(database: &DatabaseName, query: &Query, source: &Source) -> Self {
        let reverse = query.is_reverse();
        let expected = query.needed().unwrap_or(PAGE_DOCUMENTS_MAX);
        match source {
            Source::Entries(stretches) => Cursor::Entries(Intersection::new(stretches, reverse, expected)),
            Source::Names(paths) => {
                Cursor::Documents { from: Documents::Names(paths.iter().cloned().collect()), next: None }
            }
            Source::Scope(names) => {
                // Whoever filters will need more than they give.
                let expected = if query.disjuncts == [Vec::new()] { expected } else { PAGE_DOCUMENTS_MAX };
                let walk = Walk::new(database, &query.scope, names, reverse, expected);
                Cursor::Documents { from: Documents::Walk(walk), next: None }
            }
        }
    }

    /// Where the next hit stands.
    async fn peek(
        &mut self,
        session: &mut Session,
        database: &DatabaseName,
    ) -> Result<Option<&[u8]>, Status> {
        match self {
            Cursor::Entries(intersection) => {
                Ok(intersection.peek(session).await?.map(|hit| hit.position.as_slice()))
            }
            Cursor::Documents { from, next } => {
                if next.is_none() {
                    *next = from.next(session, database).await?.map(|found| {
                        let position = position::path_bytes(found.path.segments());
                        (Hit { position, path: found.path.clone() }, found)
                    });
                }
                Ok(next.as_ref().map(|(hit, _)| hit.position.as_slice()))
            }
        }
    }

    /// Takes what [`Cursor::peek`] showed; with the document if it is known already.
    fn take(&mut self) -> Option<(Hit, Option<Found>)> {
        match self {
            Cursor::Entries(intersection) => intersection.take().map(|hit| (hit, None)),
            Cursor::Documents { next, .. } => next.take().map(|(hit, found)| (hit, Some(found))),
        }
    }

    /// Index entries read so far.
    fn examined(&self) -> usize {
        match self {
            Cursor::Entries(intersection) => intersection.examined(),
            Cursor::Documents { .. } => 0,
        }
    }
}

/// Whether a document that a query found has what the query asks for literally: see [`policy::Decision::literally`].
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
        let definitions = match query.scope.group_id() {
            Some(group) => index::definitions(session, database, group).await?,
            None => Vec::new(),
        };
        uses.check(database, query, &definitions)?;
        let plan = plan::plan(database, query, &definitions);
        uses.used(database, &plan.indexes());
        let mut wanted = plan::wanted(query);
        // One that is still being built stays wanted: its build may have been cut short.
        let readable = |shape: &Shape| {
            definitions.iter().any(|definition| {
                definition.state == State::Readable && plan::is_as_good(query, shape, definition)
            })
        };
        wanted.retain(|shape| !readable(shape));
        Ok(Self::planned(database, query, &plan, wanted))
    }

    fn planned(database: &DatabaseName, query: &Query, plan: &Plan, wanted: Vec<Shape>) -> Self {
        let cursors = plan.sources.iter().map(|source| Cursor::new(database, query, source)).collect();
        Self {
            database: database.clone(),
            window: position::window(query),
            exact: plan.exact,
            to_skip: query.offset,
            left: query.limit,
            skipped: 0,
            page_next: FIRST_PAGE_DOCUMENTS,
            given: 0,
            examined: 0,
            feed: if plan.ordered { Feed::Merge(cursors) } else { Feed::Unsorted(cursors) },
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

    /// The index entries and documents looked at so far.
    pub fn examined(&self) -> usize {
        let entries = match &self.feed {
            Feed::Merge(cursors) | Feed::Unsorted(cursors) => cursors.iter().map(Cursor::examined).sum(),
            Feed::Sorted(_) => 0,
        };
        self.examined.saturating_add(entries)
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
        if let Feed::Sorted(sorted) = &mut self.feed {
            let page: Vec<_> = sorted.drain(..most.min(sorted.len())).collect();
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
            taken = cursors.get_mut(index).and_then(Cursor::take);
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
        self.examined += hits.len();
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
        mut cursors: Vec<Cursor>,
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
        let mut sorted: VecDeque<_> = sorted.into_values().collect();
        if reverse {
            sorted.make_contiguous().reverse();
        }
        Ok(sorted)
    }
}
