//! The gate's promises, over a store in memory and rules of a few lines.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::Path;
use std::sync::Arc;

use access::log::{Event, Filter, Reader, Verdict};
use access::{
    AccessLog, Caller, CommitFailure, DevPermit, DocumentSource, Documents, Gate, Grant, Mode, NoPending,
    Operation, Reason, Refusal, Service, Standing, Subject, User, keyspace,
};
use base::{Fields, ManualClock, Status, Value};
use kv::{Key, Mem, Options, Row, Sqlite, Store};
use policy::rules::Action;
use policy::{Document, Method, Source};

const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /movies/{movie} {
      allow read: if request.auth != null;
      allow write: if request.auth.token.moderator == true;
    }
    match /notes/{note} {
      allow write: if get(/databases/$(database)/documents/roles/$(request.auth.uid)).data.role == 'writer';
    }
  }
}";

/// Documents as text: `role=writer`.
struct Plain;

impl DocumentSource for Plain {
    fn key(&self, database: &str, path: &[String]) -> Key {
        Key::new(keyspace::DOCUMENTS, format!("{database}/{}", path.join("/")).as_bytes())
    }

    fn decode(&self, row: &Row) -> Result<Fields, Status> {
        Ok(fields(std::str::from_utf8(&row.value).unwrap()))
    }
}

fn fields(text: &str) -> Fields {
    let (name, value) = text.split_once('=').unwrap();
    [(name.to_owned(), Value::String(value.to_owned()))].into()
}

fn dev() -> Mode {
    Mode::Dev(DevPermit::for_development_only())
}

async fn gate(mode: Mode, rules: Option<&str>) -> Gate {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let gate =
        Gate::new(store, AccessLog::in_memory(), Arc::new(ManualClock::at(1_764_000_000_000_000)), mode);
    if let Some(rules) = rules {
        gate.rules().firestore.load(Source::new("firestore.rules", rules)).unwrap();
    }
    gate
}

fn user(uid: &str, claims: &[(&str, Value)]) -> Caller {
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Caller::user(Arc::new(User { uid: uid.to_owned(), claims }))
}

fn operation() -> Operation {
    Operation { service: Service::Firestore, verb: "Commit", resource: "/x".into() }
}

/// Writes a document as a caller, the way a service does.
async fn write(gate: &Gate, caller: &Caller, path: &str, text: &str) -> Result<kv::Version, Status> {
    let mut session = gate.begin(caller, operation()).await?;
    let denied = |refusal: Refusal| refusal.status(|_| "denied".to_owned());
    let Grant { permit, .. } = decide_write(&mut session, path, text).await.map_err(denied)?;
    let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    session.write(&permit, Plain.key("(default)", &segments), Some(text.to_owned().into()));
    session.commit().await.map_err(|failure| match failure {
        CommitFailure::Conflict => Status::new(base::Code::Aborted, "conflict"),
        CommitFailure::Failed(status) => status,
    })
}

async fn decide_write(session: &mut access::Session, path: &str, text: &str) -> Result<Grant, Refusal> {
    let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let after = fields(text);
    let new_resource = Some(Document { fields: &after });
    let action = Action { new_resource, ..Action::new(Method::Create, "(default)", &segments) };
    let rules = session.gate().rules().firestore.current("p");
    let path = format!("/{path}");
    let subject = Subject { method: "create", path: &path };
    session.authorize(&rules, subject, &action, &Documents { source: &Plain, pending: &NoPending }).await
}

fn admin() -> Caller {
    Caller::admin("owner")
}

#[tokio::test]
async fn a_grant_names_its_rule_and_the_version_it_became() {
    let gate = gate(dev(), Some(RULES)).await;
    let version =
        write(&gate, &user("ann", &[("moderator", Value::Bool(true))]), "movies/up", "t=Up").await.unwrap();
    let [event] = &gate.log().events()[..] else { panic!("one event") };
    assert_eq!(
        (event.verdict, event.who.as_deref(), event.path.as_str()),
        (Verdict::Allow, Some("ann"), "/movies/up")
    );
    assert_eq!(event.rule.as_deref(), Some("firestore.rules:6:7"));
    assert_eq!(event.version, Some(version.0));
}

