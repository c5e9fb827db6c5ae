//! Queries: the rules are asked what the query proves, then the engine runs it in the same session.

use std::sync::Arc;

use access::{Caller, Grant, Session};
use async_trait::async_trait;
use base::{DatabaseName, Status};
use bytes::Bytes;
use kv::Key;
use policy::Method;
use policy::rules::Action;
use prost::Message;
use tokio::sync::OwnedSemaphorePermit;
use wire::v1::run_aggregation_query_request::QueryType as AggregationType;
use wire::v1::run_query_request::QueryType;
use wire::{prost_types, v1};

use super::decide::decide_read;
use super::explain::{Asked, Explained, elapsed, plan_alone};
use super::present::allow_now;
use super::reading::{Reading, Selector};
use super::stream::{Responses, Source};
use super::transaction::Lease;
use super::{Firestore, operation};
use crate::model::key;
use crate::model::value::{fields_to_wire, to_wire};
use crate::query::explain::{Outcome, metrics};
use crate::query::{self, AggregationQuery, Found, Query, Results};
use crate::status;

/// Bytes of a transaction's query result, which is complete before its first document leaves.
const TRANSACTION_RESULT_BYTES_MAX: usize = 128 << 20;

/// Asks the rules whether the caller may run a query: whatever its result, or what it finds literally.
pub async fn authorize_query(
    session: &mut Session,
    database: &DatabaseName,
    asked: &Query,
    in_transaction: bool,
) -> Result<Grant, Status> {
    let (proof, path) = (query::proof(asked), query::proof_path(asked));
    let action = Action::new(Method::List, &database.database, &path);
    decide_read(session, database, &Action { query: Some(&proof), in_transaction, ..action }).await
}

/// Denies a query that the rules allow literally, and that finds or might find something else.
pub fn not_literal(session: &mut Session) -> Status {
    status::refused(session.retract(
        Method::List.name(),
        "The query finds a number of another type than it asks for (1 also finds 1.0), \
         and for that one the rules do not allow it.",
    ))
}

/// A document of a result for the client.
pub fn found_to_wire(database: &DatabaseName, asked: &Query, found: &Found) -> Result<v1::Document, Status> {
    let fields = match (&asked.projection, &asked.nearest) {
        (None, None) => found.stored.wire_fields()?,
        (_, None) => fields_to_wire(asked.project(found.stored.fields()?)),
        (_, Some(nearest)) => fields_to_wire(asked.project(nearest.with_distance(found.stored.fields()?)?)),
    };
    Ok(found.stored.to_wire(database, &found.path, fields))
}

/// A result being sent.
struct Sending {
    service: Arc<Firestore>,
    /// Taken when it ends.
    session: Option<Session>,
    results: Results,
    asked: Query,
    database: DatabaseName,
    read_time: prost_types::Timestamp,
    sent: bool,
    skipped: usize,
    /// Whether the rules allow only what has the numbers as the query writes them.
    literally: bool,
    /// Whether the present was decided before, and each document is to be looked at as it is now.
    past: bool,
    in_transaction: bool,
    /// What a transaction has found.
    found: Vec<Key>,
    explained: Option<Explained>,
    /// The turn to compare vectors, until that is done.
    turn: Option<OwnedSemaphorePermit>,
}

#[async_trait]
impl Source<v1::RunQueryResponse> for Sending {
    async fn next(&mut self) -> Result<Vec<v1::RunQueryResponse>, Status> {
        let page = self.explained_page().await;
        // The client may take its time.
        if let Some(session) = &mut self.session {
            session.let_go();
        }
        page
    }
}

impl Sending {
    /// The next responses, the last with what is to be explained; empty when there are no more.
    async fn explained_page(&mut self) -> Result<Vec<v1::RunQueryResponse>, Status> {
        loop {
            let page = self.page().await?;
            let Some(explained) = &mut self.explained else { return Ok(page) };
            if page.is_empty() {
                let now_micros = self.service.gate.clock().now_micros();
                return Ok(explained.last(&self.asked, &self.results, now_micros).into_iter().collect());
            }
            let page = explained.pass(page);
            if !page.is_empty() {
                return Ok(page);
            }
        }
    }

