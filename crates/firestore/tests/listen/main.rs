//! The streams that stay open, over a store in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, too"
)]

mod bounds;
mod client;
mod cohorts;
#[path = "../house/mod.rs"]
mod house;
mod listens;
mod permissions;
mod resumes;
mod simulation;
mod traps;
mod writes;

const OPEN: &str = "match /{path=**} { allow read, write; }";

/// A write that sets one number.
fn set(path: &str, n: i64) -> String {
    format!(r#"{{"update": {{"name": "$/{path}", "fields": {{"n": {{"integerValue": "{n}"}}}}}}}}"#)
}

/// A write that deletes.
fn delete(path: &str) -> String {
    format!(r#"{{"delete": "$/{path}"}}"#)
}

/// The condition that a number is so.
fn n_is(n: i64) -> String {
    format!(
        r#", "where": {{"fieldFilter": {{"field": {{"fieldPath": "n"}}, "op": "EQUAL",
            "value": {{"integerValue": "{n}"}}}}}}"#
    )
}

/// The order by number, and a limit.
fn first_by_n(limit: i32) -> String {
    format!(r#", "orderBy": [{{"field": {{"fieldPath": "n"}}}}], "limit": {limit}"#)
}
