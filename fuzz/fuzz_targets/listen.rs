//! Whatever a client asks of a `Listen` stream, in whatever order and between whatever commits: the stream keeps its grammar,
//! or ends with an error that is the client's. Never a panic.
//!
//! The input is lines: `{…}` a request in JSON; `+N` and `-N` a commit that sets or deletes document N; anything else a request
//! as protocol bytes.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use access::{AccessLog, Caller, DevPermit, Gate, Mode};
use base::{Code, SystemClock};
use firestore::Firestore;
use futures_util::{FutureExt, StreamExt};
use kv::{Mem, Options, Store};
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio::runtime::Runtime;
use wire::v1::listen_response::ResponseType;
use wire::v1::target_change::TargetChangeType;
use wire::{json, v1};

const ROOT: &str = "projects/p/databases/(default)/documents";
const LINES_MAX: usize = 40;
/// Answers taken after a line, and polls that may find none.
const ANSWERS_MAX: usize = 60;

fuzz_target!(|data: &[u8]| {
    static HOUSE: OnceLock<(Runtime, Arc<Firestore>)> = OnceLock::new();
    let (runtime, firestore) = HOUSE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let firestore = runtime.block_on(house());
        (runtime, firestore)
    });
    runtime.block_on(run(firestore, data));
});

async fn house() -> Arc<Firestore> {
    let store = Store::open(Mem::default(), Options::default()).await.unwrap();
    let mode = Mode::Dev(DevPermit::for_development_only());
    let gate = Gate::new(store, AccessLog::discarding(), Arc::new(SystemClock), mode);
    let rules = "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents {
        match /c/{d} { allow read: if d != 'd3' && resource.data.n != 5; } match /{p=**} { allow read; } } }";
    gate.rules().firestore.load(policy::Source::new("firestore.rules", rules)).unwrap();
    Arc::new(Firestore::new(gate, "p"))
}

async fn run(firestore: &Arc<Firestore>, data: &[u8]) {
    let (requests, receiver) = tokio::sync::mpsc::unbounded_channel();
    let requests_in = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|request| (request, receiver))
    });
    let caller = Caller::unauthenticated();
    let mut responses = firestore.listen(&caller, None, requests_in.boxed()).unwrap();
    let mut client = Client::default();
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        match line {
            [sign @ (b'+' | b'-'), n, ..] => commit(firestore, *sign == b'+', *n).await,
            _ => {
                let request = match line.first() {
                    Some(b'{') => json::read::<v1::ListenRequest>(line).ok(),
                    _ => v1::ListenRequest::decode(line).ok(),
                };
                let Some(mut request) = request else { continue };
                if request.database.is_empty() {
                    request.database = ROOT.trim_end_matches("/documents").to_owned();
                }
                client.asked(&request);
                let _over = requests.send(Ok(request));
            }
        }
        for _ in 0..ANSWERS_MAX {
            match responses.next().now_or_never() {
                Some(Some(Ok(response))) => client.take(response.into_message().unwrap()),
                Some(Some(Err(status))) => {
                    let is_clients = matches!(
                        status.code,
                        Code::InvalidArgument | Code::NotFound | Code::ResourceExhausted | Code::PermissionDenied
                    );
                    assert!(is_clients, "{status}");
                    return;
                }
                Some(None) => return,
                None => tokio::task::yield_now().await,
            }
        }
    }
}

async fn commit(firestore: &Arc<Firestore>, sets: bool, n: u8) {
    let name = format!("{ROOT}/c/d{}", n % 8);
    let write = if sets {
        format!(r#"{{"update": {{"name": "{name}", "fields": {{"n": {{"integerValue": "{}"}}}}}}}}"#, n / 8)
    } else {
        format!(r#"{{"delete": "{name}"}}"#)
    };
    let request = format!(r#"{{"database": "projects/p/databases/(default)", "writes": [{write}]}}"#);
    let request = json::read::<v1::CommitRequest>(request.as_bytes()).unwrap();
    firestore.commit(&Caller::admin("owner"), request).await.unwrap();
}

/// What the answers may be.
#[derive(Default)]
struct Client {
    /// By target: how often it may still be added and removed, and whether it shows something.
    targets: BTreeMap<i32, (i32, i32)>,
    /// A target without an id was added: its id is the server's.
    any_id: bool,
    seen: Option<(i64, i32)>,
}

impl Client {
    fn asked(&mut self, request: &v1::ListenRequest) {
        match &request.target_change {
            Some(v1::listen_request::TargetChange::AddTarget(target)) => {
                self.any_id |= target.target_id == 0;
                let (adds, removes) = self.targets.entry(target.target_id).or_default();
                // It may be refused.
                (*adds, *removes) = (*adds + 1, *removes + 1);
            }
            Some(v1::listen_request::TargetChange::RemoveTarget(id)) => {
                self.targets.entry(*id).or_default().1 += 1;
            }
            None => {}
        }
    }

    fn known(&self, id: i32) {
        assert!(self.any_id || self.targets.contains_key(&id), "target {id} was never asked for");
    }

    fn take(&mut self, response: v1::ListenResponse) {
        match response.response_type.unwrap() {
            ResponseType::TargetChange(change) => self.take_targets(&change),
            ResponseType::DocumentChange(change) => {
                let document = change.document.unwrap();
                assert!(document.name.starts_with(ROOT) && !document.name.ends_with("/c/d3"), "{}", document.name);
                change.target_ids.iter().chain(&change.removed_target_ids).for_each(|id| self.known(*id));
                assert!(!change.target_ids.is_empty() || !change.removed_target_ids.is_empty());
            }
            ResponseType::DocumentDelete(gone) => gone.removed_target_ids.iter().for_each(|id| self.known(*id)),
            ResponseType::DocumentRemove(gone) => gone.removed_target_ids.iter().for_each(|id| self.known(*id)),
            ResponseType::Filter(filter) => self.known(filter.target_id),
        }
    }

    fn take_targets(&mut self, change: &v1::TargetChange) {
        for id in &change.target_ids {
            self.known(*id);
            let counts = self.targets.entry(*id).or_default();
            let left = match change.target_change_type() {
                TargetChangeType::Add => &mut counts.0,
                TargetChangeType::Remove => &mut counts.1,
                _ => continue,
            };
            *left -= 1;
            assert!(*left >= 0 || self.any_id, "one acknowledgement too many of {id}");
        }
        if change.target_change_type() == TargetChangeType::NoChange && change.target_ids.is_empty() {
            let at = change.read_time.map(|at| (at.seconds, at.nanos)).unwrap();
            assert!(self.seen <= Some(at), "time goes back");
            self.seen = Some(at);
        }
    }
}