#[tokio::test]
async fn a_denial_says_why_to_the_developer_and_nothing_to_a_production_client() {
    for (mode, observed) in [(dev(), true), (Mode::Serve, false)] {
        let gate = gate(mode, Some(RULES)).await;
        let secret = ("email", Value::String("bob@secret.test".into()));
        let mut session = gate.begin(&user("bob", &[secret]), operation()).await.unwrap();
        let refusal = decide_write(&mut session, "movies/up", "t=Up").await.unwrap_err();
        session.finish();
        let Refusal::Denied(denial) = refusal else { panic!("{refusal:?}") };
        assert_eq!((denial.method, denial.shows_reasons.is_some()), ("create", observed));
        let Reason::Rules(causes) = &denial.reason else { panic!("{denial:?}") };
        let told: Vec<_> = causes.iter().map(|cause| (cause.text(), cause.allow_line)).collect();
        assert_eq!(told, [("Property moderator is undefined on object.", 6)]);
        let [event] = &gate.log().events()[..] else { panic!("one event") };
        assert_eq!(event.verdict, Verdict::Deny);
        let cause = &event.causes[0];
        assert!(cause.at.starts_with("firestore.rules:6:"), "{cause:?}");
        assert!(cause.expression.contains("request.auth.token"), "{cause:?}");
        assert_eq!(cause.text, "Property moderator is undefined on object.");
        assert_eq!(cause.observed.contains("bob@secret.test"), observed, "{cause:?}");
    }
}

#[tokio::test]
async fn a_grant_revoked_before_the_commit_does_not_authorise_it() {
    let gate = gate(dev(), Some(RULES)).await;
    let carol = user("carol", &[]);
    write(&gate, &admin(), "roles/carol", "role=writer").await.unwrap();

    let mut session = gate.begin(&carol, operation()).await.unwrap();
    let Grant { permit, .. } = decide_write(&mut session, "notes/1", "t=x").await.unwrap();
    session.write(&permit, Plain.key("(default)", &["notes".into(), "1".into()]), Some("t=x".into()));
    write(&gate, &admin(), "roles/carol", "role=reader").await.unwrap();
    assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)));

    let status = write(&gate, &carol, "notes/1", "t=x").await.unwrap_err();
    assert_eq!(status.code, base::Code::PermissionDenied);
}

#[tokio::test]
async fn a_commit_may_read_twenty_documents_and_those_again() {
    let ten: Vec<String> =
        (0..10).map(|id| format!("exists(/databases/$(database)/documents/d/$(letter + '{id}'))")).collect();
    let rules = format!(
        "rules_version = '2';
        service cloud.firestore {{ match /databases/{{database}}/documents {{
          match /wide/{{letter}} {{ allow write: if {}; }}
        }} }}",
        ten.join(" && ")
    );
    let gate = gate(dev(), Some(&rules)).await;
    for letter in ["a", "b", "c"] {
        for id in 0..10 {
            write(&gate, &admin(), &format!("d/{letter}{id}"), "x=y").await.unwrap();
        }
    }
    let carol = user("carol", &[]);
    let mut session = gate.begin(&carol, operation()).await.unwrap();
    for letter in ["a", "b", "a", "b"] {
        decide_write(&mut session, &format!("wide/{letter}"), "t=x").await.unwrap();
    }
    let Err(Refusal::Denied(denial)) = decide_write(&mut session, "wide/c", "t=x").await else {
        panic!("a twenty-first document was read");
    };
    let Reason::Rules(causes) = &denial.reason else { panic!("{denial:?}") };
    assert!(causes[0].text().contains("the maximum of 20 document accesses"), "{causes:?}");
}

