//! Publishing: messages of topics, custom events of channels, tasks of queues, times of schedules. Each is a session of the gate whose
//! commit has the events.

use std::sync::Arc;

use access::events::{Emitted, Interest, Source, Watched};
use access::keyspace::TASKS;
use access::{Caller, CommitFailure, Operation, Permit, Service, Session};
use base::{Code, Status, Timestamp};
use bytes::Bytes;
use kv::Key;
use serde_json::{Value as Json, json};

use super::sources::{Own, PUBLISHED, custom_attributes};
use super::target;
use crate::model::{Endpoint, Trigger};
use crate::ops::{Function, Functions};
use crate::status::Failure;

/// Messages or events of one request.
pub const PUBLISHED_MAX: usize = 1000;
/// How the topics begin that run a schedule at once.
const SCHEDULE_TOPIC: &str = "firebase-schedule-";
/// Bytes of a task's id.
const TASK_ID_BYTES_MAX: usize = 500;

/// A message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its data, base64.
    pub data: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// Messages of a topic with the same key are told in order.
    pub ordering_key: String,
}

/// A task.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The last part of its name; none: one is made.
    pub id: Option<String>,
    /// When it is due; none: now.
    pub due: Option<Timestamp>,
    /// The body of the request, base64.
    pub body: String,
    /// Headers of the request.
    pub headers: Json,
}

fn reads(refusal: access::Refusal) -> Status {
    refusal.status(|_| "Only administrators may do this.".to_owned())
}

impl Functions {
    async fn publishing(
        &self,
        caller: &Caller,
        verb: &'static str,
        resource: &str,
    ) -> Result<(Session, Permit), Status> {
        let operation = Operation { service: Service::Functions, verb, resource: resource.to_owned() };
        let mut session = self.gate.begin(caller, operation).await?;
        match session.authorize_admin(resource).map_err(reads) {
            Ok(permit) => Ok((session, permit)),
            Err(status) => {
                session.finish();
                Err(status)
            }
        }
    }

    /// Publishes messages. Returns their ids.
    ///
    /// Errors: `PERMISSION_DENIED` for who is no administrator; `RESOURCE_EXHAUSTED` when too much waits.
    pub async fn publish(
        &self,
        caller: &Caller,
        topic: &str,
        messages: Vec<Message>,
    ) -> Result<Vec<String>, Status> {
        if messages.is_empty() || messages.len() > PUBLISHED_MAX {
            return Err(Status::invalid(format!("A request has 1 to {PUBLISHED_MAX} messages.")));
        }
        let (mut session, _) = self.publishing(caller, "publish", &format!("/topics/{topic}")).await?;
        session.note("messages", messages.len().into());
        let attributes = vec![
            ("topic", topic.to_owned()),
            ("resource", format!("projects/{}/topics/{topic}", self.project)),
        ];
        let interests = self.gate.events().interests(Own::Message.name());
        let matching: Vec<&Watched> = interests
            .iter()
            .flat_map(|all| all.iter().map(AsRef::as_ref))
            .filter(|one| PUBLISHED.contains(&one.interest.event.as_str()) && one.matches(&attributes, &[]))
            .collect();
        let mut ids = Vec::with_capacity(messages.len());
        for message in messages {
            let id = number()?;
            let fields: serde_json::Map<String, Json> =
                message.attributes.into_iter().map(|(name, value)| (name, value.into())).collect();
            let said = json!({ "messageId": id, "data": message.data, "attributes": fields, "orderingKey": message.ordering_key });
            let lane = if message.ordering_key.is_empty() { &id } else { &message.ordering_key };
            let event = Emitted {
                key: Bytes::from(format!("{topic}/{lane}")),
                attributes: attributes.clone(),
                before: None,
                before_version: None,
                after: Some(said.to_string().into()),
            };
            session.emit(&Own::Message, &matching, &event)?;
            ids.push(id);
        }
        if let Some(name) = topic.strip_prefix(SCHEDULE_TOPIC) {
            self.emit_times(&mut session, name)?;
        }
        end(session).await?;
        Ok(ids)
    }

