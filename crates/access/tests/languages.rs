//! One service, guarded by each of the policy languages through the same gate: decided with facts from the store,
//! explained, logged, committed. A grant that changes between the decision and the commit conflicts in all of them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here fails the test"
)]

use std::sync::Arc;

use access::log::Verdict;
use access::{
    AccessLog, Attempts, Caller, CommitFailure, DevPermit, DocumentSource, Documents, Facts, Gate, Grant,
    Mode, NoPending, Operation, Reads, Reason, Refusal, Rules, Service, Session, Subject, User, keyspace,
};
use async_trait::async_trait;
use base::{Code, Fields, ManualClock, Status, Value};
use kv::{Key, Mem, Options, Row, Store};
use policy::rtdb::{Change, Found, Glance, Memory, Place};
use policy::rules::Action;
use policy::{Document, Method, Policy, Source, cel, rtdb, rules};

/// The service's rows: roles by user, and notes. A role is text.
fn key(name: &str) -> Key {
    Key::new(keyspace::DOCUMENTS, name.as_bytes())
}

fn role_of(row: Option<&Row>) -> Result<Option<Value>, Status> {
    let unreadable = |_| Status::new(Code::DataLoss, "a role is unreadable");
    let text = row.map(|row| std::str::from_utf8(&row.value).map_err(unreadable)).transpose()?;
    Ok(text.map(|text| Value::String(text.to_owned())))
}

/// The service's data as each language reads it.
struct Notes;

impl DocumentSource for Notes {
    fn key(&self, _database: &str, path: &[String]) -> Key {
        key(&path.join("/"))
    }

    fn decode(&self, row: &Row) -> Result<Fields, Status> {
        Ok(role_of(Some(row))?.map(|role| ("role".to_owned(), role)).into_iter().collect())
    }
}

#[async_trait]
impl Facts<rtdb::Ruleset> for Notes {
    async fn facts(&self, reads: &mut Reads, needs: &[Place]) -> Result<Vec<Found>, Status> {
        let mut found = Vec::new();
        for place in needs {
            let row = reads.get(&key(&place.path.join("/"))).await?;
            found.push(Found::Glance(Glance { value: role_of(row.as_ref())?, ..Glance::default() }));
        }
        Ok(found)
    }
}

#[async_trait]
impl Facts<cel::Guard> for Notes {
    async fn facts(&self, reads: &mut Reads, needs: &[cel::Supply]) -> Result<Vec<Value>, Status> {
        assert_eq!(needs, [cel::Supply::Response]);
        let role = role_of(reads.get(&key("roles/carol")).await?.as_ref())?;
        Ok(vec![Value::Map([("role".to_owned(), role.unwrap_or(Value::Null))].into())])
    }
}

/// The service, guarded by one language. `P` is whatever the language's rules compile to.
struct Guarded<'r, P: Policy> {
    gate: Gate,
    rules: Rules<P>,
    request: P::Request<'r>,
    facts: &'r dyn Facts<P>,
}

const SUBJECT: Subject<'static> = Subject { method: "write", path: "/notes/1" };

fn operation() -> Operation {
    Operation { service: Service::Firestore, verb: "WriteNote", resource: "/notes/1".into() }
}

fn carol() -> Caller {
    Caller::user(Arc::new(User { uid: "carol".to_owned(), claims: Fields::new() }))
}

async fn gate() -> Gate {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    Gate::new(store, AccessLog::in_memory(), clock, Mode::Dev(DevPermit::for_development_only()))
}

