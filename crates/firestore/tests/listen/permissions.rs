//! What open streams show when permissions change.

use std::sync::Arc;

use access::{Caller, Standing};
use base::{Code, Fields, Status, Timestamp, Value};
use kv::{Key, Row};

use crate::client::Client;
use crate::house::{House, admin, house, timed, user};
use crate::{delete, n_is, set};

const ROLES: &str = "
    match /c/{id} { allow read: if get(/databases/$(database)/documents/roles/$(request.auth.uid)).data.n == 1; }
    match /d/{id} { allow read: if true; }
    match /mine/{id} { allow get: if resource.data.n == 1; }
";

async fn role(house: &House, n: i64) {
    house.commit(&admin(), &format!("[{}]", set("roles/ann", n))).await.unwrap();
}

fn lost(client: &Client, id: i32) -> Option<Code> {
    client.targets[&id].lost.as_ref().map(|status| status.code)
}

#[tokio::test]
async fn who_may_not_list_gets_nothing_and_the_stream_goes_on() {
    let house = house(ROLES).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/secret", 1), set("d/open", 1))).await.unwrap();
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(1, "c", "");
    client.add_query(2, "d", "");
    client.snapshot().await;
    assert_eq!((lost(&client, 1), client.ids(2)), (Some(Code::PermissionDenied), vec!["open".into()]));
    assert!(client.sent.keys().all(|name| !name.contains("secret")));
}

#[tokio::test]
async fn a_role_that_is_taken_away_ends_its_target_before_newer_data() {
    let house = house(ROLES).await;
    role(&house, 1).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(1, "c", "");
    client.add_query(2, "d", "");
    client.snapshot().await;
    assert_eq!(client.ids(1), ["a"]);
    // What does not change the outcome changes nothing.
    house.commit(&admin(), &format!("[{}]", set("roles/bob", 0))).await.unwrap();
    role(&house, 1).await;
    // One commit takes the role and writes what it protects.
    let writes = format!("[{}, {}, {}]", delete("roles/ann"), set("c/secret", 1), set("d/x", 1));
    house.commit(&admin(), &writes).await.unwrap();
    client.until("the end of one target", |client| lost(client, 1).is_some()).await;
    client.until("the other goes on", |client| client.ids(2) == ["x"]).await;
    assert_eq!(lost(&client, 1), Some(Code::PermissionDenied));
    assert!(client.sent.keys().all(|name| !name.contains("secret")));
    let events = house.gate.log().events();
    let revoked: Vec<_> = events.iter().filter(|event| event.details.contains_key("revoked")).collect();
    assert_eq!(revoked.len(), 1, "{revoked:#?}");
    assert_eq!(revoked[0].verdict, access::log::Verdict::Deny);
    assert_eq!(events.iter().filter(|event| event.verb == "Listen").count(), 3, "two grants and one loss");
}

#[tokio::test]
async fn other_rules_decide_again() {
    let house = house(ROLES).await;
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(2, "d", "");
    client.snapshot().await;
    let text = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents { match /x/{y} { allow read; } } }";
    house.gate.rules().firestore.load(policy::Source::new("firestore.rules", text)).unwrap();
    client.until("the end", |client| lost(client, 2).is_some()).await;
}

#[tokio::test]
async fn a_document_is_decided_in_each_of_its_states() {
    let house = house(ROLES).await;
    house.commit(&admin(), &format!("[{}]", set("mine/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &user("ann"));
    client.add_documents(1, &["mine/a"]);
    client.snapshot().await;
    assert_eq!(client.ids(1), ["a"]);
    house.commit(&admin(), &format!("[{}]", set("mine/a", 77))).await.unwrap();
    client.until("the end", |client| lost(client, 1).is_some()).await;
    assert_eq!(client.sent.values().sum::<usize>(), 1, "the other state is not shown");
}

/// Rules that show some documents of a collection, by what they hold.
const PUBLIC: &str = "match /c/{id} { allow read: if resource.data.n == 1; }";

#[tokio::test]
async fn a_document_that_leaves_by_permission_leaves_without_what_it_holds() {
    let house = house(PUBLIC).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(1, "c", &n_is(1));
    client.snapshot().await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 2))).await.unwrap();
    client.snapshot().await;
    assert!(client.ids(1).is_empty());
    assert_eq!(client.sent.values().sum::<usize>(), 1, "its new state may not be seen");
}

