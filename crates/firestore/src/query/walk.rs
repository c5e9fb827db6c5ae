//! Walks the documents of a scope themselves, where no index serves.
//!
//! Invariant: collections and everything below a parent are walked in the order of names; a collection group is
//! walked one collection after the other.

use std::cmp::Ordering;
use std::collections::VecDeque;

use access::Session;
use access::keyspace::DOCUMENTS;
use base::key::{push_segment, split_segment};
use base::{Code, DatabaseName, DocumentPath, ResourcePath, Status};
use kv::{Key, KeyRange, Row, Scan};

use super::position::{self, Interval};
use super::shape::Scope;
use crate::model::{Stored, key};

/// Documents read at once, at most; also bounded by the bytes of a scan.
pub const DOCUMENTS_PER_READ_MAX: usize = 1_000;

/// A document that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub path: DocumentPath,
    /// What it is.
    pub stored: Stored,
}

/// Reads a document's row.
pub fn found(row: &Row) -> Result<Found, Status> {
    let (_, path) = key::decode(&row.key).ok_or_else(|| {
        tracing::error!(key = %row.key, "a document's key is unreadable");
        Status::new(Code::DataLoss, "A stored document cannot be read.")
    })?;
    Ok(Found { path, stored: Stored::from_row(row)? })
}

/// A walk over a scope's documents.
#[derive(Debug)]
pub enum Walk {
    /// Of one collection.
    Collection(DocumentScan),
    /// Of several collections, one after the other.
    Collections(Box<Collections>),
    /// Of everything below a parent.
    Tree(Box<Tree>),
}

impl Walk {
    /// A walk over the documents of a scope whose names lie in an interval (of path bytes), that expects to need so
    /// many.
    pub fn new(
        database: &DatabaseName,
        scope: &Scope,
        names: &Interval,
        reverse: bool,
        expected: usize,
    ) -> Self {
        match scope {
            Scope::Collection(collection) => {
                Walk::Collection(DocumentScan::new(database, collection.segments(), names, reverse, expected))
            }
            Scope::Group { parent, id } => Walk::Collections(Box::new(Collections {
                database: database.clone(),
                names: names.clone(),
                rest: key::below(database, parent),
                wanted: Wanted::Named(id.clone()),
                current: None,
                rows_next: DOCUMENTS_PER_READ_MAX,
            })),
            Scope::Children(parent) => Walk::Collections(Box::new(Collections {
                database: database.clone(),
                names: names.clone(),
                rest: key::below(database, parent),
                wanted: Wanted::Under(parent.segments().len()),
                current: None,
                rows_next: expected,
            })),
            Scope::Descendants(parent) => Walk::Tree(Box::new(Tree {
                database: database.clone(),
                names: names.clone(),
                levels: vec![Level {
                    documents: None,
                    segments: parent.segments().to_vec(),
                    below: key::below(database, parent),
                    head: None,
                }],
            })),
        }
    }

    /// The next document.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<Found>, Status> {
        match self {
            Walk::Collection(scan) => scan.next(session).await,
            Walk::Collections(collections) => collections.next(session).await,
            Walk::Tree(tree) => tree.next(session).await,
        }
    }
}

/// A walk over one collection.
#[derive(Debug)]
pub struct DocumentScan {
    rest: Option<KeyRange>,
    reverse: bool,
    rows: VecDeque<Row>,
    rows_next: usize,
}

impl DocumentScan {
    /// See [`Walk::new`].
    pub fn new(
        database: &DatabaseName,
        collection: &[String],
        names: &Interval,
        reverse: bool,
        expected: usize,
    ) -> Self {
        let whole = key::collection(database, collection);
        let prefix = key::collection_prefix(database, collection);
        let mut in_paths = position::path_bytes(collection);
        in_paths.pop();
        // Path bytes are the collection's, the id's, zero; keys are the collection's, zero, the id's.
        let bound = |edge: &position::Edge| {
            let Some(first) = edge.first_key(&[]) else { return whole.end.clone() };
            match first.strip_prefix(in_paths.as_slice()) {
                Some(id) => {
                    let id = if edge.after { id } else { id.strip_suffix(&[0]).unwrap_or(id) };
                    Key::new(DOCUMENTS, &[prefix.as_slice(), id].concat())
                }
                None if first < in_paths => whole.start.clone(),
                None => whole.end.clone(),
            }
        };
        let start = names.start.as_ref().map_or_else(|| whole.start.clone(), bound);
        let end = names.end.as_ref().map_or_else(|| whole.end.clone(), bound);
        Self {
            rest: Some(KeyRange::between(start, end)),
            reverse,
            rows: VecDeque::new(),
            rows_next: expected.clamp(1, DOCUMENTS_PER_READ_MAX),
        }
    }

