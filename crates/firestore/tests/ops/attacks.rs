//! Attacks on the service: readers that do not read, the past, callers whose standing ends, and what one may have open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use access::{Caller, Standing};
use base::{Code, ManualClock, Status};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use kv::{Key, Keyspace, Row};
use wire::{prost_types, v1};

use super::house::{House, ROOT, admin, house, message, production, timed, user, watched};
use super::{OPEN, begin, code, get, get_in, set};

/// Documents of a collection that take more than a page.
const MANY: i64 = 300;

fn query(collection: &str) -> v1::RunQueryRequest {
    message(&format!(
        r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "{collection}"}}]}}}}"#
    ))
}

async fn fill(house: &House, collection: &str, documents: i64) {
    let writes: Vec<_> = (0..documents).map(|at| set(&format!("{collection}/{at:04}"), at)).collect();
    for chunk in writes.chunks(100) {
        house.commit(&admin(), &format!("[{}]", chunk.join(","))).await.unwrap();
    }
}

#[tokio::test]
async fn readers_that_do_not_read_hold_nothing_of_the_store() {
    let (house, views) = watched(OPEN).await;
    fill(&house, "c", MANY).await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = house.firestore.run_query(&user("slow"), query("c")).await.unwrap();
        stream.next().await.unwrap().unwrap();
        streams.push(stream);
    }
    assert_eq!(views.load(Ordering::SeqCst), 0);
    // What they read on is still the state they began with.
    house.commit(&admin(), &format!(r#"[{}, {{"delete": "$/c/0299"}}]"#, set("c/0200", -1))).await.unwrap();
    let rest: Vec<_> = streams.pop().unwrap().try_collect().await.unwrap();
    let documents: Vec<_> = rest.into_iter().filter_map(|response| response.document).collect();
    assert_eq!(documents.len(), usize::try_from(MANY).unwrap() - 1);
    let n = documents.iter().find(|document| document.name.ends_with("/0200")).unwrap().fields["n"].clone();
    assert_eq!(n, message(r#"{"integerValue": "200"}"#));
}

#[tokio::test]
async fn streams_have_a_share_and_a_lifetime() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = timed(OPEN, clock.clone()).await;
    fill(&house, "c", MANY).await;
    let open = async |caller: &Caller| {
        let mut stream = house.firestore.run_query(caller, query("c")).await?;
        stream.next().await.unwrap()?;
        Ok::<_, Status>(stream)
    };
    let mut slow = Vec::new();
    for _ in 0..64 {
        slow.push(open(&user("slow")).await.unwrap());
    }
    // The share is used up: others are served, the caller itself is only when something of theirs is left unread.
    assert_eq!(open(&user("slow")).await.err().unwrap().code, Code::ResourceExhausted);
    let other = open(&user("other")).await.unwrap();
    clock.advance(2_000_000);
    let newest = open(&user("slow")).await.unwrap();
    let ended =
        futures_util::future::join_all(slow.into_iter().map(|stream| stream.try_collect::<Vec<_>>())).await;
    let ended: Vec<_> = ended.into_iter().filter_map(Result::err).map(|status| status.code).collect();
    assert_eq!(ended, [Code::Aborted]);
    assert!(other.try_collect::<Vec<_>>().await.is_ok());
    clock.advance(301_000_000);
    assert_eq!(newest.try_collect::<Vec<_>>().await.unwrap_err().code, Code::Aborted);
}

fn at_time(version: prost_types::Timestamp, path: &str) -> v1::GetDocumentRequest {
    use v1::get_document_request::ConsistencySelector::ReadTime;
    let name = format!("{ROOT}/{path}");
    v1::GetDocumentRequest { name, consistency_selector: Some(ReadTime(version)), ..Default::default() }
}

const GRANTED: &str = "match /notes/{n} { allow read: if get(/databases/$(database)/documents/grants/$(request.auth.uid)).data.n == 1; }
    match /posts/{p} { allow read: if resource.data.n == 1; }";

/// A store where alice had a grant, and `posts/a` was public, at a time that is given.
async fn revoked() -> (House, prost_types::Timestamp) {
    let house = production(GRANTED).await;
    let writes = [set("grants/alice", 1), set("notes/a", 7), set("posts/a", 1), set("posts/b", 1)];
    let then = house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap().commit_time.unwrap();
    let alice = user("alice");
    assert!(get(&house, &alice, "notes/a").await.is_ok() && get(&house, &alice, "posts/a").await.is_ok());
    (house, then)
}

#[tokio::test]
async fn a_read_time_revives_no_grant() {
    let (house, then) = revoked().await;
    let alice = user("alice");
    let id = begin(&house, &alice, "{}").await;
    get_in(&house, &alice, "notes/a", &id).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("grants/alice", 0), set("posts/a", 0))).await.unwrap();
    for path in ["notes/a", "posts/a"] {
        assert_eq!(
            code(house.firestore.get_document(&alice, at_time(then, path)).await),
            Code::PermissionDenied
        );
        assert!(house.firestore.get_document(&admin(), at_time(then, path)).await.is_ok());
    }
    assert!(house.firestore.get_document(&alice, at_time(then, "posts/b")).await.is_ok());
    // An open transaction's past is no better.
    assert_eq!(code(get_in(&house, &alice, "notes/a", &id).await), Code::PermissionDenied);
    let batch = |path: &str| v1::BatchGetDocumentsRequest {
        consistency_selector: Some(v1::batch_get_documents_request::ConsistencySelector::ReadTime(then)),
        ..message(&format!(
            r#"{{"database": "projects/p/databases/(default)", "documents": ["$/posts/b", "$/{path}"]}}"#
        ))
    };
    let batches = &house.firestore;
    assert_eq!(code(batches.batch_get_documents(&alice, batch("posts/a")).await), Code::PermissionDenied);
    assert_eq!(batches.batch_get_documents(&alice, batch("posts/b")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_past_query_finds_must_be_allowed_as_it_is_now() {
    let (house, then) = revoked().await;
    let alice = user("alice");
    let asked = |filter: i64| v1::RunQueryRequest {
        consistency_selector: Some(v1::run_query_request::ConsistencySelector::ReadTime(then)),
        ..message(&format!(
            r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "posts"}}], "where": {{"fieldFilter": {{
            "field": {{"fieldPath": "n"}}, "op": "EQUAL", "value": {{"integerValue": "{filter}"}}}}}}}}}}"#
        ))
    };
    let run = async |caller: &Caller, filter: i64| {
        let found: Vec<_> = house.firestore.run_query(caller, asked(filter)).await?.try_collect().await?;
        Ok::<_, Status>(found.into_iter().filter(|response| response.document.is_some()).count())
    };
    let count = async |caller: &Caller| {
        let Some(v1::run_query_request::QueryType::StructuredQuery(inner)) = asked(1).query_type else {
            panic!()
        };
        let mut request: v1::RunAggregationQueryRequest = message(&format!(
            r#"{{"parent": "{ROOT}", "structuredAggregationQuery": {{"aggregations": [{{"count": {{}}}}]}}}}"#
        ));
        if let Some(v1::run_aggregation_query_request::QueryType::StructuredAggregationQuery(query)) =
            &mut request.query_type
        {
            query.query_type = Some(v1::structured_aggregation_query::QueryType::StructuredQuery(inner));
        }
        request.consistency_selector =
            Some(v1::run_aggregation_query_request::ConsistencySelector::ReadTime(then));
        house.firestore.run_aggregation_query(caller, request).await
    };
    house.commit(&admin(), &format!("[{}]", set("other/o", 1))).await.unwrap();
    assert_eq!(run(&alice, 1).await.unwrap(), 2);
    assert!(count(&alice).await.is_ok());
    house.commit(&admin(), &format!("[{}]", set("posts/a", 0))).await.unwrap();
    assert_eq!(run(&alice, 1).await.unwrap_err().code, Code::PermissionDenied);
    assert_eq!(code(count(&alice).await), Code::PermissionDenied);
    assert_eq!(run(&admin(), 1).await.unwrap(), 2);
}

