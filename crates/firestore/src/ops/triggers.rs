//! Function triggers that the Firebase CLI registers with the emulator. They are kept and listed; nothing is fired yet. Dev only.
//!
//! Source: `src/emulator/functionsEmulator.ts` of firebase-tools: `PUT …/triggers/KEY` of the first generation, `POST
//! …/eventarcTrigger?eventarcTriggerId=KEY` of the second.

use std::collections::BTreeMap;

use access::DevPermit;
use base::{Code, Status};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::Firestore;

/// Triggers that are kept, of all projects.
const TRIGGERS_MAX: usize = 1000;
/// Bytes of one trigger.
const TRIGGER_BYTES_MAX: usize = 16 << 10;

/// The triggers: by project and key.
pub type Triggers = Mutex<BTreeMap<(String, String), Json>>;

impl Firestore {
    /// Registers a trigger, or registers it anew.
    ///
    /// Errors: `INVALID_ARGUMENT` for what is no trigger; `RESOURCE_EXHAUSTED` beyond a thousand.
    pub fn put_trigger(
        &self,
        _permit: DevPermit,
        project: &str,
        key: &str,
        trigger: Json,
    ) -> Result<(), Status> {
        let of_event = trigger.get("eventTrigger").unwrap_or(&trigger);
        let names_event = of_event.get("eventType").is_some_and(Json::is_string);
        if key.is_empty() || !names_event || trigger.to_string().len() > TRIGGER_BYTES_MAX {
            return Err(Status::invalid(format!(
                "A trigger has a key and, in at most {} KiB, an `eventType`.",
                TRIGGER_BYTES_MAX >> 10
            )));
        }
        let mut triggers = self.triggers.lock();
        let at = (project.to_owned(), key.to_owned());
        if triggers.len() >= TRIGGERS_MAX && !triggers.contains_key(&at) {
            let text = format!("There are {TRIGGERS_MAX} triggers, which is the most.");
            return Err(Status::new(Code::ResourceExhausted, text));
        }
        triggers.insert(at, trigger);
        Ok(())
    }

    /// Forgets a trigger, if there is one.
    pub fn remove_trigger(&self, _permit: DevPermit, project: &str, key: &str) {
        self.triggers.lock().remove(&(project.to_owned(), key.to_owned()));
    }

    /// The triggers of a project.
    pub fn list_triggers(&self, _permit: DevPermit, project: &str) -> Json {
        let triggers = self.triggers.lock();
        let of_project = triggers.iter().filter(|((of, _), _)| of == project);
        let listed: Vec<Json> =
            of_project.map(|((_, key), trigger)| json!({ "key": key, "trigger": trigger })).collect();
        json!({ "triggers": listed })
    }
}
