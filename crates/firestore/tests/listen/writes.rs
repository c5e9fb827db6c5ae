//! The `Write` stream.

use access::Caller;
use base::{Code, Status};
use bytes::Bytes;
use firestore::ops::stream::Responses;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use wire::v1;

use crate::house::{DATABASE, House, admin, house, message, user};
use crate::{OPEN, delete, set};

struct Writer {
    requests: mpsc::UnboundedSender<Result<v1::WriteRequest, Status>>,
    responses: Responses<v1::WriteResponse>,
}

impl Writer {
    fn open(house: &House, caller: &Caller) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let requests_in = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|request| (request, receiver))
        });
        Self { requests, responses: house.firestore.write(caller, None, requests_in.boxed()).unwrap() }
    }

    async fn greeted(house: &House, caller: &Caller) -> (Self, Bytes) {
        let mut writer = Self::open(house, caller);
        writer.ask(&format!(r#"{{"database": "{DATABASE}"}}"#));
        let hello = writer.answer().await.unwrap();
        assert!(!hello.stream_id.is_empty() && hello.write_results.is_empty());
        (writer, hello.stream_token)
    }

    fn ask(&self, request: &str) {
        self.requests.send(Ok(message(request))).unwrap();
    }

    fn write(&self, token: &Bytes, writes: &str) {
        let request = format!(r#"{{"writes": {writes}}}"#);
        let request = v1::WriteRequest { stream_token: token.clone(), ..message(&request) };
        self.requests.send(Ok(request)).unwrap();
    }

    async fn answer(&mut self) -> Result<v1::WriteResponse, Status> {
        self.responses.next().await.expect("an answer")
    }
}

#[tokio::test]
async fn requests_are_commits_answered_in_their_order() {
    let house = house(OPEN).await;
    let (mut writer, token) = Writer::greeted(&house, &user("ann")).await;
    assert!(!token.is_empty());
    // Several may be on their way with one token.
    for n in 0..5 {
        writer.write(&token, &format!("[{}, {}]", set("c/a", n), set(&format!("c/{n}"), n)));
    }
    writer.write(&token, "[]");
    writer.write(&token, &format!("[{}]", delete("c/0")));
    let mut times = Vec::new();
    for _ in 0..5 {
        let answer = writer.answer().await.unwrap();
        assert!(answer.write_results.len() == 2 && !answer.stream_token.is_empty());
        let at = answer.commit_time.unwrap();
        times.push((at.seconds, at.nanos));
    }
    assert!(times.is_sorted() && times.windows(2).all(|pair| pair[0] != pair[1]));
    let deleted = writer.answer().await.unwrap();
    assert_eq!(deleted.write_results, [v1::WriteResult::default()]);
    assert_eq!((house.number("c/a", "n").await, house.number("c/0", "n").await), (Some(4), None));
    drop(writer.requests);
    assert!(writer.responses.next().await.is_none(), "the stream ends with its requests");
}

#[tokio::test]
async fn what_is_queued_behind_a_failure_is_not_done() {
    let house = house("match /open/{id} { allow write; }").await;
    let (mut writer, token) = Writer::greeted(&house, &user("ann")).await;
    writer.write(&token, &format!("[{}]", set("open/a", 1)));
    writer.write(&token, &format!("[{}]", set("closed/a", 1)));
    writer.write(&token, &format!("[{}]", set("open/b", 1)));
    assert!(writer.answer().await.is_ok());
    assert_eq!(writer.answer().await.unwrap_err().code, Code::PermissionDenied);
    assert!(writer.responses.next().await.is_none());
    assert_eq!((house.number("open/a", "n").await, house.number("open/b", "n").await), (Some(1), None));

    let (mut writer, token) = Writer::greeted(&house, &user("ann")).await;
    let must_exist = set("open/none", 1).replacen('{', r#"{"currentDocument": {"exists": true}, "#, 1);
    writer.write(&token, &format!("[{must_exist}]"));
    assert_eq!(writer.answer().await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_stream_begins_with_its_database_and_keeps_to_it() {
    let house = house(OPEN).await;
    let refused = async |request: &str| {
        let mut writer = Writer::open(&house, &admin());
        writer.ask(request);
        writer.answer().await.unwrap_err().code
    };
    assert_eq!(refused(r#"{}"#).await, Code::InvalidArgument);
    let resumed = format!(r#"{{"database": "{DATABASE}", "streamId": "x", "streamToken": "AAAA"}}"#);
    assert_eq!(refused(&resumed).await, Code::Aborted);
    let early = format!(r#"{{"database": "{DATABASE}", "writes": [{}]}}"#, set("c/a", 1));
    assert_eq!(refused(&early).await, Code::InvalidArgument);

    let (mut writer, _) = Writer::greeted(&house, &admin()).await;
    writer.ask(r#"{"database": "projects/p/databases/other"}"#);
    assert_eq!(writer.answer().await.unwrap_err().code, Code::InvalidArgument);
}

#[tokio::test]
async fn a_stop_ends_what_is_open() {
    let house = house(OPEN).await;
    let (mut writer, _) = Writer::greeted(&house, &admin()).await;
    house.firestore.end_streams();
    assert_eq!(writer.answer().await.unwrap_err().code, Code::Unavailable);
}