#[tokio::test]
async fn who_is_denied_causes_no_look_back() {
    let house = production("match /open/{d} { allow read; }").await;
    let then = house.commit(&admin(), &format!("[{}]", set("open/a", 1))).await.unwrap().commit_time.unwrap();
    for _ in 0..70 {
        let writes: Vec<_> = (0..300).map(|at| set(&format!("c/{at}"), at)).collect();
        let n = house.number("c/0", "n").await.unwrap_or_default();
        let writes =
            writes.join(",").replace(r#""integerValue": ""#, &format!(r#""integerValue": "1{}"#, n % 1000));
        house.commit(&admin(), &format!("[{writes}]")).await.unwrap();
    }
    // More was changed since than users may look back over; who is denied does not come so far.
    let alice = user("alice");
    assert_eq!(
        code(house.firestore.get_document(&alice, at_time(then, "shut/a")).await),
        Code::PermissionDenied
    );
    let refused = house.firestore.get_document(&alice, at_time(then, "open/a")).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (Code::FailedPrecondition, "The requested snapshot version is too old.")
    );
    assert!(house.firestore.get_document(&admin(), at_time(then, "open/a")).await.is_ok());
}

/// Good as long as the row is there.
#[derive(Debug)]
struct WhileThere(Key);

impl Standing for WhileThere {
    fn key(&self) -> &Key {
        &self.0
    }

