//! `Listen` and `Write` over WebChannel: what a page sends and receives.

use axum::Router;
use firestore::api::streams;
use serde_json::{Value as Json, json};

use crate::client::{Server, Tokens, form, names, server_of};
use crate::house::{self, DATABASE, ROOT};

const OPEN: &str = "VER=8&RID=1&CVER=22&X-HTTP-Session-Id=gsessionid";
const ALICE: &str = "headers=Authorization%3ABearer%20alice%0D%0A&";

async fn page() -> (Server, house::House) {
    let house = house::house("match /own/{uid} { allow read, write: if request.auth.uid == uid; }").await;
    let routes: Router = streams::router(
        &house.firestore,
        &(std::sync::Arc::new(Tokens) as _),
        &(std::sync::Arc::new(access::NoApps) as _),
        "p",
    );
    (server_of(routes), house)
}

/// Reads messages until one is like this; all that were read.
async fn until(server: &Server, names: &str, last: &mut u64, is_last: impl Fn(&Json) -> bool) -> Vec<Json> {
    let mut read = Vec::new();
    loop {
        let query = format!("{names}&RID=rpc&AID={last}&CI=1&TO=5000");
        let mut answer = server.get(&query).await;
        while let Some(arrays) = answer.arrays().await {
            for array in arrays {
                *last = array[0].as_u64().unwrap();
                read.push(array[1][0].clone());
            }
        }
        if read.last().is_some_and(&is_last) {
            return read;
        }
    }
}

#[tokio::test]
async fn a_page_writes_and_another_listens() {
    let (mut server, house) = page().await;
    server.path = "/google.firestore.v1.Firestore/Listen/channel";
    let target = json!({"database": DATABASE, "addTarget": {"targetId": 2, "documents": {"documents": [format!("{ROOT}/own/alice")]}}});
    let listening =
        names(server.post(OPEN, format!("{ALICE}{}", form(0, &[&target.to_string()]))).await).await;
    let mut heard = 0;
    let is_snapshot = |message: &Json| {
        message["targetChange"]["readTime"].is_string() && message["targetChange"]["targetIds"].is_null()
    };
    let first = until(&server, &listening, &mut heard, is_snapshot).await;
    assert_eq!(first[0], json!({"targetChange": {"targetChangeType": "ADD", "targetIds": [2]}}));

    server.path = "/google.firestore.v1.Firestore/Write/channel";
    let hello = json!({"database": DATABASE}).to_string();
    let writing = names(server.post(OPEN, format!("{ALICE}{}", form(0, &[&hello]))).await).await;
    let mut answered = 0;
    let greeting = until(&server, &writing, &mut answered, |message| message["streamId"].is_string()).await;
    let token = greeting[0]["streamToken"].clone();
    let write = |uid: &str, text: &str| {
        let fields = json!({"text": {"stringValue": text}, "none": {"nullValue": null}, "map": {"mapValue": {"fields": {}}}});
        json!({"streamToken": token, "writes": [{"update": {"name": format!("{ROOT}/own/{uid}"), "fields": fields}}]}).to_string()
    };
    let body = form(1, &[&write("alice", "grüße 😀")]);
    assert_eq!(server.post(&format!("{writing}&RID=2&AID={answered}"), body).await.status, 200);
    let done = until(&server, &writing, &mut answered, |message| message["commitTime"].is_string()).await;
    assert!(done.last().unwrap()["writeResults"][0]["updateTime"].is_string());

    server.path = "/google.firestore.v1.Firestore/Listen/channel";
    let seen = until(&server, &listening, &mut heard, is_snapshot).await;
    let change = seen.iter().find(|message| message["documentChange"].is_object()).unwrap();
    assert_eq!(change["documentChange"]["document"]["fields"]["text"]["stringValue"], "grüße 😀");
    assert_eq!(change["documentChange"]["document"]["fields"]["none"], json!({"nullValue": null}));
    assert_eq!(change["documentChange"]["targetIds"], json!([2]));

    // What may not be written ends the stream with its status; the one behind it is not done.
    server.path = "/google.firestore.v1.Firestore/Write/channel";
    let body = form(2, &[&write("bob", "x"), &write("alice", "never")]);
    assert_eq!(server.post(&format!("{writing}&RID=3&AID={answered}"), body).await.status, 200);
    let refused = until(&server, &writing, &mut answered, |message| message[0]["error"].is_object()).await;
    assert_eq!(refused.last().unwrap()[0]["error"]["status"], "PERMISSION_DENIED");
    let text = house.look("own/alice").await.unwrap().fields["text"].clone();
    assert_eq!(text.value_type, Some(wire::v1::value::ValueType::StringValue("grüße 😀".to_owned())));
}

#[tokio::test]
async fn what_is_no_request_ends_the_stream_with_its_fault() {
    for (path, message) in
        [("Listen", "{\"addTarget\":7}"), ("Write", "[]"), ("Listen", "{"), ("Write", "null\u{0}")]
    {
        let (mut server, _house) = page().await;
        server.path = if path == "Listen" {
            "/google.firestore.v1.Firestore/Listen/channel"
        } else {
            "/google.firestore.v1.Firestore/Write/channel"
        };
        let names = names(server.post(OPEN, form(0, &[message])).await).await;
        let read = until(&server, &names, &mut 0, |message| message[0]["error"].is_object()).await;
        assert_eq!(read.last().unwrap()[0]["error"]["status"], "INVALID_ARGUMENT", "{message}");
    }
}