    async fn peek(&mut self, session: &mut Session) -> Result<Option<&Row>, Status> {
        while self.rows.is_empty() {
            let Some(range) = self.rest.take() else { return Ok(None) };
            if range.is_empty() {
                return Ok(None);
            }
            let scan = Scan { reverse: self.reverse, rows_max: self.rows_next, ..Scan::default() };
            self.rows_next = self.rows_next.saturating_mul(2).min(DOCUMENTS_PER_READ_MAX);
            let page = session.scan(&range, scan).await?;
            self.rest = page.next;
            self.rows.extend(page.rows);
        }
        Ok(self.rows.front())
    }

    async fn next(&mut self, session: &mut Session) -> Result<Option<Found>, Status> {
        self.peek(session).await?;
        self.rows.pop_front().map(|row| found(&row)).transpose()
    }
}

/// A walk over several collections.
#[derive(Debug)]
pub struct Collections {
    database: DatabaseName,
    names: Interval,
    rest: KeyRange,
    wanted: Wanted,
    current: Option<DocumentScan>,
    rows_next: usize,
}

#[derive(Debug)]
enum Wanted {
    /// Collections with this id.
    Named(String),
    /// Collections directly below a path of so many segments.
    Under(usize),
}

impl Collections {
    /// A walk over a whole collection group, behind the document with this key, that reads so many at a time.
    pub fn of_group(database: &DatabaseName, id: &str, after: Option<&Key>, rows_next: usize) -> Self {
        let whole = key::below(database, &ResourcePath::ROOT);
        let start = after.map_or(whole.start, Key::successor);
        Self {
            database: database.clone(),
            names: Interval::default(),
            rest: KeyRange::between(start, whole.end),
            wanted: Wanted::Named(id.to_owned()),
            current: None,
            rows_next,
        }
    }

    /// The next document.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<Found>, Status> {
        loop {
            if let Some(scan) = &mut self.current {
                if let Some(found) = scan.next(session).await? {
                    return Ok(Some(found));
                }
                self.current = None;
            }
            let one = Scan { rows_max: 1, ..Scan::default() };
            let page = session.scan(&self.rest, one).await?;
            let Some(row) = page.rows.first() else { return Ok(None) };
            let path = found(row)?.path;
            let collection = path.collection();
            // Jump over what this row stands for.
            let (wanted, seen) = match &self.wanted {
                Wanted::Named(id) => {
                    (path.collection_id() == id, key::collection(&self.database, collection))
                }
                Wanted::Under(depth) => {
                    let top = path.segments().get(..=*depth).unwrap_or_default();
                    let top_range = KeyRange::prefix(DOCUMENTS, &key::below_prefix(&self.database, top));
                    (collection.len() == depth + 1, top_range)
                }
            };
            if wanted {
                let mut scan =
                    DocumentScan::new(&self.database, collection, &self.names, false, self.rows_next);
                // A walk may begin in the middle of a collection.
                scan.rest = scan
                    .rest
                    .map(|range| KeyRange::between(range.start.max(self.rest.start.clone()), range.end));
                self.current = Some(scan);
            }
            self.rest = KeyRange::between(seen.end, self.rest.end.clone());
        }
    }
}

/// A walk over everything below a parent, in the order of names: each document before its descendants.
#[derive(Debug)]
pub struct Tree {
    database: DatabaseName,
    names: Interval,
    /// The collection the walk is in, and those it came through. As deep as names may be.
    levels: Vec<Level>,
}

/// One collection of a walk (or the parent it began at, which has no documents of its own).
#[derive(Debug)]
struct Level {
    documents: Option<DocumentScan>,
    segments: Vec<String>,
    /// What of its sub-collections is left.
    below: KeyRange,
    /// The next of them: what its name adds to the level's.
    head: Option<Vec<String>>,
}

