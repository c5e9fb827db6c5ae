//! Effects in another database: what was decided before a revocation is over when the revocation is answered, and their records.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use access::log::Verdict;
use access::{AccessLog, Caller, DevPermit, Gate, Mode, Operation, Service, Standing, User, keyspace};
use base::{Fields, ManualClock, Status};
use kv::{Key, Mem, Options, Row, Store};

/// A caller who always stands, by this row.
#[derive(Debug)]
struct Always(Key);

impl Standing for Always {
    fn key(&self) -> &Key {
        &self.0
    }

    fn check(&self, _: Option<&Row>) -> Result<(), Status> {
        Ok(())
    }
}

async fn gate() -> Gate {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let mode = Mode::Dev(DevPermit::for_development_only());
    Gate::new(store, AccessLog::in_memory(), Arc::new(ManualClock::at(1_764_000_000_000_000)), mode)
}

fn row(name: &str) -> Key {
    Key::new(keyspace::USERS, name.as_bytes())
}

fn user(name: &str) -> Caller {
    let user = User { uid: name.to_owned(), claims: Fields::new() };
    Caller::user(Arc::new(user)).held_to(Arc::new(Always(row(name))))
}

fn operation() -> Operation {
    Operation { service: Service::DataConnect, verb: "executeMutation", resource: "/op".to_owned() }
}

/// Changes a user's row, as a revocation does.
async fn revoke(gate: Gate, name: &'static str) {
    let mut session = gate.begin(&Caller::admin("owner"), operation()).await.unwrap();
    let permit = session.authorize_admin("/users").unwrap();
    session.write(&permit, row(name), Some("revoked".into()));
    session.commit().await.unwrap();
}

#[tokio::test]
async fn a_revocation_is_answered_when_what_was_decided_before_it_is_over() {
    let gate = gate().await;
    let first = gate.hold(&user("ann"));
    let second = gate.hold(&user("ann"));
    let mut revoked = tokio::spawn(revoke(gate.clone(), "ann"));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut revoked).await;
    assert!(early.is_err(), "two are under way");
    // It is durable all the same, and what begins now sees it and is not waited for.
    assert!(gate.peek(&row("ann")).await.unwrap().is_some());
    let later = gate.hold(&user("ann"));
    drop(first);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut revoked).await;
    assert!(early.is_err(), "one is under way");
    drop(second);
    tokio::time::timeout(Duration::from_secs(5), revoked).await.unwrap().unwrap();
    drop(later);
    // Nobody else waits, and neither does anybody later.
    let _of_bob = gate.hold(&user("bob"));
    tokio::time::timeout(Duration::from_secs(5), revoke(gate.clone(), "ann")).await.unwrap();
}

#[tokio::test]
async fn a_record_is_kept_beside_the_effect_and_completes_the_log() {
    let gate = gate().await;
    let caller = user("ann");
    let mut session = gate.begin(&caller, operation()).await.unwrap();
    let permit = session.authorize_self("a test", "/op");
    let record = session.record_for(&permit, "c1").unwrap();
    session.fail_elsewhere("nobody knows whether it was committed");
    let failed = gate.log().events().pop().unwrap();
    assert_eq!((failed.verdict, failed.details.get("commit")), (Verdict::Error, None));
    // The record was there: it was committed.
    gate.complete_from(&[("c1".to_owned(), record)]).unwrap();
    let told = gate.log().events().pop().unwrap();
    assert_eq!(
        (told.verdict, told.details.get("commit").and_then(|commit| commit.as_str())),
        (Verdict::Allow, Some("c1"))
    );
    assert!(told.must_be_kept());

    let other = gate.begin(&caller, operation()).await.unwrap();
    let mut stranger = gate.begin(&caller, operation()).await.unwrap();
    stranger.authorize_self("a test", "/op");
    assert!(stranger.record_for(&permit, "c2").is_err(), "the permit is another session's");
    stranger.finish();
    other.finish();
    assert!(gate.complete_from(&[("c3".to_owned(), "no record".to_owned())]).is_err());
}

#[test]
fn the_log_says_which_records_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let line = |commit: &str| {
        format!(
            r#"{{"time":"2026-11-30T00:00:00Z","request":1,"service":"dataconnect","verb":"executeMutation","path":"/op","caller":"user","verdict":"allow","details":{{"commit":"{commit}"}}}}"#
        )
    };
    std::fs::write(folder.path().join("access.1.log"), format!("{}\n", line("old"))).unwrap();
    std::fs::write(folder.path().join("access.log"), format!("{}\nnonsense\n{}\n", line("a"), line("b")))
        .unwrap();
    let asked: BTreeSet<String> = ["old", "a", "missing"].map(str::to_owned).into();
    let found = Gate::recorded_commits(folder.path(), &asked).unwrap();
    assert_eq!(found, ["a", "old"].map(str::to_owned).into());
}