    /// Runs schedules with this name now.
    fn emit_times(&self, session: &mut Session, name: &str) -> Result<(), Status> {
        for (codebase, endpoint) in self.live_endpoints() {
            let is_meant = endpoint.name == name
                || endpoint
                    .regions
                    .first()
                    .is_some_and(|region| format!("{}-{region}", endpoint.name) == name);
            if is_meant && matches!(endpoint.trigger, Some(Trigger::Schedule(_))) {
                let now = session.now();
                self.emit_time(session, &codebase, &endpoint, now.micros())?;
            }
        }
        Ok(())
    }

    /// Has a schedule's function told that it is due.
    pub(super) fn emit_time(
        &self,
        session: &mut Session,
        codebase: &str,
        endpoint: &Endpoint,
        due_micros: i64,
    ) -> Result<(), Status> {
        let region = endpoint.regions.first().map_or("", String::as_str);
        let job = format!("firebase-schedule-{}-{region}", endpoint.name);
        let time = Timestamp::from_micros(due_micros).to_string();
        let said =
            json!({ "job": job, "time": time, "topic": format!("projects/{}/topics/{job}", self.project) });
        let event = Emitted {
            key: Bytes::from(job),
            attributes: Vec::new(),
            before: None,
            before_version: None,
            after: Some(said.to_string().into()),
        };
        let event_type = PUBLISHED.last().copied().unwrap_or_default();
        let watched = watched(target(codebase, &endpoint.name), event_type);
        session.emit(&Own::Time, &[&watched], &event)
    }

    /// Publishes custom events in a channel: CloudEvents in their protocol's JSON.
    ///
    /// Errors: as [`Functions::publish`]; `INVALID_ARGUMENT` for what is no event.
    pub async fn publish_events(
        &self,
        caller: &Caller,
        channel: &str,
        events: &[Json],
    ) -> Result<(), Status> {
        if events.is_empty() || events.len() > PUBLISHED_MAX {
            return Err(Status::invalid(format!("A request has 1 to {PUBLISHED_MAX} events.")));
        }
        let (mut session, _) = self.publishing(caller, "publishEvents", &format!("/{channel}")).await?;
        session.note("events", events.len().into());
        let interests = self.gate.events().interests(Own::Custom.name());
        for event in events {
            let of = |name: &str| event.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
            let (Some(kind), Some(id)) = (of("type"), of("id")) else {
                let status = Status::invalid("An event has an `id` and a `type`.");
                session.finish();
                return Err(status);
            };
            let mut attributes = custom_attributes(event);
            attributes.push(("channel".to_owned(), channel.to_owned()));
            let matching = interests.iter().flat_map(|all| all.iter().map(AsRef::as_ref));
            let matching: Vec<&Watched> = matching
                .filter(|one: &&Watched| one.interest.event == kind && one.matches(&attributes, &[]))
                .collect();
            let emitted = Emitted {
                key: Bytes::from(format!("{channel}/{id}")),
                attributes: vec![("channel", channel.to_owned())],
                before: None,
                before_version: None,
                after: Some(event.to_string().into()),
            };
            session.emit(&Own::Custom, &matching, &emitted)?;
        }
        end(session).await
    }

