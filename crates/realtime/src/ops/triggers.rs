//! What a write is to functions that want to be told of places.
//!
//! A trigger names places by a pattern; a write above, at or below such a place is an event of it. The sequencer emits them: it alone
//! knows what is at a place before and after a write.
//!
//! Source: the functions reference, A5; production's limits (1000 events of one write, 1 MiB of one event).

use std::collections::BTreeSet;
use std::sync::Arc;

use access::Session;
use access::events::{Cause, Emitted, Record, Segment, Source, Told, Watched};
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key as RowKey, Keyspace, Row, Version};
use serde_json::{Map, Value as Json, json};

use super::rows::{Layer, Layout, Rows, RowsError};
use crate::model::{Key, Node, Path};

const SOURCE: &str = "database";
const SECOND_GENERATION: &str = "google.firebase.database.ref.v1.";
const FIRST_GENERATION: &str = "providers/google.firebase.database/eventTypes/ref.";
/// Where the database is, as events say it.
const LOCATION: &str = "us-central1";
const DOMAIN: &str = "firebaseio.com";
/// The segments of the first generation's resource before those of the place: `projects/_/instances/NAME/refs`.
const BEFORE_PLACE: usize = 5;
/// Events of one write; what is beyond is not told.
const EVENTS_OF_WRITE_MAX: usize = 1000;
/// Bytes of what was and what is at a place; an event of more is not told.
const EVENT_BYTES_MAX: usize = 1 << 20;
/// Rows of the same.
const EVENT_ROWS_MAX: usize = 50_000;

/// The databases as a source of events.
pub struct Events;

/// A write that is staged, as far as events are about it.
pub struct Written<'a> {
    /// The database's name.
    pub database: &'a str,
    pub layout: &'a Layout,
    /// The places that are written.
    pub paths: &'a [Path],
    /// What was written before and is not durable yet.
    pub pending: &'a Layer,
    /// The rows of this write.
    pub rows: &'a Layer,
}

/// What is at a place before and after.
type Both = (Option<Arc<Node>>, Option<Arc<Node>>);

