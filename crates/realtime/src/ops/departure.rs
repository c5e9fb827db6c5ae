//! What is to be written when a client goes: kept in memory while it is here and in the store, so that it is done also when
//! the process ended first.
//!
//! One row for each session: who it is and its entries. An entry and the row without it change in one commit, so nothing
//! is done twice.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Attestation, Caller, Principal, User, keyspace};
use bytes::Bytes;
use kv::{Key as RowKey, KeyRange};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::claims;
use super::namespace::Namespace;
use crate::failure::Failure;
use crate::model::{Change, DEPTH_MAX, Path, Sparse, Verb, Write, decode_value};

/// Entries of one session.
pub const ENTRIES_MAX: usize = 1_000;
/// Bytes of one session's row.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// The sessions whose entries are being done.
#[derive(Default)]
pub struct Departures {
    underway: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    who: Who,
    /// The app that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    path: String,
    /// JSON of the value.
    value: String,
    /// Whether it is the priority of the place.
    #[serde(default)]
    priority: bool,
}

/// A caller as it is kept.
#[derive(Serialize, Deserialize)]
enum Who {
    Nobody,
    User { uid: String, claims: Json },
    Admin { account: String },
}

/// The row of a session.
pub fn row_key(namespace: &str, session: &str) -> RowKey {
    RowKey::new(keyspace::ON_DISCONNECT, format!("{namespace}\0{session}").as_bytes())
}

/// All rows.
pub fn all_rows() -> KeyRange {
    KeyRange::prefix(keyspace::ON_DISCONNECT, &[])
}

/// The database and the session of a row.
pub fn owner(key: &RowKey) -> Option<(&str, &str)> {
    std::str::from_utf8(key.as_bytes()).ok()?.split_once('\0')
}

/// The row of a session as it is to be. Errors: more entries or bytes than a session may have.
pub fn encode(caller: &Caller, sparse: &Sparse) -> Result<Option<Bytes>, Failure> {
    let entries: Vec<Change> = sparse.entries().take(ENTRIES_MAX + 1).collect();
    encode_entries(caller, &entries)
}

fn encode_entries(caller: &Caller, entries: &[Change]) -> Result<Option<Bytes>, Failure> {
    if entries.is_empty() {
        return Ok(None);
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Failure::Invalid(format!("a client may leave {ENTRIES_MAX} onDisconnect operations")));
    }
    let entry = |change: &Change| {
        let mut json = String::new();
        change.value().encode(&mut json);
        let priority = matches!(change, Change::Priority { .. });
        Entry { path: change.path().to_string(), value: json, priority }
    };
    let who = match &caller.who {
        Principal::Unauthenticated => Who::Nobody,
        Principal::User(user) => {
            Who::User { uid: user.uid.clone(), claims: Json::Object(claims::object(&user.claims)) }
        }
        Principal::Admin(admin) => Who::Admin { account: admin.account.clone() },
    };
    let app = caller.app.app().map(|app| app.id.clone());
    let row = Row { who, app, entries: entries.iter().map(entry).collect() };
    let bytes = serde_json::to_vec(&row).map_err(|error| Failure::Invalid(error.to_string()))?;
    if bytes.len() > ROW_BYTES_MAX {
        return Err(Failure::TooBig);
    }
    Ok(Some(bytes.into()))
}

fn decode(bytes: &[u8]) -> Option<(Caller, Vec<Change>)> {
    let Row { who, app, entries } = serde_json::from_slice(bytes).ok()?;
    let caller = match who {
        Who::Nobody => Caller::unauthenticated(),
        Who::Admin { account } => Caller::admin(account),
        Who::User { uid, claims } => {
            let claims = claims.as_object().map(claims::fields).unwrap_or_default();
            Caller::user(Arc::new(User { uid, claims }))
        }
    };
    // The app was attested, where that was required, when this was asked for.
    let app = app.map(|id| Arc::new(policy::App { id }));
    let caller = caller.from_app(Attestation::Exempt(app));
    let entry = |entry: Entry| {
        let path = Path::parse(&entry.path).ok()?;
        let value = decode_value(&entry.value, DEPTH_MAX.checked_sub(path.keys().len())?).ok()?;
        Some(if entry.priority { Change::Priority { path, value } } else { Change::Set { path, value } })
    };
    Some((caller, entries.into_iter().map(entry).collect::<Option<_>>()?))
}

impl Departures {
    /// Does what a session has left behind, if it has: at most once, whoever asks for it.
    pub async fn fulfil(&self, namespace: &Namespace, session: &str) {
        let key = row_key(namespace.name(), session);
        let turn = Arc::clone(self.underway.lock().entry(session.to_owned()).or_default());
        {
            let _turn = turn.lock().await;
            match namespace.database.gate().peek(&key).await {
                Ok(Some(row)) => match decode(&row.value) {
                    Some((caller, entries)) => fulfil_entries(namespace, &key, &caller, &entries).await,
                    None => tracing::error!(?key, "what a client left for its disconnection is unreadable"),
                },
                Ok(None) => {}
                Err(status) => {
                    tracing::error!(%status, "what a client left for its disconnection cannot be read");
                }
            }
        }
        let mut underway = self.underway.lock();
        if Arc::strong_count(&turn) <= 2 {
            underway.remove(session);
        }
    }
}

async fn fulfil_entries(namespace: &Namespace, key: &RowKey, caller: &Caller, entries: &[Change]) {
    for (index, change) in entries.iter().enumerate() {
        let rest = entries.get(index + 1..).unwrap_or_default();
        let Ok(row) = encode_entries(caller, rest) else { return };
        let write = Write {
            verb: Verb::OnDisconnect,
            path: change.path().clone(),
            changes: vec![change.clone()],
            expected: None,
            size_limit: None,
        };
        let outcome = namespace.hand_in(caller.clone(), Arc::new(write), vec![(key.clone(), row)]).await;
        match outcome.await {
            Ok(Ok(_)) => {}
            // It stays for the next start.
            Ok(Err(Failure::Unavailable(status))) => {
                tracing::error!(%status, "an onDisconnect operation could not be done");
                return;
            }
            Err(_) => return,
            // The rules do not allow it any more: the others are done.
            Ok(Err(_)) if rest.is_empty() => {
                if let Err(failure) = namespace.database.put_row(key, None).await {
                    tracing::error!(?failure, "an onDisconnect operation cannot be forgotten");
                }
            }
            Ok(Err(_)) => {}
        }
    }
}
