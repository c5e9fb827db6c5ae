//! A stream's targets, and how far each of them is.

use std::collections::HashMap;
use std::sync::Arc;

use access::OpenGrant;
use base::{DatabaseName, DocumentPath};
use kv::{Key, Version};

use super::cohort::Kept;
use crate::listen::hub::Registration;
use crate::listen::target::Asked;
use crate::listen::token::Seen;
use crate::model::key;
use crate::ops::places::TargetPlace;
use crate::query::{Cursor, Query, Results};

/// One target.
pub struct Target {
    /// What it is about.
    pub asked: Asked,
    /// Dropped, it hears of no more commits.
    pub registration: Registration,
    /// Why it may be shown; none before the first decision.
    pub grant: Option<OpenGrant>,
    /// Whether the rules allow only what has the query's numbers literally.
    pub is_literal: bool,
    /// How far it is.
    pub phase: Phase,
    /// Everything up to this version was sent when it was loaded; not where that took several states of the store.
    pub loaded: Version,
    /// It ends with its first snapshot.
    pub once: bool,
    /// It counts among its caller's.
    pub _place: TargetPlace,
    /// The documents of its window that the client has, with their versions.
    pub shown: HashMap<DocumentPath, Version>,
}

/// How far a target is.
pub enum Phase {
    /// Its first result (or what has changed since it was last seen) is being read.
    Loading(Box<Loading>),
    /// All of that has been sent, as it was at this version.
    Settling(Version),
    /// It is part of every snapshot.
    Current,
}

/// A first result that is being read.
#[derive(Default)]
pub struct Loading {
    /// What the client has seen; taken when it has been looked at.
    pub seen: Option<Seen>,
    /// What has changed since, once it was asked.
    pub found: Option<Kept>,
    /// How many documents the client has, when it resumes.
    pub expected: Option<i32>,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// The rest of a result that had to be sorted.
    pub sorted: Option<Results>,
}

/// Since when it must be found out what has changed of which query, and what that is known by.
pub type ToReplay<'a> = (Version, &'a Arc<Query>, &'a Arc<[u8]>);

impl Target {
    /// The query, if it is about one.
    pub fn query(&self) -> Option<&Query> {
        match &self.asked {
            Asked::Query { query, .. } => Some(query),
            Asked::Documents(_) => None,
        }
    }

    /// Whether it shows the first documents of a result only.
    pub fn has_window(&self) -> bool {
        self.query().is_some_and(|query| query.limit.is_some() || query.offset > 0)
    }

    /// Since when it must be found out what has changed of which query.
    pub fn to_replay(&self) -> Option<ToReplay<'_>> {
        match (&self.phase, &self.asked) {
            (Phase::Loading(loading), Asked::Query { query, key }) if loading.found.is_none() => {
                let Some(Seen::UpTo(after)) = loading.seen else { return None };
                Some((after, query, key))
            }
            _ => None,
        }
    }

    /// The view whose first page is to be loaded; `None` where it is anything else.
    pub fn first_page_of(&self) -> Option<u64> {
        match &self.phase {
            Phase::Loading(loading)
                if loading.seen.is_none() && !self.is_loaded_in_part() && !self.has_window() =>
            {
                self.registration.view()
            }
            _ => None,
        }
    }

    /// Whether a part of its first result was loaded, at some state of the store.
    pub fn is_loaded_in_part(&self) -> bool {
        matches!(&self.phase, Phase::Loading(loading) if loading.after.is_some() || loading.sorted.is_some())
    }

    /// Whether it is being loaded.
    pub fn is_loading(&self) -> bool {
        matches!(self.phase, Phase::Loading(_))
    }
}

/// The keys of documents.
pub fn keys(database: &DatabaseName, paths: &[DocumentPath]) -> Vec<Key> {
    paths.iter().map(|path| key::document(database, path)).collect()
}