impl Written<'_> {
    /// Emits the events of a write.
    ///
    /// Errors: the store's faults; `RESOURCE_EXHAUSTED` when too many events wait.
    pub async fn emit(&self, session: &mut Session) -> Result<(), RowsError> {
        let Some(interests) = session.gate().events().interests(SOURCE) else { return Ok(()) };
        let mut left = EVENTS_OF_WRITE_MAX;
        for watched in interests.iter() {
            let Some(pattern) = places_of(watched, self.database) else { continue };
            let mut places = BTreeSet::new();
            for path in self.paths {
                self.find(session, path, &pattern, &mut places).await?;
            }
            for place in places {
                if left == 0 {
                    tracing::warn!(target: "function", "a write has more than {EVENTS_OF_WRITE_MAX} events: the others are not told");
                    return Ok(());
                }
                left -= usize::from(self.emit_one(session, watched, &Path::from(place)).await?);
            }
        }
        Ok(())
    }

    /// What is at a place; `None`: more than an event may have.
    async fn both(&self, session: &mut Session, place: &Path) -> Result<Option<Both>, RowsError> {
        let mut both = [None, None];
        let layers: [&[&Layer]; 2] = [&[self.pending], &[self.pending, self.rows]];
        for (node, layers) in both.iter_mut().zip(layers) {
            let mut rows = Rows { layout: self.layout, reads: session.reads(), layers };
            *node = match rows.node(place, EVENT_ROWS_MAX).await {
                Ok(found) => found,
                Err(RowsError::TooMany) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let [before, after] = both;
        Ok(Some((before, after)))
    }

    /// The places of a pattern that a write at a path concerns.
    async fn find(
        &self,
        session: &mut Session,
        path: &Path,
        pattern: &[Segment],
        places: &mut BTreeSet<Vec<Key>>,
    ) -> Result<(), RowsError> {
        let keys = path.keys();
        if !pattern.iter().zip(keys).all(|(segment, key)| segment.matches(key.as_str())) {
            return Ok(());
        }
        if let Some(place) = keys.get(..pattern.len()) {
            places.insert(place.to_vec());
            return Ok(());
        }
        let Some((before, after)) = self.both(session, path).await? else {
            tracing::warn!(target: "function", path = %path, "a write above places of triggers is too large: they are not told");
            return Ok(());
        };
        let below = pattern.get(keys.len()..).unwrap_or_default();
        descend(before.as_ref(), after.as_ref(), below, &mut keys.to_vec(), places);
        Ok(())
    }

    async fn emit_one(
        &self,
        session: &mut Session,
        watched: &Watched,
        place: &Path,
    ) -> Result<bool, RowsError> {
        let both = self.both(session, place).await?;
        let bytes = |node: &Option<Arc<Node>>| node.as_ref().map_or(0, |node| node.bytes());
        let Some((before, after)) =
            both.filter(|(before, after)| bytes(before) + bytes(after) <= EVENT_BYTES_MAX)
        else {
            tracing::warn!(target: "function", place = %place, function = %watched.interest.target, "what is there is too large for an event: it is not told");
            return Ok(false);
        };
        let kind = match (&before, &after) {
            (None, None) => return Ok(false),
            (None, Some(_)) => ["created", "create"],
            (Some(_), None) => ["deleted", "delete"],
            (Some(_), Some(_)) => ["updated", "update"],
        };
        let event = watched.interest.event.as_str();
        let event = event.strip_prefix(SECOND_GENERATION).or_else(|| event.strip_prefix(FIRST_GENERATION));
        if !event.is_some_and(|event| matches!(event, "written" | "write") || kind.contains(&event)) {
            return Ok(false);
        }
        let (before, after) = (before.map(|node| json_of(&node)), after.map(|node| json_of(&node)));
        if before == after {
            return Ok(false);
        }
        let reference = place.texts().join("/");
        let event = Emitted {
            key: Bytes::from(format!("{}/{reference}", self.database)),
            attributes: vec![("instance", self.database.to_owned()), ("ref", reference)],
            before: before.map(|json| json.to_string().into()),
            before_version: None,
            after: after.map(|json| json.to_string().into()),
        };
        session.emit(&Events, &[watched], &event)?;
        Ok(true)
    }
}

/// The form of the places of a trigger in a database; none where it is about others.
fn places_of(watched: &Watched, database: &str) -> Option<Vec<Segment>> {
    if let Some(resource) = watched.pattern("resource") {
        let (before, place) = resource.segments().split_at_checked(BEFORE_PLACE)?;
        let is_of = before.get(3).is_some_and(|instance| instance.matches(database));
        return is_of.then(|| place.to_vec());
    }
    let is_of = watched.matches(&[("instance", database.to_owned())], &["ref"]);
    Some(watched.pattern("ref").filter(|_| is_of)?.segments().to_vec())
}

/// Finds places below one that differ.
fn descend(
    before: Option<&Arc<Node>>,
    after: Option<&Arc<Node>>,
    pattern: &[Segment],
    at: &mut Vec<Key>,
    places: &mut BTreeSet<Vec<Key>>,
) {
    let Some((segment, below)) = pattern.split_first() else {
        places.insert(at.clone());
        return;
    };
    let children = |node: Option<&Arc<Node>>| {
        let children = node.map(|node| node.children()).unwrap_or_default();
        children.iter().map(|(key, _)| key.clone()).collect::<BTreeSet<Key>>()
    };
    let mut keys = children(before);
    keys.extend(children(after));
    for key in keys.into_iter().filter(|key| segment.matches(key.as_str())) {
        let child = |node: Option<&Arc<Node>>| node.and_then(|node| node.child(&key)).cloned();
        let (before, after) = (child(before), child(after));
        at.push(key);
        // As deep as the pattern.
        descend(before.as_ref(), after.as_ref(), below, at, places);
        at.pop();
        if places.len() > EVENTS_OF_WRITE_MAX {
            return;
        }
    }
}

/// A value without priorities.
fn json_of(node: &Node) -> Json {
    if let Some(leaf) = node.value() {
        let mut text = String::new();
        leaf.write_json(&mut text);
        return serde_json::from_str(&text).unwrap_or_default();
    }
    // As deep as a tree may be.
    let members = node.children().iter().map(|(key, child)| (key.as_str().to_owned(), json_of(child)));
    Json::Object(members.collect())
}

/// What makes one value of another: null where something goes.
fn delta(before: &Json, after: &Json) -> Json {
    let (Json::Object(before), Json::Object(after)) = (before, after) else { return after.clone() };
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Json::Null));
    let changed = after.iter().filter_map(|(key, after)| match before.get(key) {
        Some(before) if before == after => None,
        Some(before) => Some((key.clone(), delta(before, after))),
        None => Some((key.clone(), after.clone())),
    });
    let changed: Map<String, Json> = gone.chain(changed).collect();
    Json::Object(changed)
}

