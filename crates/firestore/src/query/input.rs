//! The sources of a plan while they are read: each shows its next hit and gives it when it is taken.

use std::collections::VecDeque;

use access::Session;
use base::{DatabaseName, DocumentPath, Status};

use super::plan::Source;
use super::position;
use super::run::PAGE_DOCUMENTS_MAX;
use super::scan::{Hit, Intersection};
use super::shape::Query;
use super::walk::{Found, Walk, fetch};

/// A source being read.
#[derive(Debug)]
pub(super) enum Input {
    Entries(Intersection),
    Documents { from: Documents, next: Option<(Hit, Found)>, walked: usize },
}

/// Where documents come from that are read before they are hits.
#[derive(Debug)]
pub(super) enum Documents {
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

impl Input {
    /// A source to be read for a query.
    pub fn new(database: &DatabaseName, query: &Query, source: &Source) -> Self {
        let reverse = query.is_reverse();
        let expected = query.needed().unwrap_or(PAGE_DOCUMENTS_MAX);
        match source {
            Source::Entries(stretches) => Input::Entries(Intersection::new(stretches, reverse, expected)),
            Source::Names(paths) => Input::Documents {
                from: Documents::Names(paths.iter().cloned().collect()),
                next: None,
                walked: 0,
            },
            Source::Scope(names) => {
                // Whoever filters will need more than they give.
                let expected = if query.disjuncts == [Vec::new()] { expected } else { PAGE_DOCUMENTS_MAX };
                let walk = Walk::new(database, &query.scope, names, reverse, expected);
                Input::Documents { from: Documents::Walk(walk), next: None, walked: 0 }
            }
        }
    }

    /// Where the next hit stands.
    pub async fn peek(
        &mut self,
        session: &mut Session,
        database: &DatabaseName,
    ) -> Result<Option<&[u8]>, Status> {
        match self {
            Input::Entries(intersection) => {
                Ok(intersection.peek(session).await?.map(|hit| hit.position.as_slice()))
            }
            Input::Documents { from, next, walked } => {
                if next.is_none() {
                    *next = from.next(session, database).await?.map(|found| {
                        *walked += 1;
                        let position = position::path_bytes(found.path.segments());
                        (Hit { position, path: found.path.clone() }, found)
                    });
                }
                Ok(next.as_ref().map(|(hit, _)| hit.position.as_slice()))
            }
        }
    }

    /// Takes what [`Input::peek`] showed; with the document if it is known already.
    pub fn take(&mut self) -> Option<(Hit, Option<Found>)> {
        match self {
            Input::Entries(intersection) => intersection.take().map(|hit| (hit, None)),
            Input::Documents { next, .. } => next.take().map(|(hit, found)| (hit, Some(found))),
        }
    }

    /// Index entries read so far.
    pub fn entries(&self) -> usize {
        match self {
            Input::Entries(intersection) => intersection.examined(),
            Input::Documents { .. } => 0,
        }
    }

    /// Documents walked over so far, in the order of their names.
    pub fn walked(&self) -> usize {
        match self {
            Input::Entries(_) => 0,
            Input::Documents { walked, .. } => *walked,
        }
    }
}