impl<P: Policy> Guarded<'_, P> {
    async fn set_role(&self, role: &[u8]) {
        let mut session = self.gate.begin(&Caller::admin("owner"), operation()).await.unwrap();
        let permit = session.authorize_admin("/roles/carol").unwrap();
        session.write(&permit, key("roles/carol"), Some(role.to_vec().into()));
        session.commit().await.unwrap();
    }

    async fn decide(&self, session: &mut Session) -> Result<Grant, Refusal> {
        session.authorize(&self.rules, SUBJECT, &self.request, self.facts).await
    }

    async fn decided(&self) -> (Session, Result<Grant, Refusal>) {
        let mut session = self.gate.begin(&carol(), operation()).await.unwrap();
        let decided = self.decide(&mut session).await;
        (session, decided)
    }

    async fn is_as_promised(&self) {
        self.set_role(b"writer").await;
        let (mut session, grant) = self.decided().await;
        let Grant { permit, footprint, .. } = grant.unwrap();
        assert_eq!(footprint.keys, [key("roles/carol")]);
        session.write(&permit, key("notes/1"), Some("x".into()));
        let version = session.commit().await.unwrap();
        let event = self.gate.log().events().pop().unwrap();
        assert_eq!((event.verdict, event.version), (Verdict::Allow, Some(version.0)));
        assert!(event.rule.is_some_and(|rule| rule.starts_with("guard:")));
        assert_eq!(event.read.len(), 1, "{:?}", event.read);

        self.a_revoked_grant_conflicts().await;
        self.a_denial_is_explained().await;
        self.a_fault_is_no_denial().await;
    }

    async fn a_revoked_grant_conflicts(&self) {
        let (mut session, grant) = self.decided().await;
        session.write(&grant.unwrap().permit, key("notes/1"), Some("y".into()));
        self.set_role(b"reader").await;
        assert!(matches!(session.commit().await, Err(CommitFailure::Conflict)));
        assert_eq!(self.gate.peek(&key("notes/1")).await.unwrap().unwrap().value, "x");
    }

    /// As a unit of work, which decides again after a conflict.
    async fn a_denial_is_explained(&self) {
        let attempts = Attempts { max: 3, contended: &[], exhausted: || Status::invalid("exhausted") };
        let work = |mut session: Session| async move {
            let grant = self.decide(&mut session).await?;
            session.write(&grant.permit, key("notes/1"), Some("y".into()));
            Ok((session, ()))
        };
        let refusal = self.gate.transact(&carol(), &operation(), attempts, work).await.unwrap_err();
        let Refusal::Denied(denial) = refusal else { panic!("{refusal:?}") };
        let Reason::Rules(causes) = denial.reason else { panic!("{:?}", denial.reason) };
        let event = self.gate.log().events().pop().unwrap();
        assert_eq!((event.verdict, event.causes.len()), (Verdict::Deny, causes.len()));
        let cause = &event.causes[0];
        assert!(cause.at.starts_with("guard:") && cause.expression.contains("'writer'"), "{cause:?}");
        assert!(cause.observed.contains("reader"), "{cause:?}");
    }

    async fn a_fault_is_no_denial(&self) {
        self.set_role(b"\xff").await;
        let (_session, decided) = self.decided().await;
        let Err(Refusal::Fault(status)) = decided else { panic!("{decided:?}") };
        assert_eq!(status.code, Code::DataLoss);
    }
}

async fn service_rules(service: rules::Service, head: &str, get: &str) {
    let text = format!(
        "rules_version = '2'; service {} {{ match /{head} {{
           match /notes/{{note}} {{ allow write: if {get}.data.role == 'writer'; }}
         }} }}",
        service.name()
    );
    let compiled = policy::compile(Source::new("guard", text), service);
    let fields = Fields::new();
    let path = ["notes".to_owned(), "1".to_owned()];
    let new_resource = Some(Document { fields: &fields });
    let guarded = Guarded::<rules::Ruleset> {
        gate: gate().await,
        rules: Rules::enforced(compiled.ruleset.unwrap()),
        request: Action { new_resource, ..Action::new(Method::Create, "(default)", &path) },
        facts: &Documents { source: &Notes, pending: &NoPending },
    };
    guarded.is_as_promised().await;
}

