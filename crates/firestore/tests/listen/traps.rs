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