#[tokio::test]
async fn without_rules_dev_allows_and_production_denies() {
    let anyone = Caller::unauthenticated();
    assert!(write(&gate(dev(), None).await, &anyone, "a/b", "t=x").await.is_ok());
    let closed = gate(Mode::Serve, None).await;
    assert_eq!(write(&closed, &anyone, "a/b", "t=x").await.unwrap_err().code, base::Code::PermissionDenied);
    assert_eq!(closed.log().events()[0].verdict, Verdict::Deny);
    assert!(write(&closed, &admin(), "a/b", "t=x").await.is_ok());
}

#[tokio::test]
async fn a_broken_edit_keeps_the_last_good_rules() {
    let gate = gate(dev(), Some(RULES)).await;
    let refused =
        gate.rules().firestore.load(Source::new("firestore.rules", "service cloud.firestore {")).unwrap_err();
    assert!(!refused.diagnostics.is_empty());
    let moderator = user("ann", &[("moderator", Value::Bool(true))]);
    assert!(write(&gate, &moderator, "movies/up", "t=Up").await.is_ok());
    assert!(write(&gate, &user("bob", &[]), "movies/up", "t=Up").await.is_err());
}

#[tokio::test]
async fn a_project_may_have_rules_of_its_own_until_the_next_load() {
    let gate = gate(dev(), Some(RULES)).await;
    let open = "service cloud.firestore { match /{all=**} { allow write: if true; } }";
    let put = |project| {
        let permit = DevPermit::for_development_only();
        gate.rules().firestore.load_for(permit, project, Source::new("test", open)).unwrap();
    };
    put("another");
    assert!(write(&gate, &user("bob", &[]), "movies/up", "t=Up").await.is_err());
    put("p");
    assert!(write(&gate, &user("bob", &[]), "movies/up", "t=Up").await.is_ok());
    gate.rules().firestore.load(Source::new("firestore.rules", RULES)).unwrap();
    assert!(write(&gate, &user("bob", &[]), "movies/up", "t=Up").await.is_err());
}

#[tokio::test]
async fn a_session_that_ends_early_still_leaves_its_record() {
    let gate = gate(dev(), Some(RULES)).await;
    drop(gate.begin(&user("ann", &[]), operation()).await.unwrap());
    let moderator = user("ann", &[("moderator", Value::Bool(true))]);
    let mut session = gate.begin(&moderator, operation()).await.unwrap();
    decide_write(&mut session, "movies/up", "t=Up").await.unwrap();
    drop(session);
    let verdicts: Vec<_> = gate.log().events().iter().map(|event| event.verdict).collect();
    assert_eq!(verdicts, [Verdict::Error, Verdict::Error]);
}

#[tokio::test]
async fn who_hangs_up_during_a_commit_does_not_escape_the_record() {
    let gate = gate(dev(), Some(RULES)).await;
    let moderator = user("ann", &[("moderator", Value::Bool(true))]);
    let mut session = gate.begin(&moderator, operation()).await.unwrap();
    let Grant { permit, .. } = decide_write(&mut session, "movies/up", "t=Up").await.unwrap();
    session.write(&permit, Plain.key("(default)", &["movies".into(), "up".into()]), Some("t=Up".into()));
    let mut published = gate.published();
    published.mark_unchanged();
    // The client is gone once the commit is on its way: whatever awaited it is dropped.
    let mut commit = Box::pin(session.commit());
    assert!(futures_util::FutureExt::now_or_never(&mut commit).is_none());
    drop(commit);
    published.changed().await.unwrap();
    let version = published.borrow().0;
    while gate.log().events().is_empty() {
        tokio::task::yield_now().await;
    }
    let [event] = &gate.log().events()[..] else { panic!("one event") };
    assert_eq!((event.verdict, event.version), (Verdict::Allow, Some(version)));
}

