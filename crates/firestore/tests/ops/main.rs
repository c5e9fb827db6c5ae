//! The verbs over a store in memory: commits, decisions, transactions, reads.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod attacks;
mod commits;
mod decisions;
mod explains;
#[path = "../house/mod.rs"]
mod house;
mod locks;
mod nearest;
mod partitions;
mod reads;
mod transactions;

use access::Caller;
use base::{Code, Status};
use bytes::Bytes;
use house::{DATABASE, House, ROOT, message};
use wire::v1;

const OPEN: &str = "match /{path=**} { allow read, write; }";

fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.unwrap_err().code
}

async fn get(house: &House, caller: &Caller, path: &str) -> Result<v1::Document, Status> {
    let request = v1::GetDocumentRequest { name: format!("{ROOT}/{path}"), ..Default::default() };
    house.firestore.get_document(caller, request).await
}

async fn begin(house: &House, caller: &Caller, options: &str) -> Bytes {
    let text = format!("{{\"database\": \"{DATABASE}\", \"options\": {options}}}");
    house.firestore.begin_transaction(caller, message(&text)).await.unwrap().transaction
}

async fn get_in(house: &House, caller: &Caller, path: &str, id: &Bytes) -> Result<v1::Document, Status> {
    use v1::get_document_request::ConsistencySelector::Transaction;
    let request = v1::GetDocumentRequest {
        name: format!("{ROOT}/{path}"),
        consistency_selector: Some(Transaction(id.clone())),
        ..Default::default()
    };
    house.firestore.get_document(caller, request).await
}

async fn commit_in(
    house: &House,
    caller: &Caller,
    writes: &str,
    id: &Bytes,
) -> Result<v1::CommitResponse, Status> {
    let text = format!("{{\"database\": \"{DATABASE}\", \"writes\": {writes}}}");
    let request = v1::CommitRequest { transaction: id.clone(), ..message(&text) };
    house.firestore.commit(caller, request).await
}

fn set(path: &str, n: i64) -> String {
    format!(r#"{{"update": {{"name": "$/{path}", "fields": {{"n": {{"integerValue": "{n}"}}}}}}}}"#)
}