    /// Adds a task to a function's queue. Returns its name.
    ///
    /// Errors: `NOT_FOUND` for a function that has no queue, `ALREADY_EXISTS` for a name that is taken; as
    /// [`Functions::publish`].
    pub async fn enqueue(
        &self,
        caller: &Caller,
        (location, queue): (&str, &str),
        task: Task,
    ) -> Result<String, Status> {
        let function = self.queue(location, queue).await?;
        let name = format!("projects/{}/locations/{location}/queues/{queue}", self.project);
        let (mut session, permit) = self.publishing(caller, "createTask", &format!("/{name}")).await?;
        let id = match task.id {
            Some(id) if !id.is_empty() && id.len() <= TASK_ID_BYTES_MAX => id,
            Some(_) => {
                session.finish();
                return Err(Status::invalid(format!("A task's id has 1 to {TASK_ID_BYTES_MAX} characters.")));
            }
            None => number()?,
        };
        let full = format!("{name}/tasks/{id}");
        let key = Key::new(TASKS, full.as_bytes());
        if session.get(&key).await?.is_some() {
            session.finish();
            return Err(Status::new(Code::AlreadyExists, "A task with the same name already exists"));
        }
        let due = task.due.unwrap_or(session.now());
        let said = json!({
            "queue": queue, "id": id, "eta": due.to_string(), "body": task.body, "headers": task.headers,
        });
        let event = Emitted {
            key: Bytes::from(full.clone()),
            attributes: vec![("due", due.micros().to_string())],
            before: None,
            before_version: None,
            after: Some(said.to_string().into()),
        };
        let codebase = function.supervisor.name();
        let watched = watched(target(codebase, &function.endpoint.name), "hearth.task");
        session.emit(&Own::Task, &[&watched], &event)?;
        session.write(&permit, key, Some(Bytes::from_static(b"\x01")));
        end(session).await?;
        Ok(full)
    }

    /// Takes a task away that has not been begun.
    ///
    /// Errors: `NOT_FOUND` where there is none.
    pub async fn delete_task(&self, caller: &Caller, name: &str) -> Result<(), Status> {
        let (mut session, permit) = self.publishing(caller, "deleteTask", &format!("/{name}")).await?;
        let key = Key::new(TASKS, name.as_bytes());
        let found = session.get(&key).await?.is_some();
        if !found {
            session.finish();
            return Err(Status::new(Code::NotFound, "Requested entity was not found."));
        }
        // Its event finds itself without a task and is not told.
        session.write(&permit, key, None);
        end(session).await
    }

    /// The function whose queue this is.
    async fn queue(&self, location: &str, queue: &str) -> Result<Function, Status> {
        let missing = || Status::new(Code::NotFound, format!("Queue {queue} does not exist in {location}"));
        match self.find(location, queue).await {
            Ok(function) if matches!(function.endpoint.trigger, Some(Trigger::TaskQueue(_))) => Ok(function),
            Ok(_) | Err(Failure::Unknown(_)) => Err(missing()),
            Err(Failure::Refused(status)) => Err(status),
            Err(failure @ (Failure::TooLarge(_) | Failure::TooOften(_))) => {
                Err(Status::invalid(failure.to_string()))
            }
        }
    }

    /// All functions that are in service, with their codebases.
    pub(super) fn live_endpoints(&self) -> Vec<(String, Endpoint)> {
        let all = self.codebases.load_full();
        let mut found = Vec::new();
        for supervisor in all.iter().flat_map(|all| all.iter()) {
            if let crate::runtime::State::Live(live) = &*supervisor.state().borrow() {
                let endpoints = live.endpoints.iter().cloned();
                found.extend(endpoints.map(|endpoint| (supervisor.name().to_owned(), endpoint)));
            }
        }
        found
    }

    /// Makes these sources known.
    pub(crate) fn register_sources(&self) {
        for own in Own::ALL {
            self.gate.events().register(Arc::new(own));
        }
    }
}

fn watched(target: String, event: &str) -> Watched {
    Watched::new(Interest { target, event: event.to_owned(), ..Interest::default() })
}

/// An id that is a number, as production's are.
fn number() -> Result<String, Status> {
    let bytes: [u8; 8] = base::id::random_bytes().map_err(|error| {
        tracing::error!(%error, "no id can be made");
        Status::unavailable("The service is currently unavailable.")
    })?;
    Ok((u64::from_be_bytes(bytes) >> 1).to_string())
}

pub(super) async fn end(session: Session) -> Result<(), Status> {
    if !session.has_writes() {
        session.finish();
        return Ok(());
    }
    match session.commit().await {
        Ok(_) => Ok(()),
        Err(CommitFailure::Failed(status)) => Err(status),
        Err(CommitFailure::Conflict) => {
            Err(Status::new(Code::Aborted, "Others have changed the same; try again."))
        }
    }
}
