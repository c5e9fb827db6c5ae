//! The rows of the outbox that a session adds to its commit.

use std::collections::{BTreeMap, HashMap};

use base::Status;
use bytes::Bytes;
use kv::{Key, Keyspace, Row, Version};

use super::backlog::Room;
use super::{Record, Source, Watched};
use crate::session::Session;

/// An event that a service emits itself.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// What it is about: events about the same are told in order.
    pub key: Bytes,
    /// What triggers are matched by.
    pub attributes: Vec<(&'static str, String)>,
    /// What was there before, as the source has it.
    pub before: Option<Bytes>,
    /// The version of that.
    pub before_version: Option<Version>,
    /// What is there now.
    pub after: Option<Bytes>,
}

/// The events of a session.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    /// An import, or the like.
    pub are_none: bool,
    /// What they are known by.
    unique: Option<[u8; 16]>,
    /// How many occurrences, and how many rows.
    occurrences: usize,
    rows: u32,
    pub rooms: Vec<Room>,
}

impl Session {
    /// What this session commits is no event: an import, a clearing.
    pub fn without_events(&mut self) {
        self.staged_events.are_none = true;
    }

    /// Tells the one whose interest it is of an event, when the session commits.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when too much waits for them.
    pub fn emit(&mut self, source: &dyn Source, watched: &[&Watched], event: &Emitted) -> Result<(), Status> {
        if self.staged_events.are_none || watched.is_empty() {
            return Ok(());
        }
        let staged = &mut self.staged_events;
        let unique = match staged.unique {
            Some(unique) => unique,
            None => *staged.unique.insert(base::id::random_bytes().map_err(|error| {
                tracing::error!(%error, "an event has no name");
                Status::unavailable("The service is currently unavailable.")
            })?),
        };
        staged.occurrences += 1;
        let id: String = unique.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{id}-{}", staged.occurrences);
        for watched in watched {
            let attributes = event.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            let record = Record {
                id: id.clone(),
                source: source.name().to_owned(),
                target: watched.interest.target.clone(),
                event: watched.interest.event.clone(),
                attributes: attributes.collect::<BTreeMap<_, _>>(),
                cause: super::Cause::of(&self.caller),
                request: self.request,
                key: event.key.clone(),
                before: event.before.clone(),
                before_version: event.before_version,
                after: event.after.clone(),
            };
            let value = record.encode()?;
            let room = self.gate().events().backlog.take(&record.target, value.len())?;
            let staged = &mut self.staged_events;
            staged.rooms.push(room);
            let key = Record::row_key(&unique, staged.rows);
            staged.rows += 1;
            self.writes.push((key, Some(value)));
        }
        Ok(())
    }

    /// Adds the events of the rows that were staged.
    ///
    /// Errors: the store's faults; `RESOURCE_EXHAUSTED` when too much waits.
    pub(crate) async fn stage_events(&mut self) -> Result<(), Status> {
        if self.staged_events.are_none || !self.gate().events().are_wanted() {
            return Ok(());
        }
        let mut sources: HashMap<Keyspace, Vec<Concerned>> = HashMap::new();
        let mut last: BTreeMap<Key, Option<Bytes>> = BTreeMap::new();
        for (key, value) in &self.writes {
            let of_keyspace =
                sources.entry(key.keyspace()).or_insert_with(|| concerned(self, key.keyspace()));
            if !of_keyspace.is_empty() {
                last.insert(key.clone(), value.clone());
            }
        }
        for (key, after) in last {
            for (source, watched) in sources.get(&key.keyspace()).into_iter().flatten() {
                let Some(attributes) = source.attributes(&key) else { continue };
                let matching: Vec<&Watched> =
                    watched.iter().map(AsRef::as_ref).filter(|one| one.matches(&attributes, &[])).collect();
                if matching.is_empty() {
                    continue;
                }
                let before = self.reads.get(&key).await?;
                let events = source.events(before.as_ref(), after.as_ref())?;
                let matching: Vec<&Watched> = matching
                    .into_iter()
                    .filter(|one| events.contains(&one.interest.event.as_str()))
                    .collect();
                let event = emitted(&key, attributes, before, after.clone());
                self.emit(&**source, &matching, &event)?;
            }
        }
        Ok(())
    }
}

type Concerned = (std::sync::Arc<dyn Source>, std::sync::Arc<[std::sync::Arc<Watched>]>);

fn concerned(session: &Session, keyspace: Keyspace) -> Vec<Concerned> {
    let events = session.gate().events();
    let sources = events.sources_of(keyspace).into_iter();
    sources.filter_map(|source| Some((source.clone(), events.interests(source.name())?))).collect()
}

fn emitted(
    key: &Key,
    attributes: Vec<(&'static str, String)>,
    before: Option<Row>,
    after: Option<Bytes>,
) -> Emitted {
    Emitted {
        key: Bytes::copy_from_slice(key.stored()),
        attributes,
        before_version: before.as_ref().map(|row| row.version),
        before: before.map(|row| row.value),
        after,
    }
}
