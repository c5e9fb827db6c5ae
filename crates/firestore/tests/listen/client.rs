//! A client of the `Listen` stream: it keeps what the protocol says that clients keep, and checks its grammar.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use access::Caller;
use base::Status;
use bytes::Bytes;
use firestore::ops::listen::Responses;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use wire::prost_types::Timestamp;
use wire::v1;
use wire::v1::listen_request::TargetChange;
use wire::v1::listen_response::ResponseType;
use wire::v1::target_change::TargetChangeType;

use crate::house::{DATABASE, House, message};

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client has of one target.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Documents by name.
    pub documents: BTreeMap<String, v1::Document>,
    /// The same at the newest snapshot.
    pub stable: BTreeMap<String, v1::Document>,
    /// The token of that.
    pub token: Bytes,
    /// `CURRENT` was said.
    pub is_current: bool,
    /// Acknowledgements that are owed.
    pub pending: i32,
    /// Ended by the server, and why.
    pub lost: Option<Status>,
    /// Existence filters, in their order.
    pub filters: Vec<v1::ExistenceFilter>,
    /// How often it began anew.
    pub resets: usize,
}

/// One stream.
pub struct Client {
    requests: mpsc::UnboundedSender<Result<v1::ListenRequest, Status>>,
    responses: Responses,
    /// By id.
    pub targets: BTreeMap<i32, Target>,
    /// The newest snapshot.
    pub seen: Option<Timestamp>,
    /// Its token.
    pub token: Bytes,
    /// How many snapshots there were.
    pub snapshots: usize,
    /// Documents sent: how often, by name.
    pub sent: BTreeMap<String, usize>,
}