#[tokio::test]
async fn firestore_rules() {
    let get = "get(/databases/(default)/documents/roles/$(request.auth.uid))";
    service_rules(rules::Service::Firestore, "databases/{database}/documents", get).await;
}

#[tokio::test]
async fn storage_rules() {
    let get = "firestore.get(/databases/(default)/documents/roles/$(request.auth.uid))";
    service_rules(rules::Service::Storage, "b/{bucket}/o", get).await;
}

async fn database_rules(ruleset: Option<rtdb::Ruleset>) {
    let note = Memory::new(&Value::String("hello".to_owned())).unwrap();
    let change = Change { path: &["notes", "1"], value: Some(&note) };
    let guarded = Guarded::<rtdb::Ruleset> {
        gate: gate().await,
        rules: Rules::enforced(ruleset.unwrap()),
        request: rtdb::Operation::Write(change),
        facts: &Notes,
    };
    guarded.is_as_promised().await;
}

#[tokio::test]
async fn realtime_database_rules() {
    let rules = r#"{"rules": {"notes": {"$note": {
        ".write": "root.child('roles').child(auth.uid).val() === 'writer'"
    }}}}"#;
    database_rules(rtdb::compile(Source::new("guard", rules)).ruleset).await;
}

#[tokio::test]
async fn bolt() {
    let text = "path /notes/{note} is String { write() { root.roles[auth.uid] === 'writer' } }";
    database_rules(policy::bolt::compile(Source::new("guard", text)).ruleset).await;
}

#[tokio::test]
async fn cel_expressions() {
    let environment = cel::Environment::data_connect(cel::Place::Check, Vec::new());
    let source = Source::new("guard", "auth.uid == 'carol' && response.role == 'writer'");
    let variables = Fields::new();
    let call = cel::Call {
        operation_name: "WriteNote",
        operation_type: "mutation",
        variables: &variables,
        this: None,
        response: None,
        uuid: &|| "0".repeat(32),
    };
    let guarded = Guarded::<cel::Guard> {
        gate: gate().await,
        rules: Rules::enforced(cel::Guard::expression(source, &environment).unwrap()),
        request: call,
        facts: &Notes,
    };
    guarded.is_as_promised().await;
}

/// An `@auth` level needs no facts, and none are read.
#[tokio::test]
async fn levels() {
    let variables = Fields::new();
    let call = cel::Call {
        operation_name: "Read",
        operation_type: "query",
        variables: &variables,
        this: None,
        response: None,
        uuid: &String::new,
    };
    let anonymous: Fields = [("sign_in_provider".to_owned(), Value::String("anonymous".into()))].into();
    let guest: Fields = [("firebase".to_owned(), Value::Map(anonymous))].into();
    let verified: Fields = [("email_verified".to_owned(), Value::Bool(true))].into();
    let user = |claims: Fields| Caller::user(Arc::new(User { uid: "carol".to_owned(), claims }));
    // Nobody, an anonymous user, one whose token does not say how they signed in, one with a verified address.
    let callers = [Caller::unauthenticated(), user(guest), carol(), user(verified)];
    for (level, admitted) in [
        (cel::Level::Public, [true, true, true, true]),
        (cel::Level::UserAnon, [false, true, true, true]),
        (cel::Level::User, [false, false, true, true]),
        (cel::Level::UserEmailVerified, [false, false, false, true]),
        (cel::Level::NoAccess, [false, false, false, false]),
    ] {
        let gate = gate().await;
        let guard = cel::Guard::level(Source::new("guard", level.name()), level);
        let rules = Rules::enforced(guard);
        for (caller, expected) in callers.iter().zip(admitted) {
            let mut session = gate.begin(caller, operation()).await.unwrap();
            let grant = session.authorize(&rules, SUBJECT, &call, &Notes).await;
            assert_eq!(grant.is_ok(), expected, "{} {caller:?}", level.name());
            assert!(grant.is_ok_and(|grant| grant.footprint.keys.is_empty()) || !expected);
            session.finish();
        }
    }
}