#[tokio::test]
async fn numbers_of_another_type_are_not_shown_where_rules_compare_literally() {
    let house = house("match /c/{id} { allow list: if resource.data.n is int; }").await;
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(1, "c", &n_is(1));
    client.until("a verdict", |client| client.snapshots > 0 || lost(client, 1).is_some()).await;
    if lost(&client, 1).is_some() {
        // The rules do not allow it at all: then there is nothing to show.
        return;
    }
    let double = set("c/secret", 1).replace(r#""integerValue": "1""#, r#""doubleValue": 1.0"#);
    house.commit(&admin(), &format!("[{double}]")).await.unwrap();
    client.until("the end", |client| lost(client, 1).is_some()).await;
    assert!(client.sent.is_empty());
}

/// A standing by a row that holds `ok`, or the one claim that its user has.
#[derive(Debug)]
struct ByRow(Key);

impl Standing for ByRow {
    fn key(&self) -> &Key {
        &self.0
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        row.map(|_| ()).ok_or_else(|| Status::new(Code::Unauthenticated, "gone"))
    }

    fn renew(&self, row: Option<&Row>, _: &Fields) -> Result<Option<Fields>, Status> {
        self.check(row)?;
        let claim = row.map(|row| String::from_utf8_lossy(&row.value).into_owned()).unwrap_or_default();
        Ok(Some([("role".to_owned(), Value::String(claim))].into()))
    }
}

async fn row(house: &House, value: Option<&'static str>) -> Key {
    let key = Key::new(access::keyspace::USERS, b"ann");
    let operation = access::Operation { service: access::Service::Identity, verb: "t", resource: "/".into() };
    let mut session = house.gate.begin(&admin(), operation).await.unwrap();
    let permit = session.authorize_admin("/").unwrap();
    session.write(&permit, key.clone(), value.map(|value| bytes::Bytes::from_static(value.as_bytes())));
    session.commit().await.unwrap();
    key
}

const CLAIMS: &str = "
    match /c/{id} { allow read: if request.auth.token.role == 'moderator'; }
    match /d/{id} { allow read: if request.auth != null; }
";

#[tokio::test]
async fn a_claim_that_is_revoked_ends_what_needs_it_and_a_user_who_is_gone_ends_the_stream() {
    let house = house(CLAIMS).await;
    let key = row(&house, Some("moderator")).await;
    let caller = user("ann").held_to(Arc::new(ByRow(key)));
    let mut client = Client::open(&house, &caller);
    client.add_query(1, "c", "");
    client.add_query(2, "d", "");
    client.snapshot().await;
    assert_eq!((lost(&client, 1), lost(&client, 2)), (None, None));
    row(&house, Some("reader")).await;
    client.until("the end of one", |client| lost(client, 1).is_some()).await;
    assert_eq!(lost(&client, 2), None);
    row(&house, None).await;
    let end = loop {
        if let Err(status) = client.next().await {
            break status;
        }
    };
    assert_eq!(end.code, Code::Unauthenticated);
}

#[tokio::test]
async fn a_stream_ends_with_its_credential() {
    let clock = Arc::new(base::ManualClock::at(1_000_000_000_000_000));
    let house = timed(crate::OPEN, clock.clone()).await;
    let caller: Caller = user("ann").until(Timestamp::from_micros(1_000_000_000_000_000 + 50_000));
    let mut client = Client::open(&house, &caller);
    client.add_query(1, "c", "");
    client.snapshot().await;
    clock.advance(60_000);
    let end = client.next().await.unwrap_err();
    assert_eq!(end.code, Code::Unauthenticated);
}