    /// The next responses; empty when there are no more.
    async fn page(&mut self) -> Result<Vec<v1::RunQueryResponse>, Status> {
        let Some(session) = &mut self.session else { return Ok(Vec::new()) };
        session.check_standing().await?;
        let found = self.results.page(session).await?;
        self.turn = None;
        let Some(page) = found else {
            let skipped_results = self.newly_skipped();
            if self.sent && skipped_results == 0 {
                self.suggest_indexes();
                return Ok(Vec::new());
            }
            self.sent = true;
            return Ok(vec![v1::RunQueryResponse { skipped_results, ..self.response() }]);
        };
        if self.literally {
            for found in &page {
                if !query::finds_literally(&self.database, &self.asked, found)? {
                    return Err(not_literal(session));
                }
            }
        }
        if self.past {
            allow_now(session, &self.database, &page, self.in_transaction).await?;
        }
        if self.in_transaction {
            self.found.extend(page.iter().map(|found| key::document(&self.database, &found.path)));
        }
        let mut responses = Vec::with_capacity(page.len());
        for found in page {
            responses.push(v1::RunQueryResponse {
                document: Some(found_to_wire(&self.database, &self.asked, &found)?),
                skipped_results: self.newly_skipped(),
                ..self.response()
            });
        }
        self.sent = true;
        Ok(responses)
    }

    fn response(&self) -> v1::RunQueryResponse {
        v1::RunQueryResponse { read_time: Some(self.read_time), ..Default::default() }
    }

    fn newly_skipped(&mut self) -> i32 {
        let newly = self.results.skipped().saturating_sub(self.skipped);
        self.skipped += newly;
        i32::try_from(newly).unwrap_or(i32::MAX)
    }

    /// Asks for the indexes this query would have liked.
    fn suggest_indexes(&self) {
        let Some(session) = &self.session else { return };
        self.service.indexes.want(session.caller(), &self.database, self.results.wanted());
    }

    /// The whole result of a query in a transaction: what it has read is kept before any of it leaves.
    async fn whole(&mut self) -> Result<Vec<v1::RunQueryResponse>, Status> {
        let mut responses = Vec::new();
        let mut bytes_left = TRANSACTION_RESULT_BYTES_MAX;
        loop {
            let page = self.explained_page().await?;
            if page.is_empty() {
                return Ok(responses);
            }
            for response in page {
                let size = response.encoded_len();
                let too_large = || status::result_too_large(TRANSACTION_RESULT_BYTES_MAX);
                bytes_left = bytes_left.checked_sub(size).ok_or_else(too_large)?;
                responses.push(response);
            }
        }
    }
}

/// A client that hangs up has seen what was sent so far, and the record says so.
impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(session) = self.session.take().filter(|_| self.sent) {
            session.finish();
        }
    }
}

/// Has a query decided: at the present, and for a read of the past there as well. Returns whether it is allowed
/// literally, and whether it went to the past.
pub async fn authorize_reading(
    reading: &mut Reading,
    database: &DatabaseName,
    asked: &Query,
) -> Result<(bool, bool), Status> {
    let in_transaction = reading.in_transaction();
    let now = authorize_query(&mut reading.session, database, asked, in_transaction).await?;
    if !reading.look_back() {
        return Ok((now.is_literal(), false));
    }
    let then = authorize_query(&mut reading.session, database, asked, in_transaction).await?;
    Ok((now.is_literal() || then.is_literal(), true))
}