#[tokio::test]
async fn nothing_is_committed_without_a_decision_or_against_a_foreign_permit() {
    let gate = gate(dev(), Some(RULES)).await;
    let moderator = user("ann", &[("moderator", Value::Bool(true))]);
    let key = Plain.key("(default)", &["movies".into(), "up".into()]);
    let mut granted = gate.begin(&moderator, operation()).await.unwrap();
    let Grant { permit, .. } = decide_write(&mut granted, "movies/up", "t=Up").await.unwrap();
    for decides in [false, true] {
        let mut session = gate.begin(&moderator, operation()).await.unwrap();
        if decides {
            decide_write(&mut session, "movies/up", "t=Up").await.unwrap();
        }
        session.write(&permit, key.clone(), Some("t=Up".into()));
        let Err(CommitFailure::Failed(status)) = session.commit().await else { panic!("it was committed") };
        assert_eq!(status.code, base::Code::Internal);
    }
    granted.finish();
    assert!(gate.peek(&key).await.unwrap().is_none());
    let verdicts: Vec<_> = gate.log().events().iter().map(|event| event.verdict).collect();
    assert_eq!(verdicts, [Verdict::Error, Verdict::Allow]);
}

/// A caller stands while the row says so.
#[derive(Debug)]
struct RowSays(Key);

impl Standing for RowSays {
    fn key(&self) -> &Key {
        &self.0
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        let stands = row.is_some_and(|row| row.value == "stands=yes");
        if stands { Ok(()) } else { Err(Status::new(base::Code::Unauthenticated, "gone")) }
    }
}

#[tokio::test]
async fn a_caller_who_loses_their_standing_can_neither_commit_nor_begin() {
    let gate = gate(dev(), Some(RULES)).await;
    write(&gate, &admin(), "users/ann", "stands=yes").await.unwrap();
    let row = Plain.key("(default)", &["users".into(), "ann".into()]);
    let moderator = user("ann", &[("moderator", Value::Bool(true))]).held_to(Arc::new(RowSays(row)));

    let before = gate.begin(&admin(), operation()).await.unwrap().version();
    let mut session = gate.begin(&moderator, operation()).await.unwrap();
    let Grant { permit, .. } = decide_write(&mut session, "movies/up", "t=Up").await.unwrap();
    let key = Plain.key("(default)", &["movies".into(), "up".into()]);
    session.write(&permit, key.clone(), Some("t=Up".into()));
    assert!(session.check_standing().await.is_ok());
    write(&gate, &admin(), "users/ann", "stands=no").await.unwrap();
    assert_eq!(session.check_standing().await.unwrap_err().code, base::Code::Unauthenticated);
    assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)));
    assert!(gate.peek(&key).await.unwrap().is_none());

    let refused = |status: Status| status.code == base::Code::Unauthenticated;
    assert!(gate.begin(&moderator, operation()).await.is_err_and(refused));
    // A past in which the caller stood gives nothing back.
    assert!(gate.begin_at(&moderator, operation(), before).await.is_err_and(refused));
    assert_eq!(gate.log().events().last().unwrap().verdict, Verdict::Deny);
}

#[tokio::test]
async fn only_administrators_pass_an_admin_verb() {
    let gate = gate(Mode::Serve, Some(RULES)).await;
    let mut session = gate.begin(&user("ann", &[]), operation()).await.unwrap();
    assert!(matches!(session.authorize_admin("/x"), Err(Refusal::Denied(_))));
    session.finish();
    let mut session = gate.begin(&admin(), operation()).await.unwrap();
    assert!(session.authorize_admin("/x").is_ok());
    session.finish();
    let verdicts: Vec<_> = gate.log().events().iter().map(|event| event.verdict).collect();
    assert_eq!(verdicts, [Verdict::Deny, Verdict::Admin]);
}

fn read_log(folder: &Path) -> Vec<Event> {
    let mut reader = Reader::open(folder).unwrap();
    std::iter::from_fn(|| reader.next_event().unwrap()).collect()
}

/// A gate on a data folder.
async fn gate_in(folder: &Path) -> Gate {
    let store = Store::open(Sqlite::open(folder).unwrap(), Options::default()).await.unwrap();
    let log = AccessLog::open(folder).unwrap();
    Gate::new(store, log, Arc::new(base::SystemClock), dev())
}

