//! Batches, listings, collection ids and read times.

use access::Caller;
use base::Code;
use wire::v1;

use super::house::{DATABASE, House, ROOT, admin, house, message, production, user};
use super::{OPEN, code, set};

#[tokio::test]
async fn batch_get_answers_every_name_once() {
    let house = house(OPEN).await;
    house.commit(&admin(), &format!("[{}]", set("c/a", 1))).await.unwrap();
    let request = format!(
        r#"{{"database": "{DATABASE}", "documents": ["$/c/b", "$/c/a", "$/c/b"], "newTransaction": {{}}}}"#
    );
    let responses = house.firestore.batch_get_documents(&user("u"), message(&request)).await.unwrap();
    use v1::batch_get_documents_response::Result as Found;
    assert!(matches!(&responses[0].result, Some(Found::Found(document)) if document.name.ends_with("/c/a")));
    assert_eq!(responses[1].result, Some(Found::Missing(format!("{ROOT}/c/b"))));
    assert_eq!(responses.len(), 2);
    assert!(!responses[0].transaction.is_empty() && responses[1].transaction.is_empty());
    assert!(responses.iter().all(|response| response.read_time.is_some()));
}

async fn pages(house: &House, caller: &Caller, request: v1::ListDocumentsRequest) -> Vec<Vec<String>> {
    let mut request = request;
    let mut pages = Vec::new();
    loop {
        let page = house.firestore.list_documents(caller, request.clone()).await.unwrap();
        let name = |document: &v1::Document| {
            let mark = if document.update_time.is_some() { "" } else { "?" };
            format!("{}{mark}", document.name.rsplit('/').next().unwrap())
        };
        pages.push(page.documents.iter().map(name).collect());
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn listings_page_without_gaps_repeats_or_an_empty_end() {
    let house = house(OPEN).await;
    let names = ["a", "b", "c", "d", "__id7__", "__id10__"];
    let writes: Vec<_> = names.iter().zip(0..).map(|(name, n)| set(&format!("c/{name}"), n % 3)).collect();
    house.commit(&admin(), &format!("[{}]", writes.join(","))).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/bb/sub/x", 1), set("c/z/sub/x", 1))).await.unwrap();
    house.commit(&admin(), &format!("[{}, {}]", set("c/a/sub/x", 1), set("other/o", 1))).await.unwrap();
    let request = |page_size: i32, order_by: &str, show_missing: bool| v1::ListDocumentsRequest {
        parent: ROOT.into(),
        collection_id: "c".into(),
        page_size,
        order_by: order_by.into(),
        show_missing,
        ..Default::default()
    };
    let alice = user("alice");
    assert_eq!(
        pages(&house, &alice, request(3, "", false)).await,
        [vec!["__id7__", "__id10__", "a"], vec!["b", "c", "d"]]
    );
    assert_eq!(
        pages(&house, &alice, request(4, "n desc", false)).await,
        [vec!["c", "__id10__", "b", "__id7__"], vec!["d", "a"]]
    );
    let all = ["__id7__", "__id10__", "a", "b", "bb?", "c", "d", "z?"];
    for size in 1..=9 {
        let pages = pages(&house, &alice, request(size, "", true)).await;
        assert_eq!(pages.concat(), all, "{size}");
        assert!(pages.iter().all(|page| !page.is_empty()), "{size}");
    }
    let mut bound = request(3, "", false);
    bound.page_token = house.firestore.list_documents(&alice, bound.clone()).await.unwrap().next_page_token;
    bound.collection_id = "other".into();
    assert_eq!(
        house.firestore.list_documents(&alice, bound).await.unwrap_err().message,
        "invalid page token"
    );
    assert_eq!(
        code(house.firestore.list_documents(&alice, request(3, "n", true)).await),
        Code::InvalidArgument
    );
    assert_eq!(
        code(house.firestore.list_documents(&alice, request(-1, "", false)).await),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn collection_ids_are_for_administrators_also_below_what_does_not_exist() {
    let house = house(OPEN).await;
    for path in ["b/x", "a/x", "a/y", "a/x/s/1", "a/x/r/1", "a/gone/t/1", "a/gone/t/2/u/3"] {
        house.commit(&admin(), &format!("[{}]", set(path, 1))).await.unwrap();
    }
    let ids = async |parent: &str, page_size: i32| {
        let parent = format!("{ROOT}{parent}");
        let mut request = v1::ListCollectionIdsRequest { parent, page_size, ..Default::default() };
        let mut pages = Vec::new();
        loop {
            let page = house.firestore.list_collection_ids(&admin(), request.clone()).await.unwrap();
            pages.push(page.collection_ids.join(" "));
            if page.next_page_token.is_empty() {
                return pages.join("|");
            }
            request.page_token = page.next_page_token;
        }
    };
    assert_eq!(ids("", 0).await, "a b");
    assert_eq!(ids("", 1).await, "a|b");
    assert_eq!(ids("/a/x", 0).await, "r s");
    assert_eq!(ids("/a/gone", 1).await, "t");
    assert_eq!(ids("/a/y", 0).await, "");
    let request = v1::ListCollectionIdsRequest { parent: ROOT.into(), ..Default::default() };
    assert_eq!(code(house.firestore.list_collection_ids(&user("u"), request).await), Code::PermissionDenied);
}

#[tokio::test]
async fn read_times_show_the_past_and_not_the_future() {
    use v1::get_document_request::ConsistencySelector::ReadTime;
    let house = house(OPEN).await;
    let first = house.commit(&admin(), &format!("[{}]", set("c/d", 1))).await.unwrap().commit_time.unwrap();
    house.commit(&admin(), &format!("[{}]", set("c/d", 2))).await.unwrap();
    let get = async |at: wire::prost_types::Timestamp| {
        let request = v1::GetDocumentRequest {
            name: format!("{ROOT}/c/d"),
            consistency_selector: Some(ReadTime(at)),
            ..Default::default()
        };
        house.firestore.get_document(&admin(), request).await
    };
    assert_eq!(get(first).await.unwrap().fields["n"], message(r#"{"integerValue": "1"}"#));
    let mut finer = first;
    finer.nanos += 1;
    let mut future = first;
    future.seconds += 3600;
    for at in [finer, future] {
        assert_eq!(code(get(at).await), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn production_knows_its_databases() {
    let house = production(OPEN).await;
    let name = "projects/p/databases/other/documents/c/d".to_owned();
    let missing = v1::GetDocumentRequest { name, ..Default::default() };
    let status = house.firestore.get_document(&admin(), missing).await.unwrap_err();
    assert_eq!(status.code, Code::NotFound);
    assert!(status.message.starts_with("The database other does not exist for project p"), "{status}");
    assert!(house.firestore.dev().is_none());
}
