//! The promises of the outbox, over a store in memory and a source of two rows.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use access::events::{EVENTS_OF_TARGET_MAX, Interest, Record, Source, Told};
use access::{
    AccessLog, Caller, CommitFailure, DevPermit, Gate, Mode, Operation, Service, Session, keyspace,
};
use base::{Code, ManualClock, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Keyspace, Mem, Options, Row, Scan, Store, Version};

/// Rows of one keyspace: `a/1` is the thing `1` of the kind `a`.
struct Things;

impl Source for Things {
    fn name(&self) -> &'static str {
        "things"
    }

    fn serves(&self, event: &str) -> bool {
        ["made", "changed", "gone"].contains(&event)
    }

    fn keyspace(&self) -> Option<Keyspace> {
        Some(keyspace::DOCUMENTS)
    }

    fn attributes(&self, key: &Key) -> Option<Vec<(&'static str, String)>> {
        Some(vec![("thing", std::str::from_utf8(key.as_bytes()).ok()?.to_owned())])
    }

    fn events(&self, before: Option<&Row>, after: Option<&Bytes>) -> Result<Vec<&'static str>, Status> {
        Ok(match (before, after) {
            (None, Some(_)) => vec!["made"],
            (Some(_), Some(_)) => vec!["changed"],
            (Some(_), None) => vec!["gone"],
            (None, None) => vec![],
        })
    }

    fn told(&self, _: &Record, _: Version) -> Result<Told, Status> {
        Ok(Told::default())
    }
}

fn key(thing: &str) -> Key {
    Key::new(keyspace::DOCUMENTS, thing.as_bytes())
}

fn interest(target: &str, event: &str, pattern: &str) -> Interest {
    let patterns = [("thing".to_owned(), pattern.to_owned())].into();
    Interest { target: target.to_owned(), event: event.to_owned(), patterns, ..Interest::default() }
}

async fn gate(interests: Vec<Interest>) -> Gate {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let mode = Mode::Dev(DevPermit::for_development_only());
    let gate = Gate::new(store, AccessLog::in_memory(), clock, mode);
    gate.events().register(Arc::new(Things));
    gate.events().set_interests("suite", interests);
    gate
}

async fn begin(gate: &Gate) -> Session {
    let operation = Operation { service: Service::Firestore, verb: "Commit", resource: "/x".into() };
    gate.begin(&Caller::admin("owner"), operation).await.unwrap()
}

async fn write(gate: &Gate, things: &[(&str, Option<&'static str>)]) -> Result<Version, CommitFailure> {
    let mut session = begin(gate).await;
    let permit = session.authorize_admin("/x").unwrap();
    for (thing, value) in things {
        session.write(&permit, key(thing), value.map(|text| Bytes::from_static(text.as_bytes())));
    }
    session.commit().await
}

/// The outbox: each event with the version of its row.
async fn outbox(gate: &Gate) -> Vec<(Record, Version)> {
    let mut session = begin(gate).await;
    let range = KeyRange::prefix(keyspace::OUTBOX, b"");
    let page = session.scan(&range, Scan { rows_max: 10_000, ..Scan::default() }).await.unwrap();
    session.discard();
    let mut found: Vec<_> =
        page.rows.iter().map(|row| (Record::decode(&row.value).unwrap(), row.version)).collect();
    found.sort_by(|one, other| (one.1, &one.0.target).cmp(&(other.1, &other.0.target)));
    found
}

#[tokio::test]
async fn an_event_is_a_row_of_the_commit_for_each_who_asked() {
    let wanted =
        [("f", "made", "a/*"), ("g", "made", "a/1"), ("h", "changed", "a/{x}"), ("i", "made", "b/*")];
    let gate = gate(wanted.map(|(target, event, pattern)| interest(target, event, pattern)).to_vec()).await;
    let made = write(&gate, &[("a/1", Some("one")), ("c/1", Some("x"))]).await.unwrap();
    let changed = write(&gate, &[("a/1", Some("two"))]).await.unwrap();
    write(&gate, &[("a/1", None)]).await.unwrap();
    let found = outbox(&gate).await;
    let shown: Vec<_> =
        found.iter().map(|(it, version)| (it.target.as_str(), it.event.as_str(), *version)).collect();
    assert_eq!(shown, [("f", "made", made), ("g", "made", made), ("h", "changed", changed)]);
    let (first, _) = &found[0];
    assert_eq!((first.before.as_deref(), first.after.as_deref()), (None, Some(&b"one"[..])));
    assert_eq!(first.id, found[1].0.id, "one event has one id");
    let (third, _) = &found[2];
    assert_eq!((third.before.as_deref(), third.before_version), (Some(&b"one"[..]), Some(made)));
    assert_eq!(third.request, gate.log().events()[1].request, "the record that caused it");
}

#[tokio::test]
async fn nobody_asked_or_an_import_or_a_pause_is_no_event() {
    let gate = gate(vec![interest("f", "made", "a/*")]).await;
    let mut session = begin(&gate).await;
    session.without_events();
    let permit = session.authorize_admin("/x").unwrap();
    session.write(&permit, key("a/1"), Some(Bytes::from_static(b"1")));
    session.commit().await.unwrap();
    gate.events().pause(true);
    write(&gate, &[("a/2", Some("2"))]).await.unwrap();
    gate.events().pause(false);
    gate.events().set_interests("suite", Vec::new());
    write(&gate, &[("a/3", Some("3"))]).await.unwrap();
    assert_eq!(outbox(&gate).await.len(), 0);
}

#[tokio::test]
async fn what_was_there_before_is_validated_and_a_conflict_leaves_nothing() {
    let gate = gate(vec![interest("f", "made", "a/*"), interest("f2", "changed", "a/*")]).await;
    // A blind write, whose event says what was there: somebody else comes first.
    let mut session = begin(&gate).await;
    let permit = session.authorize_admin("/x").unwrap();
    session.write(&permit, key("a/1"), Some(Bytes::from_static(b"mine")));
    write(&gate, &[("a/1", Some("theirs"))]).await.unwrap();
    assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)));
    assert_eq!(outbox(&gate).await.len(), 1);
    assert_eq!((gate.events().backlog.of("f").0, gate.events().backlog.of("f2").0), (1, 0));
}

#[tokio::test]
async fn a_full_outbox_refuses_the_write_and_not_others() {
    let gate = gate(vec![interest("f", "made", "a/*")]).await;
    for _ in 0..EVENTS_OF_TARGET_MAX {
        gate.events().backlog.add("f", 1);
    }
    let Err(CommitFailure::Failed(status)) = write(&gate, &[("a/1", Some("1"))]).await else {
        unreachable!("it is refused")
    };
    assert_eq!(status.code, Code::ResourceExhausted);
    write(&gate, &[("b/1", Some("1"))]).await.unwrap();
    gate.events().backlog.subtract("f", 1);
    write(&gate, &[("a/1", Some("1"))]).await.unwrap();
    assert_eq!(outbox(&gate).await.len(), 1);
}