impl Firestore {
    /// `RunQuery`.
    pub async fn run_query(
        self: &Arc<Self>,
        caller: &Caller,
        request: v1::RunQueryRequest,
    ) -> Result<Responses<v1::RunQueryResponse>, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let explain = Asked::from(request.explain_options);
        let Some(QueryType::StructuredQuery(asked)) = request.query_type else {
            return Err(status::only_structured_queries());
        };
        let asked = query::parse(&database, &parent, asked)?;
        if explain != Asked::Result {
            self.prepare_indexes(caller, &database, &asked).await?;
        }
        let turn = match asked.nearest {
            Some(_) => Some(self.places.load(caller).await?),
            None => None,
        };
        let begun_micros = self.gate.clock().now_micros();
        let selector = Selector::from(request.consistency_selector);
        let mut reading =
            self.reading(caller, operation("RunQuery", &query_path(&asked)), &database, selector).await?;
        if explain != Asked::Result {
            Self::allow_explaining(&mut reading.session, &asked)?;
        }
        let in_transaction = reading.in_transaction();
        let (literally, past) = authorize_reading(&mut reading, &database, &asked).await?;
        let (results, explained) = match explain {
            Asked::Result => {
                (Results::open_with(&mut reading.session, &database, &asked, &self.indexes).await?, None)
            }
            Asked::Plan | Asked::Analysis => {
                let session = &mut reading.session;
                let (results, plan) =
                    Results::open_explained(session, &database, &asked, &self.indexes).await?;
                (results, Some(Explained::new(plan, begun_micros)))
            }
        };
        if let (Asked::Plan, Some(explained)) = (explain, explained.as_ref()) {
            let explain_metrics = Some(explained.plan_alone());
            let transaction = reading.begun.clone().unwrap_or_default();
            reading.finish();
            let response = v1::RunQueryResponse { explain_metrics, transaction, ..Default::default() };
            return self.send(caller, vec![response]);
        }
        let read_time = reading.read_time();
        let (session, begun, lease) = reading.into_parts();
        let sending = Sending {
            service: self.clone(),
            read_time,
            session: Some(session),
            results,
            asked,
            database,
            sent: false,
            skipped: 0,
            literally,
            past,
            in_transaction,
            found: Vec::new(),
            explained,
            turn,
        };
        self.send_results(caller, sending, begun, lease).await
    }

    /// Sends a result: in a transaction all at once, what it has read being kept first.
    async fn send_results(
        &self,
        caller: &Caller,
        mut sending: Sending,
        begun: Option<Bytes>,
        lease: Option<Lease>,
    ) -> Result<Responses<v1::RunQueryResponse>, Status> {
        let Some(mut lease) = lease else {
            if let Some(session) = &mut sending.session {
                session.let_go();
            }
            return self.streams.send(caller, Vec::new(), Some(Box::new(sending)));
        };
        let mut responses = sending.whole().await?;
        if let (Some(id), Some(first)) = (&begun, responses.first_mut()) {
            first.transaction = id.clone();
        }
        lease.hold(&sending.found);
        if let Some(session) = sending.session.take() {
            Reading::of(session, lease).finish();
        }
        self.send(caller, responses)
    }

    /// `RunAggregationQuery`: one response.
    pub async fn run_aggregation_query(
        &self,
        caller: &Caller,
        request: v1::RunAggregationQueryRequest,
    ) -> Result<v1::RunAggregationQueryResponse, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let explain = Asked::from(request.explain_options);
        let Some(AggregationType::StructuredAggregationQuery(asked)) = request.query_type else {
            return Err(status::only_structured_aggregations());
        };
        let asked = AggregationQuery::parse(&database, &parent, asked)?;
        if explain != Asked::Result {
            self.prepare_indexes(caller, &database, &asked.query).await?;
        }
        let _turn = match asked.query.nearest {
            Some(_) => Some(self.places.load(caller).await?),
            None => None,
        };
        let begun_micros = self.gate.clock().now_micros();
        let selector = Selector::from(request.consistency_selector);
        let operation = operation("RunAggregationQuery", &query_path(&asked.query));
        let mut reading = self.reading(caller, operation, &database, selector).await?;
        if explain != Asked::Result {
            Self::allow_explaining(&mut reading.session, &asked.query)?;
        }
        self.authorize_aggregation(&mut reading, &database, &asked).await?;
        let session = &mut reading.session;
        let mut response = v1::RunAggregationQueryResponse {
            transaction: reading.begun.clone().unwrap_or_default(),
            ..Default::default()
        };
        let (mut results, plan) = match explain {
            Asked::Result => {
                (Results::open_with(session, &database, &asked.query, &self.indexes).await?, None)
            }
            Asked::Plan | Asked::Analysis => {
                let opened = Results::open_explained(session, &database, &asked.query, &self.indexes).await?;
                (opened.0, Some(opened.1))
            }
        };
        if explain == Asked::Plan {
            response.explain_metrics = plan.map(plan_alone);
            reading.finish();
            return Ok(response);
        }
        let (answers, count) = query::aggregate(session, &asked, &mut results).await?;
        self.indexes.want(caller, &database, results.wanted());
        let aggregate_fields = answers.into_iter().map(|(alias, value)| (alias, to_wire(value))).collect();
        response.result = Some(v1::AggregationResult { aggregate_fields });
        response.read_time = Some(reading.read_time());
        response.explain_metrics = plan.map(|plan| {
            let outcome = Outcome::Aggregate { counted: count.saturating_add(results.skipped()) };
            let took = elapsed(begun_micros, self.gate.clock().now_micros());
            metrics(&asked.query, plan, results.scanned(), outcome, took)
        });
        reading.finish();
        Ok(response)
    }

    /// Has an aggregation decided. A count is no list of documents that could be looked at: it must be allowed whatever the
    /// query finds, and what it finds in the past is looked at as it is now first.
    async fn authorize_aggregation(
        &self,
        reading: &mut Reading,
        database: &DatabaseName,
        asked: &AggregationQuery,
    ) -> Result<(), Status> {
        let in_transaction = reading.in_transaction();
        let (literally, past) = authorize_reading(reading, database, &asked.query).await?;
        if literally {
            return Err(not_literal(&mut reading.session));
        }
        if past {
            let session = &mut reading.session;
            let mut results = Results::open_with(session, database, &asked.query, &self.indexes).await?;
            while let Some(page) = results.page(session).await? {
                allow_now(session, database, &page, in_transaction).await?;
            }
        }
        Ok(())
    }
}

/// What a query is about, for the record.
pub fn query_path(asked: &Query) -> base::ResourcePath {
    base::ResourcePath::from_segments(query::proof_path(asked)).unwrap_or_default()
}
