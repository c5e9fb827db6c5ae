//! Where a read looks: the newest state, a past one, or a transaction's.

use access::{Caller, Operation, Session};
use base::{DatabaseName, Status};
use bytes::Bytes;
use kv::{Key, Version};
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
selector!(partition_query_request: ReadTime);

/// A read under way: a session and, in a transaction, the right to it.
pub struct Reading {
    /// The session.
    pub session: Session,
    /// The id of a transaction that this read began.
    pub begun: Option<Bytes>,
    /// The transaction it is part of.
    pub lease: Option<Lease>,
    /// The past version it is about while it is decided at the present.
    past: Option<Version>,
}

impl Reading {
    /// Whether it is part of a transaction.
    pub fn in_transaction(&self) -> bool {
        self.lease.is_some()
    }

    /// The time of the state it sees.
    pub fn read_time(&self) -> prost_types::Timestamp {
        let of_transaction = self.in_transaction().then(|| self.session.version());
        value::version_to_wire(of_transaction.unwrap_or_else(|| self.session.time()))
    }

    /// Goes to the past version that the read is about. Returns whether it did: what was read and decided at the
    /// present is then to be read and decided again.
    pub fn look_back(&mut self) -> bool {
        let Some(version) = self.past.take() else { return false };
        self.session.look_back(version);
        true
    }

    /// A read of a transaction that has been taken apart.
    pub fn of(session: Session, lease: Lease) -> Self {
        Self { session, begun: None, lease: Some(lease), past: None }
    }

    /// The session, the id of a transaction that this read began, and the transaction.
    pub fn into_parts(self) -> (Session, Option<Bytes>, Option<Lease>) {
        (self.session, self.begun, self.lease)
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

    /// Begins a read. One of the past begins at the present: decide it, and go on with [`Reading::look_back`].
    pub(super) async fn reading(
        &self,
        caller: &Caller,
        operation: Operation,
        database: &DatabaseName,
        selector: Selector,
    ) -> Result<Reading, Status> {
        self.reading_documents(caller, operation, database, selector, &[]).await
    }

    /// The same for a read of these documents, which a transaction locks first.
    pub(super) async fn reading_documents(
        &self,
        caller: &Caller,
        operation: Operation,
        database: &DatabaseName,
        selector: Selector,
        keys: &[Key],
    ) -> Result<Reading, Status> {
        let (mut lease, begun) = match selector {
            Selector::Newest => {
                let mut session = self.gate.begin(caller, operation).await?;
                session.set_project(&database.project);
                return Ok(Reading { session, begun: None, lease: None, past: None });
            }
            Selector::ReadTime(at) => {
                let (mut session, past) = self.begin_at(caller, operation, self.read_time(&at)?).await?;
                session.set_project(&database.project);
                return Ok(Reading { session, begun: None, lease: None, past });
            }
            Selector::Transaction(id) => (self.transactions.lease(caller, database, &id).await?, None),
            Selector::NewTransaction(options) => {
                let transaction = self.open_transaction(caller, database, Some(options)).await?;
                let id = transaction.id();
                (self.transactions.lease(caller, database, &id).await?, Some(id))
            }
        };
        lease.lock(&self.transactions, keys).await?;
        let (mut session, past) = match lease.transaction.reads_at().or_else(|| lease.version()) {
            Some(version) => self.begin_at(caller, operation, version).await?,
            None => (self.gate.begin(caller, operation).await?, None),
        };
        session.set_project(&database.project);
        Ok(Reading { session, begun, lease: Some(lease), past })
    }

    /// Begins a read of a past state: administrators' there, everybody else's at the present, where it must be allowed
    /// first. That also spares the look back for those who are denied.
    async fn begin_at(
        &self,
        caller: &Caller,
        operation: Operation,
        version: Version,
    ) -> Result<(Session, Option<Version>), Status> {
        if caller.is_admin() {
            return Ok((self.gate.begin_at(caller, operation, version).await?, None));
        }
        let session = self.gate.begin(caller, operation).await?;
        let past = (session.version() != version).then_some(version);
        Ok((session, past))
    }
}
