//! Where a read looks: the newest state, a past one, or a transaction's.

use access::{Caller, Operation, Session};
use base::{DatabaseName, Status};
use bytes::Bytes;
use kv::Version;
use wire::{prost_types, v1};

use super::Firestore;
use super::transaction::Lease;
use crate::model::value;
use crate::status;

/// What a request says about where it looks.
pub enum Selector {
    /// The newest state.
    Newest,
    /// The state at a time.
    ReadTime(prost_types::Timestamp),
    /// The state a transaction sees.
    Transaction(Bytes),
    /// A transaction that begins here.
    NewTransaction(v1::TransactionOptions),
}

/// Makes a selector of the messages' own, each of which has some of the cases.
macro_rules! selector {
    ($module:ident: $($case:ident),+) => {
        impl From<Option<v1::$module::ConsistencySelector>> for Selector {
            fn from(selector: Option<v1::$module::ConsistencySelector>) -> Self {
                match selector {
                    None => Selector::Newest,
                    $(Some(v1::$module::ConsistencySelector::$case(what)) => Selector::$case(what),)+
                }
            }
        }
    };
}

selector!(get_document_request: Transaction, ReadTime);
selector!(list_documents_request: Transaction, ReadTime);
selector!(batch_get_documents_request: Transaction, NewTransaction, ReadTime);
selector!(run_query_request: Transaction, NewTransaction, ReadTime);
selector!(run_aggregation_query_request: Transaction, NewTransaction, ReadTime);
selector!(list_collection_ids_request: ReadTime);

/// A read under way: a session and, in a transaction, the right to it.
pub struct Reading {
    /// The session.
    pub session: Session,
    /// The id of a transaction that this read began.
    pub begun: Option<Bytes>,
    /// The transaction it is part of.
    pub lease: Option<Lease>,
}

impl Reading {
    /// Whether it is part of a transaction.
    pub fn in_transaction(&self) -> bool {
        self.lease.is_some()
    }

    /// The time of the state it sees.
    pub fn read_time(&self) -> prost_types::Timestamp {
        value::version_to_wire(self.session.version())
    }

    /// Ends it. A transaction keeps what was read.
    pub fn finish(self) {
        match self.lease {
            Some(mut lease) if lease.transaction.reads_at().is_none() => lease.keep(self.session),
            _ => self.session.finish(),
        }
    }
}

impl Firestore {
    /// Checks a time to read at: not in the future, no finer than the store's own time.
    pub(super) fn read_time(&self, at: &prost_types::Timestamp) -> Result<Version, Status> {
        let at = value::timestamp_from_wire(at)?;
        if at != at.truncate_to_micros() || at.micros() > self.gate.clock().now_micros() || at.micros() < 0 {
            return Err(status::bad_read_time());
        }
        Ok(Version(at.micros()))
    }

    /// Begins a read.
    pub(super) async fn reading(
        &self,
        caller: &Caller,
        operation: Operation,
        database: &DatabaseName,
        selector: Selector,
    ) -> Result<Reading, Status> {
        let (lease, begun) = match selector {
            Selector::Newest => {
                let session = self.gate.begin(caller, operation).await?;
                return Ok(Reading { session, begun: None, lease: None });
            }
            Selector::ReadTime(at) => {
                let session = self.gate.begin_at(caller, operation, self.read_time(&at)?).await?;
                return Ok(Reading { session, begun: None, lease: None });
            }
            Selector::Transaction(id) => (self.transactions.lease(caller, database, &id).await?, None),
            Selector::NewTransaction(options) => {
                let transaction = self.open_transaction(caller, database, Some(options)).await?;
                let id = transaction.id();
                (self.transactions.lease(caller, database, &id).await?, Some(id))
            }
        };
        let session = match lease.transaction.reads_at().or_else(|| lease.version()) {
            Some(version) => self.gate.begin_at(caller, operation, version).await?,
            None => self.gate.begin(caller, operation).await?,
        };
        Ok(Reading { session, begun, lease: Some(lease) })
    }
}