impl Level {
    /// Finds the next sub-collection, if it is not known.
    async fn find_head(&mut self, session: &mut Session) -> Result<(), Status> {
        if self.head.is_some() || self.below.is_empty() {
            return Ok(());
        }
        let page = session.scan(&self.below, Scan { rows_max: 1, ..Scan::default() }).await?;
        let Some(row) = page.rows.first() else {
            self.below = KeyRange::between(self.below.end.clone(), self.below.end.clone());
            return Ok(());
        };
        let path = found(row)?.path;
        let added = if self.documents.is_some() { 2 } else { 1 };
        let own = self.segments.len();
        self.head = path.segments().get(own..own + added).map(<[String]>::to_vec);
        Ok(())
    }
}

impl Tree {
    async fn next(&mut self, session: &mut Session) -> Result<Option<Found>, Status> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            level.find_head(session).await?;
            let document = match &mut level.documents {
                Some(scan) => scan.peek(session).await?,
                None => None,
            };
            let document_first = match (&document, &level.head) {
                (None, None) => {
                    self.levels.pop();
                    continue;
                }
                (Some(row), Some(head)) => {
                    let path = found(row)?.path;
                    let id = head.first().map(String::as_str).unwrap_or_default();
                    base::order::compare_segments(path.id(), id) != Ordering::Greater
                }
                (document, _) => document.is_some(),
            };
            if document_first {
                let scan = level.documents.as_mut();
                let Some(scan) = scan else { return Ok(None) };
                let found = scan.next(session).await?;
                if found.as_ref().is_some_and(|found| !self.is_inside(&found.path)) {
                    continue;
                }
                return Ok(found);
            }
            let Some(added) = level.head.take() else { continue };
            let segments = [level.segments.as_slice(), &added].concat();
            let whole = KeyRange::prefix(DOCUMENTS, &key::below_prefix(&self.database, &segments));
            level.below = KeyRange::between(whole.end, level.below.end.clone());
            self.enter(segments);
        }
    }

    fn is_inside(&self, path: &DocumentPath) -> bool {
        self.names.contains(&position::path_bytes(path.segments()))
    }

    /// Goes down into a collection, unless all of it lies outside the interval.
    fn enter(&mut self, segments: Vec<String>) {
        let mut bytes = position::path_bytes(&segments);
        bytes.pop();
        let inside = Interval {
            start: Some(position::Edge::before(bytes.clone())),
            end: Some(position::Edge::after(bytes.clone())),
        };
        if self.names.intersect(&inside).is_none() {
            return;
        }
        // Sub-collections of documents: behind the collection's own documents.
        let own = key::collection(&self.database, &segments);
        let whole = KeyRange::prefix(DOCUMENTS, &key::below_prefix(&self.database, &segments));
        let start = self.first_below(&segments, &bytes).map_or(own.end.clone(), |key| key.max(own.end));
        self.levels.push(Level {
            documents: Some(DocumentScan::new(&self.database, &segments, &self.names, false, 64)),
            below: KeyRange::between(start, whole.end),
            segments,
            head: None,
        });
    }

    /// Where in a collection's sub-collections the interval begins, if it begins inside.
    fn first_below(&self, segments: &[String], bytes: &[u8]) -> Option<Key> {
        let first = self.names.start.as_ref()?.first_key(&[])?;
        let mut rest = first.strip_prefix(bytes)?;
        let mut prefix = key::below_prefix(&self.database, segments);
        // A document's id and a sub-collection's: deeper bounds are for the level below.
        for _ in 0..2 {
            if let Some((segment, tail)) = split_segment(rest) {
                push_segment(&mut prefix, &segment);
                rest = tail;
            }
        }
        Some(Key::new(DOCUMENTS, &prefix))
    }
}

/// The documents with these paths, in their order; `None` where there is none.
pub async fn fetch(
    session: &mut Session,
    database: &DatabaseName,
    paths: &[DocumentPath],
) -> Result<Vec<Option<Found>>, Status> {
    let keys: Vec<_> = paths.iter().map(|path| key::document(database, path)).collect();
    let rows = session.get_many(&keys).await?;
    paths
        .iter()
        .zip(rows)
        .map(|(path, row)| {
            row.map(|row| Ok(Found { path: path.clone(), stored: Stored::from_row(&row)? })).transpose()
        })
        .collect()
}