    fn check(&self, row: Option<&Row>) -> Result<(), Status> {
        row.map(|_| ()).ok_or_else(|| Status::new(Code::Unauthenticated, "revoked"))
    }
}

#[tokio::test]
async fn whose_standing_ends_is_outrun_by_nothing() {
    let house = production(OPEN).await;
    fill(&house, "c", MANY).await;
    let key = Key::new(Keyspace(0x70), b"alice");
    let stand = async |row: Option<Bytes>| {
        let operation =
            access::Operation { service: access::Service::Identity, verb: "Test", resource: String::new() };
        let mut session = house.gate.begin(&admin(), operation).await.unwrap();
        let permit = session.authorize_self("test", "/alice");
        session.write(&permit, key.clone(), row);
        session.commit().await.unwrap();
    };
    stand(Some(Bytes::from_static(b"here"))).await;
    // Authenticated now; what follows comes later.
    let alice = user("alice").held_to(Arc::new(WhileThere(key.clone())));
    let id = begin(&house, &alice, "{}").await;
    get_in(&house, &alice, "c/0001", &id).await.unwrap();
    let mut stream = house.firestore.run_query(&alice, query("c")).await.unwrap();
    stream.next().await.unwrap().unwrap();
    house.commit(&alice, &format!("[{}]", set("c/d", 1))).await.unwrap();
    stand(None).await;
    assert_eq!(code(house.commit(&alice, &format!("[{}]", set("c/d", 2))).await), Code::Unauthenticated);
    let in_transaction = super::commit_in(&house, &alice, &format!("[{}]", set("c/d", 2)), &id).await;
    assert_eq!(code(in_transaction), Code::Unauthenticated);
    assert_eq!(code(get(&house, &alice, "c/0001").await), Code::Unauthenticated);
    assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(house.number("c/d", "n").await, Some(1));
}

#[tokio::test]
async fn a_flood_of_transactions_ends_only_its_own() {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000_000));
    let house = timed(OPEN, clock.clone()).await;
    house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap();
    let alice = user("alice");
    let idle = begin(&house, &alice, "{}").await;
    clock.advance(1);
    for flooder in [Caller::unauthenticated(), user("mallory")] {
        for _ in 0..3_000 {
            clock.advance(1);
            begin(&house, &flooder, "{}").await;
        }
    }
    get_in(&house, &alice, "c/d", &idle).await.unwrap();
}

