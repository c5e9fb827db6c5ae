//! Functions that have a say before somebody becomes a user or signs in.
//!
//! Which there are is kept with the triggers: a codebase that does not load, or not yet, lets nobody pass.

use std::time::Duration;

use access::{Blocking, BlockingAnswer, Caller, Operation, Service};
use async_trait::async_trait;
use axum::body::Body;
use base::{Code, Status};
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use tokio::time::{Instant, timeout_at};

use super::request::{to_worker, trace_id};
use super::{Found, target_of};
use crate::ops::Functions;
use crate::runtime::State;

/// How a blocking function stands among the triggers.
pub const EVENT: &str = "providers/cloud.auth/eventTypes/user.";
/// How long an answer may take: production's 7 s, and a minute in development.
const SECONDS_MAX: u64 = 7;
const DEV_SECONDS_MAX: u64 = 60;
/// How long a codebase may take that is being loaded.
const LOAD_SECONDS_MAX: u64 = 30;
const ANSWER_BYTES_MAX: usize = 64 << 10;

#[async_trait]
impl Blocking for Functions {
    fn function(&self, event: &str) -> Option<String> {
        let target = self.blocking_target(event)?;
        let (_, name) = target_of(&target);
        Some(format!("http://localhost/{}/{}/{name}", self.project(), super::REGION))
    }

    async fn ask(&self, event: &str, question: &str) -> Result<BlockingAnswer, Status> {
        let gone = || Status::unavailable(format!("the function for {event} is not in service"));
        let target = self.blocking_target(event).ok_or_else(gone)?;
        let (codebase, name) = target_of(&target);
        self.settled(codebase).await;
        let Found::Live(function) = self.find_target(&target) else { return Err(gone()) };
        let region = function.endpoint.regions.first().map_or("", String::as_str);
        let resource = format!("/functions/{region}/{name}");
        let operation = Operation { service: Service::Functions, verb: "ask", resource: resource.clone() };
        let mut session = self.gate.begin(&Caller::admin("identity"), operation).await?;
        session.authorize_self("blocking function", &resource);
        let trace = crate::api::new_trace()?;
        session.note("event", event.into());
        session.note("trace", trace_id(&trace).into());
        let seconds = if self.is_dev() { DEV_SECONDS_MAX } else { SECONDS_MAX };
        let until = Instant::now() + Duration::from_secs(seconds);
        let answered = async {
            let _slot =
                self.slots.take(&function.endpoint, until).await.map_err(|failure| failure.to_string())?;
            let body = serde_json::json!({ "data": { "jwt": question } }).to_string();
            let request =
                to_worker(&function.endpoint, "http", &trace).header(CONTENT_TYPE, "application/json");
            let request = request.body(Body::from(body)).map_err(|error| error.to_string())?;
            let trace = trace_id(&trace);
            let invocation = self.begin_own(&function, trace).map_err(|failure| failure.to_string())?;
            let sent = function.live.worker.send(request, &invocation).await;
            let (response, _connection) = sent.map_err(|error| error.to_string())?;
            let http = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>(BlockingAnswer { http, body: String::from_utf8_lossy(&body).into_owned() })
        };
        let answer = match timeout_at(until, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(Status::unavailable(format!("`{name}` has not answered: {why}"))),
            Err(_) => {
                function.clone().look_after(None);
                let text = format!("`{name}` has not answered within {seconds} s");
                Err(Status::new(Code::DeadlineExceeded, text))
            }
        };
        session.note("status", answer.as_ref().map_or(0, |answer| answer.http).into());
        session.finish();
        answer
    }
}

impl Functions {
    fn blocking_target(&self, event: &str) -> Option<String> {
        let kept = self.blocking.lock();
        let wanted = format!("{EVENT}{event}");
        kept.values()
            .flatten()
            .find(|interest| interest.event == wanted)
            .map(|interest| interest.target.clone())
    }

    /// Waits until a codebase is in service, or is known not to be.
    async fn settled(&self, codebase: &str) {
        let all = self.codebases.load_full();
        let Some(supervisor) =
            all.iter().flat_map(|all| all.iter()).find(|supervisor| supervisor.name() == codebase).cloned()
        else {
            return;
        };
        let mut state = supervisor.state();
        let settled = state.wait_for(|state| !matches!(state, State::Starting));
        let _ = tokio::time::timeout(Duration::from_secs(LOAD_SECONDS_MAX), settled).await;
    }
}