impl Client {
    /// Opens a stream.
    pub fn open(house: &House, caller: &Caller) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let requests_in = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|request| (request, receiver))
        });
        let responses = house.firestore.listen(caller, None, requests_in.boxed()).unwrap();
        Self {
            requests,
            responses,
            targets: BTreeMap::new(),
            seen: None,
            token: Bytes::new(),
            snapshots: 0,
            sent: BTreeMap::new(),
        }
    }

    /// Adds a target, written as JSON.
    pub fn add(&mut self, target: &str) {
        self.add_target(message(target));
    }

    /// Adds a target.
    pub fn add_target(&mut self, target: v1::Target) {
        self.targets.entry(target.target_id).or_default().pending += 1;
        self.send(TargetChange::AddTarget(target));
    }

    /// Adds a query on a collection with further parts of it, as JSON.
    pub fn add_query(&mut self, id: i32, collection: &str, more: &str) {
        self.add(&query(id, collection, more));
    }

    /// Adds documents.
    pub fn add_documents(&mut self, id: i32, paths: &[&str]) {
        let names: Vec<String> = paths.iter().map(|path| format!("\"$/{path}\"")).collect();
        self.add(&format!(r#"{{"targetId": {id}, "documents": {{"documents": [{}]}}}}"#, names.join(", ")));
    }

    /// Removes a target.
    pub fn remove(&mut self, id: i32) {
        self.targets.entry(id).or_default().pending += 1;
        self.send(TargetChange::RemoveTarget(id));
    }

    fn send(&self, change: TargetChange) {
        let request = v1::ListenRequest {
            database: DATABASE.to_owned(),
            target_change: Some(change),
            ..Default::default()
        };
        self.requests.send(Ok(request)).unwrap();
    }

    /// The next answer, which the client has taken in.
    pub async fn next(&mut self) -> Result<v1::ListenResponse, Status> {
        let next = tokio::time::timeout(PATIENCE, self.responses.next()).await.expect("an answer in time");
        let response = next.expect("the stream goes on")?.into_message()?;
        self.take(&response);
        Ok(response)
    }

    /// Takes answers until a condition holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let next = tokio::time::timeout(PATIENCE / 2, self.next()).await;
            if let Err(status) = next.unwrap_or_else(|_| panic!("{what}: nothing comes")) {
                panic!("{what}: the stream ended with {status}");
            }
        }
    }

    /// Takes answers until there is one more snapshot.
    pub async fn snapshot(&mut self) {
        let before = self.snapshots;
        self.until("a snapshot", |client| client.snapshots > before).await;
    }

    /// Whether nothing comes for a while.
    pub async fn is_quiet(&mut self) -> bool {
        match tokio::time::timeout(Duration::from_millis(100), self.responses.next()).await {
            Err(_) => true,
            Ok(Some(Ok(response))) => {
                self.take(&response.into_message().unwrap());
                false
            }
            Ok(_) => false,
        }
    }

    /// The ids of a target's documents, in order.
    pub fn ids(&self, target: i32) -> Vec<String> {
        let documents = &self.targets[&target].documents;
        documents.keys().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn take(&mut self, response: &v1::ListenResponse) {
        match response.response_type.as_ref().expect("a response of some kind") {
            ResponseType::TargetChange(change) => self.take_targets(change),
            ResponseType::DocumentChange(change) => {
                let document = change.document.clone().expect("a document");
                *self.sent.entry(document.name.clone()).or_default() += 1;
                for id in &change.target_ids {
                    self.live(*id).documents.insert(document.name.clone(), document.clone());
                }
                self.take_out(&document.name, &change.removed_target_ids);
            }
            ResponseType::DocumentDelete(gone) => self.take_out(&gone.document, &gone.removed_target_ids),
            ResponseType::DocumentRemove(gone) => self.take_out(&gone.document, &gone.removed_target_ids),
            ResponseType::Filter(filter) => self.live(filter.target_id).filters.push(filter.clone()),
        }
    }

    fn take_out(&mut self, name: &str, ids: &[i32]) {
        for id in ids {
            self.live(*id).documents.remove(name);
        }
    }

    fn live(&mut self, id: i32) -> &mut Target {
        let target = self.targets.get_mut(&id).expect("a target that was asked for");
        assert!(target.lost.is_none(), "target {id} has ended");
        target
    }

    fn take_targets(&mut self, change: &v1::TargetChange) {
        let ids: BTreeSet<i32> = change.target_ids.iter().copied().collect();
        match change.target_change_type() {
            TargetChangeType::Add => ids.iter().for_each(|id| self.acknowledged(*id)),
            TargetChangeType::Remove => match &change.cause {
                None => ids.iter().for_each(|id| self.acknowledged(*id)),
                Some(cause) => ids.iter().for_each(|id| {
                    let code = [
                        base::Code::PermissionDenied,
                        base::Code::InvalidArgument,
                        base::Code::ResourceExhausted,
                    ];
                    let code =
                        code.into_iter().find(|code| *code as i32 == cause.code).expect("a known code");
                    self.live(*id).lost = Some(Status::new(code, cause.message.clone()));
                }),
            },
            TargetChangeType::Current => ids.iter().for_each(|id| self.live(*id).is_current = true),
            TargetChangeType::Reset => ids.iter().for_each(|id| {
                let target = self.live(*id);
                target.documents.clear();
                target.resets += 1;
            }),
            TargetChangeType::NoChange if ids.is_empty() => {
                let at = change.read_time.expect("a snapshot has a time");
                let order = |at: &Timestamp| (at.seconds, at.nanos);
                assert!(self.seen.as_ref().is_none_or(|seen| order(seen) <= order(&at)), "time goes back");
                assert!(!change.resume_token.is_empty());
                self.seen = Some(at);
                self.token = change.resume_token.clone();
                self.snapshots += 1;
                for target in self.targets.values_mut().filter(|target| target.is_current) {
                    target.stable = target.documents.clone();
                    target.token = change.resume_token.clone();
                }
            }
            TargetChangeType::NoChange => {}
        }
    }

    fn acknowledged(&mut self, id: i32) {
        let target = self.targets.get_mut(&id).expect("a target that was asked for");
        target.pending -= 1;
        assert!(target.pending >= 0, "an acknowledgement too many of {id}");
    }
}

/// A query target as JSON.
pub fn query(id: i32, collection: &str, more: &str) -> String {
    format!(
        r#"{{"targetId": {id}, "query": {{"parent": "$",
            "structuredQuery": {{"from": [{{"collectionId": "{collection}"}}] {more}}}}}}}"#
    )
}