#[tokio::test]
async fn users_cause_no_lasting_index_but_a_plain_one() {
    let house = production(OPEN).await;
    let fields = |at: i64| {
        format!(
            r#"{{"update": {{"name": "$/c/{at:04}", "fields": {{"a": {{"integerValue": "{at}"}}, "b": {{"integerValue": "{at}"}}}}}}}}"#
        )
    };
    for from in 0..8 {
        let writes: Vec<_> = (from * 100..(from + 1) * 100).map(fields).collect();
        house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    }
    let asked = |field: &str, order: &str| {
        message::<v1::RunQueryRequest>(&format!(
            r#"{{"parent": "{ROOT}", "structuredQuery": {{"from": [{{"collectionId": "c"}}], "where": {{"fieldFilter": {{
            "field": {{"fieldPath": "{field}"}}, "op": "EQUAL", "value": {{"integerValue": "-1"}}}}}}{order}}}}}"#
        ))
    };
    let by_b = r#", "orderBy": [{"field": {"fieldPath": "b"}}]"#;
    let definitions = async || {
        let operation =
            access::Operation { service: access::Service::Firestore, verb: "Test", resource: String::new() };
        let mut session = house.gate.begin(&admin(), operation).await.unwrap();
        let name = base::DatabaseName::default_of("p");
        let found = firestore::query::index::definitions(&mut session, &name, "c").await.unwrap();
        session.finish();
        found.into_iter().map(|definition| definition.shape.components.len()).collect::<Vec<_>>()
    };
    let run = async |caller: &Caller, request: v1::RunQueryRequest| {
        let _: Vec<_> =
            house.firestore.run_query(caller, request).await.unwrap().try_collect().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for junk in 0..5 {
        run(&Caller::unauthenticated(), asked(&format!("junk{junk}"), "")).await;
        let refused = house.firestore.run_query(&user("u"), asked(&format!("junk{junk}"), by_b)).await;
        let refused = refused.err().unwrap();
        assert_eq!(refused.code, base::Code::FailedPrecondition);
        assert!(refused.message.contains("The query requires an index."), "{refused}");
    }
    assert_eq!(definitions().await, [0; 0]);
    // A field that documents have is worth an index when it is asked for again and again.
    for _ in 1..firestore::query::index::build::WANTED_TIMES {
        run(&Caller::unauthenticated(), asked("a", "")).await;
    }
    assert_eq!(definitions().await, [0; 0]);
    run(&Caller::unauthenticated(), asked("a", "")).await;
    assert_eq!(definitions().await, [1]);
    // One that nobody has is not, however often.
    for _ in 0..2 * firestore::query::index::build::WANTED_TIMES {
        run(&Caller::unauthenticated(), asked("junk", "")).await;
    }
    assert_eq!(definitions().await, [1]);
}

#[tokio::test]
async fn large_commits_take_turns_and_have_a_share() {
    let house = Arc::new(house(OPEN).await);
    let writes: Vec<_> = (0..300).map(|at| set(&format!("c/{at}"), at)).collect();
    let writes = Arc::new(format!("[{}]", writes.join(",")));
    let commits: Vec<_> = (0..12)
        .map(|_| {
            let (house, writes) = (house.clone(), writes.clone());
            tokio::spawn(async move { house.commit(&Caller::unauthenticated(), &writes).await.map(|_| ()) })
        })
        .collect();
    let mut refused = 0;
    for commit in commits {
        if let Err(status) = commit.await.unwrap() {
            assert_eq!(status.code, Code::ResourceExhausted);
            refused += 1;
        }
    }
    assert_eq!(refused, 4);
    house.commit(&user("alice"), &format!("[{}]", set("c/d", 1))).await.unwrap();
}