/// Commits three writes, lets `damage` rewrite the log's lines as a crash might leave them, and gives how many events
/// the next start added. Whatever happened, each write is in the log once afterwards.
async fn completed_after(damage: impl FnOnce(&Path, &[&str])) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_in(folder.path()).await;
    let mut versions = [
        write(&gate, &user("ann", &[]), "a/1", "t=x").await.unwrap().0,
        write(&gate, &user("ann", &[]), "a/2", "t=x").await.unwrap().0,
        write(&gate, &user("bob", &[]), "a/3", "t=x").await.unwrap().0,
    ];
    gate.close().await.unwrap();
    let file = folder.path().join("access.log");
    let text = std::fs::read_to_string(&file).unwrap();
    damage(&file, &text.lines().collect::<Vec<_>>());

    let gate = gate_in(folder.path()).await;
    let added = gate.complete_log(folder.path()).await.unwrap();
    gate.close().await.unwrap();
    let events = read_log(folder.path());
    let mut found: Vec<_> = events.iter().filter_map(|event| event.version).collect();
    found.sort_unstable();
    versions.sort_unstable();
    assert_eq!(found, versions);
    let bob = Filter { who: Some("bob".into()), path: Some("/a/*".into()), ..Filter::default() };
    assert_eq!(events.iter().filter(|event| bob.matches(event)).count(), 1);
    added
}

#[cfg(unix)]
#[tokio::test]
async fn the_data_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let gate = gate_in(&folder).await;
    write(&gate, &user("ann", &[]), "a/1", "t=x").await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("access.log"))), (0o700, 0o600));
    gate.close().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_denials_is_some_lines_and_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let gate = gate_in(folder.path()).await;
    gate.rules().firestore.load(Source::new("firestore.rules", RULES)).unwrap();
    for _ in 0..500 {
        write(&gate, &user("mallory", &[]), "movies/up", "t=x").await.unwrap_err();
    }
    write(&gate, &admin(), "movies/up", "t=x").await.unwrap();
    gate.close().await.unwrap();
    let events = read_log(folder.path());
    let denied: Vec<_> = events.iter().filter(|event| event.verdict == Verdict::Deny).collect();
    // Nine lines for each second that it took.
    assert!(denied.len() <= 60, "{} lines", denied.len());
    assert_eq!(denied.iter().map(|event| event.count.unwrap_or(1)).sum::<u64>(), 500);
    assert_eq!(events.iter().filter(|event| event.verdict == Verdict::Admin).count(), 1);
}

#[tokio::test]
async fn a_log_cut_short_by_a_crash_is_completed() {
    let cut = |file: &Path, lines: &[&str]| {
        std::fs::write(file, format!("{}\n{}", lines[0], &lines[2][..20])).unwrap();
    };
    assert_eq!(completed_after(cut).await, 2);
}

#[tokio::test]
async fn a_write_older_than_the_newest_one_logged_is_not_forgotten() {
    let out_of_order = |file: &Path, lines: &[&str]| {
        std::fs::write(file, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
    };
    assert_eq!(completed_after(out_of_order).await, 1);
}

#[tokio::test]
async fn a_log_without_a_line_is_completed_whole() {
    assert_eq!(completed_after(|file, _| std::fs::write(file, "").unwrap()).await, 3);
}

#[tokio::test]
async fn many_reads_after_the_last_write_hide_nothing() {
    let reads_last = |file: &Path, lines: &[&str]| {
        let mut read: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        read.as_object_mut().unwrap().remove("version");
        let read = format!("{read}\n");
        let many = read.repeat(5 * 1024 * 1024 / read.len());
        std::fs::write(file, format!("{}\n{}\n{many}", lines[0], lines[1])).unwrap();
    };
    assert_eq!(completed_after(reads_last).await, 1);
}

#[tokio::test]
async fn what_rolled_over_is_not_written_again() {
    let rolled = |file: &Path, lines: &[&str]| {
        std::fs::write(file.with_extension("1.log"), format!("{}\n{}\n", lines[0], lines[1])).unwrap();
        std::fs::write(file, "").unwrap();
    };
    assert_eq!(completed_after(rolled).await, 1);
}
