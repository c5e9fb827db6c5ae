//! An event that waits, as its row has it.
//!
//! One byte of format, the length of the header and the header as JSON, then key, before and after: each its length plus one,
//! four bytes, or zero where it is absent.

use std::collections::BTreeMap;

use base::{Code, Status};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kv::{Key, Version};
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Principal};
use crate::keyspace::OUTBOX;

const FORMAT: u8 = 1;

/// Who caused an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Cause {
    /// An administrator.
    Admin {
        /// Their account.
        account: String,
    },
    /// A signed-in user.
    User {
        /// The user's id.
        uid: String,
        /// What the ID token said.
        claims: serde_json::Value,
    },
    /// Nobody in particular.
    Unauthenticated,
}

impl Cause {
    pub(crate) fn of(caller: &Caller) -> Self {
        match &caller.who {
            Principal::Admin(admin) => Cause::Admin { account: admin.account.clone() },
            Principal::User(user) => {
                let claims = policy::value::json::fields_to_json(&user.claims);
                Cause::User { uid: user.uid.clone(), claims }
            }
            Principal::Unauthenticated => Cause::Unauthenticated,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    id: String,
    source: String,
    target: String,
    event: String,
    attributes: BTreeMap<String, String>,
    cause: Cause,
    request: u64,
    before_version: Option<i64>,
}

/// An event for one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The same for all targets of one event.
    pub id: String,
    /// Which source translates it.
    pub source: String,
    /// Who is told.
    pub target: String,
    /// Its type.
    pub event: String,
    /// What triggers are matched by.
    pub attributes: BTreeMap<String, String>,
    /// Who caused it.
    pub cause: Cause,
    /// The request of the access log that caused it.
    pub request: u64,
    /// What it is about. Events of one target about the same are told in the order of their commits.
    pub key: Bytes,
    /// What was there before, as the source has it.
    pub before: Option<Bytes>,
    /// The version of that.
    pub before_version: Option<Version>,
    /// What is there now.
    pub after: Option<Bytes>,
}

impl Record {
    /// The row of an event: unique, in no particular order.
    pub(crate) fn row_key(unique: &[u8; 16], number: u32) -> Key {
        Key::new(OUTBOX, &[&unique[..], &number.to_be_bytes()].concat())
    }

    /// The row's value. Errors: `INTERNAL` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Bytes, Status> {
        let header = Header {
            id: self.id.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            event: self.event.clone(),
            attributes: self.attributes.clone(),
            cause: self.cause.clone(),
            request: self.request,
            before_version: self.before_version.map(|version| version.0),
        };
        let header = serde_json::to_vec(&header).map_err(|error| {
            tracing::error!(%error, "an event cannot be written");
            Status::new(Code::Internal, "Internal error encountered.")
        })?;
        let mut out = BytesMut::with_capacity(64 + header.len());
        out.put_u8(FORMAT);
        put(&mut out, Some(&header));
        put(&mut out, Some(&self.key));
        put(&mut out, self.before.as_deref());
        put(&mut out, self.after.as_deref());
        Ok(out.freeze())
    }

    /// Reads what [`Record::encode`] wrote. Errors: `DATA_LOSS`.
    pub fn decode(row: &Bytes) -> Result<Self, Status> {
        Self::read(row.clone()).ok_or_else(|| {
            tracing::error!("an event that waits cannot be read");
            Status::new(Code::DataLoss, "an event that waits cannot be read")
        })
    }

    fn read(mut row: Bytes) -> Option<Self> {
        if row.try_get_u8().ok()? != FORMAT {
            return None;
        }
        let header: Header = serde_json::from_slice(&take(&mut row)??).ok()?;
        let (key, before, after) = (take(&mut row)??, take(&mut row)?, take(&mut row)?);
        row.is_empty().then_some(Self {
            id: header.id,
            source: header.source,
            target: header.target,
            event: header.event,
            attributes: header.attributes,
            cause: header.cause,
            request: header.request,
            key,
            before,
            before_version: header.before_version.map(Version),
            after,
        })
    }
}

fn put(out: &mut BytesMut, part: Option<&[u8]>) {
    match part {
        None => out.put_u32(0),
        Some(bytes) => {
            // Rows are far shorter than 4 GiB.
            out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1) + 1);
            out.put_slice(bytes);
        }
    }
}

fn take(row: &mut Bytes) -> Option<Option<Bytes>> {
    let Some(length) = row.try_get_u32().ok()?.checked_sub(1) else { return Some(None) };
    let length = usize::try_from(length).ok()?;
    (length <= row.len()).then(|| Some(row.split_to(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_back_and_a_cut_one_is_not() {
        let record = Record {
            id: "1".to_owned(),
            source: "s".to_owned(),
            target: "default/f".to_owned(),
            event: "e".to_owned(),
            attributes: [("document".to_owned(), "a/b".to_owned())].into(),
            cause: Cause::User { uid: "u".to_owned(), claims: serde_json::json!({ "role": "x" }) },
            request: 7,
            key: Bytes::from_static(b"k"),
            before: None,
            before_version: Some(Version(3)),
            after: Some(Bytes::new()),
        };
        let row = record.encode().unwrap();
        assert_eq!(Record::decode(&row).unwrap(), record);
        for length in 0..row.len() {
            assert_eq!(Record::decode(&row.slice(..length)).unwrap_err().code, Code::DataLoss, "{length}");
        }
    }
}
