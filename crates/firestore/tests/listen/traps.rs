//! What has gone wrong elsewhere: large commits, large first results, indexes that appear, documents that cross a page.

use crate::client::Client;
use crate::house::{admin, house, user};
use crate::{OPEN, delete, first_by_n, n_is, set};

#[tokio::test]
async fn after_a_huge_commit_listeners_begin_anew_rather_than_follow_it() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/old", 0))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", &n_is(7));
    client.add_query(2, "c", &first_by_n(2));
    client.add_documents(3, &["c/old"]);
    client.snapshot().await;
    let writes: Vec<_> = (0..20_500).map(|n| set(&format!("c/d{n}"), n % 5_000)).collect();
    house.commit(&admin(), &format!("[{}, {}]", writes.join(","), delete("c/old"))).await.unwrap();
    client.until("the new result", |client| client.targets[&1].documents.len() == 5).await;
    client.snapshot().await;
    assert_eq!(client.ids(2).len(), 2);
    assert!(client.ids(3).is_empty() && client.targets[&1].resets == 1);
    assert!(client.sent.len() < 20, "{} documents were sent", client.sent.len());
}

#[tokio::test]
async fn a_large_first_result_is_whole_however_slowly_it_is_read_and_whatever_is_written_meanwhile() {
    let house = house(OPEN).await;
    let count = 3_000;
    for from in (0..count).step_by(500) {
        let writes: Vec<_> = (from..from + 500).map(|n| set(&format!("c/d{n:05}"), n)).collect();
        house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    }
    let by_n = r#", "orderBy": [{"field": {"fieldPath": "n"}}]"#;
    let mut client = Client::open(&house, &user("ann"));
    client.add_query(1, "c", "");
    client.add_query(2, "c", by_n);
    // Documents move from where a page will be to where one has been, and the other way round.
    let mut read = 0;
    while client.snapshots == 0 {
        client.next().await.unwrap();
        read += 1;
        if read % 400 == 0 {
            let (near, far) = (read / 400, count - read / 400);
            let writes = [
                set(&format!("c/d{far:05}"), -read),
                set(&format!("c/d{near:05}"), count + read),
                delete(&format!("c/d{:05}", count / 2 + near)),
                set(&format!("c/a{near}"), near),
            ];
            house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
        }
    }
    let changes = read / 400;
    assert!(changes >= 7, "{changes}");
    while !client.is_quiet().await {}
    let expected = usize::try_from(count).unwrap();
    assert_eq!(
        (client.targets[&1].documents.len(), client.targets[&2].documents.len()),
        (expected, expected)
    );
    assert_eq!(client.targets[&1].documents, client.targets[&2].documents);
    assert!(client.targets[&1].resets == 0, "it goes on where it was");
}

#[tokio::test]
async fn a_field_that_no_query_asks_for_changes_and_an_index_appears() {
    let house = house(OPEN).await;
    let writes: Vec<_> = (0..1_200).map(|n| set(&format!("c/d{n}"), n % 600)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", &n_is(5));
    client.snapshot().await;
    // The first listener has asked for an index, which is being built or built by now.
    for text in ["one", "two"] {
        let other = set("c/d5", 5)
            .replace(r#""fields": {"#, &format!(r#""fields": {{"t": {{"stringValue": "{text}"}}, "#));
        house.commit(&admin(), &format!("[{other}]")).await.unwrap();
        client.snapshot().await;
        let document = client.targets[&1].documents.iter().find(|(name, _)| name.ends_with("/d5")).unwrap().1;
        assert_eq!(document.fields.len(), 2);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut second = Client::open(&house, &admin());
    second.add_query(1, "c", &n_is(5));
    second.snapshot().await;
    assert_eq!(second.targets[&1].documents, client.targets[&1].documents);
}

#[tokio::test]
async fn one_and_the_same_document_twice_in_a_commit() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/a", 1), set("c/b", 2))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", &first_by_n(1));
    client.add_query(2, "c", &n_is(1));
    client.snapshot().await;
    let writes = [delete("c/a"), set("c/a", 9), set("c/b", 1), set("c/b", 1)].join(",");
    house.commit(&admin(), &format!("[{writes}]")).await.unwrap();
    client.snapshot().await;
    assert_eq!((client.ids(1), client.ids(2)), (vec!["b".to_owned()], vec!["b".to_owned()]));
    // A tie goes by name.
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(1), ["a"]);
}

/// What waited was for a target that has ended: the stream is woken by what comes next all the same.
#[tokio::test]
async fn a_target_ends_while_something_waits_for_it() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &admin());
    client.add_query(2, "d", "");
    for n in 0..20 {
        client.add_query(1, "c", "");
        client.until("it is loaded", |client| client.targets[&1].is_current).await;
        while !client.is_quiet().await {}
        house.commit(&admin(), &format!("[{}]", set("c/a", n))).await.unwrap();
        client.remove(1);
        client.until("its end", |client| client.targets[&1].pending == 0).await;
        client.targets.remove(&1);
        house.commit(&admin(), &format!("[{}]", set(&format!("d/{n:02}"), n))).await.unwrap();
        let count = usize::try_from(n).unwrap() + 1;
        client.until("the next commit", |client| client.targets[&2].documents.len() == count).await;
    }
}

/// Deciding for one caller fails, also in the middle of a commit's delivery: others are served.
#[tokio::test]
async fn rules_that_fail_for_one_caller_serve_the_others() {
    let house = house("match /c/{d} { allow read: if request.auth.uid == 'ann' || get(/databases/(default)/documents/role/bob).data.n > 0; }").await;
    house.commit(&admin(), &format!("[{}, {}]", set("role/bob", 1), set("c/a", 1))).await.unwrap();
    let (mut ann, mut bob) = (Client::open(&house, &user("ann")), Client::open(&house, &user("bob")));
    for client in [&mut ann, &mut bob] {
        client.add_query(1, "c", "");
        client.snapshot().await;
    }
    // What the rules read is gone: they fail for who needs it.
    house.commit(&admin(), &format!("[{}, {}]", delete("role/bob"), set("c/b", 1))).await.unwrap();
    bob.until("his end", |client| client.targets[&1].lost.is_some()).await;
    assert_eq!(bob.sent.len(), 1);
    ann.until("what was written", |client| client.targets[&1].documents.len() == 2).await;
    house.commit(&admin(), &format!("[{}]", set("c/c", 1))).await.unwrap();
    ann.until("what comes next", |client| client.targets[&1].documents.len() == 3).await;
}

/// A deletion is told to those who had the document, and to nobody else: they would learn that it was there.
#[tokio::test]
async fn a_deletion_is_for_those_who_had_the_document() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/one", 1), set("c/two", 2))).await.unwrap();
    let (mut first, mut second) = (Client::open(&house, &admin()), Client::open(&house, &admin()));
    first.add_query(1, "c", &n_is(1));
    second.add_query(1, "c", &n_is(2));
    first.snapshot().await;
    second.snapshot().await;
    house.commit(&admin(), &format!("[{}]", delete("c/one"))).await.unwrap();
    first.until("its deletion", |client| client.targets[&1].documents.is_empty()).await;
    assert!(second.is_quiet().await, "the other has had nothing of it");
    assert_eq!(second.ids(1), ["two"]);
}