impl Source for Events {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn serves(&self, event: &str) -> bool {
        let second = event.strip_prefix(SECOND_GENERATION);
        let first = event.strip_prefix(FIRST_GENERATION);
        second.is_some_and(|kind| ["created", "updated", "deleted", "written"].contains(&kind))
            || first.is_some_and(|kind| ["create", "update", "delete", "write"].contains(&kind))
    }

    fn keyspace(&self) -> Option<Keyspace> {
        None
    }

    fn attributes(&self, _: &RowKey) -> Option<Vec<(&'static str, String)>> {
        None
    }

    fn events(&self, _: Option<&Row>, _: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        Ok(Vec::new())
    }

    fn told(&self, record: &Record, _: Version) -> Result<Told, Status> {
        let unreadable = || Status::new(Code::DataLoss, "an event of the Realtime Database cannot be read");
        let read = |json: &Option<Bytes>| match json {
            None => Ok(Json::Null),
            Some(json) => serde_json::from_slice(json).map_err(|_| unreadable()),
        };
        let (before, after) = (read(&record.before)?, read(&record.after)?);
        let of = |name: &str| record.attributes.get(name).cloned().unwrap_or_default();
        let (instance, reference) = (of("instance"), of("ref"));
        let data = json!({
            "@type": "type.googleapis.com/google.events.firebase.database.v1.ReferenceEventData",
            "data": before,
            "delta": delta(&before, &after),
        });
        let (kind, id, auth) = match &record.cause {
            Cause::Admin { .. } => ("admin", String::new(), Some(json!({ "admin": true }))),
            Cause::User { uid, claims } => {
                let auth = json!({ "variable": { "uid": uid, "token": claims } });
                ("app_user", uid.clone(), Some(auth))
            }
            Cause::Unauthenticated => ("unauthenticated", String::new(), None),
        };
        let mut context = Map::new();
        context.insert("domain".to_owned(), DOMAIN.into());
        context.extend(auth.map(|auth| ("auth".to_owned(), auth)));
        let mut attributes = vec![
            ("location", LOCATION.to_owned()),
            ("instance", instance.clone()),
            ("firebasedatabasehost", DOMAIN.to_owned()),
            ("ref", reference.clone()),
            ("authtype", kind.to_owned()),
        ];
        attributes.extend((!id.is_empty()).then_some(("authid", id)));
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Told {
            source: format!(
                "//firebasedatabase.googleapis.com/projects/_/locations/{LOCATION}/instances/{instance}"
            ),
            subject: format!("refs/{reference}"),
            attributes,
            first_generation_data: Some(json!({ "data": before, "delta": delta(&before, &after) })),
            data,
            resource: format!("projects/_/instances/{instance}/refs/{reference}").into(),
            context,
            ..Told::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_makes_the_new_value_of_the_old() {
        for (before, after, expected) in [
            (json!(null), json!({ "a": 1 }), json!({ "a": 1 })),
            (json!({ "a": 1, "b": 2 }), json!({ "b": 3 }), json!({ "a": null, "b": 3 })),
            (
                json!({ "a": { "x": 1, "y": 1 } }),
                json!({ "a": { "x": 2, "y": 1 } }),
                json!({ "a": { "x": 2 } }),
            ),
            (json!({ "a": 1 }), json!(null), json!(null)),
            (json!({ "a": 1 }), json!("x"), json!("x")),
        ] {
            assert_eq!(delta(&before, &after), expected, "{before} {after}");
        }
    }
}
