//! Streams that go on where others ended.

use base::Code;
use wire::v1;

use crate::client::{Client, query};
use crate::house::{admin, house, message};
use crate::{OPEN, delete, first_by_n, n_is, set};

/// A target that goes on where a client has been, with what it has.
fn again(
    target: &str,
    from: &Client,
    id: i32,
) -> (v1::Target, std::collections::BTreeMap<String, v1::Document>) {
    let documents = from.targets[&id].stable.clone();
    let target = v1::Target {
        resume_type: Some(v1::target::ResumeType::ResumeToken(from.token.clone())),
        expected_count: Some(i32::try_from(documents.len()).unwrap()),
        ..message(target)
    };
    (target, documents)
}

#[tokio::test]
async fn a_resumed_query_hears_only_of_what_has_changed() {
    let house = house(OPEN).await;
    let writes: Vec<_> = (0..20).map(|n| set(&format!("c/d{n}"), 1)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(", "))).await.unwrap();
    let mut first = Client::open(&house, &admin());
    let target = query(1, "c", &n_is(1));
    first.add(&target);
    first.snapshot().await;
    let writes = [set("c/d0", 2), delete("c/d1"), set("c/new", 1), set("e/x", 1)].join(", ");
    house.commit(&admin(), &format!("[{writes}]")).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/gone", 1), set("c/d0", 3))).await.unwrap();
    house.commit(&admin(), &format!("[{}]", delete("c/gone"))).await.unwrap();

    let (target, documents) = again(&target, &first, 1);
    let mut second = Client::open(&house, &admin());
    second.add_target(target);
    second.targets.get_mut(&1).unwrap().documents = documents;
    second.snapshot().await;
    assert_eq!(second.ids(1).len(), 19);
    assert!(second.targets[&1].filters.is_empty(), "with what has changed it has all there are");
    assert!(second.ids(1).contains(&"new".to_owned()) && !second.ids(1).contains(&"d0".to_owned()));
    assert_eq!(second.targets[&1].resets, 0);
    assert_eq!(second.sent.len(), 2, "{:?}", second.sent);
}

#[tokio::test]
async fn a_client_with_another_count_hears_which_documents_there_are() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}, {}]", set("c/a", 1), set("c/b", 1))).await.unwrap();
    let mut first = Client::open(&house, &admin());
    let target = query(1, "c", "");
    first.add(&target);
    first.add_documents(2, &["c/a"]);
    first.snapshot().await;
    let mut second = Client::open(&house, &admin());
    let (mut resumed, _) = again(&target, &first, 1);
    resumed.expected_count = Some(5);
    second.add_target(resumed.clone());
    second.snapshot().await;
    let filters = &second.targets[&1].filters;
    assert_eq!((filters.len(), filters[0].count), (1, 2));
    assert!(filters[0].unchanged_names.as_ref().unwrap().hash_count > 0);
    assert!(second.sent.is_empty());
}

#[tokio::test]
async fn a_resumed_window_is_the_same_or_begins_anew() {
    let house = house(OPEN).await;
    let writes: Vec<_> = (0..9).map(|n| set(&format!("c/d{n}"), n)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(", "))).await.unwrap();
    let target = query(1, "c", &first_by_n(3));
    let mut first = Client::open(&house, &admin());
    first.add(&target);
    first.snapshot().await;
    for (write, resets) in [(set("other/x", 1), 0), (delete("c/d0"), 1)] {
        house.commit(&admin(), &format!("[{write}]")).await.unwrap();
        let mut second = Client::open(&house, &admin());
        let (resumed, documents) = again(&target, &first, 1);
        second.add_target(resumed);
        second.targets.get_mut(&1).unwrap().documents = documents;
        second.snapshot().await;
        assert_eq!((second.targets[&1].resets as i64, second.ids(1).len()), (resets, 3));
        house.commit(&admin(), &format!("[{}]", set("c/d2", -1 - resets))).await.unwrap();
        second.snapshot().await;
        assert_eq!(second.ids(1).len(), 3);
    }
}

#[tokio::test]
async fn tokens_of_elsewhere_begin_anew_and_garbage_ends_its_target() {
    let (house, other) = (house(OPEN).await, house(OPEN).await);
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    other.commit(&admin(), &format!("[{}]", set("c/b", 1))).await.unwrap();
    let target = query(1, "c", "");
    let mut first = Client::open(&other, &admin());
    first.add(&target);
    first.snapshot().await;
    let mut second = Client::open(&house, &admin());
    second.add_target(again(&target, &first, 1).0);
    second.snapshot().await;
    assert_eq!((second.ids(1), second.targets[&1].resets), (vec!["a".to_owned()], 1));

    let mut garbage: v1::Target = message(&query(2, "c", ""));
    garbage.resume_type = Some(v1::target::ResumeType::ResumeToken("garbage".into()));
    second.add_target(garbage);
    second.until("the error", |client| client.targets[&2].lost.is_some()).await;
    let status = second.targets[&2].lost.clone().unwrap();
    assert_eq!((status.code, status.message.as_str()), (Code::InvalidArgument, "bad resume token"));
}

#[tokio::test]
async fn a_time_is_as_good_as_a_token() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let mut first = Client::open(&house, &admin());
    first.add_query(1, "c", "");
    first.snapshot().await;
    house.commit(&admin(), &format!("[{}]", set("c/b", 1))).await.unwrap();
    let mut target: v1::Target = message(&query(1, "c", ""));
    target.resume_type = Some(v1::target::ResumeType::ReadTime(first.seen.unwrap()));
    let mut second = Client::open(&house, &admin());
    second.add_target(target);
    second.snapshot().await;
    assert_eq!(second.sent.keys().map(|name| name.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ["b"]);
}
