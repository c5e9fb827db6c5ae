//! The data of this service: its types, where their rows live, and how they are written.
//!
//! A row's value is one byte of format version and then JSON. Formats only grow: a reader takes every version up to
//! its own.

pub mod account;
pub mod config;
pub mod counts;
pub mod key;
pub mod oob;
pub mod policy;
pub mod session;
pub mod settings;
pub mod signing;
pub mod user;

use base::{Code, Status};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version this build writes.
const FORMAT: u8 = 1;

/// Writes a row.
pub fn encode<T: Serialize>(row: &T) -> Result<Bytes, Status> {
    let mut bytes = vec![FORMAT];
    serde_json::to_writer(&mut bytes, row).map_err(|error| {
        tracing::error!(%error, "a row cannot be written");
        Status::new(Code::Internal, "Internal error.")
    })?;
    Ok(bytes.into())
}

/// Reads a row. What cannot be read is a fault, never an absent user.
pub fn decode<T: DeserializeOwned>(row: &kv::Row) -> Result<T, Status> {
    match row.value.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json).map_err(|error| {
            tracing::error!(%error, keyspace = row.key.keyspace().0, "a row cannot be read");
            Status::new(Code::DataLoss, "Stored data cannot be read.")
        }),
        _ => {
            tracing::error!(keyspace = row.key.keyspace().0, "a row has an unknown format");
            Err(Status::new(Code::DataLoss, "Stored data cannot be read."))
        }
    }
}
