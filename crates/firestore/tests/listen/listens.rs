//! What a stream says, and when.

use base::Code;

use crate::client::Client;
use crate::house::{admin, house};
use crate::{OPEN, delete, first_by_n, n_is, set};

#[tokio::test]
async fn a_query_is_loaded_and_then_followed() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/a", 1), set("c/b", 2))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(2, "c", &n_is(1));
    client.snapshot().await;
    assert!(client.targets[&2].is_current && client.targets[&2].pending == 0);
    assert_eq!(client.ids(2), ["a"]);

    house.commit(&admin(), &format!("[{}, {}]", set("c/b", 1), set("d/x", 1))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(2), ["a", "b"]);
    house.commit(&admin(), &format!("[{}, {}]", set("c/a", 3), delete("c/b"))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(2), [""; 0]);
    // Nobody is woken by what is elsewhere, or by what changes nothing.
    house.commit(&admin(), &format!("[{}]", set("d/y", 1))).await.unwrap();
    house.commit(&admin(), &format!("[{}]", set("c/a", 4))).await.unwrap();
    assert!(client.is_quiet().await);

    client.remove(2);
    client.until("the target's end", |client| client.targets[&2].pending == 0).await;
    house.commit(&admin(), &format!("[{}]", set("c/z", 1))).await.unwrap();
    assert!(client.is_quiet().await);
}

#[tokio::test]
async fn documents_are_followed_also_where_there_are_none_yet() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_documents(1, &["c/a", "c/b/d/e"]);
    client.snapshot().await;
    assert_eq!(client.ids(1), ["a"]);
    house.commit(&admin(), &format!("[{}, {}]", set("c/b/d/e", 1), delete("c/a"))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(1), ["e"]);
}

#[tokio::test]
async fn many_targets_share_one_stream_and_its_snapshots() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", &n_is(1));
    client.add_query(2, "c", "");
    client.add_documents(3, &["c/a"]);
    client.add(
        r#"{"targetId": 4, "query": {"parent": "$",
            "structuredQuery": {"from": [{"collectionId": "c", "allDescendants": true}]}}}"#,
    );
    client.snapshot().await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/a", 1), set("x/y/c/b", 1))).await.unwrap();
    client.snapshot().await;
    assert_eq!([client.ids(1), client.ids(2), client.ids(3)], [["a"], ["a"], ["a"]]);
    assert_eq!(client.ids(4), ["a", "b"]);
    assert_eq!(client.sent.values().sum::<usize>(), 2, "each document once for all targets");
    house.commit(&admin(), &format!("[{}]", set("c/a", 2))).await.unwrap();
    client.snapshot().await;
    assert!(client.ids(1).is_empty() && client.ids(2) == ["a"]);
    client.remove(2);
    client.add_query(2, "c", &n_is(2));
    client.snapshot().await;
    assert_eq!(client.ids(2), ["a"]);
}

#[tokio::test]
async fn a_limit_refills_from_what_stands_behind_it() {
    let house = house(OPEN).await;
    let writes: Vec<_> = (0..30).map(|n| set(&format!("c/d{n:02}"), n)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(", "))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", &first_by_n(3));
    // As clients ask for the last ones.
    client.add_query(
        2,
        "c",
        r#", "orderBy": [{"field": {"fieldPath": "n"}, "direction": "DESCENDING"}], "limit": 2"#,
    );
    client.snapshot().await;
    assert_eq!(
        (client.ids(1), client.ids(2)),
        (vec!["d00".into(), "d01".into(), "d02".into()], vec!["d28".into(), "d29".into()])
    );
    // One leaves, one joins, one goes on to tie with another.
    house.commit(&admin(), &format!("[{}]", delete("c/d01"))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(1), ["d00", "d02", "d03"]);
    house.commit(&admin(), &format!("[{}]", set("c/new", 2))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.ids(1), ["d00", "d02", "new"]);
    // Beyond the spare ones the store is asked again.
    for n in 0..25 {
        house.commit(&admin(), &format!("[{}]", delete(&format!("c/d{n:02}")))).await.unwrap();
    }
    client.until("the last ones", |client| client.ids(1) == ["d25", "d26", "new"]).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/d26", 100), set("c/d26", 0))).await.unwrap();
    client.snapshot().await;
    assert_eq!(client.targets[&1].documents.len(), 3);
    house.commit(&admin(), &format!("[{}]", set("c/d26", 200))).await.unwrap();
    client.until("the one behind", |client| client.ids(1) == ["d25", "d27", "new"]).await;
    client.until("the largest", |client| client.ids(2) == ["d26", "d29"]).await;
}

#[tokio::test]
async fn a_target_that_is_wrong_ends_alone() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", r#", "limit": -1"#);
    client.add(r#"{"targetId": 2, "query": {"parent": "$", "structuredQuery": {"from": [{"allDescendants": true}]}}}"#);
    client.add_query(3, "c", "");
    client
        .until("the errors", |client| client.targets[&1].lost.is_some() && client.targets[&2].lost.is_some())
        .await;
    assert_eq!(
        client.targets[&2].lost.clone().unwrap().message,
        "All-collection queries are not supported by real-time queries."
    );
    client.snapshot().await;
    assert!(client.targets[&3].is_current);
    // A client that had sent its wish before it heard is answered all the same.
    client.remove(1);
    client.until("the answer", |client| client.targets[&1].pending == 0).await;
}

#[tokio::test]
async fn a_target_that_is_wanted_once_ends_with_its_snapshot() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add(r#"{"targetId": 5, "once": true, "documents": {"documents": ["$/c/a"]}}"#);
    client.snapshot().await;
    assert_eq!(client.ids(5), ["a"]);
    client.targets.get_mut(&5).unwrap().pending += 1;
    client.until("its end", |client| client.targets[&5].pending == 0).await;
}

#[tokio::test]
async fn an_id_in_use_ends_the_stream() {
    let house = house(OPEN).await;
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", "");
    client.add_query(1, "d", "");
    let end = loop {
        if let Err(status) = client.next().await {
            break status;
        }
    };
    assert_eq!(end.code, Code::InvalidArgument);
}

#[tokio::test]
async fn a_projection_is_what_is_sent() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut client = Client::open(&house, &admin());
    client.add_query(1, "c", r#", "select": {"fields": [{"fieldPath": "__name__"}]}"#);
    client.add_query(2, "c", "");
    client.snapshot().await;
    let fields = |client: &Client, id| client.targets[&id].documents.values().next().unwrap().fields.len();
    assert_eq!((fields(&client, 1), fields(&client, 2)), (0, 1));
    house.commit(&admin(), &format!("[{}]", set("c/a", 2))).await.unwrap();
    client.snapshot().await;
    assert_eq!((fields(&client, 1), fields(&client, 2)), (0, 1));
}
